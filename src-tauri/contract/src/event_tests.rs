//! Events' bytes on the wire: subscribers verify a signature over them.

use serde_json::json;

use super::*;
use crate::{token::ApiTokenCreated, webhook::DeliveryBody};

const ID: &str = "0190a1b2-c3d4-7e5f-8a9b-000000000001";
const AT: &str = "2023-11-14T22:13:20.000Z";

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>() -> T {
    ID.parse().expect("an id")
}

fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("serialized")
}

#[test]
fn payloads_keep_their_bytes() {
    let at = Timestamp::from_millis(1_700_000_000_000);
    assert_eq!(written(&Gone::<AccountId> { id: id() }), json!({ "id": ID }).to_string());
    assert_eq!(written(&TestPayload::default()), r#"{"foo":"bar"}"#);
    assert_eq!(
        written(&ApiTokenCreated { id: id(), name: "agent".to_owned(), created_at: at }),
        json!({ "id": ID, "name": "agent", "created_at": AT }).to_string()
    );
    let error = |integrated_account_id, tenant_id| ConnectionError {
        integration: "github".to_owned(),
        integrated_account_id,
        tenant_id,
        error: "The sign-in failed".to_owned(),
        error_type: FlowErrorType::ConnectionError,
        code: "access_denied".to_owned(),
        hint: "Start over.".to_owned(),
        provider_code: None,
        provider_message: Some("no".to_owned()),
    };
    let expected = |account: Option<&str>, tenant: Option<&str>| {
        json!({
            "integration": "github",
            "integrated_account_id": account,
            "tenant_id": tenant,
            "error": "The sign-in failed",
            "error_type": "connection_error",
            "code": "access_denied",
            "hint": "Start over.",
            "provider_code": null,
            "provider_message": "no",
        })
        .to_string()
    };
    assert_eq!(written(&error(Some(id()), None)), expected(Some(ID), None));
    assert_eq!(written(&error(None, Some("acme-1".to_owned()))), expected(None, Some("acme-1")));
}

#[test]
fn a_delivery_keeps_its_bytes() {
    let body = DeliveryBody {
        id: id(),
        event: "integrated_account:deleted".to_owned(),
        event_type: "integrated_account:deleted".to_owned(),
        payload: json!({ "z": 1, "a": [null, 1.5, "\u{fc}"] }),
        environment_id: id(),
        created_at: Timestamp::from_millis(1_700_000_000_000),
        webhook_id: id(),
    };
    let expected = json!({
        "id": ID,
        "event": "integrated_account:deleted",
        "event_type": "integrated_account:deleted",
        "payload": { "z": 1, "a": [null, 1.5, "\u{fc}"] },
        "environment_id": ID,
        "created_at": AT,
        "webhook_id": ID,
    });
    assert_eq!(written(&body), expected.to_string());
}
