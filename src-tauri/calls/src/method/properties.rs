//! Whatever a caller sends stays within the provider's API. docs/testing.md says how many inputs were tried.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use proptest::prelude::*;
use relink_domain::integration::resources::{Method, Verb};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    encode::CallersBody,
    parameters::Parameters,
    request::{Raw, Run, of_custom_call},
    tests::{BASE, TestAccount, definition},
};
use crate::account::Account;

const SECRET: &str = "k-secret-1";

static ACCOUNT: LazyLock<TestAccount> = LazyLock::new(|| TestAccount::new(definition(BASE, &json!({})), SECRET));

/// Methods with values of the caller in each place.
static METHODS: LazyLock<Vec<Method>> = LazyLock::new(|| {
    let methods = [
        json!({"path": "/a/{{id}}/b?x={{query.q ?: }}", "query": {"y": "{{query.q:str:undefined}}"}}),
        json!({"path": "/{{body.a ?: none}}-{{id}}", "headers": {"x-a": "{{body.a:str:undefined}}"}, "body_format": "form"}),
        json!({"path": "{{id}}", "method": "post", "body": {"a": "{{body.a}}", "k": "{{api_key}}"}, "body_format": "multipart"}),
        json!({"path": "/x.{{id}}.y/{{query.q|id}}", "method": "post", "body": {"r": {"v": "{{body.a:str:null}}"}}, "body_format": "xml"}),
        json!({"path": "/{{query.q}}/{{id:null}}", "query": {"k": "{{api_key}}", "$truto_merge": "{{body:json}}"}, "query_array_format": "comma"}),
        json!({"path": "/a", "pagination_path": "/later/{{id}}", "add_query_to_body": true, "method": "put", "body_format": "raw",
            "authorization": {"format": "header", "config": {"header_name": "Authorization", "header_value": "Bearer {{api_key}}"}}}),
    ];
    methods.iter().map(|method| ACCOUNT.definition().method_of_call(method).expect("a method")).collect()
});

/// Texts that are near to what could lead a request elsewhere.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "(\\.\\.|/|\\\\|%2e|%2f|%5c|@|:|;|\r\n|\0|\\?|#|//evil|https:|\\{\\{api_key\\}\\}|a){0,6}",
    ]
}

fn path() -> impl Strategy<Value = String> {
    "(/|\\.|\\.\\.|%2e|%2f|%5c|\\\\|@|:|;|%0d%0a|\r\n|\\?|#|//evil|\\PC|a){0,8}"
}

fn body() -> impl Strategy<Value = Value> {
    prop_oneof![
        value().prop_map(|text| json!({ "a": text })),
        (value(), value()).prop_map(|(name, text)| json!({ name: [text, {"b": null}] })),
        value().prop_map(Value::String),
        any::<i64>().prop_map(Value::from),
    ]
}

/// What holds of every request, whatever a caller sends: no other origin, no way out of the API, no line or control character that isn't Relink's, and no
/// secret in the path.
fn check(request: &Request<()>) -> Result<(), TestCaseError> {
    let text = request.uri().to_string();
    prop_assert!(!text.contains(['\r', '\n', ' ']), "{}", text);
    let uri: Url = text.parse().expect("a URL");
    prop_assert_eq!(uri.origin().ascii_serialization(), "https://api.acme.example");
    prop_assert!(uri.username().is_empty() && uri.password().is_none(), "{}", uri);
    prop_assert!(uri.path() == "/v1" || uri.path().starts_with("/v1/"), "{}", uri);
    prop_assert!(!uri.path().contains(SECRET), "{}", uri);
    let decoded = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8_lossy().replace('\\', "/");
    let names = decoded.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    prop_assert!(names.into_iter().all(|name| !matches!(name, "." | "..")), "{}", decoded);
    prop_assert!(!decoded.contains(|c: char| c.is_ascii_control()), "{}", decoded);
    for (name, value) in request.headers() {
        prop_assert!(!value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "{}", name);
    }
    prop_assert_eq!(request.headers()["authorization"].to_str().ok(), Some("Bearer k-secret-1"));
    Ok(())
}

fn run_of(method: &Method) -> Run<'_> {
    Run {
        method,
        name: None,
        is_callers: false,
        raw: Raw::default(),
        id: None,
        query: Map::new(),
        body: CallersBody::None,
        headers: HeaderMap::new(),
        over: HeaderMap::new(),
        accepted_coding: HeaderValue::from_static("identity"),
    }
}

proptest! {
    #[test]
    fn no_value_leads_a_method_out_of_the_api(
        id in proptest::option::of(value()), query in "\\PC{0,8}", name in value(), q in value(), body in body(),
        method in 0..METHODS.len(), is_later_page: bool,
    ) {
        let mut parameters = Parameters::read(&query).forwarded;
        parameters.insert("q".to_owned(), q.into());
        parameters.insert(name, "1".into());
        let run = Run { id: id.as_deref(), query: parameters, body: CallersBody::Value(body), ..run_of(&METHODS[method]) };
        let base = ACCOUNT.base_of(run.method).expect("the account's");
        let Ok(outline) = run.outline(&*ACCOUNT, is_later_page) else { return Ok(()) };
        prop_assert!(!outline.path.contains(SECRET) && outline.query.iter().all(|(_, value)| !value.contains(SECRET)));
        let Ok((request, _)) = run.complete(&*ACCOUNT, &outline, &base) else { return Ok(()) };
        check(&request)?;
    }

    #[test]
    fn no_path_and_no_header_leads_a_call_out_of_the_api(
        path in path(), query in prop_oneof![path(), "\\PC{0,20}"], header in value(), is_host: bool,
    ) {
        let method = ACCOUNT.definition().method_at_path(Verb::Get);
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static(if is_host { "host" } else { "x-a" });
        headers.extend(HeaderValue::from_bytes(header.as_bytes()).ok().map(|value| (name, value)));
        let headers = of_custom_call(&headers, &method);
        let raw = Raw { path: Some(&path), query: Some(&query) };
        let run = Run { is_callers: true, raw, headers, ..run_of(&method) };
        let base = ACCOUNT.base_of(run.method).expect("the account's");
        let outline = run.outline(&*ACCOUNT, false).expect("an outline");
        let Ok((request, _)) = run.complete(&*ACCOUNT, &outline, &base) else { return Ok(()) };
        check(&request)?;
        prop_assert!(!request.headers().contains_key("host"));
    }
}
