//! Methods of a caller's own (`methodConfig`), and requests that go as they were sent.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use relink_domain::{AccountId, caller::Caller, integration::resources::Verb};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    harness::{Got, Provider, RELINKS_URL, text},
    methods::{Names, World, contacts},
};
use crate::{CallError, MethodCall, MethodError, MethodTarget, Overrides, Parameters, body::full};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

pub(super) async fn answering(status: u16) -> Provider {
    Provider::start(move |_: Got, _| text(StatusCode::from_u16(status).expect("a status"), "{}", JSON)).await
}

/// Gives back the request's line, type and body.
async fn echo() -> Provider {
    Provider::start(|request: Got, _| {
        let shown =
            |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("none").to_owned();
        let body = String::from_utf8_lossy(&request.body);
        let line = format!("{} {} {}: {body}", request.method, request.uri, shown("content-type"));
        text(StatusCode::OK, &json!(line).to_string(), JSON)
    })
    .await
}

pub(super) fn custom(verb: Verb) -> MethodTarget<'static> {
    MethodTarget::Custom { verb, path: "/x" }
}

pub(super) async fn with_config(world: &World, config: &Value) -> Result<u16, MethodError<&'static str>> {
    let body = json!({ "methodConfig": config, "a": 1 }).to_string();
    Ok(world.run(custom(Verb::Post), "", "application/json", &body).await?.status)
}

#[tokio::test]
async fn nothing_but_the_authorization_of_a_callers_method_may_name_a_secret() {
    let provider = answering(200).await;
    let world = World::new(&provider, &json!({}));
    for config in [
        json!({"body": {"k": "{{api_key}}"}}),
        json!({"body": {"k": ["x-{{ gone | credentials.api_key ?: none }}"]}}),
        json!({"query": {"k": "{{context.api_key}}"}}),
        json!({"headers": {"x-k": "Key {{api_key}}"}}),
        json!({"headers": {"x-k": "{{access_token ?: none}}"}}),
        json!({"query": {"$truto_merge": "{{api_key:json}}"}}),
    ] {
        let refused = with_config(&world, &config).await;
        let Err(MethodError::SecretInConfig(placeholder)) = refused else { panic!("{config}: {refused:?}") };
        assert!(config.to_string().contains(&placeholder) && placeholder.starts_with("{{"), "{placeholder}");
    }
    assert_eq!(provider.requests(), 0);
    let own = json!({"authorization": {"format": "header", "config": {"header_name": "X-Key", "header_value": "{{api_key}}"}},
        "headers": {"x-region": "{{region}}"}, "body": {"region": "{{context.region}}", "a": "{{body.a}}"}});
    assert_eq!(with_config(&world, &own).await.expect("allowed"), 200);
}

#[tokio::test]
async fn without_a_method_of_the_callers_query_and_body_go_as_they_are() {
    let provider = echo().await;
    let world = World::new(&provider, &json!({}));
    for (query, kind, body, sent) in [
        ("a=1&b[]=2&a=%20&flag&limit=5&truto_x=1", "text/csv", "a;b", "a=1&b[]=2&a=%20&flag text/csv: a;b"),
        ("", "application/x-www-form-urlencoded", "a=1&a=%20&b", " application/x-www-form-urlencoded: a=1&a=%20&b"),
        ("x=None", "multipart/form-data; boundary=q", "--q--", " multipart/form-data; boundary=q: --q--"),
        ("", "application/vnd.x+json", "{\"b\": 1, \"a\":\t2}", " application/vnd.x+json: {\"b\": 1, \"a\":\t2}"),
        // [TS] sends its JSON as text.
        ("", "text/plain;charset=UTF-8", "{\"b\": 1}", " application/json: {\"b\": 1}"),
        ("", "text/plain", "{\"b\": 1", " text/plain: {\"b\": 1"),
    ] {
        let answer = world.run(custom(Verb::Put), query, kind, body).await.expect("an answer").json();
        let separator = if sent.starts_with(' ') { "" } else { "&" };
        assert_eq!(answer["result"], format!("PUT /v1/x?tenant=eu&sig=at-1{separator}{sent}"));
    }
}

#[tokio::test]
async fn an_account_of_a_sandbox_only_reads() {
    let provider = answering(200).await;
    let methods = json!({"list": {"path": "/a", "method": "post"}, "create": {"path": "/a", "method": "post"}, "get": {"path": "/a"},
        "search": {"path": "/a"}, "merge": {"path": "/a", "method": "post"}});
    let world = World::new(&provider, &contacts(&methods)).into_sandbox();
    let named = |method| MethodTarget::Named { resource: "contacts", method, id: None };
    for (target, is_written) in [
        (named("list"), false),
        (named("get"), false),
        (named("search"), false),
        (named("create"), true),
        (named("merge"), true),
        (custom(Verb::Get), false),
        (custom(Verb::Head), false),
        (custom(Verb::Put), true),
        (custom(Verb::Delete), true),
    ] {
        let answer = world.run(target, "", "application/json", "").await;
        assert_eq!(matches!(answer, Err(MethodError::Call(CallError::ReadOnly))), is_written, "{target:?}");
    }
}

#[tokio::test]
async fn a_call_that_may_only_read_is_refused_where_it_writes_with_any_account() {
    let provider = answering(200).await;
    let methods = json!({"list": {"path": "/a", "method": "post"}, "get": {"path": "/a"},
        "create": {"path": "/a"}, "merge": {"path": "/a", "method": "post"}});
    let world = World::new(&provider, &contacts(&methods));
    for (method, query, only_reads, is_refused) in [
        ("list", "", true, false),
        ("get", "", true, false),
        ("get", "_method=DELETE", true, true),
        ("create", "", true, true),
        ("merge", "", true, true),
        ("merge", "", false, false),
    ] {
        let before = provider.requests();
        let target = MethodTarget::Named { resource: "contacts", method, id: None };
        let call = MethodCall {
            target,
            parameters: Parameters::read(query),
            headers: HeaderMap::new(),
            body: full(Bytes::new()),
            prefix: RELINKS_URL,
            called: None,
            only_reads,
            overrides: Overrides::default(),
        };
        let answer = world.calls.run_method(&Caller::Person, AccountId::from_uuid(Uuid::nil()), call, &Names).await;
        assert_eq!(matches!(answer, Err(MethodError::Call(CallError::Writes))), is_refused, "{method}: {answer:?}");
        assert_eq!(provider.requests() == before, is_refused, "{method}");
    }
}

#[tokio::test]
async fn a_request_that_asks_for_another_method_is_a_write() {
    let provider = answering(200).await;
    let methods = json!({"list": {"path": "/a"}, "search": {"path": "/a", "query": {"_method": "GET"}}});
    let world = World::new(&provider, &contacts(&methods)).into_sandbox();
    let config = |config: Value| json!({ "methodConfig": config }).to_string();
    let header = config(json!({"headers": {"X-HTTP-Method-Override": "DELETE"}}));
    for (target, query, headers, body) in [
        (custom(Verb::Get), "", [("x-http-method-override", "DELETE"), ("x-a", "1")], String::new()),
        (custom(Verb::Get), "_method=DELETE", [("content-type", "application/json"), ("x-a", "1")], String::new()),
        (custom(Verb::Get), "", [("content-type", "application/json"), ("x-a", "1")], header),
        (
            custom(Verb::Get),
            "",
            [("content-type", "application/json"), ("x-a", "1")],
            config(json!({"path": "/x?_method=PUT"})),
        ),
        (
            custom(Verb::Get),
            "",
            [("content-type", "application/json"), ("x-a", "1")],
            config(json!({"method": "post"})),
        ),
        (
            MethodTarget::Named { resource: "contacts", method: "list", id: None },
            "_HttpMethod=DELETE",
            [("content-type", "application/json"), ("x-a", "1")],
            String::new(),
        ),
    ] {
        let refused = world.run_with(target, query, &headers, &body).await;
        assert!(
            matches!(refused, Err(MethodError::Call(CallError::ReadOnly))),
            "{query} {headers:?} {body}: {refused:?}"
        );
    }
    assert_eq!(provider.requests(), 0);
    // What the definition says of its own method isn't the caller's.
    assert_eq!(world.method("search", None, "").await.status, 200);
}
