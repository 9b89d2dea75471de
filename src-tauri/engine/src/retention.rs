//! Retention: how long events, deliveries, timelines and records of calls are kept.

use std::{sync::Arc, time::Duration};

use relink_domain::Timestamp;

use crate::{
    call_log::CALL_DAYS,
    clock::{Clock, ClockChange, ClockWatch},
    error::Result,
    scheduler::{Scheduler, pause_until},
    store::{
        Store, calls, mcp_tokens, outbox,
        sync_jobs::{runs, workflows},
        timeline, webhooks,
    },
    tasks::Tasks,
};

/// How many days timeline entries are kept.
const TIMELINE_DAYS: i64 = 90;
/// How many of an account's newest entries are kept regardless of age, because they describe its state.
const NEWEST_OF_ACCOUNT: usize = 100;
/// How many days events and their deliveries are kept.
const EVENTS_DAYS: i64 = 30;
/// How many days failed deliveries are kept with their events, for a replay.
const FAILED_DAYS: i64 = 90;
/// How many days it is kept what each attempt at a delivery sent and got.
const ATTEMPT_DAYS: i64 = 14;
/// How many days runs of sync jobs are kept with their logs, and runs of workflows, once they are over.
const RUN_DAYS: i64 = 90;
/// How many rows one transaction reads. Between transactions, others can use the store.
const BATCH: usize = 500;
/// How often old records are removed. More often than daily, because timers stop while the machine sleeps.
const INTERVAL_SECS: i64 = 6 * 60 * 60;
/// The maximum time between two readings of the wall clock.
const MAX_PAUSE: Duration = Duration::from_hours(1);

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
}

/// A kind of record that is removed after some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Records {
    Timeline,
    Events,
    Attempts,
    Calls,
    McpTokens,
    Runs,
}

impl Records {
    const ALL: [Self; 6] = [Self::Timeline, Self::Events, Self::Attempts, Self::Calls, Self::McpTokens, Self::Runs];
}

/// Removes old records. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct Retention(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    due: Scheduler<Records>,
}

impl Retention {
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(Inner { uses, due: Scheduler::default() }))
    }

    /// Removes old records now, and again every few hours.
    pub(crate) fn start(&self) {
        self.schedule_all();
        self.0.uses.tasks.spawn_until_stop(self.clone().run());
    }

    fn schedule_all(&self) {
        let now = self.0.uses.clock.now();
        for records in Records::ALL {
            self.0.due.set(records, now);
        }
    }

    async fn run(self) {
        let mut clock = self.0.uses.clock.changes();
        let mut watch = ClockWatch::new(self.0.uses.clock.now());
        loop {
            let now = self.0.uses.clock.now();
            if matches!(watch.look(now), ClockChange::Back(_)) {
                self.schedule_all();
            }
            let taken = self.0.due.take_due(now);
            for records in taken.due {
                if let Err(error) = self.prune(records, now).await {
                    tracing::warn!(?records, code = error.code(), "old records stay for now: {error}");
                }
                self.0.due.set(records, now.plus_secs(INTERVAL_SECS));
            }
            tokio::select! {
                () = tokio::time::sleep(pause_until(taken.next, now, MAX_PAUSE)) => {}
                () = self.0.due.changed() => {}
                () = clock.changed() => {}
            }
        }
    }

    async fn prune(&self, records: Records, now: Timestamp) -> Result<()> {
        let store = &self.0.uses.store;
        let days_ago = |days: i64| now.plus_secs(-days * 24 * 60 * 60);
        let mut from = 0;
        match records {
            Records::Timeline => {
                let before = days_ago(TIMELINE_DAYS);
                while let Some(to) = store.read(move |c| timeline::old(c, from, before, BATCH)).await? {
                    store.write(move |tx| timeline::prune(tx, from, to, before, NEWEST_OF_ACCOUNT)).await?;
                    from = to;
                }
            }
            Records::Events => {
                let (before, failed_before) = (days_ago(EVENTS_DAYS), days_ago(FAILED_DAYS));
                while let Some(to) = store.read(move |c| outbox::old(c, from, before, BATCH)).await? {
                    store.write(move |tx| outbox::prune(tx, from, to, before, failed_before)).await?;
                    from = to;
                }
            }
            Records::Attempts => {
                let before = days_ago(ATTEMPT_DAYS);
                while store.write(move |tx| webhooks::prune_attempts(tx, before, BATCH)).await? {}
            }
            Records::Calls => {
                let before = days_ago(CALL_DAYS);
                while store.write(move |tx| calls::prune(tx, before, BATCH)).await? {}
            }
            Records::Runs => {
                let before = days_ago(RUN_DAYS);
                while store.write(move |tx| runs::prune(tx, before, BATCH)).await? {}
                while store.write(move |tx| workflows::prune(tx, before, BATCH)).await? {}
            }
            Records::McpTokens => store.write(move |tx| mcp_tokens::prune(tx, now)).await?,
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
