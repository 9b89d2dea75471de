use relink_domain::{DeliveryId, EventId, Timestamp, WebhookId, webhook::SignatureFormat};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::webhook::{DeliveryAttempt, DeliveryState};

/// A kind of event that a webhook can receive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct EventType {
    pub name: String,
    /// When it is sent, as a sentence.
    pub description: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Webhook {
    pub id: WebhookId,
    /// Where deliveries are sent.
    pub target_url: String,
    /// False while it is paused or disabled.
    pub is_active: bool,
    /// The events that are delivered; `null`: all.
    pub event_types: Option<Vec<String>>,
    /// How `X-Truto-Signature` is encoded.
    pub signature_format: SignatureFormat,
    /// Since when no delivery has succeeded; `null` while deliveries succeed.
    pub failing_since: Option<Timestamp>,
    /// When Relink disabled it, because no delivery had succeeded for a day.
    pub disabled_at: Option<Timestamp>,
    /// Who created it, if that was a program: "API token NAME".
    pub created_by: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Deserialize, TS)]
pub struct NewWebhook {
    pub target_url: String,
    /// The events to deliver; `null`: all.
    pub event_types: Option<Vec<String>>,
    pub signature_format: SignatureFormat,
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

/// A delivery with what was sent and what came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct DeliveryDetails {
    pub delivery: Delivery,
    /// The same in every attempt and every replay.
    pub event_id: EventId,
    /// The body that is sent.
    pub request_body: String,
    /// The attempts that are kept, oldest first.
    pub attempts: Vec<DeliveryAttempt>,
}
