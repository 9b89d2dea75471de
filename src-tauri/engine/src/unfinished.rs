//! Accounts with an unfinished change: a component that couldn't finish it adds the account, and `Recovery` finishes
//! it.

use std::sync::{Arc, Mutex};

use relink_domain::AccountId;
use tokio::sync::Notify;

use crate::sync::lock;

/// Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unfinished(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    accounts: Mutex<Vec<AccountId>>,
    added: Notify,
}

impl Unfinished {
    pub(crate) fn add(&self, account: AccountId) {
        lock(&self.0.accounts).push(account);
        self.0.added.notify_one();
    }

    pub(crate) fn take(&self) -> Vec<AccountId> {
        std::mem::take(&mut *lock(&self.0.accounts))
    }

    /// Returns when an account was added since the last call.
    pub(crate) async fn added(&self) {
        self.0.added.notified().await;
    }
}
