//! Integrated accounts: the one way in which one changes, their locks, and what is read of them.
//!
//! Invariants:
//! - An account changes by [`Accounts::commit`] alone: the domain decides, and one transaction commits the account, its
//!   timeline and its events.
//! - Events are serialized before the transaction. It only succeeds on the state that they were made from; else everything is
//!   done again from the newer state.
//! - What falls due next is scheduled by the store's writer, in the order of the commits, and also when whoever changed the
//!   account has gone away.

mod change;
mod commit;
mod reconcile;
mod views;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use relink_domain::{AccountId, EnvironmentId};

pub use views::{AccountName, AccountPage, AccountView, TimelineQuery};

use crate::{
    access_tokens::AccessTokens, clock::Clock, keychain::Keychain, orphans::Orphans, outbound::Outbound,
    provider::Providers, schedule::RefreshSchedule, store::Store, sync::lock, tasks::Tasks,
};

/// The services that [`Accounts`] uses.
#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) clock: Clock,
    pub(crate) outbound: Outbound,
    pub(crate) tasks: Tasks,
    pub(crate) environment: EnvironmentId,
    pub(crate) providers: Providers,
    pub(crate) orphans: Orphans,
    pub(crate) tokens: AccessTokens,
    pub(crate) schedule: Arc<RefreshSchedule>,
}

/// Reads and changes accounts. A clone is a handle on the same ones.
#[derive(Debug, Clone)]
pub struct Accounts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    /// One lock per account: what changes its credentials happens one after the other.
    locks: Mutex<HashMap<AccountId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Accounts {
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(Inner { uses, locks: Mutex::default() }))
    }

    /// The account's lock. It is held while an account's credentials are read, exchanged and written.
    pub(crate) fn lock_of(&self, account: AccountId) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.0.locks).entry(account).or_default())
    }

    /// Forgets an account that was deleted.
    fn forget(&self, account: AccountId) {
        self.0.uses.tokens.forget(account);
        self.0.uses.schedule.remove(account);
        lock(&self.0.locks).remove(&account);
    }
}

#[cfg(test)]
mod tests;
