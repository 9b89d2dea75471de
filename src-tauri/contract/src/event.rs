//! The events that a program can follow.

use relink_domain::{AccountId, EventId, Timestamp, event::EventName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::connect::FlowErrorType;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// The event's sequence number.
    pub seq: i64,
    /// The event's id. Webhook deliveries have the same.
    pub id: EventId,
    pub event: EventName,
    /// The event's subject, as it was when the event happened.
    pub payload: Value,
    pub created_at: Timestamp,
}

/// Events after a sequence number, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Events {
    pub result: Vec<Event>,
    /// Pass it as `after` to get the next events.
    pub latest: i64,
}

/// The payload of an event about a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gone<Id> {
    pub id: Id,
}

/// The payload of `link_token:connection_error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionError {
    pub integration: String,
    /// Set for a reauthorization.
    pub integrated_account_id: Option<AccountId>,
    /// Set for a new account.
    pub tenant_id: Option<String>,
    /// What happened, in one line.
    pub error: String,
    pub error_type: FlowErrorType,
    pub code: String,
    /// What to do.
    pub hint: String,
    /// The provider's error code.
    pub provider_code: Option<String>,
    /// The provider's error message.
    pub provider_message: Option<String>,
}

/// The payload of `test`: Truto's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestPayload {
    pub foo: String,
}

impl Default for TestPayload {
    fn default() -> Self {
        Self { foo: "bar".to_owned() }
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
