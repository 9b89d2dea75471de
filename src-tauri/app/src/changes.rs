//! Notifies the window of changes.
//!
//! Changed accounts are published with their new state, so that the bytes per change do not grow with the number of accounts.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use relink_contract::window::{AccountChanges, Change};
use relink_domain::{AccountId, caller::Caller};
use relink_engine::{ChangeSet, ChangedAccounts, Filter, LiveRuns};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{App, Result, lock};

/// Changes within this time are published together.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// The progress of runs is published at most so often.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
const NETWORK_POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Accounts per message. It bounds the bytes of one, and the bytes that are kept for a slow subscriber.
const MAX_PUBLISHED_ACCOUNTS: usize = 50;

/// A subscription to changes of what the window shows.
#[derive(Debug)]
pub struct Changes {
    receiver: broadcast::Receiver<Change>,
    /// Delivered before any newer change.
    pending: Vec<Change>,
}

impl Changes {
    /// The next change; `None` when the app has stopped. A subscriber that is too slow misses changes; it then gets one
    /// change for each kind, as if everything had changed.
    pub async fn next(&mut self) -> Option<Change> {
        loop {
            if let Some(change) = self.pending.pop() {
                return Some(change);
            }
            match self.receiver.recv().await {
                Ok(change) => return Some(change),
                Err(RecvError::Lagged(_)) => self.pending = Change::everything(),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// At least a moment, so that a clock that stands still can't make anybody spin.
fn remaining(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0)).max(DEBOUNCE)
}

impl App {
    /// Subscribes to changes from now on.
    pub fn changes(&self) -> Changes {
        Changes { receiver: self.0.changes.subscribe(), pending: Vec::new() }
    }

    pub(crate) fn publish(&self, change: Change) {
        // It fails when nobody has subscribed.
        let _ = self.0.changes.send(change);
    }

    pub(crate) async fn publish_changes(self) {
        let mut subscription = self.0.engine.changes(&Caller::Person);
        let mut keychain = self.0.engine.keychain_changes(&Caller::Person);
        let mut online = self.0.engine.is_online(&Caller::Person);
        loop {
            tokio::select! {
                set = subscription.next() => {
                    let Some(mut set) = set else { return };
                    tokio::time::sleep(DEBOUNCE).await;
                    set.merge(subscription.take().unwrap_or_default());
                    self.publish_set(&set).await;
                }
                changed = keychain.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    *lock(&self.0.keychain) = None;
                    self.publish(Change::Overview);
                }
                () = tokio::time::sleep(NETWORK_POLL_INTERVAL) => {
                    let now = self.0.engine.is_online(&Caller::Person);
                    if std::mem::replace(&mut online, now) != now {
                        self.publish(Change::Overview);
                    }
                }
            }
        }
    }

    /// Publishes accounts whose calls begin or cease to wait for their provider, which no event says.
    pub(crate) async fn publish_waits(self) {
        let calls = &self.0.local_calls;
        let mut begun = calls.wait_changes(&Caller::Person);
        let mut published = BTreeSet::new();
        loop {
            let waits = calls.waits(&Caller::Person);
            let waiting: BTreeSet<_> = waits.accounts().collect();
            self.publish_accounts(&(&published | &waiting)).await;
            published = waiting;
            let over = async {
                match waits.first_end() {
                    Some(end) => tokio::time::sleep(remaining(end.millis_since(self.0.engine.now()))).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = begun.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    tokio::time::sleep(DEBOUNCE).await;
                    begun.mark_unchanged();
                }
                () = over => {}
            }
        }
    }

    /// Publishes which runs of sync jobs went on, however often they do.
    pub(crate) async fn publish_sync_progress(self) {
        let mut live = self.0.engine.sync_jobs().live_runs(&Caller::Person);
        let mut published = LiveRuns::new();
        while live.changed().await.is_ok() {
            let now = live.borrow_and_update().clone();
            let went_on = now.iter().filter(|(id, run)| published.get(*id) != Some(*run));
            let runs: Vec<_> = went_on.map(|(id, _)| *id).collect();
            if !runs.is_empty() {
                self.publish(Change::SyncProgress { runs });
            }
            published = now;
            tokio::time::sleep(PROGRESS_INTERVAL).await;
        }
    }

    async fn publish_set(&self, set: &ChangeSet) {
        match &set.accounts {
            ChangedAccounts::All => self.publish(Change::Accounts { changes: None }),
            ChangedAccounts::Ids(ids) if ids.is_empty() => {}
            ChangedAccounts::Ids(ids) => self.publish_accounts(ids).await,
        }
        let others = [
            (set.timeline, Change::Timeline),
            (set.integrations, Change::Integrations),
            (set.webhooks, Change::Webhooks),
            (set.calls, Change::Calls),
            (set.api_tokens, Change::ApiTokens),
            (set.unified_models, Change::UnifiedModels),
            (set.sync_jobs, Change::SyncJobs),
        ];
        for (_, change) in others.into_iter().filter(|(changed, _)| *changed) {
            self.publish(change);
        }
    }

    /// Publishes the present state of these accounts, as many messages as it takes. If it can't be read, the window loads its
    /// list, and shows that error.
    pub(crate) async fn publish_accounts(&self, ids: &BTreeSet<AccountId>) {
        let ids: Vec<_> = ids.iter().copied().collect();
        for ids in ids.chunks(MAX_PUBLISHED_ACCOUNTS) {
            let _publishing = self.0.publishing_accounts.lock().await;
            let changes = self.account_changes(ids).await.ok();
            let is_read = changes.is_some();
            self.publish(Change::Accounts { changes });
            if !is_read {
                return;
            }
        }
    }

    async fn account_changes(&self, ids: &[AccountId]) -> Result<AccountChanges> {
        let filter = Filter { ids: Some(ids.to_vec()), ..Filter::default() };
        let changed = self.accounts_of(filter).await?;
        let found: HashSet<_> = changed.iter().map(|account| account.id).collect();
        let removed = ids.iter().copied().filter(|id| !found.contains(id)).collect();
        Ok(AccountChanges { changed, removed })
    }
}
