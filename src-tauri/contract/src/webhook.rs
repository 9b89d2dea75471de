//! Webhooks and their deliveries.

use relink_domain::{ApiTokenId, DeliveryId, EnvironmentId, EventId, Timestamp, WebhookId, event::EventPattern};
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
    /// Since when no delivery has succeeded; null while deliveries succeed.
    #[schema(required)]
    pub failing_since: Option<Timestamp>,
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
