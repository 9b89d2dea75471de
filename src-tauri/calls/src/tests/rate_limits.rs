//! Providers that limit the rate of calls, and lists that go on behind a link.

use http::{StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};

use super::{
    harness::{self, Provider, text},
    methods,
};
use crate::{CallError, MethodError, MethodTarget};

const LIST: MethodTarget<'_> = MethodTarget::Named { resource: "contacts", method: "list", id: None };

#[tokio::test]
async fn a_provider_that_asked_for_quiet_gets_no_call() {
    for (status, expected) in
        [(StatusCode::TOO_MANY_REQUESTS, 1), (StatusCode::SERVICE_UNAVAILABLE, 1), (StatusCode::OK, 2)]
    {
        let provider = Provider::start(move |_, _| text(status, "slowly", &[("retry-after", "20")])).await;
        let world = harness::World::new(&provider, "/v1");
        let first = world.call(harness::get("/x")).await.expect("the provider's answer");
        assert_eq!((first.status, first.headers[RETRY_AFTER].as_bytes()), (status, &b"20"[..]));
        let second = world.call(harness::get("/y")).await;
        let was_kept = second.is_err_and(|error| error == "127.0.0.1 asked for no calls in the next 20 seconds");
        assert_eq!(was_kept, expected == 1, "{status}");
        assert_eq!(provider.requests(), expected, "{status}");
    }
}

#[tokio::test]
async fn a_methods_answer_has_trutos_rate_limits() {
    let provider = Provider::start(|request, _| match request.uri.path() {
        "/v1/fine" => text(
            StatusCode::OK,
            "[]",
            &[("content-type", "application/json"), ("x-ratelimit-limit", "9"), ("x-ratelimit-reset", "1700000030")],
        ),
        _ => {
            text(StatusCode::FORBIDDEN, "{}", &[("content-type", "application/json"), ("x-left", "0"), ("x-wait", "7")])
        }
    })
    .await;
    let methods = json!({"list": {"path": "/fine"}, "limited": {"path": "/limited"}});
    let mut config = methods::contacts(&methods);
    config["rate_limit"] =
        json!({"is_rate_limited": "headers.x-left", "retry_after_header_expression": "headers.x-wait"});
    let world = methods::World::new(&provider, &config);
    let list = world.run(LIST, "", "application/json", "").await.expect("a list");
    assert_eq!(list.header("ratelimit-limit"), Some("9"));
    assert_eq!(list.header("ratelimit-reset"), Some("30"));
    let target = MethodTarget::Named { resource: "contacts", method: "limited", id: None };
    let limited = world.run(target, "", "application/json", "").await.expect("the provider's error");
    assert_eq!((limited.json()["statusCode"].as_u64(), limited.header("retry-after")), (Some(429), Some("7")));
    let third = world.run(LIST, "", "application/json", "").await;
    assert!(matches!(third, Err(MethodError::Call(CallError::Quiet(wait))) if wait.secs == 7));
    assert_eq!(provider.requests(), 2);
}

#[tokio::test]
async fn a_list_goes_on_behind_a_link() {
    let provider = Provider::start(|request, own| {
        let page = request.uri.query().unwrap_or_default().contains("page=2");
        let link = format!(
            "<{own}/v1/items?page={}>; rel=\"{}\"",
            if page { 1 } else { 2 },
            if page { "prev" } else { "next" }
        );
        let body = if page { "[{\"id\":2}]" } else { "[{\"id\":1}]" };
        text(StatusCode::OK, body, &[("content-type", "application/json"), ("link", &link)])
    })
    .await;
    let mut config = methods::contacts(&json!({"list": {"path": "/items"}}));
    config["pagination"] = json!({"format": "link_header"});
    let world = methods::World::new(&provider, &config);
    let first = world.run(LIST, "", "application/json", "").await.expect("a page");
    assert_eq!((&first.json()["result"], first.header("link")), (&json!([{"id": 1}]), None));
    let cursor = |page: &Value, name: &str| page[name].as_str().expect("a cursor").to_owned();
    let query = format!("next_cursor={}", cursor(&first.json(), "next_cursor"));
    let second = world.run(LIST, &query, "application/json", "").await.expect("a page").json();
    assert_eq!((&second["result"], &second["next_cursor"]), (&json!([{"id": 2}]), &Value::Null));
    let query = format!("prev_cursor={}", cursor(&second, "prev_cursor"));
    let again = world.run(LIST, &query, "application/json", "").await.expect("a page").json();
    assert_eq!(again["result"], json!([{"id": 1}]));
}
