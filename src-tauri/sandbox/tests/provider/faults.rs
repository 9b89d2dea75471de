//! Every fault, from a client's point of view.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{KEY, World, refusal};

const KINDS: [&str; 16] = [
    "status_500",
    "status_503",
    "too_many_requests",
    "reset_before",
    "reset_after",
    "silence",
    "slow_drip",
    "truncated_json",
    "html_200",
    "no_refresh_token",
    "string_expires_in",
    "no_expires_in",
    "error_200",
    "invalid_client",
    "invalid_grant",
    "unknown_error_400",
];

/// A request that an endpoint accepts every time.
fn request_of(world: &World, on: &str, tokens: &Value) -> reqwest::RequestBuilder {
    let token = |name: &str| tokens[name].as_str().expect("one");
    match on {
        "token" => world.http.post(world.at("/token")).form(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", token("refresh_token")),
            ("client_id", relink_sandbox::CLIENT_ID),
        ]),
        "api" => world.http.get(world.at("/api/me")).bearer_auth(token("access_token")),
        _ => world.http.post(world.at("/revoke")).form(&[("token", "nobody's")]),
    }
}

/// Whether an endpoint's response is the normal one, complete and in time.
async fn is_normal(on: &str, response: reqwest::Result<reqwest::Response>) -> bool {
    let Ok(mut response) = response else { return false };
    let (status, mut body) = (response.status(), Vec::new());
    while let Ok(Some(chunk)) = response.chunk().await {
        if chunk.len() == 1 {
            // It arrives one byte at a time.
            return false;
        }
        body.extend_from_slice(&chunk);
    }
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let holds = match on {
        "token" => json["access_token"].is_string() && json["refresh_token"].is_string() && json["expires_in"].is_i64(),
        "api" => json["id"] == "sandbox-ada",
        _ => body.is_empty(),
    };
    status == 200 && holds
}

#[tokio::test]
async fn error_faults_have_their_status_and_error_code() {
    let world = World::new().await;
    let tokens = world.sign_in().await;
    for (kind, status) in [
        ("status_500", 500),
        ("status_503", 503),
        ("too_many_requests", 429),
        ("invalid_client", 401),
        ("invalid_grant", 400),
        ("unknown_error_400", 400),
        ("error_200", 200),
        ("html_200", 200),
    ] {
        world.fault(kind).await;
        let response = world.refresh(&tokens["refresh_token"]).await;
        assert_eq!(response.status(), status, "{kind}");
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().expect("text").to_owned());
        assert_eq!(retry_after.as_deref(), (kind == "too_many_requests").then_some("7"), "{kind}");
        let text = response.text().await.expect("a body");
        match kind {
            "html_200" => assert!(text.starts_with("<!doctype html>"), "{text}"),
            "error_200" | "invalid_grant" => assert!(text.contains("invalid_grant"), "{text}"),
            _ => assert!(!text.contains("access_token"), "{text}"),
        }
    }
    assert_eq!(world.refresh(&tokens["refresh_token"]).await.status(), 200, "none of them used up the token");
}

#[tokio::test]
async fn a_reset_comes_before_or_after_the_request_is_processed() {
    let world = World::new().await;
    world.control("PATCH", "/control", json!({ "rotation": "rotate" })).await;
    let tokens = world.sign_in().await;
    let refresh = || {
        let token = tokens["refresh_token"].as_str().expect("one");
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", relink_sandbox::CLIENT_ID)];
        world.http.post(world.at("/token")).form(&form).send()
    };
    world.fault("reset_before").await;
    refresh().await.expect_err("reset");
    world.fault("reset_after").await;
    refresh().await.expect_err("reset");
    let spent = refusal(refresh().await.expect("a response")).await;
    assert_eq!(spent, (400, "invalid_grant".to_owned()), "the second one was processed");
}

#[tokio::test]
async fn unusual_responses_are_otherwise_normal() {
    let world = World::new().await;
    let mut tokens = world.sign_in().await;
    for kind in ["no_refresh_token", "string_expires_in", "no_expires_in", "slow_drip"] {
        world.fault(kind).await;
        let response: Value = world.refresh(&tokens["refresh_token"]).await.json().await.expect("JSON");
        assert_eq!(world.call(&response["access_token"]).await, 200, "{kind}");
        assert_eq!(response.get("refresh_token").is_none(), kind == "no_refresh_token");
        assert_eq!(response["expires_in"].is_string(), kind == "string_expires_in");
        assert_eq!(response.get("expires_in").is_none(), kind == "no_expires_in");
        if response.get("refresh_token").is_some() {
            tokens = response;
        }
    }
    world.fault("truncated_json").await;
    let cut = world.refresh(&tokens["refresh_token"]).await;
    cut.json::<Value>().await.expect_err("broken off");
}

#[tokio::test]
async fn silence_lasts_as_long_as_the_connection() {
    let world = World::new().await;
    let tokens = world.sign_in().await;
    world.fault("silence").await;
    let form = [
        ("grant_type", "refresh_token".to_owned()),
        ("refresh_token", tokens["refresh_token"].as_str().expect("one").to_owned()),
        ("client_id", relink_sandbox::CLIENT_ID.to_owned()),
    ];
    let asked = tokio::spawn(world.http.post(world.at("/token")).form(&form).send());
    world.logs("token", "fault").await;

    // After an hour a slow endpoint would have responded. Other requests are served.
    tokio::time::pause();
    tokio::time::advance(Duration::from_hours(1)).await;
    tokio::time::resume();
    let other = reqwest::Client::new().get(world.at("/.well-known/oauth-authorization-server")).send().await;
    assert_eq!(other.expect("a response").status(), 200);
    world.sandbox.stop().await;
    asked.await.expect("asked").expect_err("it ended without a response");
}

#[tokio::test]
async fn each_fault_works_at_each_endpoint_it_applies_to_and_is_refused_elsewhere() {
    let tokens_alone = ["no_refresh_token", "string_expires_in", "no_expires_in"];
    for kind in KINDS {
        let world = World::new().await;
        let tokens = world.sign_in().await;
        for on in ["token", "api", "revoke"] {
            let plan = json!({ "kind": kind, "on": on });
            let request = world.http.post(world.at("/control/faults")).bearer_auth(KEY).json(&plan);
            let planned = request.send().await.expect("a response");
            let fits = match on {
                "token" => true,
                "api" => !tokens_alone.contains(&kind),
                _ => !tokens_alone.contains(&kind) && !["slow_drip", "truncated_json"].contains(&kind),
            };
            assert_eq!(planned.status(), if fits { 200 } else { 400 }, "{kind} on {on}");
            let planned: Value = planned.json().await.expect("JSON");
            if !fits {
                assert!(planned["message"].as_str().expect("a message").ends_with('.'), "{planned}");
                continue;
            }
            let seen = world.log_entries().await.len();
            if kind == "silence" {
                let asked = tokio::spawn(request_of(&world, on, &tokens).send());
                world.logs(on, "fault").await;
                asked.abort();
            } else {
                let response = request_of(&world, on, &tokens).send().await;
                assert!(!is_normal(on, response).await, "{kind} on {on} does nothing");
            }
            assert_eq!(world.log_entries().await.len(), seen + 1, "{kind} on {on} is in the log");
            let next = request_of(&world, on, &tokens).send().await;
            assert!(is_normal(on, next).await, "{kind} on {on} affects one response");
        }
    }
}

#[tokio::test]
async fn faults_are_counted_and_delayed_per_endpoint() {
    let world = World::new().await;
    let tokens = world.sign_in().await;
    let plan = json!({ "kind": "status_500", "on": "api", "after": 1, "count": 2 });
    assert_eq!(world.control("POST", "/control/faults", plan).await["faults_left"], 2);
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(world.call(&tokens["access_token"]).await);
    }
    assert_eq!(seen, [200, 500, 500, 200]);
    world.fault("status_500").await;
    world.control("DELETE", "/control/faults", json!({})).await;
    assert_eq!(world.refresh(&tokens["refresh_token"]).await.status(), 200, "cleared");
}

#[tokio::test]
async fn a_clock_that_is_ahead_expires_tokens_early() {
    let world = World::new().await;
    let tokens = world.sign_in().await;
    world.control("PATCH", "/control", json!({ "clock_skew_secs": 86_400 })).await;
    assert_eq!(world.call(&tokens["access_token"]).await, 401);
}
