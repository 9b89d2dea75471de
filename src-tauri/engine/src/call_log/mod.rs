//! The log of programs' calls: who called what with which account, how it ended and how long it took.
//!
//! Recording a call is a few assignments in memory. What was recorded is written to the store in batches, a few seconds later
//! or before it is read: how many calls there were on each day, and the last ones of each account.
//!
//! Invariants:
//! - Recording waits for nothing but other recordings, and never for the store. What doesn't fit into memory is counted and
//!   dropped.
//! - What is written contains no secret: no header, no body, and no value of a query ([`relink_domain::call`]). Bodies, which
//!   the person may switch on, are in memory only ([`bodies`]).

mod bodies;
mod unsaved;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use relink_contract::call as contract;
use relink_domain::{
    AccountId,
    call::{Call, Day},
    caller::Caller,
};
use tokio::sync::Notify;

use crate::{
    accounts::Accounts,
    clock::Clock,
    error::Result,
    store::{
        Store,
        calls::{self, CallQuery, DayOfProgram, RecordedCall},
        filter::Filter,
    },
    sync::lock,
    tasks::Tasks,
};
use bodies::Bodies;
use unsaved::Unsaved;

/// How many of an account's last calls are kept.
const CALLS_OF_ACCOUNT: usize = 100;
/// For so many days calls are kept, and how many there were.
pub const CALL_DAYS: i64 = 31;
/// For so long calls are gathered before they are written.
const SAVE_INTERVAL: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) accounts: Accounts,
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
    bodies: Bodies,
}

impl CallLog {
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(Inner {
            uses,
            unsaved: Mutex::default(),
            recorded: Notify::new(),
            saving: tokio::sync::Mutex::default(),
            dropped: AtomicU64::new(0),
            bodies: Bodies::default(),
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

    /// Recorded calls, newest first: only those with accounts that the caller's token is limited to.
    pub async fn calls(&self, caller: &Caller, mut query: CallQuery, limit: usize) -> Result<Vec<RecordedCall>> {
        if caller.is_limited_to_accounts() {
            let filter = Filter { ids: query.accounts, ..Filter::default() };
            let allowed = self.0.uses.accounts.list(caller, filter).await?;
            query.accounts = Some(allowed.iter().map(|view| view.account.id()).collect());
        }
        self.save().await;
        Ok(self.0.uses.store.read(move |c| calls::list(c, &query, limit)).await?)
    }

    /// An account's last calls, newest first.
    pub async fn calls_of(&self, caller: &Caller, id: AccountId) -> Result<Vec<contract::Call>> {
        self.0.uses.accounts.get(caller, id).await?;
        let query = CallQuery { accounts: Some(vec![id]), ..CallQuery::default() };
        let calls = self.calls(caller, query, CALLS_OF_ACCOUNT).await?;
        Ok(calls.into_iter().map(|recorded| contract::Call::new(recorded.seq, recorded.call)).collect())
    }

    /// How much an account was used in the last days, today included, and by which programs.
    pub async fn usage_of(&self, caller: &Caller, id: AccountId, days: i64) -> Result<contract::AccountUsage> {
        self.0.uses.accounts.get(caller, id).await?;
        let today = Day::of(self.0.uses.clock.now());
        let first = today - (days - 1);
        let rows = self.days_of(id, first).await?;
        let rows = rows.into_iter().map(|row| (row.day, row.program, row.usage)).collect();
        Ok(contract::AccountUsage::new(first, today, rows, self.dropped()))
    }

    /// A row for each program on each day on which it made calls with the account, oldest day first.
    async fn days_of(&self, account: AccountId, first: Day) -> Result<Vec<DayOfProgram>> {
        self.save().await;
        Ok(self.0.uses.store.read(move |c| calls::usage_since(c, account, first)).await?)
    }

    /// How many calls since the start couldn't be recorded.
    fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
