//! Who a provider's webhook is for, and what it is verified with (contract section 4.7).

use std::{collections::BTreeMap, sync::Arc};

use relink_domain::{
    AccountId, Secret,
    account::Account,
    integration::Definition,
    provider_text::SecretFilter,
    template::{Root, Scope, TextTemplate},
};
use serde_json::{Map, Value};

use super::{ACCESS_TOKEN, IntegrationSecrets, Provider, REFRESH_TOKEN, VARIABLES};
use crate::keychain::Item;

/// What is stored of an account, or of an integration alone, that a provider's webhook is verified with. Nothing is sent for it.
#[derive(Debug)]
pub struct WebhookReceiver {
    provider: Arc<Provider>,
    account: Option<AccountId>,
    tenant_id: Option<String>,
    context: Map<String, Value>,
    fields: BTreeMap<String, Secret>,
    variables: BTreeMap<String, Secret>,
    /// Kept in the keychain, because no refresh token stands behind it.
    access_token: Option<Secret>,
    filter: SecretFilter,
}

impl WebhookReceiver {
    /// `held`: the access token in memory, which verifies nothing.
    pub(crate) fn of_account(
        account: &Account,
        provider: Arc<Provider>,
        item: Item,
        own: &IntegrationSecrets,
        held: Option<&Secret>,
    ) -> Self {
        let filter = SecretFilter::new(item.secrets.values().chain(own.values()).chain(held));
        let mut fields = item.secrets;
        fields.remove(REFRESH_TOKEN);
        let access_token = fields.remove(ACCESS_TOKEN);
        Self {
            provider,
            account: Some(account.id()),
            tenant_id: Some(account.profile.tenant_id.clone()),
            context: account.profile.context.clone(),
            fields,
            variables: own.variables(),
            access_token,
            filter,
        }
    }

    pub(crate) fn of_integration(provider: Arc<Provider>, own: &IntegrationSecrets) -> Self {
        Self {
            provider,
            account: None,
            tenant_id: None,
            context: Map::new(),
            fields: BTreeMap::new(),
            variables: own.variables(),
            access_token: None,
            filter: SecretFilter::new(own.values()),
        }
    }

    /// None: the integration alone.
    pub const fn account(&self) -> Option<AccountId> {
        self.account
    }

    pub fn definition(&self) -> &Definition {
        &self.provider.definition
    }

    /// The text, with the stored values. None if a value is missing, or if nothing is left of it: that verifies nothing.
    pub fn fill_secret(&self, text: &TextTemplate) -> Option<Secret> {
        let open = self.definition().section(VARIABLES).and_then(Value::as_object);
        let roots: Vec<_> = open.map(|variables| (VARIABLES, Root::Object(variables))).into_iter().collect();
        let scope = Scope {
            variables: Some(&self.variables),
            tenant_id: self.tenant_id.as_deref(),
            roots: &roots,
            ..Scope::new(&self.context, &self.fields, self.access_token.as_ref())
        };
        text.fill_secret(&scope).ok().flatten().filter(|secret| !secret.expose().is_empty())
    }

    /// The filter for what the provider sends.
    pub const fn filter(&self) -> &SecretFilter {
        &self.filter
    }
}
