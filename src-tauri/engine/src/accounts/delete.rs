//! Deleting an account, and revoking its tokens at the provider.

use relink_contract::{
    account::{DeletedAccount, Revocation},
    event::Gone,
};
use relink_domain::{
    AccountId,
    account::{Account, TimelineEvent},
    caller::Caller,
    event::EventKind,
};

use super::{Accounts, revocation::PendingRevocation};
use crate::{
    error::{Error, Result},
    keychain::{Key, KeychainError},
    provider::{BoundProvider, Revoked, revoke},
    store::{
        accounts, orphans,
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
        let event = TimelineEvent::Deleted {
            name: account.profile.name.clone(),
            revoked: match revocation {
                Revocation::Revoked => Some(true),
                Revocation::Failed => Some(false),
                Revocation::NotOffered | Revocation::Pending => None,
            },
            is_pending: revocation == Revocation::Pending,
            provider: Some(label.clone()),
        };
        let pending =
            (revocation == Revocation::Pending).then(|| PendingRevocation::of(&account, &label)).transpose()?;
        let payload = Payload::of(&Gone { id })?;
        let (now, key, accounts) = (self.0.uses.clock.now(), Key::Account(id).to_string(), self.clone());
        let entry = NewEntry::of(Some(id), now, &event, Some(caller))?;
        let write = move |tx: &rusqlite::Transaction<'_>| {
            accounts::delete(tx, id)?;
            orphans::note(tx, &key, now)?;
            if let Some(pending) = &pending {
                orphans::set_revocation(tx, &key, pending)?;
            }
            timeline::add(tx, &entry)?;
            outbox::enqueue_event(tx, EventKind::AccountDeleted, Some(&id.to_string()), &payload, now).map(drop)
        };
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
        match revoke(&self.0.uses.outbound, provider, secret, &item).await {
            Revoked::NotOffered => Revocation::NotOffered,
            Revoked::Accepted => Revocation::Revoked,
            Revoked::Refused | Revoked::Unreachable => Revocation::Failed,
        }
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
