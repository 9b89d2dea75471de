//! Webhooks and their deliveries.

use std::collections::BTreeMap;

use relink_domain::{
    ApiTokenId, DeliveryId, EnvironmentId, EventId, Timestamp, WebhookId, event::EventPattern, webhook::SignatureFormat,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;
use utoipa::ToSchema;

use crate::WireSecret;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    pub id: WebhookId,
    pub environment_id: EnvironmentId,
    pub target_url: String,
    pub is_active: bool,
    /// Names of events, or their beginning with `*`. Null for all events.
    #[schema(required)]
    pub event_types: Option<Vec<EventPattern>>,
    /// How `X-Truto-Signature` is encoded.
    pub signature_format: SignatureFormat,
    /// Since when no delivery has succeeded; null while deliveries succeed.
    #[schema(required)]
    pub failing_since: Option<Timestamp>,
    /// When Relink deactivated it, because no delivery had succeeded for a day; null otherwise.
    #[schema(required)]
    pub disabled_at: Option<Timestamp>,
    /// The API token that created it; null if the person did.
    #[schema(required)]
    pub created_by: Option<ApiTokenId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A new webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedWebhook {
    #[serde(flatten)]
    pub webhook: Webhook,
    /// The secret that signs the deliveries. Returned only once.
    pub secret: WireSecret,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewWebhook {
    /// https, or http on this machine.
    pub target_url: String,
    /// Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Names of events, or their beginning with `*`: `integrated_account:*`. If absent, all events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
    /// How `X-Truto-Signature` is encoded. Default: base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_format: Option<SignatureFormat>,
}

/// A change of a webhook. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookChange {
    /// https, or http on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_url: Option<String>,
    /// False pauses it: pending deliveries wait, and events that happen meanwhile aren't kept for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Names of events, or their beginning with `*`. Null for all events.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    pub event_types: Option<Option<Vec<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_format: Option<SignatureFormat>,
}

/// A field that is present, even if it is null.
fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A change of a webhook, with the user's consent to a private address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsentedWebhookChange {
    #[serde(flatten)]
    pub change: WebhookChange,
    /// Whether deliveries may be sent to a private address.
    #[serde(default)]
    pub allow_private: bool,
}

/// A webhook, with the user's consent to a private address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewConsentedWebhook {
    #[serde(flatten)]
    pub webhook: NewWebhook,
    /// Whether deliveries may be sent to a private address.
    #[serde(default)]
    pub allow_private: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waiting for the next attempt.
    Pending,
    Delivered,
    /// All attempts failed. A replay retries it.
    Failed,
}

impl DeliveryState {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// The delivery of one event to one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    pub id: DeliveryId,
    pub event_id: EventId,
    pub event: String,
    pub state: DeliveryState,
    pub tries: u32,
    /// Null unless the delivery is pending.
    #[schema(required)]
    pub next_try: Option<Timestamp>,
    /// The HTTP status of the last attempt, if there was a response.
    #[schema(required)]
    pub last_status: Option<u16>,
    /// Why the last attempt failed.
    #[schema(required)]
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// One attempt at a delivery: what was sent and what came back. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
pub struct DeliveryAttempt {
    /// When it began.
    pub at: Timestamp,
    pub duration_ms: u32,
    pub target_url: String,
    /// Empty if nothing was sent.
    pub request_headers: BTreeMap<String, String>,
    /// Null if there was none.
    #[schema(required)]
    pub response: Option<DeliveryResponse>,
    /// Why it failed.
    #[schema(required)]
    pub error: Option<String>,
}

/// A target's response to a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
pub struct DeliveryResponse {
    pub status: u16,
    /// Values of one name are joined by commas; cookies are hidden.
    pub headers: BTreeMap<String, String>,
    /// The first 4 KiB of the body.
    pub body: String,
    /// Whether the body was longer.
    pub is_truncated: bool,
}

/// One delivery with what was sent and what came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryDetails {
    #[serde(flatten)]
    pub delivery: Delivery,
    /// The body that is sent, which is the same in every attempt.
    pub request_body: String,
    /// The attempts, oldest first: each webhook's last 500 are kept for 14 days.
    pub attempts: Vec<DeliveryAttempt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// The number of deliveries that are retried.
    pub replayed: usize,
}

/// The body of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryBody {
    /// The same in every attempt.
    pub id: EventId,
    pub event: String,
    /// The same as `event`: handlers written for Truto read either.
    pub event_type: String,
    /// The event's subject, as it was when the event happened.
    pub payload: Value,
    pub environment_id: EnvironmentId,
    pub created_at: Timestamp,
    pub webhook_id: WebhookId,
}
