//! Integrated accounts: changes, locks and views.
//!
//! Invariants:
//! - An account changes only through [`Accounts::commit`]: the domain decides, and one transaction commits the account,
//!   its timeline and its events.
//! - Events are serialized before the transaction, which succeeds only if the account has not changed since. Otherwise
//!   everything is repeated from the newer state.
//! - The store's writer schedules the next refresh or check, in the order of the commits, even if the caller was
//!   cancelled.

mod change;
mod commit;
mod delete;
mod delete_all;
mod limits;
mod names;
mod origins;
mod receivers;
mod reconcile;
mod revocation;
mod views;
mod waits;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use relink_domain::{
    AccountId,
    account::{Account, AccountState},
};
use tokio::sync::Notify;

pub(crate) use change::tenant_id_invalid;
pub(crate) use delete_all::{DeletedAll, delete_all_of};
pub(crate) use revocation::keep_for_revocations;
pub use views::{AccountName, AccountPage, AccountView, PageQuery, TimelineQuery};

use crate::{
    access::TokensOfAccounts, access_tokens::AccessTokens, clock::Clock, hosts::Hosts, keychain::Keychain,
    organization::OrganizationIds, orphans::Orphans, outbound::Outbound, provider::Providers,
    schedule::RefreshSchedule, step_runner::StepRunners, store::Store, sync::lock, tasks::Tasks,
    unfinished::Unfinished,
};
use names::AccountNames;
use waits::Waits;

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) clock: Clock,
    pub(crate) outbound: Outbound,
    pub(crate) tasks: Tasks,
    pub(crate) ids: OrganizationIds,
    pub(crate) providers: Providers,
    pub(crate) orphans: Orphans,
    pub(crate) tokens: AccessTokens,
    pub(crate) schedule: Arc<RefreshSchedule>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) own_tokens: TokensOfAccounts,
    /// The accounts whose connect steps are to run.
    pub(crate) connecting: Unfinished,
    /// Who checks the expressions of an override.
    pub(crate) runners: StepRunners,
}

/// Reads and changes accounts. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Accounts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    /// One lock per account, so that changes of its credentials are serialized.
    locks: Mutex<HashMap<AccountId, Arc<tokio::sync::Mutex<()>>>>,
    /// Held while the locks of several accounts are held.
    several_locks: Arc<tokio::sync::Mutex<()>>,
    /// Notified when a deleted account's tokens are still to be revoked.
    revocation_added: Notify,
    names: AccountNames,
    waits: Waits,
    /// Held during a pass over what is to be revoked. The number of passes so far.
    revoking: tokio::sync::Mutex<usize>,
}

impl Accounts {
    pub(crate) fn new(uses: Dependencies) -> Self {
        let (locks, several_locks, revoking) = (Mutex::default(), Arc::default(), tokio::sync::Mutex::default());
        let (names, waits, revocation_added) = (AccountNames::default(), Waits::default(), Notify::new());
        Self(Arc::new(Inner { uses, locks, several_locks, revocation_added, names, waits, revoking }))
    }

    /// The account's lock. It is held while an account's credentials are read, exchanged and written.
    pub(crate) fn lock_of(&self, account: AccountId) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.0.locks).entry(account).or_default())
    }

    /// An account was made. Runs with its commit.
    pub(crate) fn created(&self, account: &Account) {
        self.0.names.set(account);
        self.plan(account, None);
        self.run_steps_of(account);
    }

    /// Leaves the connect steps of an account that has just begun them to `Onboarding`.
    fn run_steps_of(&self, account: &Account) {
        if matches!(account.state, AccountState::Connecting { .. }) {
            self.0.uses.connecting.add(account.id());
        }
    }

    /// Removes a deleted account from memory: its tokens, its schedule, its name and its lock.
    fn forget(&self, account: AccountId) {
        self.0.names.remove(account);
        self.0.uses.tokens.forget(account);
        self.0.uses.own_tokens.forget(account);
        self.0.uses.providers.forget_account(account);
        self.0.uses.schedule.remove(account);
        lock(&self.0.locks).remove(&account);
    }
}

#[cfg(test)]
mod tests;
