//! Who a provider's webhook is for (contract section 4.7).
//!
//! Whoever reaches the API can cause these reads, so they send nothing to a provider, start no refresh, and leave no trace on an
//! account.

use std::sync::Arc;

use relink_domain::{AccountId, EnvironmentIntegrationId, caller::Caller, integration::Definition};

use super::Accounts;
use crate::{
    error::Result,
    keychain::{Item, Key, KeychainError},
    provider::WebhookReceiver,
    store::accounts,
};

/// One request of a provider is for so many accounts at most.
const MAX_ACCOUNTS: usize = 100;

impl Accounts {
    /// The definition of an installed integration; `None` if there is none that can be used.
    pub fn definition_of_integration(&self, _caller: &Caller, id: EnvironmentIntegrationId) -> Option<Arc<Definition>> {
        self.0.uses.providers.get(id).ok().map(|provider| Arc::clone(&provider.definition))
    }

    /// The accounts of an installed integration whose context has this text, or a number or truth value that reads like it, under
    /// this key.
    pub async fn with_context_value(
        &self,
        _caller: &Caller,
        id: EnvironmentIntegrationId,
        key: &str,
        value: &str,
    ) -> Result<Vec<AccountId>> {
        let (key, value) = (key.to_owned(), value.to_owned());
        let find = move |c: &rusqlite::Connection| accounts::with_context_value(c, id, &key, &value, MAX_ACCOUNTS);
        Ok(self.0.uses.store.read(find).await?)
    }

    /// What an account's webhooks are verified with.
    pub async fn webhook_receiver(&self, caller: &Caller, id: AccountId) -> Result<WebhookReceiver> {
        self.require(caller, id).await?;
        let account = self.load(id).await?;
        let uses = &self.0.uses;
        let provider = uses.providers.of(&account)?;
        let item = match uses.keychain.get(&Key::Account(id)).await {
            Ok(item) => item.unwrap_or_default(),
            // Nothing can be read from such an item, so it verifies nothing.
            Err(KeychainError::Damaged { .. } | KeychainError::Newer { .. }) => Item::default(),
            Err(error) => return Err(error.into()),
        };
        let (own, _) = uses.providers.secrets(&provider).await?;
        let held = uses.tokens.get(id).map(|held| held.token);
        Ok(WebhookReceiver::of_account(&account, provider, item, &own, held.as_ref()))
    }

    /// What webhooks of an installed integration are verified with that are for none of its accounts.
    pub async fn webhook_receiver_of_integration(
        &self,
        _caller: &Caller,
        id: EnvironmentIntegrationId,
    ) -> Result<WebhookReceiver> {
        let provider = self.0.uses.providers.get(id)?;
        let (own, _) = self.0.uses.providers.secrets(&provider).await?;
        Ok(WebhookReceiver::of_integration(provider, &own))
    }
}
