//! Providers: installed integrations with their compiled definitions, and the requests to them.
//!
//! **Invariant:** whatever sends a credential is a method of [`BoundProvider`], or takes one.

mod bound;
mod call;
mod choice;
mod method_values;
mod overriding;
mod own;
mod own_mappings;
mod prepared;
mod probe;
mod providers;
mod receiver;
mod revoke;
mod said;
mod secrets;
mod snapshot;
mod standing;
mod unproven;

use std::sync::Arc;

use relink_domain::{
    EnvironmentIntegrationId,
    account::{Account, AuthenticationMethod},
    destination::Consent,
    failure::ProviderErrorCodes,
    integration::{Definition, WebUrl},
    origins::Origin,
};
use serde_json::{Map, Value};

pub(crate) use bound::{AccountValues, BoundProvider};
pub(crate) use call::{CallCredentials, OfRefresh, drop_credentials_in_context, reject_credentials_in_context};
pub(crate) use choice::choose_secret;
pub(crate) use overriding::{check_override, require_same_refresh_steps};
pub use prepared::{PreparedAccount, Refusal};
pub(crate) use probe::{Found, ProbeResult, probe};
pub(crate) use providers::Providers;
pub use receiver::WebhookReceiver;
pub(crate) use revoke::{Revoked, revoke};
#[cfg(test)]
pub(crate) use secrets::CLIENT_SECRET;
pub(crate) use secrets::{IntegrationSecrets, NewSecrets};
pub(crate) use snapshot::{Entry, compile, unusable};
pub(crate) use standing::{Report, Reported, Standing};
pub(crate) use unproven::Unproven;

use crate::{
    network::{self, Network},
    store::integrations::Installed,
};

/// The variables of an override that anybody may see, and that templates name.
pub(crate) const VARIABLES: &str = relink_domain::account::ENVIRONMENT_VARIABLES;
/// Those whose values are secret. The override keeps their names, with empty texts.
pub(crate) const SECRET_VARIABLES: &str = "secret_environment_variables";
/// Name of a refresh token in an account's keychain item.
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";
/// Name of an access token in an account's keychain item, if the account has no refresh token, or if steps of the integration renew
/// its token: they may need the current one.
pub(crate) const ACCESS_TOKEN: &str = "access_token";

/// An installed integration that can be used.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) installed: Arc<Installed>,
    /// The definition with the installation's override applied.
    pub(crate) definition: Arc<Definition>,
    /// Origins that a built-in definition says its provider has left.
    moved_from: Vec<Origin>,
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

    pub(crate) fn own_codes(&self) -> ProviderErrorCodes {
        let quirks = self.definition.refresh();
        ProviderErrorCodes { terminal: quirks.terminal_errors.clone(), client: quirks.client_errors.clone() }
    }

    /// `None`: the integration has neither a token endpoint nor a URL below which all calls are made.
    /// Nor is there one while the account's values lead nowhere.
    fn token_url(&self, context: &Map<String, Value>) -> Option<WebUrl> {
        let oauth2 = self.definition.oauth2().map(|oauth2| &oauth2.refresh_url);
        let client_credentials = self.definition.client_credentials().map(|it| &it.token_url);
        oauth2.or(client_credentials).or_else(|| self.definition.base_url())?.resolve(context).ok()
    }

    /// `host:port` of the token endpoint. Concurrent refreshes and `Retry-After` are limited per host.
    pub(crate) fn token_host(&self, context: &Map<String, Value>) -> String {
        let Some(url) = self.token_url(context) else { return String::new() };
        let url = url.as_url();
        format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
    }

    /// The same for people: without the port, unless it is unusual.
    pub(crate) fn shown_token_host(&self, context: &Map<String, Value>) -> String {
        let Some(url) = self.token_url(context) else { return String::new() };
        let url = url.as_url();
        let host = url.host_str().unwrap_or_default();
        url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether the network reaches the token endpoint. A provider on this machine is always reachable; one in the
    /// person's own network is reachable without a route to the internet.
    pub(crate) fn is_within_reach(&self, context: &Map<String, Value>) -> bool {
        let needed = match self.consent() {
            _ if self.token_url(context).is_some_and(|url| network::is_on_this_machine(url.as_url())) => return true,
            Consent::Local => Network::Local,
            Consent::Public => Network::Up,
        };
        network::now() >= needed
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
