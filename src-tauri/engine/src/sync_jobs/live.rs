//! How far runs are, in memory, for a window that shows it while it happens.
//!
//! What must last is committed with each step. This is only where a run is now: one entry for each run that is worked on, replaced in place,
//! so that nothing grows and nobody who watches can slow a run down.

use std::collections::BTreeMap;

use relink_domain::{SyncJobRunId, caller::Caller};
use tokio::sync::watch;

use super::SyncJobs;

/// Where a run is that is worked on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveRun {
    /// The name of the request that was worked on last.
    pub node: Option<String>,
    /// Requests that wait.
    pub waiting: usize,
    /// The commits since it was begun here.
    pub steps: u64,
}

/// The runs that are worked on.
pub type LiveRuns = BTreeMap<SyncJobRunId, LiveRun>;

impl SyncJobs {
    /// Follows the runs that are worked on. Who looks rarely sees the last state alone.
    pub fn live_runs(&self, _caller: &Caller) -> watch::Receiver<LiveRuns> {
        self.0.live.subscribe()
    }

    /// A step of a run is committed.
    pub(super) fn went_on(&self, run: SyncJobRunId, node: Option<&str>, waiting: usize) {
        self.0.live.send_modify(|runs| {
            let live = runs.entry(run).or_default();
            if live.node.as_deref() != node {
                live.node = node.map(str::to_owned);
            }
            live.waiting = waiting;
            live.steps += 1;
        });
    }

    pub(super) fn rests(&self, run: SyncJobRunId) {
        self.0.live.send_if_modified(|runs| runs.remove(&run).is_some());
    }
}
