//! Webhooks of providers (contract section 4.7), as the internet could reach them through a tunnel.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use relink_domain::hex::hex;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    answering_provider::{Provider, SignIn},
    world::World,
};

/// The account's key, which signs.
const KEY: &str = "k-123456";
pub const BODY: &str = r#"{ "kind": "created", "id": 7, "secret": "k-123456" }"#;

/// One event for each request, of the type that the body has.
pub const TRANSFORM: &str = r#"{"event_type": "tickets:" & body.kind, "resource_id": body.id, "raw": body}"#;

pub struct Inbound {
    pub world: World,
    pub provider: Provider,
    pub account: String,
}

impl Inbound {
    /// An account with a key, whose definition says this in `webhook`.
    pub async fn new(webhook: Value) -> Self {
        Self::signed_in(webhook, SignIn::ApiKey).await
    }

    pub async fn signed_in(webhook: Value, sign_in: SignIn) -> Self {
        let world = World::new().await;
        let provider = Provider::start(true).await.with_webhook(webhook);
        let account = provider.connect(&world, sign_in, 0).await;
        Self { world, provider, account }
    }

    /// The account's installed integration.
    pub async fn installed(&self) -> String {
        let account = self.world.get(&format!("/integrated-account/{}", self.account)).await;
        account["environment_integration_id"].as_str().expect("an id").to_owned()
    }

    /// Sets the secret variable `HOOK` of the account's integration.
    pub async fn set_variable(&self, value: &str) -> Value {
        let over =
            json!({ "secret_environment_variables": { "HOOK": value }, "environment_variables": { "region": "eu" } });
        let path = format!("/environment-integration/{}", self.installed().await);
        let (status, body) = self.world.as_person(Method::PATCH, &path, json!({ "override": over })).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    pub async fn send(&self, id: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, String) {
        self.send_to(&format!("/integrated-account-webhook/{id}?challenge=c-1"), headers, body).await
    }

    pub async fn send_to(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, String) {
        let url = format!("{}{path}", self.world.base());
        let request = headers.iter().fold(self.world.client.post(url), |it, (name, value)| it.header(*name, *value));
        let response = request.body(body.to_owned()).send().await.expect("an answer");
        (response.status(), response.text().await.expect("text"))
    }

    /// The payloads of the events that providers sent.
    pub async fn received(&self) -> Vec<Value> {
        let events = self.world.get("/relink/events?after=0").await;
        let events = events["result"].as_array().expect("events").clone();
        events
            .into_iter()
            .filter(|event| event["event"] == "record:tickets:created")
            .map(|it| it["payload"].clone())
            .collect()
    }
}

fn mac(parts: &[&str]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("any key");
    for part in parts {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

fn hmac_of(config: Value) -> Value {
    let mut config = config;
    config["secret"] = "{{api_key}}".into();
    json!({ "signature_verification": { "format": "hmac", "config": config }, "payload_transform": TRANSFORM })
}

#[tokio::test]
async fn a_signed_request_becomes_events_without_secrets() {
    let it = Inbound::new(hmac_of(json!({ "algorithm": "sha256", "compare_with": "$header.X-Signature" }))).await;
    let hook = json!({ "target_url": "http://127.0.0.1:9/", "event_types": ["record:*"] });
    let hook = it.world.post("/webhook", hook).await;
    let signature = format!("sha256={}", hex(&mac(&[BODY])));
    let (status, said) = it.send(&it.account, &[("x-signature", &signature)], BODY).await;
    assert_eq!((status, said.as_str()), (StatusCode::OK, r#"{"success":true}"#));
    let expected = json!({
        "event_type": "tickets:created", "resource_id": 7, "integrated_account_id": it.account,
        "raw": { "kind": "created", "id": 7, "secret": "(hidden)" },
    });
    assert_eq!(it.received().await, [expected]);
    let log = it.world.get(&format!("/relink/webhooks/{}/deliveries", hook["id"].as_str().expect("an id"))).await;
    assert_eq!(log["result"][0]["event"], "record:tickets:created");

    for (header, body) in [
        (Some(signature.as_str()), BODY.replace('7', "8")),
        (Some(&signature[..signature.len() - 1]), BODY.to_owned()),
        (Some(""), BODY.to_owned()),
        (None, BODY.to_owned()),
    ] {
        let headers: Vec<_> = header.map(|value| ("x-signature", value)).into_iter().collect();
        let (status, said) = it.send(&it.account, &headers, &body).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{header:?} {body}: {said}");
    }
    assert_eq!(it.received().await.len(), 1);
}

#[tokio::test]
async fn a_signature_may_be_in_base64_over_several_parts() {
    let it = Inbound::new(hmac_of(json!({
        "parts": ["v0:", "$header.X-Time", ":", "$body"], "compare_with": "$header.x-signature", "string_type": "base64",
    })))
    .await;
    let signature = BASE64_STANDARD.encode(mac(&["v0:", "123", ":", BODY]));
    for (time, expected) in [("123", StatusCode::OK), ("124", StatusCode::UNAUTHORIZED)] {
        let headers = [("x-time", time), ("x-signature", signature.as_str())];
        assert_eq!(it.send(&it.account, &headers, BODY).await.0, expected, "{time}");
    }
    let unsigned = [("x-signature", signature.as_str())];
    assert_eq!(it.send(&it.account, &unsigned, BODY).await.0, StatusCode::UNAUTHORIZED, "without the time");
}

#[tokio::test]
async fn other_signatures_are_checked_or_nothing_passes() {
    let key_in = |format: &str, config: Value| json!({ "signature_verification": { "format": format, "config": config }, "payload_transform": TRANSFORM });
    let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
    for (webhook, good, bad) in [
        (
            key_in("basic", json!({ "username": "relink", "password": "{{api_key}}" })),
            Some(basic("relink:k-123456")),
            basic("relink:k-12345"),
        ),
        (key_in("bearer", json!({ "secret": "{{api_key}}" })), Some(format!("Bearer {KEY}")), "Bearer k-1".to_owned()),
        // Nothing is found, so the placeholder itself must not be the secret.
        (key_in("bearer", json!({ "secret": "{{nothing}}" })), None, "Bearer {{nothing}}".to_owned()),
        (key_in("paseto", json!({})), None, format!("Bearer {KEY}")),
        (
            json!({ "signature_verification": { "format": "" }, "payload_transform": TRANSFORM }),
            None,
            "Bearer ".to_owned(),
        ),
        (json!({ "payload_transform": TRANSFORM }), None, format!("Bearer {KEY}")),
    ] {
        let it = Inbound::new(webhook.clone()).await;
        if let Some(good) = good {
            assert_eq!(it.send(&it.account, &[("authorization", &good)], BODY).await.0, StatusCode::OK, "{webhook}");
        }
        let before = it.received().await.len();
        let (status, _) = it.send(&it.account, &[("authorization", &bad)], BODY).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{webhook}");
        assert_eq!(it.send(&it.account, &[], BODY).await.0, StatusCode::UNAUTHORIZED, "{webhook}");
        assert_eq!(it.received().await.len(), before, "{webhook}");
    }
}

#[tokio::test]
async fn a_verification_is_answered_as_the_definition_says_before_any_signature() {
    let it = Inbound::new(json!({
        "handle_verification": "body.type = 'ping' ? {'statusCode': 202, 'body': query.challenge} : body.type = 'json' ? {'body': {'a': 1}}",
    }))
    .await;
    assert_eq!(it.send(&it.account, &[], r#"{"type":"ping"}"#).await, (StatusCode::ACCEPTED, "c-1".to_owned()));
    assert_eq!(it.send(&it.account, &[], r#"{"type":"json"}"#).await, (StatusCode::OK, r#"{"a":1}"#.to_owned()));
    assert_eq!(it.send(&it.account, &[], "no JSON").await.0, StatusCode::UNAUTHORIZED, "no signature is defined");
}

#[tokio::test]
async fn nobody_learns_from_it_whether_an_account_exists() {
    let it = Inbound::new(Value::Null).await;
    let mut answers = Vec::new();
    for id in [it.account.as_str(), "0b9c1f4e-7a52-4c0d-9d55-3f0f8a6c7b21", "x", "%00"] {
        let (status, said) = it.send(id, &[], BODY).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{id}: {said}");
        answers.push(said);
    }
    assert!(answers.iter().take(3).all(|said| *said == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn what_an_expression_can_not_process_is_refused_and_so_is_a_long_body() {
    let failing = |transform: &str| {
        let mut webhook = hmac_of(json!({ "compare_with": "$header.x-signature" }));
        webhook["payload_transform"] = transform.into();
        webhook
    };
    let signature = hex(&mac(&[BODY]));
    for transform in ["$error('no')", "{'no': 'type'}", "{'event_type': 'A type'}", "[1..101].{'event_type': 'x'}"] {
        let it = Inbound::new(failing(transform)).await;
        let (status, said) = it.send(&it.account, &[("x-signature", &signature)], BODY).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{transform}: {said}");
    }
    let it = Inbound::new(failing("[]")).await;
    assert_eq!(it.send(&it.account, &[("x-signature", &signature)], BODY).await.0, StatusCode::OK);
    let long = "x".repeat(1024 * 1024 + 1);
    assert_eq!(it.send(&it.account, &[], &long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}
