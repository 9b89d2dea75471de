//! Providers: installed integrations with their compiled definitions, and the requests to them.

mod call;
mod choice;
mod probe;
mod providers;
mod revoke;
mod said;
mod snapshot;

use std::sync::Arc;

use relink_domain::{
    EnvironmentIntegrationId, Secret,
    account::{Account, AuthenticationMethod},
    failure::{Cause, Failure, ProviderErrorCodes},
    integration::{Definition, OAuth2},
    provider_text::KnownSecrets,
};
use serde_json::{Map, Value};
use url::Url;

pub(crate) use call::{CallCredentials, drop_credentials_in_context, reject_credentials_in_context};
pub(crate) use choice::choose_secret;
pub(crate) use probe::{ProbeResult, probe};
pub(crate) use providers::{CLIENT_SECRET, Providers};
pub(crate) use revoke::{Revoked, revoke};
pub(crate) use snapshot::{Entry, compile, unusable};

use crate::{
    keychain::Item,
    network::{self, Consent, Network},
    oauth::Endpoint,
    store::integrations::Installed,
};

/// Name of a refresh token in an account's keychain item.
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";
/// Name of an access token in an account's keychain item, if the account has no refresh token.
pub(crate) const ACCESS_TOKEN: &str = "access_token";

/// An installed integration that can be used.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) installed: Arc<Installed>,
    /// The definition with the installation's override applied.
    pub(crate) definition: Arc<Definition>,
}

impl Provider {
    pub(crate) fn label(&self) -> &str {
        self.definition.label()
    }

    pub(crate) fn name(&self) -> &str {
        self.definition.name()
    }

    pub(crate) fn id(&self) -> EnvironmentIntegrationId {
        self.installed.id
    }

    /// Whether a key for it can't be tried, because its definition has no probe.
    pub(crate) fn leaves_unchecked(&self, account: &Account) -> bool {
        account.method() == AuthenticationMethod::ApiKey && self.definition.probe().is_none()
    }

    /// Label of an account's keychain item, by which a person finds it in the system's keychain app.
    pub(crate) fn item_label(&self, account_name: &str) -> String {
        format!("Relink: {account_name} ({})", self.label())
    }

    fn consent(&self) -> Consent {
        if self.definition.allows_local() { Consent::Local } else { Consent::Public }
    }

    fn own_codes(&self) -> ProviderErrorCodes {
        let quirks = self.definition.refresh();
        ProviderErrorCodes { terminal: quirks.terminal_errors.clone(), client: quirks.client_errors.clone() }
    }

    fn token_url(&self) -> &Url {
        let oauth2 = self.definition.oauth2().map(|oauth2| &oauth2.refresh_url);
        let client_credentials = self.definition.client_credentials().map(|it| &it.token_url);
        oauth2.or(client_credentials).unwrap_or_else(|| self.definition.base_url()).as_url()
    }

    /// `host:port` of the token endpoint. Concurrent refreshes and `Retry-After` are limited per host.
    pub(crate) fn token_host(&self) -> String {
        let url = self.token_url();
        format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
    }

    /// The same for people: without the port, unless it is unusual.
    pub(crate) fn shown_token_host(&self) -> String {
        let url = self.token_url();
        let host = url.host_str().unwrap_or_default();
        url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether the network reaches the token endpoint. A provider on this machine is always reachable; one in the
    /// person's own network is reachable without a route to the internet.
    pub(crate) fn is_within_reach(&self) -> bool {
        let needed = match self.consent() {
            _ if network::is_on_this_machine(self.token_url()) => return true,
            Consent::Local => Network::Local,
            Consent::Public => Network::Up,
        };
        network::now() >= needed
    }

    fn oauth2(&self) -> Result<&OAuth2, Failure> {
        // Fails only if the definition was changed after the account was connected.
        self.definition.oauth2().ok_or(Failure::new(Cause::InvalidClient))
    }

    /// The endpoint that exchanges authorization codes (RFC 6749 §4.1.3).
    pub(crate) fn token_endpoint(&self, client_secret: Option<Secret>) -> Result<Endpoint, Failure> {
        let oauth2 = self.oauth2()?;
        Ok(self.endpoint(oauth2, oauth2.token_url.as_url(), client_secret))
    }

    /// The endpoint that exchanges refresh tokens (RFC 6749 §6).
    pub(crate) fn refresh_endpoint(&self, client_secret: Option<Secret>) -> Result<Endpoint, Failure> {
        let oauth2 = self.oauth2()?;
        Ok(self.endpoint(oauth2, oauth2.refresh_url.as_url(), client_secret))
    }

    fn endpoint(&self, oauth2: &OAuth2, url: &Url, client_secret: Option<Secret>) -> Endpoint {
        Endpoint {
            url: url.clone(),
            client_id: oauth2.client_id.clone(),
            authentication: oauth2.client_auth(client_secret.is_some()),
            client_secret,
            body_format: oauth2.body_format,
            consent: self.consent(),
            own_codes: self.own_codes(),
            error_code_path: self.definition.refresh().error_code_path.clone(),
            default_expires_in: self.definition.refresh().default_expires_in,
            is_refreshed_daily: !self.definition.refresh().only_before_expiry,
            scope_separator: oauth2.scope_separator.clone(),
            known: KnownSecrets::default(),
        }
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
        Ok(Endpoint {
            url: own.token_url.as_url().clone(),
            client_id: entered("client_id")?.expose().to_owned(),
            client_secret: Some(entered("client_secret")?),
            authentication: own.client_auth,
            body_format: own.body_format,
            consent: self.consent(),
            own_codes: self.own_codes(),
            error_code_path: self.definition.refresh().error_code_path.clone(),
            default_expires_in: self.definition.refresh().default_expires_in,
            is_refreshed_daily: !self.definition.refresh().only_before_expiry,
            scope_separator: own.scope_separator.clone(),
            known: KnownSecrets::default().and(item.secrets.values()),
        })
    }

    /// The scopes that a refresh request names. None means the scopes granted before (RFC 6749 §6).
    pub(crate) fn refresh_scopes(&self, account: &Account) -> Vec<String> {
        let defined = || self.definition.oauth2().map(|oauth2| oauth2.scopes.clone()).unwrap_or_default();
        let requested = &account.profile.requested_scopes;
        if self.definition.refresh().scope_on_refresh { requested.clone().unwrap_or_else(defined) } else { Vec::new() }
    }

    /// The scopes that a request with client credentials names (RFC 6749 §4.4.2).
    pub(crate) fn client_credentials_scopes(&self, account: &Account) -> Vec<String> {
        let defined = || self.definition.client_credentials().map(|own| own.scopes.clone()).unwrap_or_default();
        account.profile.requested_scopes.clone().unwrap_or_else(defined)
    }
}
