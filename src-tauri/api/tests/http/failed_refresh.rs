//! What a call is answered with when its account's refresh fails: 401, and the token endpoint's body (contract section 6).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    answering_provider::{
        Provider,
        SignIn::{ClientCredentials, OAuth},
        name as name_of,
    },
    observed::until_is,
    route::Route,
    world::World,
};

#[tokio::test]
async fn the_caller_gets_what_the_token_endpoint_says_without_secrets() {
    let world = World::new().await;
    for (auth, secret) in [(OAuth, "rt-1234-of-the-account"), (ClientCredentials, "s-123456")] {
        let encoded = BASE64_STANDARD.encode(secret);
        for (number, route) in Route::ALL.into_iter().chain([Route::SyncRun]).enumerate() {
            let name = format!("{auth:?}, {route:?}");
            let provider = Provider::start(true).await;
            let account = provider.connect(&world, auth, number).await;
            route.prepare(&world, &name_of(auth, number)).await;
            provider.with(|state| {
                (state.api, state.token) = ([401].into(), 400);
                state.refusal = json!({
                    "error": "invalid_grant", "error_description": "gone", "trace_id": "t-1", "codes": [50173, null],
                    "sent": secret, "in": { "text": format!("the token {encoded} is unknown"), secret: true },
                });
            });
            let before = world.latest_event();
            let expected = json!({
                "error": "invalid_grant", "error_description": "gone", "trace_id": "t-1", "codes": [50173, null],
                "sent": "(hidden)", "in": { "text": "(hidden)", "(hidden)": true },
            });
            // The second time without another refresh, from what is known.
            for _ in 0..2 {
                let (status, body) = route.call(&world, &account).await;
                assert_eq!((status, &body["truto_is_remote_error"]), (401, &json!(true)), "{name}: {body}");
                assert_eq!(body["raw_response"], expected, "{name}: {body}");
                assert_hidden(&body, &[secret, &encoded], &name);
            }
            let tokens = provider.tokens();
            until_is(&world, &account, "needs_reauth", Some("invalid_grant"), &name).await;
            assert_eq!(provider.tokens(), tokens, "{name}");
            for path in [
                format!("/integrated-account/{account}"),
                format!("/relink/accounts/{account}"),
                format!("/relink/timeline?account={account}"),
                format!("/relink/events?after={before}&limit=1000"),
            ] {
                let shown = world.get(&path).await;
                // A run's caller gets the answer as an event.
                let is_answer = route == Route::SyncRun && path.starts_with("/relink/events");
                let hidden = if is_answer { &[secret, &encoded][..] } else { &[secret, &encoded, "t-1"] };
                assert_hidden(&shown, hidden, &format!("{name} {path}"));
            }
        }
    }
    for file in ["relink.db", "relink.db-wal"] {
        let bytes = std::fs::read(world.folder.path().join(file)).unwrap_or_default();
        for secret in ["rt-1234-of-the-account", "s-123456"] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{file}");
        }
    }
}

fn assert_hidden(shown: &Value, secrets: &[&str], name: &str) {
    let text = shown.to_string();
    for secret in secrets {
        assert!(!text.contains(secret), "{name}: {text}");
    }
}

#[tokio::test]
async fn a_refusal_that_is_no_json_or_very_long_is_answered_as_well() {
    let world = World::new().await;
    let provider = Provider::start(true).await;
    let account = provider.connect(&world, OAuth, 0).await;
    for (refusal, expected) in [
        (json!([{ "access_token": "at-hidden" }]), Value::Null),
        (json!({ "error": "invalid_grant", "long": "x".repeat(5000) }), Value::Null),
    ] {
        provider.with(|state| (state.api, state.token, state.refusal) = ([401].into(), 400, refusal));
        world.as_person(reqwest::Method::POST, &format!("/relink/accounts/{account}/refresh"), json!({})).await;
        let (_, body) = Route::ProxyGet.call(&world, &account).await;
        assert_eq!((&body["truto_is_remote_error"], &body["raw_response"]), (&json!(true), &expected), "{body}");
    }
}
