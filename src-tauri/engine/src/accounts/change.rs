//! Changes that people and programs make to an account: rename, merge context.

use relink_domain::{AccountId, account::Input, caller::Caller, name};
use serde_json::{Map, Value};

use super::{AccountView, Accounts};
use crate::{
    error::{Error, Result},
    keychain::Key,
    provider::drop_credentials_in_context,
};

/// The maximum length of an account's name, in characters.
const MAX_NAME: usize = 200;

impl Accounts {
    pub async fn rename(&self, caller: &Caller, id: AccountId, name: String) -> Result<AccountView> {
        let Some(name) = name::one_line(&name, MAX_NAME).map(str::to_owned) else {
            let message = format!("A name must have 1 to {MAX_NAME} characters, on one line.");
            return Err(Error::invalid_field("name_invalid", "name", message));
        };
        self.require(caller, id).await?;
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

    /// Merges `context` into the account's context, one level deep. Credentials in it are ignored.
    pub async fn merge_context(
        &self,
        caller: &Caller,
        id: AccountId,
        mut context: Map<String, Value>,
    ) -> Result<AccountView> {
        self.require(caller, id).await?;
        let account = self.load(id).await?;
        // Without a usable definition, only the keys that are always credentials are known.
        let provider = self.0.uses.providers.get(account.profile.environment_integration_id).ok();
        drop_credentials_in_context(&mut context, provider.as_deref());
        if context.is_empty() {
            return self.view_of(id).await;
        }
        let mut merged = account.profile.context.clone();
        merged.extend(context.clone());
        name::check_context(&merged)
            .map_err(|fault| Error::invalid_field("context_invalid", "context", fault.to_string()))?;
        self.commit(caller, id, Input::MergeContext { context }).await?;
        self.view_of(id).await
    }
}
