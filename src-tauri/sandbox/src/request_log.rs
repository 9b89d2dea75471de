//! A log of the requests, without secrets.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use tokio::sync::watch;

const MAX_ENTRIES: usize = 1000;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) at: String,
    pub(crate) endpoint: &'static str,
    pub(crate) grant_type: Option<String>,
    pub(crate) outcome: String,
    pub(crate) subject: Option<String>,
}

#[derive(Debug)]
pub(crate) struct RequestLog {
    entries: VecDeque<Entry>,
    counters: BTreeMap<String, u64>,
    latest: watch::Sender<u64>,
}

impl Default for RequestLog {
    fn default() -> Self {
        Self { entries: VecDeque::new(), counters: BTreeMap::new(), latest: watch::Sender::new(0) }
    }
}

impl RequestLog {
    pub(crate) fn record(
        &mut self,
        at: String,
        endpoint: &'static str,
        grant_type: Option<&str>,
        outcome: &str,
        subject: Option<String>,
    ) {
        let seq = *self.latest.borrow() + 1;
        if self.entries.len() == MAX_ENTRIES {
            self.entries.pop_front();
        }
        let request = grant_type.unwrap_or(endpoint);
        *self.counters.entry(format!("{request}.{outcome}")).or_default() += 1;
        self.entries.push_back(Entry {
            seq,
            at,
            endpoint,
            grant_type: grant_type.map(str::to_owned),
            outcome: outcome.to_owned(),
            subject,
        });
        self.latest.send_replace(seq);
    }

    /// Removes all entries. The numbering goes on.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.counters.clear();
    }

    pub(crate) fn after(&self, seq: u64) -> Vec<Entry> {
        self.entries.iter().filter(|entry| entry.seq > seq).cloned().collect()
    }

    /// How often each request and outcome was seen: `refresh_token.ok`, `refresh_token.invalid_grant`, …
    pub(crate) fn counters(&self) -> BTreeMap<String, u64> {
        self.counters.clone()
    }

    pub(crate) fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }
}
