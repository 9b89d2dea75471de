//! What one client may have under way, so that none keeps another waiting.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet};

use crate::world::World;

/// So many connections made an honest client wait for half a minute once.
const MANY: usize = 520;
/// Of one client.
const MAX_LONG_POLLS: usize = 64;
/// How long a test waits for what must happen. It only bounds a failure.
const WAIT_TIMEOUT: Duration = Duration::from_mins(1);

/// What comes from the other clients while one is at its limit: another program, and the person who signs in.
async fn others_are_answered(world: &World, other: &str, link: &str) {
    // Connections of their own, as those of other processes are.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let get = async |path: &str| {
        let request = client.get(format!("{}{path}", world.base())).bearer_auth(other);
        request.send().await.expect("an answer").status()
    };
    let answered = async {
        let poll = format!("/relink/events?after={}&wait=1", i64::MAX);
        assert_eq!(get(&poll).await, StatusCode::OK, "another token's long poll");
        assert_eq!(get(&format!("/connect-account?link_token={link}")).await, StatusCode::SEE_OTHER, "the connect UI");
        let callback = "/oauth/callback/sandbox?code=c&state=unknown";
        assert_eq!(get(callback).await, StatusCode::BAD_REQUEST, "a callback, although nobody asked for it");
    };
    tokio::time::timeout(WAIT_TIMEOUT, answered).await.expect("answered");
}

/// Another program's token, and a person's link.
async fn other_and_link(world: &World) -> (String, String) {
    let text = |value: &Value| value.as_str().expect("a token").to_owned();
    let (_, other) = world.as_person(Method::POST, "/relink/api-tokens", json!({ "name": "other" })).await;
    let link = world.post("/link-token", json!({ "tenant_id": "a" })).await;
    (text(&other["token"]), text(&link["link_token"]))
}

#[tokio::test]
async fn a_client_at_its_limit_of_long_polls_is_refused_and_blocks_no_other() {
    let world = World::new().await;
    let (other, link) = other_and_link(&world).await;
    let mut polls = JoinSet::new();
    for _ in 0..MANY {
        let url = format!("{}/relink/events?after={}&wait=30", world.base(), i64::MAX);
        let request = world.client.get(url).bearer_auth(&world.token);
        polls.spawn(async move { request.send().await });
    }
    // 64 wait. The others are answered first, and make way.
    for _ in MAX_LONG_POLLS..MANY {
        let refused = polls.join_next().await.expect("one of them").expect("not cancelled").expect("an answer");
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        let header = |name: &str| refused.headers()[name].to_str().expect("text");
        assert_eq!((header("retry-after"), header("connection")), ("1", "close"));
        assert_eq!(refused.json::<Value>().await.expect("JSON")["code"], "too_many_long_polls");
    }
    others_are_answered(&world, &other, &link).await;
    let (status, _) = world.ask(Method::GET, "/relink/status", Value::Null).await;
    assert_eq!(status, StatusCode::OK, "an ordinary request of the same token");
    assert!(polls.try_join_next().is_none(), "they still wait");
}

#[tokio::test]
async fn connections_without_a_token_block_no_other() {
    let world = World::new().await;
    let (other, link) = other_and_link(&world).await;
    let mut silent = Vec::new();
    for _ in 0..MANY {
        silent.push(TcpStream::connect(world.host()).await.expect("connected"));
    }
    others_are_answered(&world, &other, &link).await;
}

#[tokio::test]
async fn a_request_without_a_token_closes_its_connection() {
    let world = World::new().await;
    let request = format!("GET /relink/status HTTP/1.1\r\nHost: {}\r\n\r\n", world.host());
    let response = world.raw(request.as_bytes()).await;
    assert!(response.starts_with("HTTP/1.1 401") && response.contains("connection: close"), "{response}");
}
