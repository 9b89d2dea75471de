//! Timelines.

use relink_domain::{
    AccountId, Timestamp,
    account::{TimelineEvent, Tone},
    caller::Caller,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// An entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEntry {
    /// The entry's sequence number. Pass it as `before` to get earlier entries.
    pub seq: i64,
    /// Null for an entry that belongs to no account.
    #[schema(required)]
    pub account_id: Option<AccountId>,
    pub at: Timestamp,
    /// A stable name of what happened.
    pub kind: String,
    pub tone: Tone,
    pub title: String,
    #[schema(required)]
    pub detail: Option<String>,
    /// Who did it, such as "by API token my-agent"; null if Relink acted automatically, or if the caller is unknown.
    #[schema(required)]
    pub by: Option<String>,
    /// All details. The keys depend on `kind`.
    #[schema(value_type = Object)]
    pub event: Value,
}

impl TimelineEntry {
    /// `provider`: the label of the account's integration, if the account still exists.
    pub fn new(
        seq: i64,
        account_id: Option<AccountId>,
        at: Timestamp,
        event: &TimelineEvent,
        caller: Option<&Caller>,
        provider: Option<&str>,
    ) -> Self {
        let (title, detail) = event.describe(provider.unwrap_or("The provider"));
        let (tone, by) = (event.tone(), caller.and_then(Caller::attribution));
        // An event contains only texts and numbers, so it can always be serialized.
        let event = serde_json::to_value(event).unwrap_or_default();
        let kind = event["kind"].as_str().unwrap_or_default().to_owned();
        Self { seq, account_id, at, kind, tone, title, detail, by, event }
    }
}
