//! Paths of a caller's own, and bodies that go as they are.

use http::StatusCode;
use relink_domain::integration::resources::Verb;
use serde_json::{Value, json};

use super::{
    harness::{Got, Provider, text},
    methods::{World, contacts},
};
use crate::{MethodError, MethodTarget};

/// Gives back what it was asked.
async fn echo() -> Provider {
    Provider::start(|request: Got, _| {
        let shown =
            |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("none").to_owned();
        let asked = json!({
            "line": format!("{} {}", request.method, request.uri),
            "type": shown("content-type"),
            "caller": shown("x-caller"),
            "authorization": shown("authorization"),
            "version": shown("x-version"),
            "body": String::from_utf8_lossy(&request.body),
            "items": [{"id": 1}],
        });
        text(StatusCode::OK, &asked.to_string(), &[("content-type", "application/json")])
    })
    .await
}

#[tokio::test]
async fn a_path_of_the_callers_own_has_what_the_definition_says_of_every_call() {
    let provider = echo().await;
    let world = World::new(&provider, &json!({}));
    let path = "/a%2Fb/c";
    let answer = world.run(
        MethodTarget::Custom { verb: Verb::Put, path },
        "integrated_account_id=1&q[]=1&limit=5",
        "application/json",
        "{\"a\": 1}",
    );
    let answer = answer.await.expect("an answer").json();
    let got = &answer["result"];
    assert_eq!(got["line"], "PUT /v1/a%2Fb/c?tenant=eu&sig=at-1&q[]=1");
    assert_eq!((&got["type"], &got["body"]), (&json!("application/json"), &json!("{\"a\": 1}")));
    assert_eq!(
        (&got["caller"], &got["authorization"], &got["version"]),
        (&json!("1"), &json!("Bearer at-1"), &json!("7"))
    );
    assert_eq!(
        (&answer["next_cursor"], &answer["prev_cursor"], answer.get("result_count")),
        (&Value::Null, &Value::Null, None)
    );
    let config = r#"{"methodConfig": {"response_path": "items", "method": "post", "headers": {"x-version": null}, "pagination": {"format": "page"}}, "a": 1}"#;
    let answer = world
        .run(MethodTarget::Custom { verb: Verb::Get, path: "/x" }, "", "application/json", config)
        .await
        .expect("an answer");
    assert_eq!((&answer.json()["result"], answer.json()["result_count"].as_u64()), (&json!([{"id": 1}]), Some(1)));
    let config = r#"{"methodConfig": {"path": "/y/{{body.id}}", "ignore_body": true}, "id": "a/b"}"#;
    let answer = world
        .run(MethodTarget::Custom { verb: Verb::Post, path: "/x" }, "", "application/json", config)
        .await
        .expect("an answer");
    assert_eq!(answer.json()["result"]["line"], "POST /v1/y/a%2Fb?tenant=eu&sig=at-1");
    assert_eq!(answer.json()["result"]["body"], "");
    for config in
        [r#"{"methodConfig": 1}"#, r#"{"methodConfig": {"pth": "/"}}"#, r#"{"methodConfig": {"path": "/../x"}}"#]
    {
        let refused =
            world.run(MethodTarget::Custom { verb: Verb::Post, path: "/x" }, "", "application/json", config).await;
        assert!(matches!(refused, Err(MethodError::MethodConfig(_))), "{config}");
    }
    let foreign = r#"{"methodConfig": {"base_url": "https://evil.example"}}"#;
    let refused =
        world.run(MethodTarget::Custom { verb: Verb::Post, path: "/x" }, "", "application/json", foreign).await;
    assert!(matches!(refused, Err(MethodError::Build(_))));
}

#[tokio::test]
async fn a_body_goes_as_it_is_if_the_caller_says_so() {
    let provider = echo().await;
    let methods = json!({"create": {"path": "/a", "method": "post", "body": {"x": 1}, "body_format": "form"}});
    let world = World::new(&provider, &contacts(&methods));
    let target = MethodTarget::Named { resource: "contacts", method: "create", id: None };
    let answer =
        world.run(target, "truto_body_passthrough=true", "application/x-thing", "\u{1}raw").await.expect("an answer");
    assert_eq!((&answer.json()["type"], &answer.json()["body"]), (&json!("application/x-thing"), &json!("\u{1}raw")));
    let answer = world.run(target, "", "application/x-thing", "\u{1}raw").await.expect("an answer");
    assert_eq!(
        (&answer.json()["type"], &answer.json()["body"]),
        (&json!("application/x-www-form-urlencoded"), &json!("x=1"))
    );
}
