//! What the answer to a method shows of the account's credential.

use http::StatusCode;
use relink_domain::integration::resources::Verb;
use serde_json::{Value, json};

use super::{
    harness::{Got, Provider, text},
    methods::{World, contacts},
    own_methods::{answering, custom, with_config},
};
use crate::MethodTarget;

#[tokio::test]
async fn a_refused_token_is_renewed_and_the_method_run_once_more() {
    let provider = Provider::start(|request: Got, _| {
        let is_new = request.headers["authorization"] == "Bearer at-2";
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let status = if is_new { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        text(status, &json!({ "body": body }).to_string(), &[("content-type", "application/json")])
    })
    .await;
    let methods =
        json!({"create": {"path": "/a", "method": "post", "body": {"key": "{{api_key}}", "a": "{{body.a}}"}}});
    let world = World::new(&provider, &contacts(&methods));
    let target = MethodTarget::Named { resource: "contacts", method: "create", id: None };
    let answer = world.run(target, "", "text/plain;charset=UTF-8", r#"{"a": 1}"#).await.expect("an answer");
    assert_eq!(answer.json(), json!({"body": r#"{"key":"at-2","a":"1"}"#}));
    assert_eq!(provider.requests(), 2);
    assert_eq!(world.reported(), ["accepted"]);
}

#[tokio::test]
async fn a_call_without_the_credential_says_nothing_of_it() {
    let provider = Provider::start(|_: Got, _| text(StatusCode::UNAUTHORIZED, "{}", &[])).await;
    let methods = json!({"list": {"path": "/a", "no_auth": true}});
    let world = World::new(&provider, &contacts(&methods));
    let target = MethodTarget::Named { resource: "contacts", method: "list", id: None };
    assert_eq!(world.run(target, "", "application/json", "").await.expect("an answer").status, 401);
    assert_eq!(provider.requests(), 1, "no token is renewed for it");
    assert_eq!(world.reported(), [""; 0]);
}

/// The key is in `Authorization`, in the header `X-Sign` and in the parameter `sig`.
async fn reported_of(status: u16, methods: &Value, act: impl AsyncFn(&World)) -> Vec<String> {
    let provider = answering(status).await;
    let mut config = contacts(methods);
    config["headers"] = json!({"X-Sign": "{{api_key}}", "X-Version": "7"});
    let world = World::new(&provider, &config);
    Box::pin(act(&world)).await;
    assert_eq!(provider.requests(), if status == 401 && !world.reported().is_empty() { 2 } else { 1 });
    world.reported()
}

#[tokio::test]
async fn a_call_with_another_credential_than_the_accounts_says_nothing_of_it() {
    let basic = json!({"format": "basic", "config": {"username": "{{api_key}}", "password": "x"}});
    for (name, config, counts) in [
        ("as every call", json!({}), true),
        ("another header", json!({"headers": {"x-version": null}}), true),
        ("its own authorization", json!({ "authorization": basic }), false),
        ("none", json!({"no_auth": true}), false),
        ("a header in place of the key's", json!({"headers": {"x-sign": "mine"}}), false),
        ("without the key's header", json!({"headers": {"x-sign": null}}), false),
        ("a parameter in place of the key's", json!({"query": {"sig": "mine"}}), false),
        ("a part of it", json!({"query": {"sig": {"a": "mine"}}}), false),
        ("the same in the path", json!({"path": "/x?sig=mine"}), false),
    ] {
        for (status, reported) in [(200, "accepted"), (401, "unauthorized")] {
            let expected = if counts { vec![reported.to_owned()] } else { vec![] };
            let run = async |world: &World| {
                with_config(world, &config).await.expect("an answer");
            };
            assert_eq!(reported_of(status, &json!({}), run).await, expected, "{name}: {status}");
        }
    }
}

#[tokio::test]
async fn a_callers_parameter_in_place_of_the_key_says_nothing_of_it() {
    let methods = json!({
        "list": {"path": "/a"},
        "own": {"path": "/a", "query": {"token": "{{api_key}}", "sig": "{{region}}"}},
    });
    for (method, query, counts) in [
        ("list", "a=1&tenant=us", true),
        ("list", "sig=mine", false),
        ("list", "sig[]=mine", false),
        ("own", "a=1", true),
        ("own", "token=mine", false),
    ] {
        let target = MethodTarget::Named { resource: "contacts", method, id: None };
        let run = async |world: &World| {
            world.run(target, query, "application/json", "").await.expect("an answer");
        };
        assert_eq!(!reported_of(401, &methods, run).await.is_empty(), counts, "{method} {query}");
    }
    for (query, counts) in [("a=1&a=2", true), ("a=1&s%69g=mine", false)] {
        let run = async |world: &World| {
            world.run(custom(Verb::Get), query, "application/json", "").await.expect("an answer");
        };
        assert_eq!(!reported_of(401, &json!({}), run).await.is_empty(), counts, "{query}");
    }
}
