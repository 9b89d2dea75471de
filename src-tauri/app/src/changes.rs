//! Notifies the window of changes.
//!
//! Changed accounts are published with their new state, so that the bytes per change do not grow with the number of accounts.

use std::{collections::BTreeSet, time::Duration};

use relink_contract::window::{AccountChanges, Change};
use relink_domain::{AccountId, caller::Caller};
use relink_engine::{ChangeSet, ChangedAccounts, Error, network};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{App, accounts, lock};

/// Changes within this time are published together.
const DEBOUNCE: Duration = Duration::from_millis(100);
const NETWORK_POLL_INTERVAL: Duration = Duration::from_secs(5);
/// If more accounts have changed, the window loads its list again.
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
        let mut online = network::is_online();
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
                    let now = network::is_online();
                    if std::mem::replace(&mut online, now) != now {
                        self.publish(Change::Overview);
                    }
                }
            }
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
            (set.api_tokens, Change::ApiTokens),
        ];
        for (_, change) in others.into_iter().filter(|(changed, _)| *changed) {
            self.publish(change);
        }
    }

    /// Publishes the present state of these accounts.
    pub(crate) async fn publish_accounts(&self, ids: &BTreeSet<AccountId>) {
        let _publishing = self.0.publishing_accounts.lock().await;
        let changes = self.account_changes(ids).await;
        self.publish(Change::Accounts { changes });
    }

    /// `None` if there are too many, or they can't be read now. The window then loads its list, and shows that error.
    async fn account_changes(&self, ids: &BTreeSet<AccountId>) -> Option<AccountChanges> {
        if ids.len() > MAX_PUBLISHED_ACCOUNTS {
            return None;
        }
        let shown = self.shown().await.ok()?;
        let mut changes = AccountChanges::default();
        for &id in ids {
            match self.0.engine.accounts().get(&Caller::Person, id).await {
                Ok(view) => changes.changed.push(accounts::account(&view, shown.remind_at(id), self.0.engine.now())),
                Err(Error::NotFound { .. }) => changes.removed.push(id),
                Err(_) => return None,
            }
        }
        Some(changes)
    }
}
