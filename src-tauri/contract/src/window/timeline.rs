use relink_domain::{AccountId, Timestamp, account::Tone};
use serde::Serialize;
use ts_rs::TS;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct TimelineEntry {
    /// Its position in the timeline.
    pub seq: i64,
    pub account_id: Option<AccountId>,
    /// The account's name; if it was deleted, its last name.
    pub account_name: Option<String>,
    /// Whether the account was deleted and can't be opened.
    pub account_gone: bool,
    pub at: Timestamp,
    /// The stored name of the kind of event.
    pub kind: String,
    pub tone: Tone,
    /// What happened, in one line.
    pub title: String,
    pub detail: Option<String>,
    /// Who did it, such as "by API token my-agent"; null if Relink acted automatically, or if the caller is unknown.
    pub by: Option<String>,
    /// Shown under "Details": codes and the provider's message.
    pub facts: Vec<Fact>,
}

/// A page of a timeline, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct TimelinePage {
    /// With `problems_only`, a page may be empty although more pages follow.
    pub entries: Vec<TimelineEntry>,
    /// The position before which the next page begins; `null` on the last page.
    pub next: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Fact {
    pub name: String,
    pub value: String,
}
