use relink_domain::{DeliveryId, Timestamp, WebhookId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::webhook::DeliveryState;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Webhook {
    pub id: WebhookId,
    /// Where deliveries are sent.
    pub target_url: String,
    pub is_active: bool,
    /// The events that are delivered; `null`: all.
    pub event_types: Option<Vec<String>>,
    /// Since when no delivery has succeeded; `null` while deliveries succeed.
    pub failing_since: Option<Timestamp>,
    /// Who created it, if that was a program: "API token NAME".
    pub created_by: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Deserialize, TS)]
pub struct NewWebhook {
    pub target_url: String,
    /// The events to deliver; `null`: all.
    pub event_types: Option<Vec<String>>,
    /// Whether the user agreed to deliveries to a private address.
    pub allow_private: bool,
}

/// The delivery of one event to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Delivery {
    pub id: DeliveryId,
    pub event: String,
    pub state: DeliveryState,
    /// Attempts so far.
    pub tries: u32,
    pub next_try: Option<Timestamp>,
    /// The HTTP status of the latest attempt.
    pub last_status: Option<u16>,
    /// What went wrong in the latest attempt.
    pub last_error: Option<String>,
    /// When the latest attempt ended.
    pub updated_at: Timestamp,
}
