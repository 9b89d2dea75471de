//! The log of programs' calls: who called what with which account, how it ended and how long it took.
//!
//! Recording a call is a few assignments in memory. What was recorded is written to the store in batches, a few seconds later
//! or before it is read: how many calls there were on each day, and the last ones of each account.
//!
//! Invariants:
//! - Recording waits for nothing but other recordings, and never for the store. What doesn't fit into memory is counted and
//!   dropped.
//! - What is recorded contains no secret: no header, no body, and no value of a query ([`relink_domain::call`]).

mod unsaved;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use relink_domain::{
    AccountId,
    call::{Call, Day},
    caller::Caller,
};
use tokio::sync::Notify;

use crate::{
    clock::Clock,
    error::Result,
    store::{
        Store,
        calls::{self, CallQuery, DayOfProgram, RecordedCall},
    },
    sync::lock,
    tasks::Tasks,
};
use unsaved::Unsaved;

/// How many of an account's last calls are kept.
pub const CALLS_OF_ACCOUNT: usize = 100;
/// For so many days calls are kept, and how many there were.
pub const CALL_DAYS: i64 = 31;
/// For so long calls are gathered before they are written.
const SAVE_INTERVAL: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
}

/// Records programs' calls. Clones share the same state.
#[derive(Debug, Clone)]
pub struct CallLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    unsaved: Mutex<Unsaved>,
    /// Notified when there is something to write.
    recorded: Notify,
    /// Held while calls are written, so that whoever reads sees those that were recorded before.
    saving: tokio::sync::Mutex<()>,
    dropped: AtomicU64,
}

impl CallLog {
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(Inner {
            uses,
            unsaved: Mutex::default(),
            recorded: Notify::new(),
            saving: tokio::sync::Mutex::default(),
            dropped: AtomicU64::new(0),
        }))
    }

    /// Starts the task that writes what was recorded.
    pub(crate) fn start(&self) {
        let log = self.clone();
        self.0.uses.tasks.spawn_until_stop(async move {
            loop {
                log.0.recorded.notified().await;
                tokio::time::sleep(SAVE_INTERVAL).await;
                log.save().await;
            }
        });
    }

    /// Records a call that has ended. It never waits.
    pub fn record(&self, _caller: &Caller, account: AccountId, call: Call) {
        let (is_first, dropped) = lock(&self.0.unsaved).add(account, call);
        self.0.dropped.fetch_add(dropped, Ordering::Relaxed);
        if is_first {
            self.0.recorded.notify_one();
        }
    }

    /// Writes what was recorded so far. What can't be written is counted as dropped.
    pub(crate) async fn save(&self) {
        let _saving = self.0.saving.lock().await;
        let unsaved = std::mem::take(&mut *lock(&self.0.unsaved));
        if unsaved.is_empty() {
            return;
        }
        let number = unsaved.calls();
        let write = move |tx: &rusqlite::Transaction<'_>| {
            for (account, of_account) in unsaved.into_accounts() {
                calls::add(tx, account, &of_account.calls, CALLS_OF_ACCOUNT)?;
                for day in &of_account.days {
                    calls::add_usage(tx, account, day)?;
                }
            }
            Ok(())
        };
        if let Err(error) = self.0.uses.store.write(write).await {
            self.0.dropped.fetch_add(number, Ordering::Relaxed);
            tracing::warn!("{number} calls could not be recorded: {error}");
        }
    }

    /// Recorded calls, newest first.
    pub async fn calls(&self, _caller: &Caller, query: CallQuery, limit: usize) -> Result<Vec<RecordedCall>> {
        self.save().await;
        Ok(self.0.uses.store.read(move |c| calls::list(c, &query, limit)).await?)
    }

    /// The calls with an account in the last days, today included, oldest day first: a row for each program on each day on
    /// which it made some.
    pub async fn usage(&self, _caller: &Caller, account: AccountId, days: i64) -> Result<Vec<DayOfProgram>> {
        self.save().await;
        let first = self.today() - (days - 1);
        Ok(self.0.uses.store.read(move |c| calls::usage_since(c, account, first)).await?)
    }

    /// The day in UTC.
    fn today(&self) -> Day {
        Day::of(self.0.uses.clock.now())
    }

    /// How many calls since the start couldn't be recorded.
    pub fn dropped(&self, _caller: &Caller) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
