//! Methods, run at a provider on this machine.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use relink_domain::{AccountId, caller::Caller};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    harness::{Got, Provider, RELINKS_URL, text},
    judgment::forbidden,
};
use crate::{
    Accounts, Answered, BaseError, BuildError, Calls, CursorKey, ExpressionError, Expressions, Incoming, MethodCall,
    MethodError, MethodTarget, Overrides, Parameters, Upstream,
    body::full,
    method::tests::{TestAccount, definition},
};

/// Evaluates dotted names, also in each item of a list.
#[derive(Clone)]
pub(super) struct Names;

impl Expressions for Names {
    async fn evaluate(&self, expression: &str, input: Value) -> Result<Option<Value>, ExpressionError> {
        if expression == "fails" {
            let code = Some("T2001".to_owned());
            return Err(ExpressionError { code, message: "it fails".to_owned(), position: None, advice: None });
        }
        if expression == "sign" {
            let options = &input["requestOptions"];
            let parts = [&options["method"], &input["url"], &options["body"], &input["context"]["api_key"]];
            return Ok(Some(json!({"X-Signature": parts.map(|part| part.as_str().unwrap_or("none")).join(" ")})));
        }
        if expression == "$deep($)" {
            return Ok(Some((0..200).fold(input, |inner, _| json!([inner]))));
        }
        let step = |value: Option<Value>, name: &str| match value? {
            Value::Array(items) => Some(items.iter().filter_map(|item| item.get(name).cloned()).collect()),
            value => value.get(name).cloned(),
        };
        Ok(expression.split('.').fold(Some(input), step))
    }
}

/// An account whose key is `at-` and a number, which counts up when it is renewed.
#[derive(Clone)]
pub(super) struct TestAccounts {
    definition: relink_domain::integration::Definition,
    number: Arc<AtomicUsize>,
    reported: Arc<Mutex<Vec<String>>>,
    /// What it is reauthorized with before the next renewal.
    reauthorized: Arc<Mutex<Option<relink_domain::integration::Definition>>>,
    /// A key in place of `at-` and a number.
    key: Option<&'static str>,
}

impl Accounts for TestAccounts {
    type Account = TestAccount;
    type Error = &'static str;

    fn cursor_key(&self) -> CursorKey {
        CursorKey([7; 32])
    }

    fn now(&self) -> relink_domain::Timestamp {
        relink_domain::Timestamp::from_millis(1_700_000_000_000)
    }

    async fn prepared(&self, _: &Caller, _: AccountId) -> Result<TestAccount, &'static str> {
        if let Some(key) = self.key {
            return Ok(TestAccount::new(self.definition.clone(), key));
        }
        let number = self.number.load(Ordering::SeqCst);
        Ok(TestAccount::new(self.definition.clone(), &format!("at-{number}")))
    }

    async fn renewed(&self, caller: &Caller, _: &TestAccount) -> Result<TestAccount, &'static str> {
        let number = self.number.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(definition) = self.reauthorized.lock().expect("not poisoned").take() {
            return Ok(TestAccount::new(definition, &format!("at-{number}")));
        }
        self.prepared(caller, AccountId::from_uuid(Uuid::nil())).await
    }

    fn answered(&self, _: &Caller, _: &TestAccount, answer: Answered<'_>) {
        let what = match answer {
            Answered::Accepted => "accepted".to_owned(),
            Answered::Unauthorized(_) => "unauthorized".to_owned(),
            Answered::Forbidden(said) => forbidden(said.described),
        };
        self.reported.lock().expect("not poisoned").push(what);
    }
}

pub(super) struct World {
    accounts: TestAccounts,
    pub(super) calls: Calls<TestAccounts>,
}

/// What a caller gets.
#[derive(Debug, PartialEq)]
pub(super) struct Arrived {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Arrived {
    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn json(&self) -> Value {
        assert_eq!(self.headers[CONTENT_TYPE], "application/json");
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

impl World {
    pub(super) fn new(provider: &Provider, config: &Value) -> Self {
        let accounts = TestAccounts {
            definition: definition(&format!("{}/v1", provider.origin), config),
            number: Arc::new(AtomicUsize::new(1)),
            reported: Arc::default(),
            reauthorized: Arc::default(),
            key: None,
        };
        Self { calls: Calls::new(accounts.clone(), Upstream::on_this_runtime()), accounts }
    }

    pub(super) fn with_key(provider: &Provider, config: &Value, key: &'static str) -> Self {
        let accounts = TestAccounts { key: Some(key), ..Self::new(provider, config).accounts };
        Self { calls: Calls::new(accounts.clone(), Upstream::on_this_runtime()), accounts }
    }

    /// Passes a call for this path through.
    pub(super) async fn pass_through(&self, path: &str) -> Result<(), String> {
        let (method, headers, body) = (http::Method::GET, HeaderMap::new(), full(Bytes::new()));
        let call = Incoming { method, path, query: None, headers, body, prefix: RELINKS_URL };
        let passed = self.calls.pass_through(&Caller::Person, AccountId::from_uuid(Uuid::nil()), call).await;
        passed.map(drop).map_err(|error| error.to_string())
    }

    pub(super) async fn run(
        &self,
        target: MethodTarget<'_>,
        query: &str,
        kind: &'static str,
        body: &str,
    ) -> Result<Arrived, MethodError<&'static str>> {
        self.run_with(target, query, &[("content-type", kind), ("x-caller", "1")], body).await
    }

    pub(super) async fn run_with(
        &self,
        target: MethodTarget<'_>,
        query: &str,
        headers: &[(&'static str, &'static str)],
        body: &str,
    ) -> Result<Arrived, MethodError<&'static str>> {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers = headers.collect();
        let call = MethodCall {
            called: None,
            only_reads: false,
            target,
            parameters: Parameters::read(query),
            headers,
            body: full(Bytes::from(body.to_owned())),
            prefix: RELINKS_URL,
            overrides: Overrides::default(),
        };
        let id = AccountId::from_uuid(Uuid::nil());
        let response = match self.calls.run_method(&Caller::Person, id, call, &Names).await {
            Err(MethodError::Remote(response)) => *response,
            other => other?,
        };
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Ok(Arrived { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    pub(super) fn reported(&self) -> Vec<String> {
        self.accounts.reported.lock().expect("not poisoned").clone()
    }

    /// Makes the account one for testing.
    pub(super) fn into_sandbox(mut self) -> Self {
        let mut document = serde_json::to_value(&self.accounts.definition).expect("JSON");
        document["category"] = "sandbox".into();
        self.accounts.definition =
            relink_domain::integration::parse(&document.to_string()).expect("a definition").definition;
        self.calls = Calls::new(self.accounts.clone(), Upstream::on_this_runtime());
        self
    }

    pub(super) async fn method(&self, method: &str, id: Option<&str>, query: &str) -> Arrived {
        let target = MethodTarget::Named { resource: "contacts", method, id };
        self.run(target, query, "application/json", "").await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }
}

/// A provider that answers each path below `/v1` with what the table has for it.
async fn provider(answers: &'static [(&'static str, u16, &'static str, &'static str)]) -> Provider {
    Provider::start(move |request: Got, _| {
        let path = request.uri.path().trim_start_matches("/v1");
        let found = answers.iter().find(|(known, ..)| *known == path);
        let (_, status, kind, body) = found.copied().unwrap_or(("", 404, "text/plain", "nothing here"));
        text(
            StatusCode::from_u16(status).expect("a status"),
            body,
            &[("content-type", kind), ("x-request-id", "7"), ("set-cookie", "a=b")],
        )
    })
    .await
}

pub(super) fn contacts(methods: &Value) -> Value {
    json!({ "resources": { "contacts": methods } })
}

const JSON: &str = "application/json; charset=utf-8";

#[tokio::test]
async fn a_list_comes_in_an_envelope_and_other_data_by_itself() {
    let provider = provider(&[
        ("/all", 200, JSON, r#"{"data": {"items": [{"id":1},{"id":2}]}, "more": true}"#),
        ("/one", 200, JSON, r#"{"id": 1 }"#),
        ("/none", 200, JSON, "null"),
        ("/empty", 204, "", ""),
        ("/csv", 200, "text/csv", "a,b\n"),
        ("/broken", 200, JSON, "{"),
        ("/xml", 200, "application/xml", "<r><i>1</i></r>"),
    ])
    .await;
    let world = World::new(
        &provider,
        &contacts(&json!({
            "list": {"path": "/all", "response_path": "data.items"},
            "get": {"path": "/one"},
            "create": {"path": "/all", "method": "post", "response_path": "data.items.id"},
            "one": {"path": "/one", "response_path": "id"},
            "none": {"path": "/none", "response_path": "gone"},
            "csv": {"path": "/csv"},
            "broken": {"path": "/broken", "response_path": "id"},
            "xml": {"path": "/xml", "api_response_format": "xml", "response_path": "r.i._text"},
            "text": {"path": "/one", "api_response_format": "text"},
            "delete": {"path": "/empty", "method": "delete"},
        })),
    );
    let list = world.method("list", None, "").await;
    assert_eq!(list.body, r#"{"result":[{"id":1},{"id":2}],"next_cursor":null,"prev_cursor":null,"result_count":2}"#);
    assert_eq!(
        (list.status, &list.headers["x-request-id"], list.headers.get("set-cookie")),
        (200, &HeaderValue::from_static("7"), None)
    );
    // As the provider wrote it: nothing was read.
    assert_eq!(world.method("get", Some("1"), "").await.body, r#"{"id": 1 }"#);
    for (method, body) in
        [("create", "[1,2]"), ("one", "1"), ("none", "null"), ("xml", "\"1\""), ("text", r#""{\"id\": 1 }""#)]
    {
        assert_eq!(world.method(method, None, "").await.body, body, "{method}");
    }
    let csv = world.method("csv", None, "").await;
    assert_eq!((csv.body, &csv.headers[CONTENT_TYPE]), (Bytes::from("a,b\n"), &HeaderValue::from_static("text/csv")));
    let broken = world.method("broken", None, "").await;
    assert_eq!((broken.status, broken.body), (200, Bytes::from("{")));
    assert_eq!(world.method("delete", Some("a/b"), "").await.json(), json!({"id": "a/b"}));
    assert_eq!(world.method("delete", None, "").await.status, 204);
}

#[tokio::test]
async fn one_record_is_a_list_of_one_and_nothing_is_an_empty_one() {
    let provider =
        provider(&[("/one", 200, JSON, r#"{"id": 1}"#), ("/empty", 204, "", ""), ("/csv", 200, "text/csv", "a")]).await;
    for (path, expected) in [("/one", json!([{"id": 1}])), ("/empty", json!([])), ("/csv", json!(["a"]))] {
        let world = World::new(&provider, &contacts(&json!({"list": {"path": path}})));
        let list = world.method("list", None, "").await.json();
        assert_eq!(
            (&list["result"], list["result_count"].as_u64()),
            (&expected, expected.as_array().map(|it| it.len() as u64)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_providers_error_has_trutos_form_also_in_a_200() {
    let provider = provider(&[
        ("/teapot", 418, JSON, r#"{"error": {"message": "short and stout"}}"#),
        ("/gone", 404, "text/plain", "nothing here"),
        ("/forbidden", 403, JSON, "{}"),
        ("/forbidden", 403, JSON, "{}"),
        ("/ok", 200, JSON, r#"{"error": "bad thing", "details": {"status": 422, "message": "worse"}, "fine": null}"#),
    ])
    .await;
    let world = World::new(
        &provider,
        &contacts(&json!({
            "get": {"path": "/teapot"},
            "forbidden": {"path": "/forbidden", "scopes": ["contacts.read"]},
            "list": {"path": "/gone"},
            "text": {"path": "/ok", "response_path": "details", "error_expression": "data.error"},
            "object": {"path": "/ok", "error_expression": "data.details"},
            "late": {"path": "/teapot", "error_expression": "data.error"},
            "fine": {"path": "/ok", "response_path": "error", "error_expression": "response.data.fine"},
        })),
    );
    for (method, status, message) in [
        ("get", 418, "short and stout"),
        ("list", 404, ""),
        ("text", 400, "bad thing"),
        ("object", 422, "worse"),
        ("late", 418, "short and stout"),
    ] {
        let answer = world.method(method, None, "").await;
        let body = answer.json();
        assert_eq!((answer.status, body["message"].as_str()), (status, Some(message)), "{method}: {body}");
        assert_eq!((body["statusCode"].as_u64(), &body["truto_is_remote_error"]), (Some(status.into()), &json!(true)));
        assert_eq!(
            (&answer.headers["x-request-id"], answer.headers.get("set-cookie")),
            (&HeaderValue::from_static("7"), None)
        );
    }
    let scopes = &world.method("forbidden", None, "").await.json()["truto_error_insight"]["forbidden_error"]["value"];
    assert_eq!(*scopes, json!({"missing_scopes": ["contacts.read"]}));
    assert_eq!(
        *world.accounts.reported.lock().expect("not poisoned").last().expect("reported"),
        "contacts.forbidden is forbidden, needs contacts.read"
    );
    let raw = world.method("get", None, "").await.json()["raw_response"].clone();
    assert_eq!(raw, json!({"error": {"message": "short and stout"}}));
    assert_eq!(world.method("list", None, "").await.json()["raw_response"], "nothing here");
    assert_eq!(world.method("fine", None, "").await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_of_the_gateway() {
    let provider = provider(&[("/broken", 200, JSON, "{"), ("/ok", 200, JSON, "[{}]")]).await;
    let world = World::new(
        &provider,
        &contacts(&json!({
            "strict": {"path": "/broken", "throw_error_on_parse_error": true},
            "deep": {"path": "/ok", "response_path": "$deep($)"},
            "expression": {"path": "/ok", "error_expression": "fails"},
        })),
    );
    for (method, expected) in [
        ("strict", "The provider's answer is not in the format that the method expects."),
        ("expression", "The method's error_expression can't be evaluated: it fails"),
        ("deep", "The method's response_path gives values that are nested too deeply."),
    ] {
        let target = MethodTarget::Named { resource: "contacts", method, id: None };
        let error = world.run(target, "", "application/json", "").await.expect_err(method);
        assert_eq!(error.to_string(), expected, "{method}");
    }
}

#[tokio::test]
async fn what_there_is_is_listed() {
    let provider = provider(&[("/a", 200, JSON, "{}")]).await;
    let methods = json!({"list": {"path": "/a", "method": "post"}, "create": {"path": "/a", "method": "post"}, "get": {"path": "/a"},
        "search": {"path": "/a"}, "merge": {"path": "/a", "method": "post"}});
    let world = World::new(&provider, &contacts(&methods));
    let run = async |world: &World, resource, method| {
        let target = MethodTarget::Named { resource, method, id: None };
        world.run(target, "", "application/json", "").await
    };
    let Err(MethodError::NoResource { known, .. }) = run(&world, "Contacts", "list").await else { panic!("unknown") };
    assert_eq!(known, ["contacts"]);
    let Err(MethodError::NoMethod { known, .. }) = run(&world, "contacts", "remove").await else { panic!("unknown") };
    assert_eq!(known, ["create", "get", "list", "merge", "search"]);
    assert_eq!(provider.requests(), 0);
}

#[tokio::test]
async fn a_new_credential_does_not_go_where_the_old_one_went() {
    let provider = Provider::start(|_: Got, _| text(StatusCode::UNAUTHORIZED, "{}", &[])).await;
    let config = contacts(&json!({"list": {"path": "/a"}}));
    let world = World::new(&provider, &config);
    // Given an account that is reauthorized with another address while a call is refused.
    let other = definition("http://127.0.0.1:1/v1", &config);
    *world.accounts.reauthorized.lock().expect("not poisoned") = Some(other);
    let target = MethodTarget::Named { resource: "contacts", method: "list", id: None };
    let refused = world.run(target, "", "application/json", "").await;
    assert!(matches!(refused, Err(MethodError::Build(BuildError::Base(BaseError::Moved)))), "{refused:?}");
    assert_eq!(provider.requests(), 1);
}
