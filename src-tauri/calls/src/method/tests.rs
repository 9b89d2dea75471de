//! Requests of methods, built without sending them.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use relink_domain::{
    Secret,
    account::AuthenticationMethod,
    destination::Consent,
    integration::{
        Definition, ExpiredWhen, Header, HeaderError, PathTemplate, SigningExpression, UrlPath, WebUrl, parse,
        resources::Method,
    },
    template::{FillError, Filled, Placeholder, Root, Scope, Template},
};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    BuildError, Parameters,
    encode::CallersBody,
    request::{Raw, Run},
};
use crate::account::{Account, BaseError};

/// An account with an API key, whose values are in memory.
#[derive(Clone)]
pub(crate) struct TestAccount(Arc<Inner>);

struct Inner {
    definition: Definition,
    base: Option<Url>,
    headers: HeaderMap,
    query: Vec<(String, Secret)>,
    context: Map<String, Value>,
    fields: BTreeMap<String, Secret>,
    pub(crate) is_sandbox: bool,
    is_renewable: bool,
}

/// Where `https://api.acme.example/v1` is.
pub(crate) fn definition(base: &str, config: &Value) -> Definition {
    let mut document = json!({
        "name": "acme",
        "config": {
            "label": "Acme",
            "base_url": base,
            "headers": {"x-version": "7", "x-region": "{{region}}"},
            "query": {"tenant": "{{region}}", "sig": "{{api_key}}"},
            "credentials": {"api_key": {"format": "api_key", "config": {"fields": [
                {"name": "api_key", "label": "API key", "type": "password"},
            ]}}},
            "relink": {"allow_local": true, "probe": {"path": "/me"}},
        },
    });
    let over = config.as_object().expect("an object").clone();
    document["config"].as_object_mut().expect("an object").extend(over);
    parse(&document.to_string()).unwrap_or_else(|error| panic!("{document}: {error}")).definition
}

impl TestAccount {
    pub(crate) fn new(definition: Definition, key: &str) -> Self {
        let context = json!({"region": "eu", "url": "https://evil.example", "list": ["a", "b"]});
        let context = context.as_object().expect("an object").clone();
        let fields = BTreeMap::from([("api_key".to_owned(), Secret::new(key))]);
        let scope = Scope::new(&context, &fields, None);
        let base = definition.base_url().map(|url| url.resolve(&context).expect("resolved").as_url().clone());
        let query = definition.query().fill(&scope).expect("filled");
        let plain = definition.method_at_path(relink_domain::integration::resources::Verb::Get);
        let headers = definition.headers_of(&plain, AuthenticationMethod::ApiKey, &scope).expect("filled");
        let headers = header_map(headers);
        let is_sandbox = definition.category() == "sandbox";
        Self(Arc::new(Inner {
            base,
            headers,
            query,
            context,
            fields,
            is_sandbox,
            is_renewable: key.starts_with("at-"),
            definition,
        }))
    }
}

fn header_map(headers: Vec<Header>) -> HeaderMap {
    let pair = |Header { name, value }: Header| {
        let name: http::HeaderName = name.as_str().parse().expect("a name");
        (name, HeaderValue::from_bytes(value.expose().as_bytes()).expect("a value"))
    };
    headers.into_iter().map(pair).collect()
}

impl Account for TestAccount {
    fn base_url(&self) -> Option<&Url> {
        self.0.base.as_ref()
    }

    fn consent(&self) -> Consent {
        Consent::Local
    }

    fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    fn query(&self) -> &[(String, Secret)] {
        &self.0.query
    }

    fn is_renewable(&self) -> bool {
        self.0.is_renewable
    }

    fn follows_refusal(&self) -> bool {
        false
    }

    fn expired_when(&self) -> &[ExpiredWhen] {
        &[]
    }

    fn scopes(&self) -> &[String] {
        &[]
    }

    fn definition(&self) -> &Definition {
        &self.0.definition
    }

    fn is_sandbox(&self) -> bool {
        self.0.is_sandbox
    }

    fn base_of(&self, method: &Method) -> Result<Url, BaseError> {
        let Some(address) = &method.base_url else { return self.0.base.clone().ok_or(BaseError::Missing) };
        let url: WebUrl = address.resolve(&self.0.context)?;
        let bound = self.0.definition.addresses(AuthenticationMethod::ApiKey, &self.0.context);
        let origin = url.origin();
        if bound.allows_method_at(&origin) { Ok(url.as_url().clone()) } else { Err(BaseError::Foreign(origin)) }
    }

    fn signing<'a>(&'a self, method: Option<&'a Method>) -> Option<&'a SigningExpression> {
        let (definition, format) = (&self.0.definition, AuthenticationMethod::ApiKey);
        match method {
            Some(method) => definition.authorization_of(method, format)?.signing(),
            None => definition.authorization(format)?.signing(),
        }
    }

    fn fill(&self, template: &Template, call: &[(&str, Root<'_>)]) -> Result<Filled, FillError> {
        template.fill(&Scope { roots: call, ..Scope::new(&self.0.context, &self.0.fields, None) })
    }

    fn names_secret(&self, placeholder: &Placeholder) -> bool {
        placeholder.names_secret(|name| self.0.definition.is_credential(name))
    }

    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.0.fields.values()
    }

    fn fill_path(&self, path: &PathTemplate, call: &[(&str, Root<'_>)]) -> Result<UrlPath, FillError> {
        path.fill(&Scope { roots: call, ..Scope::new(&self.0.context, &BTreeMap::new(), None) })
    }

    fn headers_of(&self, method: &Method, call: &[(&str, Root<'_>)]) -> Result<HeaderMap, HeaderError> {
        let scope = Scope { roots: call, ..Scope::new(&self.0.context, &self.0.fields, None) };
        self.0.definition.headers_of(method, AuthenticationMethod::ApiKey, &scope).map(header_map)
    }
}

pub(super) const BASE: &str = "https://api.acme.example/v1";

/// A call in a table.
#[derive(Default)]
struct Call {
    id: Option<&'static str>,
    query: &'static str,
    body: Option<Value>,
    is_later_page: bool,
}

fn with<T>(method: &Value, call: &Call, use_: impl FnOnce(&Run<'_>, &TestAccount) -> T) -> T {
    let account = TestAccount::new(definition(BASE, &json!({})), "k&1");
    let method = account.definition().method_of_call(method).unwrap_or_else(|error| panic!("{method}: {error}"));
    let run = Run {
        method: &method,
        name: None,
        is_callers: false,
        raw: Raw::default(),
        id: call.id,
        query: Parameters::read(call.query).forwarded,
        body: call.body.clone().map_or(CallersBody::None, CallersBody::Value),
        headers: HeaderMap::new(),
        over: HeaderMap::new(),
        accepted_coding: HeaderValue::from_static("identity"),
    };
    use_(&run, &account)
}

fn built(method: &Value, call: &Call) -> Result<(http::Request<()>, Bytes), BuildError> {
    with(method, call, |run, account| {
        let base = account.base_of(run.method)?;
        let outline = run.outline(account, call.is_later_page)?;
        run.complete(account, &outline, &base)
    })
}

fn line(method: &Value, call: &Call) -> String {
    match built(method, call) {
        Ok((request, _)) => format!("{} {}", request.method(), request.uri()).replace(BASE, ""),
        Err(error) => error.to_string(),
    }
}

fn body(method: &Value, call: &Call) -> String {
    let (request, bytes) = built(method, call).expect("a request");
    let kind = request.headers().get(CONTENT_TYPE).map_or("none", |value| value.to_str().expect("text"));
    format!("{kind}: {}", String::from_utf8_lossy(&bytes))
}

fn headers(method: &Value, call: &Call) -> Vec<String> {
    let (request, _) = built(method, call).expect("a request");
    let shown = |(name, value): (&http::HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().expect("text"));
    let mut headers: Vec<_> = request
        .headers()
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "user-agent" | "accept-encoding"))
        .map(shown)
        .collect();
    headers.sort();
    headers
}

#[test]
fn an_id_is_one_segment_of_the_path() {
    let get = json!({"path": "/contacts/{{id}}"});
    for (id, expected) in [
        ("7", "GET /contacts/7?tenant=eu&sig=k%261"),
        ("a/b", "GET /contacts/a%2Fb?tenant=eu&sig=k%261"),
        ("alt:ref:a@b.com", "GET /contacts/alt%3Aref%3Aa%40b.com?tenant=eu&sig=k%261"),
        ("ä b?c#d", "GET /contacts/%C3%A4%20b%3Fc%23d?tenant=eu&sig=k%261"),
        ("{{api_key}}", "GET /contacts/%7B%7Bapi_key%7D%7D?tenant=eu&sig=k%261"),
        (
            "..",
            "The request can't be made: the value for {{id}} can't be part of a path: it makes a segment empty, or one that is . or ...",
        ),
        ("a/../../b", "A path may not contain the segments \".\" and \"..\", which would leave the provider's API."),
        ("a\r\nb", "A path may not contain a line break or another control character."),
    ] {
        assert_eq!(line(&get, &Call { id: Some(id), ..Call::default() }), expected, "{id}");
    }
    let missing = line(&get, &Call::default());
    assert_eq!(missing, "The request can't be made: the account has no value for id.");
    let secret = line(&json!({"path": "/x/{{list.1}}/{{gone?:none}}"}), &Call::default());
    assert_eq!(secret, "GET /x/b/none?tenant=eu&sig=k%261");
}

#[test]
fn the_callers_query_goes_over_the_methods_and_that_over_the_integrations() {
    let method = json!({"path": "/x?view=path&z=1", "query": {"view": "method", "ids": ["1", "{{query.more:str:undefined}}"], "tenant": "us"}});
    for (query, expected) in [
        ("", "GET /x?sig=k%261&view=method&z=1&ids%5B%5D=1&tenant=us"),
        ("view=caller&more=2", "GET /x?sig=k%261&view=caller&z=1&ids%5B%5D=1&ids%5B%5D=2&tenant=us&more=2"),
        ("sig=mine&f[a]=b", "GET /x?view=method&z=1&ids%5B%5D=1&tenant=us&sig=mine&f%5Ba%5D=b"),
    ] {
        // An item that becomes undefined stays as null, as in JSON, and null is no parameter.
        assert_eq!(line(&method, &Call { query, ..Call::default() }), expected, "{query}");
    }
    for (format, expected) in [
        ("comma", "GET /x?tenant=eu&sig=k%261&a=1%2C2"),
        ("brackets", "GET /x?tenant=eu&sig=k%261&a%5B%5D=1&a%5B%5D=2"),
        ("indices", "GET /x?tenant=eu&sig=k%261&a%5B0%5D=1&a%5B1%5D=2"),
        ("repeat", "GET /x?tenant=eu&sig=k%261&a=1&a=2"),
    ] {
        let method = json!({"path": "/x", "query_array_format": format});
        for query in ["a[]=1&a[]=2", "a[0]=1&a[1]=2", "a=1&a=2"] {
            assert_eq!(line(&method, &Call { query, ..Call::default() }), expected, "{format}");
        }
    }
}

#[test]
fn a_secret_in_the_query_is_in_no_outline() {
    let method =
        json!({"path": "/x", "query": {"token": "{{api_key}}", "a": "1"}, "body": {"key": "{{api_key}}", "b": 2}});
    let call = Call { query: "c=3", ..Call::default() };
    with(&method, &call, |run, account| {
        let base = account.base_of(run.method).expect("a URL");
        let outline = run.outline(account, false).expect("an outline");
        assert!(!format!("{outline:?}").contains("k&1"), "{outline:?}");
        let mut paged = outline.clone();
        paged.body = Some(json!({"cursor": "x", "b": 3}));
        let (request, bytes) = run.complete(account, &paged, &base).expect("a request");
        assert_eq!(request.uri().query(), Some("tenant=eu&sig=k%261&token=k%261&a=1&c=3"));
        assert_eq!(bytes, r#"{"key":"k&1","b":3,"cursor":"x"}"#);
    });
}

#[test]
fn null_takes_a_header_away_and_none_replaces_the_credential() {
    let own = json!({"path": "/x", "headers": {
        "X-Version": null, "x-trace": "{{body.trace}}", "x-none": "{{query.none:str:undefined}}", "Authorization": "mine",
    }});
    let call = Call { body: Some(json!({"trace": "t-1"})), ..Call::default() };
    let with_body = [
        "accept: application/json",
        "authorization: Bearer k&1",
        "content-type: application/json",
        "x-region: eu",
        "x-trace: t-1",
    ];
    assert_eq!(headers(&own, &call), with_body);
    let plain = ["accept: application/json", "authorization: Bearer k&1", "x-region: eu", "x-version: 7"];
    assert_eq!(headers(&json!({"path": "/x"}), &Call::default()), plain);
    let unsigned = headers(&json!({"path": "/x", "no_auth": true}), &Call::default());
    assert_eq!(unsigned, ["accept: application/json", "x-region: eu", "x-version: 7"]);
    let basic = json!({"format": "basic", "config": {"username": "{{api_key}}", "password": ""}});
    let basic =
        headers(&json!({"path": "/x", "authorization": basic, "headers": {"accept": "text/csv"}}), &Call::default());
    assert_eq!(basic, ["accept: text/csv", "authorization: Basic ayYxOg==", "x-region: eu", "x-version: 7"]);
    let broken = Call { body: Some(json!({"trace": "a\r\nhost: evil.example"})), ..Call::default() };
    let refused = built(&own, &broken).expect_err("refused").to_string();
    assert!(refused.contains("a value for the header x-trace contains a line break"), "{refused}");
}

#[test]
fn a_body_is_the_callers_or_the_templates_in_the_methods_format() {
    let call = |body: Value| Call { query: "q=1", body: Some(body), ..Call::default() };
    let given = || call(json!({"a": 1, "b": [true, null]}));
    for (method, expected) in [
        (json!({}), r#"application/json: {"a":1,"b":[true,null]}"#),
        (json!({"body": {"x": "{{body.a:int}}", "y": "{{body.gone:str:undefined}}"}}), r#"application/json: {"x":1}"#),
        (json!({"body": "{{body.a}}", "body_format": "raw"}), "text/plain; charset=utf-8: 1"),
        (json!({"body_format": "form"}), "application/x-www-form-urlencoded: a=1&b%5B%5D=true"),
        (
            json!({"body_format": "form", "body_format_config": {"array_format": "repeat"}}),
            "application/x-www-form-urlencoded: a=1&b=true",
        ),
        (json!({"body": {"r": {"v": "{{body.a}}"}}, "body_format": "xml"}), "application/xml: <r><v>1</v></r>"),
        (json!({"ignore_body": true}), "none: "),
        (json!({"body": {"x": 1}, "ignore_body": true}), r#"application/json: {"x":1}"#),
        (json!({"body": {"x": 1}, "set_body_to_null": true}), "none: "),
        (json!({"add_query_to_body": true}), r#"application/json: {"q":"1","a":1,"b":[true,null]}"#),
        (
            json!({"headers": {"content-type": "application/vnd.acme+json"}}),
            r#"application/vnd.acme+json: {"a":1,"b":[true,null]}"#,
        ),
    ] {
        let mut all = json!({"path": "/x", "method": "post"});
        all.as_object_mut().expect("an object").extend(method.as_object().expect("an object").clone());
        assert_eq!(body(&all, &given()), expected, "{method}");
    }
    let secret = json!({"path": "/x?a=path", "body": {"key": "{{api_key}}"}, "add_query_to_body": true});
    assert_eq!(
        body(&secret, &Call { query: "key=mine&q=1", ..Call::default() }),
        r#"application/json: {"a":"path","key":"k&1","q":"1"}"#
    );
    let multipart = body(&json!({"path": "/x", "method": "post", "body_format": "multipart"}), &given());
    assert!(
        multipart.starts_with(
            "multipart/form-data; boundary=relink-00000000000000000000: --relink-00000000000000000000\r\n"
        ),
        "{multipart}"
    );
    let refused = built(&json!({"path": "/x", "body_format": "form"}), &call(json!([1]))).expect_err("refused");
    assert_eq!(refused, BuildError::Body(super::BodyError::NotAnObject));
    let later = Call { is_later_page: true, ..given() };
    let paged = json!({"path": "/x", "pagination_path": "/x/next", "ignore_body_in_pagination": true});
    assert_eq!(
        (body(&paged, &later), line(&paged, &later)),
        ("none: ".into(), "GET /x/next?tenant=eu&sig=k%261&q=1".into())
    );
}

#[test]
fn a_credential_goes_only_where_it_was_given_for() {
    let refused = built(&json!({"path": "/x", "base_url": "https://evil.example"}), &Call::default());
    let Err(BuildError::Base(BaseError::Foreign(origin))) = refused else { panic!("refused") };
    assert_eq!(origin.as_str(), "https://evil.example");
    let same = built(&json!({"path": "/x", "base_url": "https://api.acme.example/v2"}), &Call::default());
    assert_eq!(same.expect("a request").0.uri().path(), "/v2/x");
    let files = json!({"files": {"get": {"path": "/f", "base_url": "https://files.acme.example"}}});
    let account = TestAccount::new(definition(BASE, &json!({ "resources": files })), "k");
    let method = account.definition().resources().get("files").and_then(|it| it.get("get")).expect("a method");
    assert_eq!(account.base_of(method).expect("declared").as_str(), "https://files.acme.example/");
}
