//! Timelines.

use relink_domain::{
    AccountId, Timestamp,
    account::{TimelineEvent, Tone},
    caller::Caller,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One entry of a timeline, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEntry {
    /// Its place in the order of all entries: give it as `before` to get what came earlier.
    pub seq: i64,
    /// Null for what belongs to no account.
    pub account_id: Option<AccountId>,
    pub at: Timestamp,
    /// What happened, as a stable word.
    pub kind: String,
    pub tone: Tone,
    pub title: String,
    pub detail: Option<String>,
    /// Who did it, such as "by API token my-agent"; null where Relink acted by itself.
    pub by: Option<String>,
    /// What happened, with everything that is known of it. Its keys depend on `kind`.
    #[schema(value_type = Object)]
    pub event: Value,
}

impl TimelineEntry {
    /// `provider`: the label of the account's integration, where the account is still there.
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
        // An event is a plain tree of texts and numbers: it can always be written.
        let event = serde_json::to_value(event).unwrap_or_default();
        let kind = event["kind"].as_str().unwrap_or_default().to_owned();
        Self { seq, account_id, at, kind, tone, title, detail, by, event }
    }
}
