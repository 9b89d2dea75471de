//! Providers at the addresses that credentials may be sent to.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use relink_domain::{
    EnvironmentIntegrationId, Secret,
    account::{Account, AuthenticationMethod},
    failure::{Cause, Failure},
    integration::{Address, Fields, OAuth2, Params},
    origins::{Origin, Origins},
    provider_text::KnownSecrets,
    template::Scope,
};
use serde_json::{Map, Value};
use url::Url;

use super::{ACCESS_TOKEN, Provider, Providers, REFRESH_TOKEN};
use crate::{
    error::{Error, Result},
    keychain::Item,
    oauth::{self, Endpoint},
};

/// A provider that the credentials at hand may be sent to: those of an account that is bound to its addresses
/// ([`Providers::bound_to`]), or those that the person is giving to exactly this provider.
#[derive(Debug, Clone)]
pub(crate) struct BoundProvider(Arc<Provider>);

impl Deref for BoundProvider {
    type Target = Provider;

    fn deref(&self) -> &Provider {
        &self.0
    }
}

/// The values of an account, or of one that is being connected, that its token requests depend on.
pub(crate) struct AccountValues<'a> {
    context: &'a Map<String, Value>,
    /// Of the form, without the tokens that the keychain's item has beside them.
    secrets: BTreeMap<String, Secret>,
}

impl<'a> AccountValues<'a> {
    /// `secrets`: what the keychain has of the account.
    pub(crate) fn of(context: &'a Map<String, Value>, secrets: &BTreeMap<String, Secret>) -> Self {
        let is_entered = |name: &&String| ![ACCESS_TOKEN, REFRESH_TOKEN].contains(&name.as_str());
        let entered = secrets.iter().filter(|(name, _)| is_entered(name));
        Self { context, secrets: entered.map(|(name, secret)| (name.clone(), secret.clone())).collect() }
    }

    /// The secret values of the form.
    pub(crate) fn into_secrets(self) -> BTreeMap<String, Secret> {
        self.secrets
    }

    /// Fails only if the account's values were changed since it was connected, or while it is.
    fn resolve(&self, address: &Address) -> Result<Url, Failure> {
        let resolved = address.resolve(self.context).map_err(|_| Failure::new(Cause::CredentialMissing))?;
        Ok(resolved.as_url().clone())
    }

    fn fill(&self, params: &Params, form: &Fields) -> Result<oauth::Params, Failure> {
        let optional: Vec<_> = form.iter().filter(|field| !field.required).map(|field| field.name.as_str()).collect();
        let scope = Scope { optional: &optional, ..Scope::new(self.context, &self.secrets, None) };
        params.fill(&scope).map_err(|_| Failure::new(Cause::CredentialMissing))
    }
}

impl Provider {
    /// The addresses that something of an account with this method may be sent to. The built-in Sandbox's port is Relink's own:
    /// it changes with each start.
    pub(crate) fn origins(&self, method: AuthenticationMethod, context: &Map<String, Value>) -> Origins {
        self.of_own_sandbox(self.definition.addresses(method, context))
    }

    fn of_own_sandbox(&self, origins: Origins) -> Origins {
        if self.installed.integration.is_own_sandbox() { origins.without_loopback_ports() } else { origins }
    }

    /// Origins that credentials bound to them may leave.
    pub(crate) fn moved_from(&self) -> &[Origin] {
        &self.moved_from
    }

    /// The addresses that the client's secret may be sent to.
    pub(crate) fn client_origins(&self) -> Origins {
        self.of_own_sandbox(self.definition.unresolved_addresses(AuthenticationMethod::Oauth2)).of_client()
    }
}

impl Providers {
    /// The account's provider. Fails if one of its addresses isn't the one any more that the account's credentials were given
    /// for. Use `Accounts::provider_for`, which also marks the account.
    pub(crate) fn bound_to(&self, account: &Account) -> Result<BoundProvider> {
        let profile = &account.profile;
        BoundProvider::checked(self.of(account)?, account.method(), &profile.context, &profile.origins)
    }

    /// The provider, for credentials that are bound to these addresses.
    pub(crate) fn bound(
        &self,
        id: EnvironmentIntegrationId,
        method: AuthenticationMethod,
        context: &Map<String, Value>,
        origins: &Origins,
    ) -> Result<BoundProvider> {
        BoundProvider::checked(self.get(id)?, method, context, origins)
    }
}

impl BoundProvider {
    /// The provider, for credentials that are bound to these addresses. Fails if it has others.
    pub(crate) fn checked(
        provider: Arc<Provider>,
        method: AuthenticationMethod,
        context: &Map<String, Value>,
        origins: &Origins,
    ) -> Result<Self> {
        let current = provider.origins(method, context);
        match origins.moved_to(&current, &provider.moved_from) {
            None => Ok(Self(provider)),
            Some(moved) => Err(Error::provider(Failure::moved(moved), provider.label(), None)),
        }
    }

    /// For a sign-in that begins at this provider: its code, its verifier and the values of its form are sent to these
    /// addresses, whatever happens to the integration meanwhile.
    pub(crate) const fn for_sign_in(provider: Arc<Provider>) -> Self {
        Self(provider)
    }

    pub(super) fn shared(&self) -> Arc<Provider> {
        Arc::clone(&self.0)
    }

    fn oauth2(&self) -> Result<&OAuth2, Failure> {
        // Fails only if the definition was changed after the account was connected.
        self.definition.oauth2().ok_or(Failure::new(Cause::InvalidClient))
    }

    /// The endpoint that exchanges authorization codes (RFC 6749 §4.1.3).
    pub(crate) fn token_endpoint(
        &self,
        client_secret: Option<Secret>,
        values: &AccountValues<'_>,
    ) -> Result<Endpoint, Failure> {
        let oauth2 = self.oauth2()?;
        self.endpoint(oauth2, &oauth2.token_url, &oauth2.token_params, client_secret, values)
    }

    /// The endpoint that exchanges refresh tokens (RFC 6749 §6).
    pub(crate) fn refresh_endpoint(
        &self,
        client_secret: Option<Secret>,
        values: &AccountValues<'_>,
    ) -> Result<Endpoint, Failure> {
        let oauth2 = self.oauth2()?;
        let endpoint = self.endpoint(oauth2, &oauth2.refresh_url, &oauth2.refresh_params, client_secret, values)?;
        Ok(Endpoint { may_answer_at_top: true, ..endpoint })
    }

    fn endpoint(
        &self,
        oauth2: &OAuth2,
        address: &Address,
        params: &Params,
        client_secret: Option<Secret>,
        values: &AccountValues<'_>,
    ) -> Result<Endpoint, Failure> {
        Ok(Endpoint {
            url: values.resolve(address)?,
            client_id: oauth2.client_id.clone(),
            authentication: oauth2.client_auth(client_secret.is_some()),
            client_secret,
            options: oauth2.options.clone(),
            params: values.fill(params, &oauth2.fields)?,
            consent: self.consent(),
            own_codes: self.own_codes(),
            error_code_path: self.definition.refresh().error_code_path.clone(),
            answer: oauth2.answer.clone(),
            may_answer_at_top: false,
            default_expires_in: oauth2.default_expires_in,
            is_refreshed_daily: !self.definition.refresh().only_before_expiry,
            known: KnownSecrets::default(),
        })
    }

    /// The endpoint for client credentials (RFC 6749 §4.4), with the client id and secret that the person entered.
    pub(crate) fn client_credentials_endpoint(
        &self,
        item: &Item,
        context: &Map<String, Value>,
    ) -> Result<Endpoint, Failure> {
        let own = self.definition.client_credentials().ok_or(Failure::new(Cause::InvalidClient))?;
        let entered = |name: &str| {
            let public = || context.get(name).and_then(Value::as_str).map(Secret::new);
            item.secrets.get(name).cloned().or_else(public).ok_or(Failure::new(Cause::CredentialMissing))
        };
        let values = AccountValues::of(context, &item.secrets);
        Ok(Endpoint {
            url: values.resolve(&own.token_url)?,
            client_id: entered("client_id")?.expose().to_owned(),
            client_secret: Some(entered("client_secret")?),
            authentication: own.options.client_auth,
            options: own.options.clone(),
            params: values.fill(&own.token_params, &own.fields)?,
            consent: self.consent(),
            own_codes: self.own_codes(),
            error_code_path: self.definition.refresh().error_code_path.clone(),
            answer: own.answer.clone(),
            may_answer_at_top: true,
            default_expires_in: own.default_expires_in,
            is_refreshed_daily: !self.definition.refresh().only_before_expiry,
            known: KnownSecrets::default().and(item.secrets.values()),
        })
    }
}
