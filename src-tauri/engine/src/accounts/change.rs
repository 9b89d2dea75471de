//! Changes that people and programs make to an account: rename, merge context, delete.

use relink_contract::event::Gone;
use relink_domain::{
    AccountId,
    account::{Input, TimelineEvent},
    caller::Caller,
    event::EventKind,
    name,
};
use serde_json::{Map, Value};

use super::{AccountView, Accounts};
use crate::{
    error::{Error, Result},
    keychain::Key,
    provider::{Provider, reject_credentials_in_context, revoke},
    store::{
        accounts, orphans,
        outbox::{self, Payload},
        timeline::{self, NewEntry},
    },
};

/// The maximum length of an account's name, in characters.
const MAX_NAME: usize = 200;

impl Accounts {
    pub async fn rename(&self, caller: &Caller, id: AccountId, name: String) -> Result<AccountView> {
        let Some(name) = name::one_line(&name, MAX_NAME).map(str::to_owned) else {
            let message = format!("A name must have 1 to {MAX_NAME} characters, on one line.");
            return Err(Error::invalid_field("name_invalid", "name", message));
        };
        self.commit(caller, id, Input::Rename { name }).await?;
        self.relabel_in_background(id);
        self.view_of(id).await
    }

    /// Updates the label by which a person finds the account's item in the system's keychain app. No caller waits for
    /// it.
    fn relabel_in_background(&self, id: AccountId) {
        let accounts = self.clone();
        self.0.uses.tasks.spawn_until_stop(async move {
            accounts.0.uses.keychain.opened().await;
            if let Err(error) = accounts.relabel(id).await {
                tracing::info!(account = %id, code = error.code(), "its keychain item keeps its old label: {error}");
            }
        });
    }

    async fn relabel(&self, id: AccountId) -> Result<()> {
        let lock = self.lock_of(id);
        let _guard = lock.lock().await;
        let account = self.load(id).await?;
        let provider = self.0.uses.providers.get(account.profile.environment_integration_id)?;
        let (key, keychain) = (Key::Account(id), &self.0.uses.keychain);
        let Some(item) = keychain.get(&key).await? else { return Ok(()) };
        Ok(keychain.set(&key, &provider.item_label(&account.profile.name), &item).await?)
    }

    /// Merges `context` into the account's context, one level deep. Refuses credentials.
    pub async fn merge_context(
        &self,
        caller: &Caller,
        id: AccountId,
        context: Map<String, Value>,
    ) -> Result<AccountView> {
        let account = self.load(id).await?;
        // Without a usable definition, only the keys that are always credentials can be refused.
        let provider = self.0.uses.providers.get(account.profile.environment_integration_id).ok();
        reject_credentials_in_context(&context, &provider.as_deref())?;
        self.commit(caller, id, Input::MergeContext { context }).await?;
        self.view_of(id).await
    }

    /// Deletes an account: revokes its tokens if the provider supports revocation, deletes the secrets, and sends the
    /// event.
    pub async fn delete(&self, caller: &Caller, id: AccountId) -> Result<()> {
        // Create no lock for an unknown account, because nothing would remove it.
        self.load(id).await?;
        let lock = self.lock_of(id);
        let _guard = lock.lock().await;
        let account = self.load(id).await?;
        let provider = self.0.uses.providers.get(account.profile.environment_integration_id).ok();
        let revoked = match &provider {
            Some(provider) => self.revoke(provider, id).await,
            None => None,
        };
        let event = TimelineEvent::Deleted { name: account.profile.name, revoked };
        let payload = Payload::of(&Gone { id })?;
        let (now, key, accounts) = (self.0.uses.clock.now(), Key::Account(id).to_string(), self.clone());
        let entry = NewEntry::of(Some(id), now, &event, Some(caller))?;
        let write = move |tx: &rusqlite::Transaction<'_>| {
            accounts::delete(tx, id)?;
            orphans::note(tx, &key, now)?;
            timeline::add(tx, &entry)?;
            outbox::enqueue_event(tx, EventKind::AccountDeleted, Some(&id.to_string()), &payload, now).map(drop)
        };
        // Runs with the commit, even if the caller was cancelled, so that nobody gets the token afterwards.
        self.0.uses.store.write_then(write, move |()| accounts.forget(id)).await?;
        if let Err(error) = self.0.uses.orphans.sweep().await {
            tracing::info!(account = %id, code = error.code(), "its keychain item is removed later: {error}");
        }
        Ok(())
    }

    /// Asks the provider to revoke the account's tokens. If the keychain is locked, nothing is revoked and the item is
    /// swept later, so that the account can still be deleted.
    async fn revoke(&self, provider: &Provider, id: AccountId) -> Option<bool> {
        let item = self.0.uses.keychain.get(&Key::Account(id)).await.ok().flatten()?;
        let secret = self.0.uses.providers.client_secret(provider).await.ok()?;
        revoke(&self.0.uses.outbound, provider, secret, &item).await
    }
}
