//! The events that a program can follow.

use relink_domain::{AccountId, EventId, Timestamp, event::EventKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::connect::FlowErrorType;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its place in the order of all events.
    pub seq: i64,
    /// The same as in a webhook's delivery.
    pub id: EventId,
    pub event: EventKind,
    /// What it is about, as it was when the event happened.
    pub payload: Value,
    pub created_at: Timestamp,
}

/// Events after a place, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Events {
    pub result: Vec<Event>,
    /// Give it as `after` to get what comes next.
    pub latest: i64,
}

/// The payload of an event about something that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gone<Id> {
    pub id: Id,
}

/// The payload of `link_token:connection_error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionError {
    pub integration: String,
    /// Set when an account was to be reauthorized.
    pub integrated_account_id: Option<AccountId>,
    /// Set when a new account was to be connected.
    pub tenant_id: Option<String>,
    /// What happened, in one line.
    pub error: String,
    pub error_type: FlowErrorType,
    pub code: String,
}
