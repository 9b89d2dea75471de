//! The control routes, who may use them, and what survives a restart.

use relink_sandbox::{Options, Sandbox, StartError};
use serde_json::{Value, json};

use crate::world::{KEY, World};

#[tokio::test]
async fn the_controls_need_their_key_and_refuse_web_pages() {
    let world = World::new().await;
    let ask = || world.http.get(world.at("/control"));
    for (request, status) in [
        (ask(), 401),
        (ask().bearer_auth("another-key"), 401),
        (ask().bearer_auth(KEY).header("origin", "https://evil.example"), 403),
        (ask().bearer_auth(KEY).header("host", "evil.example"), 403),
        (ask().bearer_auth(KEY), 200),
    ] {
        assert_eq!(request.send().await.expect("a response").status(), status);
    }
}

#[tokio::test]
async fn an_unknown_path_is_a_404_that_names_the_paths_there_are() {
    let world = World::new().await;
    let tokens = world.sign_in().await;
    let token = tokens["access_token"].as_str().expect("a token");
    for (path, said) in [
        ("/", "/api/me"),
        ("/nope", "/api/me"),
        ("/user", "/api/me"),
        ("/v1/users", "/api/me"),
        ("/control/nope", "no such control"),
    ] {
        let response = world.http.get(world.at(path)).bearer_auth(token).send().await.expect("a response");
        assert_eq!(response.status(), 404, "{path}");
        let body: Value = response.json().await.expect("JSON");
        assert!(body["message"].as_str().is_some_and(|text| text.contains(said)), "{body}");
    }
}

#[tokio::test]
async fn a_subject_that_nobody_has_is_refused_with_those_there_are() {
    let world = World::new().await;
    let tokens = world.sign_in().await;
    for path in ["/control/revoke", "/control/expire"] {
        let request = world.http.post(world.at(path)).bearer_auth(KEY).json(&json!({ "subject": "ada" }));
        let response = request.send().await.expect("a response");
        assert_eq!(response.status(), 400, "{path}");
        let body: Value = response.json().await.expect("JSON");
        assert!(body["message"].as_str().is_some_and(|text| text.contains("sandbox-ada, sandbox-grace")), "{body}");
    }
    assert_eq!(world.call(&tokens["access_token"]).await, 200, "nothing happened");
}

#[tokio::test]
async fn settings_out_of_bounds_are_refused_and_change_nothing() {
    let world = World::new().await;
    let before = world.control("GET", "/control", Value::Null).await["settings"].clone();
    for wrong in [
        json!({ "token_lifetime_secs": -1 }),
        json!({ "grace_secs": 100_000 }),
        json!({ "delay_millis": 60_001 }),
        json!({ "rotation": "sideways" }),
        json!({ "colour": "blue" }),
        json!({ "clock_skew_secs": 31_536_001 }),
        json!({ "clock_skew_secs": i64::MIN }),
    ] {
        let response = world.http.patch(world.at("/control")).bearer_auth(KEY).json(&wrong).send().await;
        let response = response.expect("a response");
        assert_eq!(response.status(), 400, "{wrong}");
        let body: Value = response.json().await.expect("JSON");
        assert!(body["message"].as_str().expect("a message").ends_with('.'), "{body}");
    }
    assert_eq!(world.control("GET", "/control", Value::Null).await["settings"], before);
}

#[tokio::test]
async fn expiring_ends_access_tokens_and_keeps_the_sign_in() {
    let world = World::new().await;
    let tokens = world.sign_in().await;
    assert_eq!(world.control("POST", "/control/expire", json!({})).await["expired"], 1);
    assert_eq!(world.call(&tokens["access_token"]).await, 401);
    let fresh: Value = world.refresh(&tokens["refresh_token"]).await.json().await.expect("JSON");
    assert_eq!(world.call(&fresh["access_token"]).await, 200);
    world.control("POST", "/control/revoke", json!({ "subject": "sandbox-grace" })).await;
    assert_eq!(world.call(&fresh["access_token"]).await, 200, "somebody else's");
    world.control("POST", "/control/revoke", json!({ "subject": "sandbox-ada" })).await;
    assert_eq!(world.call(&fresh["access_token"]).await, 401);
}

#[tokio::test]
async fn the_log_can_be_followed_and_contains_no_secret() {
    let world = World::new().await;
    let (tokens, log) =
        tokio::join!(world.sign_in(), world.control("GET", "/control/log?after=1&wait=20", Value::Null));
    let text = log.to_string();
    assert!(text.contains("authorization_code") || text.contains("authorize"), "{text}");
    let all = world.control("GET", "/control/log", Value::Null).await.to_string();
    for name in ["access_token", "refresh_token"] {
        assert!(!all.contains(tokens[name].as_str().expect("one")), "{name}");
    }
}

#[tokio::test]
async fn invalid_control_requests_are_refused_with_a_message() {
    let world = World::new().await;
    for (path, body, message) in [
        ("/control/faults", "{\"kind\": \"nonsense\"}", "`status_500`"),
        ("/control/faults", "{\"kind\": \"silence\", \"on\": \"x\"}", "`token`, `api`, `revoke`"),
        ("/control/expire", "{", "EOF"),
        ("/control/revoke", "{\"colour\": \"blue\"}", "`colour`"),
    ] {
        let response = world.http.post(world.at(path)).bearer_auth(KEY).body(body).send().await.expect("a response");
        assert_eq!(response.status(), 400, "{body}");
        let body: Value = response.json().await.expect("JSON");
        assert!(body["message"].as_str().expect("a message").contains(message), "{body}");
    }
    let response = world.http.get(world.at("/control/log?after=x")).bearer_auth(KEY).send().await.expect("a response");
    assert_eq!(response.status(), 400);
    assert!(response.json::<Value>().await.expect("JSON")["message"].is_string());
}

#[tokio::test]
async fn a_follower_of_the_log_sees_entries_after_a_reset() {
    let world = World::new().await;
    world.sign_in().await;
    let last = world.log_entries().await.last().expect("one")["seq"].as_u64().expect("a place");
    world.control("POST", "/control/reset", json!({})).await;
    assert_eq!(world.log_entries().await.len(), 0);
    let follow = format!("/control/log?after={last}&wait=20");
    let (_, followed) = tokio::join!(world.sign_in(), world.control("GET", &follow, Value::Null));
    assert!(!followed["entries"].as_array().expect("entries").is_empty(), "{followed}");
}

#[tokio::test]
async fn sign_ins_survive_a_restart_and_only_hashes_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sandbox.json");
    let world = World::with_state(Some(file.clone())).await;
    let tokens = world.sign_in().await;
    world.sandbox.stop().await;

    let kept = std::fs::read_to_string(&file).expect("it was kept");
    for name in ["access_token", "refresh_token"] {
        assert!(!kept.contains(tokens[name].as_str().expect("one")), "{name}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let world = World::with_state(Some(file)).await;
    assert_eq!(world.refresh(&tokens["refresh_token"]).await.status(), 200);
}

#[tokio::test]
async fn a_damaged_state_file_is_renamed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sandbox.json");
    std::fs::write(&file, "{ not JSON").expect("written");
    let world = World::with_state(Some(file.clone())).await;
    world.sign_in().await;
    assert_eq!(std::fs::read_to_string(file.with_extension("broken")).expect("set aside"), "{ not JSON");
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let listen = "0.0.0.0:0".parse().expect("an address");
    let refused = Sandbox::start(Options { listen, state: None, control_key: KEY.to_owned() }).await;
    assert!(matches!(refused, Err(StartError::NotLoopback(_))));
}
