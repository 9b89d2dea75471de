//! What a definition says of an answer counts for the account.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    harness::{Provider, text},
    methods::World,
};
use crate::{CallError, Described, MethodError, MethodTarget};

const GET: MethodTarget<'_> = MethodTarget::Named { resource: "contacts", method: "get", id: None };

/// What is reported of a call that was answered with 403.
pub(super) fn forbidden(Described { method, needed_scopes }: Described<'_>) -> String {
    let (resource, method) = method.unwrap_or_default();
    format!("{resource}.{method} is forbidden, needs {}", needed_scopes.join(" "))
}

/// An account at a provider that answers every call in this way.
async fn world(status: u16, body: &Value, headers: &'static [(&'static str, &'static str)]) -> (Provider, World) {
    let (status, body) = (StatusCode::from_u16(status).expect("a status"), body.to_string());
    let provider = Provider::start(move |_, _| {
        let kind = [("content-type", "application/json")];
        text(status, &body, &[&kind[..], headers].concat())
    })
    .await;
    let world = World::new(
        &provider,
        &json!({
            "rate_limit": {"is_rate_limited": "headers.x-limited"},
            "resources": {"contacts": {"get": {"path": "/a", "error_expression": "data.error", "scopes": ["read"]}}},
        }),
    );
    (provider, world)
}

#[tokio::test]
async fn an_answer_counts_by_the_status_that_the_definition_gives_it() {
    let error = |status: u16| json!({"error": {"status": status, "message": "No"}});
    for (status, body, answered, calls, reported) in [
        (200, json!({"error": null}), 200, 1, vec!["accepted"]),
        (200, error(401), 401, 2, vec!["unauthorized"]),
        (200, error(403), 403, 1, vec!["contacts.get is forbidden, needs read"]),
        (200, error(404), 404, 1, vec!["accepted"]),
        (200, error(429), 429, 1, vec![]),
        (200, error(500), 500, 1, vec![]),
        (401, error(403), 403, 1, vec!["contacts.get is forbidden, needs read"]),
        (401, error(429), 429, 1, vec![]),
        // The credential was refused, whatever the caller gets.
        (401, error(404), 404, 2, vec!["unauthorized"]),
        (403, error(401), 401, 2, vec!["unauthorized"]),
        (403, error(429), 429, 1, vec![]),
        (403, json!({}), 403, 1, vec!["contacts.get is forbidden, needs read"]),
    ] {
        let (provider, world) = world(status, &body, &[]).await;
        let answer = world.run(GET, "", "application/json", "").await.expect("an answer");
        assert_eq!(answer.status(), answered, "{status} {body}");
        assert_eq!(
            (provider.requests(), world.reported()),
            (calls, reported.into_iter().map(str::to_owned).collect()),
            "{status} {body}"
        );
    }
}

#[tokio::test]
async fn an_error_about_the_rate_is_followed_by_quiet_and_is_no_missing_permission() {
    for (body, headers) in [
        (json!({"error": {"status": 429}}), &[("retry-after", "7")][..]),
        (json!({}), &[("retry-after", "7"), ("x-limited", "yes")]),
    ] {
        let (provider, world) = world(403, &body, headers).await;
        let answer = world.run(GET, "", "application/json", "").await.expect("an answer");
        assert_eq!((answer.status(), answer.header("retry-after")), (429, Some("7")), "{body}");
        let next = world.run(GET, "", "application/json", "").await;
        assert!(matches!(next, Err(MethodError::Call(CallError::Quiet(wait))) if wait.secs == 7), "{body}");
        assert_eq!((provider.requests(), world.reported()), (1, Vec::new()), "{body}");
    }
}

#[tokio::test]
async fn an_answer_of_any_length_is_judged_whole_and_passed_on_whole() {
    let long = "x".repeat(300_000);
    let (_, world) = world(200, &json!({"long": long, "error": {"status": 403}}), &[]).await;
    let answer = world.run(GET, "", "application/json", "").await.expect("an answer");
    assert_eq!((answer.status(), &answer.json()["raw_response"]["long"]), (403, &json!(long)));
    assert_eq!(world.reported(), ["contacts.get is forbidden, needs read"]);
}
