//! Every way to go wrong, as a client meets it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{World, refusal};

#[tokio::test]
async fn refusals_come_with_their_status_and_words() {
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
        let answer = world.refresh(&tokens["refresh_token"]).await;
        assert_eq!(answer.status(), status, "{kind}");
        let retry_after = answer.headers().get("retry-after").map(|value| value.to_str().expect("text").to_owned());
        assert_eq!(retry_after.as_deref(), (kind == "too_many_requests").then_some("7"), "{kind}");
        let text = answer.text().await.expect("a body");
        match kind {
            "html_200" => assert!(text.starts_with("<!doctype html>"), "{text}"),
            "error_200" | "invalid_grant" => assert!(text.contains("invalid_grant"), "{text}"),
            _ => assert!(!text.contains("access_token"), "{text}"),
        }
    }
    assert_eq!(world.refresh(&tokens["refresh_token"]).await.status(), 200, "none of them spent the token");
}

#[tokio::test]
async fn a_reset_comes_before_or_after_the_work_is_done() {
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
    let spent = refusal(refresh().await.expect("an answer")).await;
    assert_eq!(spent, (400, "invalid_grant".to_owned()), "the second one was processed");
}

#[tokio::test]
async fn odd_answers_are_right_but_for_their_oddity() {
    let world = World::new().await;
    let mut tokens = world.sign_in().await;
    for kind in ["no_refresh_token", "string_expires_in", "no_expires_in", "slow_drip"] {
        world.fault(kind).await;
        let answer: Value = world.refresh(&tokens["refresh_token"]).await.json().await.expect("JSON");
        assert_eq!(world.call(&answer["access_token"]).await, 200, "{kind}");
        assert_eq!(answer.get("refresh_token").is_none(), kind == "no_refresh_token");
        assert_eq!(answer["expires_in"].is_string(), kind == "string_expires_in");
        assert_eq!(answer.get("expires_in").is_none(), kind == "no_expires_in");
        if answer.get("refresh_token").is_some() {
            tokens = answer;
        }
    }
    world.fault("truncated_json").await;
    let cut = world.refresh(&tokens["refresh_token"]).await;
    cut.json::<Value>().await.expect_err("broken off");
}

#[tokio::test]
async fn silence_is_silence() {
    let world = World::new().await;
    let tokens = world.sign_in().await;
    world.fault("silence").await;
    let answer = tokio::time::timeout(Duration::from_millis(300), world.refresh(&tokens["refresh_token"])).await;
    assert!(answer.is_err(), "it answered");
}

#[tokio::test]
async fn faults_are_counted_begin_late_and_keep_to_their_endpoint() {
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
async fn a_clock_that_is_ahead_ends_tokens_early() {
    let world = World::new().await;
    let tokens = world.sign_in().await;
    world.control("PATCH", "/control", json!({ "clock_skew_secs": 86_400 })).await;
    assert_eq!(world.call(&tokens["access_token"]).await, 401);
}
