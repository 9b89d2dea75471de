//! What a mapping sends in place of what a method of the definition says.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use relink_domain::{AccountId, caller::Caller};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    harness::{Got, Provider, RELINKS_URL, text},
    methods::{Names, World},
};
use crate::{
    BuildError, CallError, MethodCall, MethodError, MethodTarget, Overrides, Parameters, TargetError, body::full,
};

/// Gives back the request's path and headers.
async fn echo() -> Provider {
    Provider::start(|request: Got, _| {
        let headers = crate::headers_for_expressions(&request.headers);
        let shown = json!({"path": request.uri.to_string(), "headers": headers});
        text(StatusCode::OK, &shown.to_string(), &[("content-type", "application/json")])
    })
    .await
}

async fn get(world: &World, overrides: Overrides) -> Result<Value, MethodError<&'static str>> {
    let call = MethodCall {
        target: MethodTarget::Named { resource: "contacts", method: "get", id: Some("7") },
        parameters: Parameters::read("a=1"),
        headers: HeaderMap::new(),
        body: full(Bytes::new()),
        prefix: RELINKS_URL,
        called: None,
        only_reads: true,
        overrides,
    };
    let answer = world.calls.run_method(&Caller::Person, AccountId::from_uuid(Uuid::nil()), call, &Names).await?;
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    Ok(serde_json::from_slice(&body).expect("JSON"))
}

fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
    of.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

#[tokio::test]
async fn headers_and_path_are_replaced_but_never_the_credential() {
    let provider = echo().await;
    let config = json!({
        "headers": {"X-Own": "definition", "X-Key": "{{api_key}}", "Accept": "application/vnd.acme+json"},
        "resources": {"contacts": {"get": {"path": "/contacts/{{id}}"}}},
    });
    let world = World::with_key(&provider, &config, "k-1234567");
    let plain = get(&world, Overrides::default()).await.expect("an answer");
    assert_eq!(
        (&plain["path"], &plain["headers"]["x-own"]),
        (&json!("/v1/contacts/7?tenant=eu&sig=k-1234567&a=1"), &json!("definition"))
    );
    let over = headers(&[
        ("x-own", "mapping"),
        ("x-key", "mine"),
        ("authorization", "Bearer mine"),
        ("accept", "text/x"),
        ("cookie", "a=b"),
        ("host", "elsewhere"),
        ("connection", "x-own"),
        ("relink-wait", "1h"),
    ]);
    let over = Overrides { path: Some("/people/7".to_owned()), headers: over };
    let sent = get(&world, over).await.expect("an answer");
    assert_eq!(sent["path"], "/v1/people/7?tenant=eu&sig=k-1234567&a=1");
    let sent = &sent["headers"];
    assert_eq!(
        (&sent["x-key"], &sent["authorization"]),
        (&plain["headers"]["x-key"], &plain["headers"]["authorization"])
    );
    assert_eq!((&sent["accept"], &sent["host"]), (&json!("text/x"), &plain["headers"]["host"]));
    for name in ["x-own", "cookie", "relink-wait"] {
        // The first one was named by `Connection`, so it is of that.
        assert_ne!(sent.get(name), Some(&json!("mapping")), "{name}");
    }
    let own =
        get(&world, Overrides { path: None, headers: headers(&[("x-own", "mapping")]) }).await.expect("an answer");
    assert_eq!(own["headers"]["x-own"], "mapping");
}

#[tokio::test]
async fn a_path_stays_below_the_base_url_and_no_header_asks_for_another_method() {
    let provider = echo().await;
    let world = World::new(&provider, &json!({"resources": {"contacts": {"get": {"path": "/contacts/{{id}}"}}}}));
    let refused = get(&world, Overrides { path: Some("/../admin".to_owned()), headers: HeaderMap::new() }).await;
    assert!(matches!(refused, Err(MethodError::Build(BuildError::Target(TargetError::DotSegment)))), "{refused:?}");
    let over = Overrides { path: None, headers: headers(&[("x-http-method-override", "DELETE")]) };
    let refused = get(&world, over).await;
    assert!(matches!(refused, Err(MethodError::Call(CallError::Writes))), "{refused:?}");
}
