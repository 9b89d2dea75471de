//! Deleting an account, and revoking its tokens at the provider.

use relink_contract::{
    account::{DeletedAccount, Revocation},
    event::Gone,
};
use relink_domain::{
    AccountId, Timestamp,
    account::{Account, TimelineEvent},
    caller::Caller,
    event::EventKind,
};
use rusqlite::Transaction;

use super::{Accounts, revocation::PendingRevocation};
use crate::{
    error::{Error, Result},
    keychain::{Key, KeychainError},
    provider::{BoundProvider, Revoked, revoke},
    store::{
        self, accounts, orphans,
        outbox::{self, Payload},
        timeline::{self, NewEntry},
    },
};

impl Accounts {
    /// Deletes an account: revokes its tokens if the provider supports revocation, deletes the secrets, and sends the
    /// event. While the keychain is locked, the revocation is recorded and done later.
    pub async fn delete(&self, caller: &Caller, id: AccountId) -> Result<DeletedAccount> {
        // Create no lock for an unknown account, because nothing would remove it.
        self.load(id).await?;
        self.require(caller, id).await?;
        let lock = self.lock_of(id);
        let _guard = lock.lock().await;
        let account = self.load(id).await?;
        let label = self.installed_of(&account).map_or_else(|_| account.profile.integration.clone(), |it| it.label());
        let revocation = match self.0.uses.providers.bound_to(&account) {
            Ok(provider) => self.revoke(&provider, &account).await,
            // The tokens are not sent to another address than they were given for.
            Err(Error::Provider { .. }) => Revocation::Failed,
            Err(_) => Revocation::NotOffered,
        };
        let deletion = Deletion::of(&account, &label, revocation, false, caller, self.0.uses.clock.now())?;
        let accounts = self.clone();
        let write = move |tx: &Transaction<'_>| deletion.write(tx);
        // Runs with the commit, even if the caller was cancelled, so that nobody gets the token afterwards.
        self.0.uses.store.write_then(write, move |()| accounts.forget(id)).await?;
        if revocation == Revocation::Pending {
            self.0.revocation_added.notify_one();
        } else if let Err(error) = self.0.uses.orphans.sweep().await {
            tracing::info!(account = %id, code = error.code(), "its keychain item is removed later: {error}");
        }
        Ok(DeletedAccount { id, revocation, message: message(revocation, &label) })
    }

    async fn revoke(&self, provider: &BoundProvider, account: &Account) -> Revocation {
        if !provider.offers_revocation(account.method()) {
            return Revocation::NotOffered;
        }
        let item = match self.0.uses.keychain.get(&Key::Account(account.id())).await {
            Ok(Some(item)) => item,
            Ok(None) => return Revocation::NotOffered,
            Err(KeychainError::Damaged { .. } | KeychainError::Newer { .. }) => return Revocation::Failed,
            Err(_) => return Revocation::Pending,
        };
        let Ok(secret) = self.0.uses.providers.client_secret(provider).await else { return Revocation::Pending };
        match revoke(&self.0.uses.outbound, provider, secret, &item, &account.profile.context).await {
            Revoked::NotOffered => Revocation::NotOffered,
            Revoked::Accepted => Revocation::Revoked,
            Revoked::Refused | Revoked::Unreachable => Revocation::Failed,
        }
    }
}

/// What the deletion of an account writes.
pub(super) struct Deletion {
    id: AccountId,
    /// Of its keychain item.
    key: String,
    entry: NewEntry,
    pending: Option<String>,
    payload: Payload,
    now: Timestamp,
}

impl Deletion {
    /// `label`: the integration's. `with_integration`: whether that is removed too.
    pub(super) fn of(
        account: &Account,
        label: &str,
        revocation: Revocation,
        with_integration: bool,
        caller: &Caller,
        now: Timestamp,
    ) -> store::Result<Self> {
        let (id, is_pending) = (account.id(), revocation == Revocation::Pending);
        let event = TimelineEvent::Deleted {
            name: account.profile.name.clone(),
            revoked: match revocation {
                Revocation::Revoked => Some(true),
                Revocation::Failed => Some(false),
                Revocation::NotOffered | Revocation::Pending => None,
            },
            is_pending,
            with_integration,
            provider: Some(label.to_owned()),
        };
        Ok(Self {
            id,
            key: Key::Account(id).to_string(),
            entry: NewEntry::of(Some(id), now, &event, Some(caller))?,
            pending: is_pending.then(|| PendingRevocation::of(account, label)).transpose()?,
            payload: Payload::of(&Gone { id })?,
            now,
        })
    }

    pub(super) fn write(&self, tx: &Transaction<'_>) -> store::Result<()> {
        accounts::delete(tx, self.id)?;
        orphans::note(tx, &self.key, self.now)?;
        if let Some(pending) = &self.pending {
            orphans::set_revocation(tx, &self.key, pending)?;
        }
        timeline::add(tx, &self.entry)?;
        let subject = self.id.to_string();
        outbox::enqueue_event(tx, EventKind::AccountDeleted, Some(&subject), &self.payload, self.now).map(drop)
    }
}

fn message(revocation: Revocation, label: &str) -> Option<String> {
    match revocation {
        Revocation::NotOffered | Revocation::Revoked => None,
        Revocation::Failed => {
            Some(format!("Not revoked at {label}. Remove Relink's access in your account settings there."))
        }
        Revocation::Pending => Some(format!(
            "Not revoked at {label} yet, because the keychain is locked. Relink revokes it when the keychain is unlocked."
        )),
    }
}
