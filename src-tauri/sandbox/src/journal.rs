//! The requests that were seen, without anything secret.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use tokio::sync::watch;

/// Entries that are kept.
const MOST: usize = 1000;

/// A request that was seen.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) at: String,
    pub(crate) endpoint: &'static str,
    pub(crate) grant_type: Option<String>,
    pub(crate) outcome: String,
    pub(crate) subject: Option<String>,
}

/// The journal.
#[derive(Debug)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    counters: BTreeMap<String, u64>,
    latest: watch::Sender<u64>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { entries: VecDeque::new(), counters: BTreeMap::new(), latest: watch::Sender::new(0) }
    }
}

impl Journal {
    /// Notes a request.
    pub(crate) fn note(
        &mut self,
        at: String,
        endpoint: &'static str,
        grant_type: Option<&str>,
        outcome: &str,
        subject: Option<String>,
    ) {
        let seq = *self.latest.borrow() + 1;
        if self.entries.len() == MOST {
            self.entries.pop_front();
        }
        let what = grant_type.unwrap_or(endpoint);
        *self.counters.entry(format!("{what}.{outcome}")).or_default() += 1;
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

    /// Forgets what was seen; what comes is numbered on.
    pub(crate) fn forget(&mut self) {
        self.entries.clear();
        self.counters.clear();
    }

    pub(crate) fn after(&self, seq: u64) -> Vec<Entry> {
        self.entries.iter().filter(|entry| entry.seq > seq).cloned().collect()
    }

    /// How often each thing was seen: `refresh_token.ok`, `refresh_token.invalid_grant`, …
    pub(crate) fn counters(&self) -> BTreeMap<String, u64> {
        self.counters.clone()
    }

    pub(crate) fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }
}
