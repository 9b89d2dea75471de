//! Webhooks and their deliveries.

use relink_domain::{DeliveryId, EnvironmentId, EventId, Timestamp, WebhookId, event::EventKind};
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
    /// Null: every event.
    pub event_types: Option<Vec<EventKind>>,
    /// Since when no delivery has succeeded; null while they do.
    pub failing_since: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A webhook that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedWebhook {
    #[serde(flatten)]
    pub webhook: Webhook,
    /// Signs the deliveries. Shown here and never again.
    pub secret: WireSecret,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewWebhook {
    /// https, or http on this machine.
    pub target_url: String,
    /// Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Absent or empty: every event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
}

/// A webhook with the person's consent to a private address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewConsentedWebhook {
    #[serde(flatten)]
    pub webhook: NewWebhook,
    /// Whether deliveries may go to a private address.
    #[serde(default)]
    pub allow_private: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its next try.
    Pending,
    Delivered,
    /// All tries failed. A replay tries it again.
    Failed,
}

/// One webhook's delivery of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    pub id: DeliveryId,
    pub event_id: EventId,
    pub event: String,
    pub state: DeliveryState,
    pub tries: u32,
    /// Null unless it is pending.
    pub next_try: Option<Timestamp>,
    /// The HTTP status of the last try, where an answer came.
    pub last_status: Option<u16>,
    /// Why the last try failed, in words.
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// How many deliveries are on their way again.
    pub replayed: usize,
}

/// The body that a webhook's target receives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryBody {
    /// The same on every try.
    pub id: EventId,
    pub event: String,
    /// What it is about, as it was when the event happened.
    pub payload: Value,
    pub environment_id: EnvironmentId,
    pub created_at: Timestamp,
    pub webhook_id: WebhookId,
}
