//! Deleting all accounts of an integration, in the transaction that removes it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::future::join_all;
use relink_contract::account::Revocation;
use relink_domain::{AccountId, Timestamp, account::Account, caller::Caller};
use rusqlite::Transaction;
use tokio::sync::OwnedMutexGuard;

use super::{Accounts, delete::Deletion};
use crate::{
    error::Error,
    provider::{BoundProvider, Entry, Provider},
    store::{
        self, accounts,
        filter::{AccountOrder, Filter},
        integrations::Installed,
    },
};

/// The locks of accounts that are about to be deleted together.
#[derive(Debug)]
pub(crate) struct LockedAccounts {
    locks: HashMap<AccountId, OwnedMutexGuard<()>>,
    /// Nobody else holds the locks of several accounts at the same time, so that two can't wait for each other.
    _turn: OwnedMutexGuard<()>,
}

impl LockedAccounts {
    pub(crate) fn ids(&self) -> Vec<AccountId> {
        self.locks.keys().copied().collect()
    }
}

/// What [`delete_all_of`] did.
pub(crate) enum DeletedAll {
    Deleted(Vec<AccountId>),
    /// Nothing, because these accounts aren't locked.
    NotLocked(Vec<AccountId>),
}

impl Accounts {
    /// Waits until nobody else deletes several accounts. None is locked yet.
    pub(crate) async fn lock_several(&self) -> LockedAccounts {
        LockedAccounts { locks: HashMap::new(), _turn: Arc::clone(&self.0.several_locks).lock_owned().await }
    }

    /// Locks these accounts, too: waits until nothing is being done with their credentials.
    pub(crate) async fn lock_all(&self, ids: Vec<AccountId>, locked: &mut LockedAccounts) {
        let locks = ids.into_iter().map(|id| async move { (id, self.lock_of(id).lock_owned().await) });
        locked.locks.extend(join_all(locks).await);
    }

    /// Call it with the commit of [`delete_all_of`].
    pub(crate) fn forget_all(&self, deleted: &[AccountId]) {
        for id in deleted {
            self.forget(*id);
        }
        self.0.revocation_added.notify_one();
    }
}

/// Deletes all accounts of an installed integration as [`Accounts::delete`] deletes one, except that nothing can be asked of the
/// provider within a transaction: their tokens are revoked afterwards, with the integration as it is now.
pub(crate) fn delete_all_of(
    tx: &Transaction<'_>,
    installed: &Installed,
    locked: &[AccountId],
    caller: &Caller,
    now: Timestamp,
) -> store::Result<DeletedAll> {
    let filter = Filter { environment_integration_id: Some(installed.id), ..Filter::default() };
    let all = accounts::list(tx, &filter, AccountOrder::OLDEST_FIRST, None, None)?;
    let ids: Vec<_> = all.iter().map(|(account, _)| account.id()).collect();
    let locked: HashSet<_> = locked.iter().collect();
    let not_locked: Vec<_> = ids.iter().filter(|id| !locked.contains(id)).copied().collect();
    if !not_locked.is_empty() {
        return Ok(DeletedAll::NotLocked(not_locked));
    }
    let provider = Entry::compile(installed.clone()).provider.ok();
    let label = installed.label();
    for (account, _) in all {
        let revocation = revocation_of(&account, provider.as_ref());
        Deletion::of(&account, &label, revocation, true, caller, now)?.write(tx)?;
    }
    Ok(DeletedAll::Deleted(ids))
}

/// Whether the account's tokens are to be revoked. `provider`: `None` if the integration can't be used.
fn revocation_of(account: &Account, provider: Option<&Arc<Provider>>) -> Revocation {
    let (method, profile) = (account.method(), &account.profile);
    let bound = provider.map(|it| BoundProvider::checked(Arc::clone(it), method, &profile.context, &profile.origins));
    match bound {
        Some(Ok(provider)) if provider.offers_revocation(method) => Revocation::Pending,
        // The tokens are not sent to another address than they were given for.
        Some(Err(Error::Provider { .. })) => Revocation::Failed,
        Some(Ok(_) | Err(_)) | None => Revocation::NotOffered,
    }
}
