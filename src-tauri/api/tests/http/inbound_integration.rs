//! Webhooks that a provider sends for all accounts of an integration (contract section 4.7).

use hmac::{Hmac, KeyInit, Mac};
use relink_domain::hex::hex;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    answering_provider::{Provider, SignIn, name},
    inbound::{Inbound, TRANSFORM},
};

const HOOK: &str = "wh-1234567";

fn webhook(secret: &str) -> Value {
    json!({
        "handle_verification": "body.type = 'ping' ? {'body': body.challenge}",
        "signature_verification": { "format": "hmac", "config": { "secret": secret, "compare_with": "$header.x-signature" } },
        "payload_transform": TRANSFORM,
        "context_lookup_field_name": "team.id",
        "context_lookup_field_value": "{{body.team.id}}",
    })
}

struct Team {
    it: Inbound,
    path: String,
}

impl Team {
    /// Two accounts of one integration, each of another team.
    async fn new(secret: &str) -> (Self, String, String) {
        let it = Inbound::new(webhook(secret)).await;
        it.set_variable(HOOK).await;
        let other =
            Provider::sign_in(&it.world, SignIn::ApiKey, &name(SignIn::ApiKey, 0), json!({ "tenant_id": "b" })).await;
        for (account, team) in [(&it.account, json!("T-1")), (&other, json!(2))] {
            let change = json!({ "context": { "team.id": team } });
            let (status, body) = it.world.ask(Method::PATCH, &format!("/integrated-account/{account}"), change).await;
            assert_eq!(status, StatusCode::OK, "{body}");
        }
        let path = format!("/environment-integration-webhook/{}", it.installed().await);
        let first = it.account.clone();
        (Self { it, path }, first, other)
    }

    async fn send(&self, team: &Value, secret: &str) -> StatusCode {
        let body = json!({ "kind": "created", "id": 7, "team": { "id": team } }).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
        mac.update(body.as_bytes());
        let signature = hex(&mac.finalize().into_bytes());
        self.it.send_to(&self.path, &[("x-signature", &signature), ("content-type", "text/plain")], &body).await.0
    }

    /// The accounts of the events.
    async fn received(&self) -> Vec<Value> {
        self.it.received().await.into_iter().map(|payload| payload["integrated_account_id"].clone()).collect()
    }
}

#[tokio::test]
async fn a_request_to_an_integration_is_for_the_accounts_that_its_definition_looks_up() {
    let (team, first, second) = Team::new("{{secret_environment_variables.HOOK}}").await;
    assert_eq!(team.send(&json!("T-1"), HOOK).await, StatusCode::OK);
    assert_eq!(team.send(&json!(2), HOOK).await, StatusCode::OK);
    assert_eq!(team.received().await, [json!(first), json!(second)]);
    // The provider must not learn who is here, nor give the address up.
    assert_eq!(team.send(&json!("T-9"), HOOK).await, StatusCode::OK);
    assert_eq!(team.send(&Value::Null, HOOK).await, StatusCode::OK);
    for unknown in [json!("T-1"), json!("T-9"), Value::Null] {
        assert_eq!(team.send(&unknown, "other").await, StatusCode::UNAUTHORIZED, "{unknown}");
    }
    assert_eq!(team.received().await.len(), 2);

    let (status, said) = team.it.send_to(&team.path, &[], r#"{"type": "ping", "challenge": "c-2"}"#).await;
    assert_eq!((status, said.as_str()), (StatusCode::OK, "c-2"));
    for unknown in
        ["/environment-integration-webhook/x".to_owned(), format!("/environment-integration-webhook/{first}")]
    {
        assert_eq!(team.it.send_to(&unknown, &[], "{}").await.0, StatusCode::NOT_FOUND, "{unknown}");
    }
}

#[tokio::test]
async fn a_request_to_an_integration_is_verified_with_each_accounts_own_secret() {
    let (team, first, second) = Team::new("{{api_key}}").await;
    let change = json!({ "context": { "team.id": "T-1" } });
    team.it.world.ask(Method::PATCH, &format!("/integrated-account/{second}"), change).await;
    assert_eq!(team.send(&json!("T-1"), "k-123456").await, StatusCode::OK);
    let mut received = team.received().await;
    received.sort_by_key(Value::to_string);
    let mut both = vec![json!(first), json!(second)];
    both.sort_by_key(Value::to_string);
    assert_eq!(received, both, "both accounts are of the team");
    assert_eq!(team.send(&json!("T-9"), "k-123456").await, StatusCode::UNAUTHORIZED, "no account, and so no secret");
}
