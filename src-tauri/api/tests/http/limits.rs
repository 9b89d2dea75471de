//! What one client may have under way, so that none keeps another waiting.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::world::World;

/// Far longer than anything here takes, unless it waits behind the long polls.
const AT_ONCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_client_at_its_limit_of_long_polls_is_refused_and_keeps_nobody_waiting() {
    let world = World::new().await;
    let link = world.post("/link-token", json!({ "tenant_id": "a" })).await;
    let other = world.post("/relink/api-tokens", json!({ "name": "other" })).await;
    let mut polls = JoinSet::new();
    for _ in 0..65 {
        let url = format!("{}/relink/events?after={}&wait=30", world.base(), i64::MAX);
        let request = world.client.get(url).bearer_auth(&world.token);
        polls.spawn(async move { request.send().await });
    }
    // 64 wait; the one that came last is the first to be answered.
    let refused = polls.join_next().await.expect("one of them").expect("not cancelled").expect("an answer");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.json::<Value>().await.expect("JSON")["code"], "too_many_long_polls");

    let others = async {
        let url = format!("{}/relink/events?after={}&wait=1", world.base(), i64::MAX);
        let poll = world.client.get(url).bearer_auth(other["token"].as_str().expect("a token"));
        assert_eq!(poll.send().await.expect("an answer").status(), StatusCode::OK, "another token's long poll");
        let page =
            format!("{}/connect-account?link_token={}", world.base(), link["link_token"].as_str().expect("a link"));
        assert_eq!(world.client.get(page).send().await.expect("an answer").status(), StatusCode::OK, "the connect UI");
        let (status, _) = world.ask(Method::GET, "/relink/status", Value::Null).await;
        assert_eq!(status, StatusCode::OK, "an ordinary request of the same token");
    };
    tokio::time::timeout(AT_ONCE, others).await.expect("answered at once");
}
