//! A provider as the engine uses it: an installed integration's definition, in force, turned into requests.

use std::collections::BTreeMap;

use relink_domain::{
    EnvironmentIntegrationId, Secret,
    account::{Account, AuthenticationMethod, Identity},
    failure::{Cause, Failure, ProviderErrorCodes},
    integration::{
        Definition, Header, HeaderTemplate, IdentityProbe, IdentitySource, OAuth2, Values, is_always_credential, parse,
    },
    provider_text,
};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    Engine, Error,
    error::Result,
    keychain::{Item, Key, KeychainError},
    network::{self, Consent, Network},
    oauth::Endpoint,
    outbound::HttpResponse,
    store::integrations::{self, Installed},
};

/// An installed integration, in force.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub(crate) installed: Installed,
    pub(crate) definition: Definition,
}

/// The client secret's name in the integration's keychain item.
pub(crate) const CLIENT_SECRET: &str = "client_secret";

/// What an account signs its calls with.
#[derive(Debug)]
pub(crate) struct CallCredentials<'a> {
    pub(crate) method: AuthenticationMethod,
    pub(crate) access_token: Option<&'a Secret>,
    pub(crate) fields: &'a BTreeMap<String, Secret>,
    pub(crate) context: &'a Map<String, Value>,
}

/// What a probe of a credential found.
#[derive(Debug)]
pub(crate) enum Probed {
    /// It works; whose it is, where the integration can tell.
    Works(Option<Identity>),
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// It could not be found out.
    Inconclusive(Failure),
    /// The integration has no probe.
    NoProbe,
}

impl Provider {
    /// The definition with its override, read again by the same reader.
    pub(crate) fn of(installed: Installed) -> Result<Self> {
        let definition = parse(&installed.integration.document.to_string())
            .and_then(|parsed| parsed.definition.with_override(&installed.r#override))
            .map_err(|error| {
                Error::conflict(
                    "integration_broken",
                    format!("The integration {} can't be used: {error}", installed.integration.name),
                )
            })?
            .definition;
        Ok(Self { installed, definition })
    }

    /// What a person calls it.
    pub(crate) fn label(&self) -> &str {
        self.definition.label()
    }

    pub(crate) fn name(&self) -> &str {
        self.definition.name()
    }

    pub(crate) fn id(&self) -> EnvironmentIntegrationId {
        self.installed.id
    }

    /// What the account's keychain item is called, in the keychain's own app.
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
        let own = self.definition.client_credentials().map(|it| &it.token_url);
        oauth2.or(own).unwrap_or_else(|| self.definition.base_url()).as_url()
    }

    /// The host that refreshes are counted against.
    pub(crate) fn token_host(&self) -> String {
        let url = self.token_url();
        format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
    }

    /// Whether a refresh needs more than this machine.
    /// Whether the network reaches as far as it: to this machine always, to a network of the person's own without a way to
    /// the world.
    pub(crate) fn is_within_reach(&self) -> bool {
        let needed = match self.consent() {
            _ if network::is_on_this_machine(self.token_url()) => return true,
            Consent::Local => Network::Local,
            Consent::Public => Network::Up,
        };
        network::now() >= needed
    }

    fn oauth2(&self) -> Result<&OAuth2, Failure> {
        // Only an edit of the definition under a living account gets here.
        self.definition.oauth2().ok_or(Failure::new(Cause::InvalidClient))
    }

    /// The endpoint that a code is exchanged at.
    pub(crate) fn token_endpoint(&self, client_secret: Option<Secret>) -> Result<Endpoint, Failure> {
        let oauth2 = self.oauth2()?;
        Ok(self.endpoint(oauth2, oauth2.token_url.as_url(), client_secret))
    }

    /// The endpoint that a refresh token is exchanged at.
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
            default_expires_in: self.definition.refresh().default_expires_in.map(u64::from),
            scope_separator: oauth2.scope_separator.clone(),
        }
    }

    /// The endpoint for the person's own client, whose id and secret they typed.
    pub(crate) fn client_credentials_endpoint(
        &self,
        item: &Item,
        context: &Map<String, Value>,
    ) -> Result<Endpoint, Failure> {
        let own = self.definition.client_credentials().ok_or(Failure::new(Cause::InvalidClient))?;
        let typed = |name: &str| {
            let public = || context.get(name).and_then(Value::as_str).map(Secret::new);
            item.secrets.get(name).cloned().or_else(public).ok_or(Failure::new(Cause::CredentialMissing))
        };
        Ok(Endpoint {
            url: own.token_url.as_url().clone(),
            client_id: typed("client_id")?.expose().to_owned(),
            client_secret: Some(typed("client_secret")?),
            authentication: own.client_auth,
            body_format: own.body_format,
            consent: self.consent(),
            own_codes: self.own_codes(),
            default_expires_in: self.definition.refresh().default_expires_in.map(u64::from),
            scope_separator: own.scope_separator.clone(),
        })
    }

    /// The scopes that a refresh names (RFC 6749 §6: none means the same as before).
    pub(crate) fn refresh_scopes(&self, account: &Account) -> Vec<String> {
        if self.definition.refresh().scope_on_refresh { account.profile.scopes.clone() } else { Vec::new() }
    }

    /// A GET to one of the provider's addresses, signed for an account. The credential never leaves the declared origin.
    fn call(&self, url: &Url, own: &[HeaderTemplate], credentials: &CallCredentials<'_>) -> Result<reqwest::Request> {
        let origins = self.definition.origins();
        if !origins.iter().any(|origin| origin.as_str() == url.origin().ascii_serialization()) {
            return Err(Error::conflict(
                "foreign_origin",
                "The URL doesn't belong to the integration, so the credential was not sent.",
            ));
        }
        let values =
            Values { access_token: credentials.access_token, fields: credentials.fields, context: credentials.context };
        let unfit = |error: relink_domain::integration::HeaderError| {
            Error::invalid("credential_unfit", format!("The credential can't be sent: {error}."))
        };
        let mut request = reqwest::Request::new(http::Method::GET, url.clone());
        let templates = self.definition.headers().iter().chain(own);
        let signed = self.definition.authorization(credentials.method).map(|it| it.apply(&values));
        for header in templates.map(|template| template.fill(&values)).chain(signed) {
            let Header { name, value } = header.map_err(unfit)?;
            let name: http::HeaderName =
                name.as_str().parse().map_err(|_| Error::invalid("credential_unfit", "A header name isn't valid."))?;
            let mut value: http::HeaderValue = value.expose().parse().map_err(|_| {
                Error::invalid(
                    "credential_unfit",
                    "The credential contains a character that can't be sent in a header.",
                )
            })?;
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        request.headers_mut().entry(http::header::ACCEPT).or_insert(http::HeaderValue::from_static("application/json"));
        Ok(request)
    }
}

impl Engine {
    /// An installed integration, in force.
    pub(crate) async fn provider(&self, id: EnvironmentIntegrationId) -> Result<Provider> {
        let installed = self.0.store.read(move |c| integrations::installed(c, id)).await?;
        Provider::of(installed.ok_or_else(|| Error::not_found("installed integration", &id))?)
    }

    /// The installed integration with this name, in force.
    pub(crate) async fn provider_named(&self, name: &str) -> Result<Provider> {
        let wanted = name.to_owned();
        let all = self.0.store.read(integrations::all_installed).await?;
        let installed = all.into_iter().find(|installed| installed.integration.name == wanted && installed.is_enabled);
        Provider::of(installed.ok_or_else(|| Error::not_found("installed integration", name))?)
    }

    /// The integration's client secret, where it has one.
    pub(crate) async fn client_secret(&self, provider: &Provider) -> Result<Option<Secret>, KeychainError> {
        use relink_domain::integration::ClientSecretNeed;
        if provider.definition.oauth2().is_none_or(|oauth2| oauth2.client_secret == ClientSecretNeed::Never) {
            return Ok(None);
        }
        let item = self.0.keychain.get(&Key::Integration(provider.id())).await?;
        Ok(item.and_then(|mut item| item.secrets.remove(CLIENT_SECRET)))
    }

    /// Makes the integration's probe call, and finds out whose the credential is.
    pub(crate) async fn probe(
        &self,
        provider: &Provider,
        credentials: &CallCredentials<'_>,
        id_token: Option<&Value>,
    ) -> Result<Probed> {
        let definition = &provider.definition;
        let Some(probe) = definition.probe() else {
            let identity =
                definition.identity().zip(id_token).and_then(|(probe, claims)| who(probe, claims, credentials));
            return Ok(identity.map_or(Probed::NoProbe, |identity| Probed::Works(Some(identity))));
        };
        let request = provider.call(probe.url.as_url(), &probe.headers, credentials)?;
        let answer = match self.0.outbound.send(request, provider.consent()).await {
            Ok(answer) => answer,
            Err(none) => return Ok(Probed::Inconclusive(none.failure)),
        };
        match answer.status.as_u16() {
            200..=299 => {}
            401 => return Ok(Probed::Unauthorized),
            403 => return Ok(Probed::Forbidden),
            _ => return Ok(Probed::Inconclusive(trouble_of(&answer, self.now()))),
        }
        let Some(identity) = definition.identity() else { return Ok(Probed::Works(None)) };
        let body = match &identity.source {
            IdentitySource::IdToken => id_token.cloned(),
            IdentitySource::Probe => serde_json::from_slice(&answer.body).ok(),
            IdentitySource::Call(url) => {
                let request = provider.call(url.as_url(), &[], credentials)?;
                match self.0.outbound.send(request, provider.consent()).await {
                    Ok(answer) if answer.status.is_success() => serde_json::from_slice(&answer.body).ok(),
                    Ok(answer) => return Ok(Probed::Inconclusive(trouble_of(&answer, self.now()))),
                    Err(none) => return Ok(Probed::Inconclusive(none.failure)),
                }
            }
        };
        Ok(Probed::Works(body.and_then(|body| who(identity, &body, credentials))))
    }

    /// Asks the provider to revoke an account's tokens, where it offers that (RFC 7009). `None`: it doesn't.
    pub(crate) async fn revoke(&self, provider: &Provider, item: &Item) -> Option<bool> {
        let url = provider.definition.oauth2()?.revocation_url.as_ref()?;
        let (token, hint) =
            match (item.secrets.get(crate::refresh::REFRESH_TOKEN), item.secrets.get(crate::refresh::ACCESS_TOKEN)) {
                (Some(refresh), _) => (refresh, "refresh_token"),
                (None, Some(access)) => (access, "access_token"),
                (None, None) => return None,
            };
        let secret = self.client_secret(provider).await.ok()?;
        let endpoint = provider.token_endpoint(secret).ok()?;
        Some(endpoint.revoke(&self.0.outbound, url.as_url(), token, hint).await.unwrap_or(false))
    }
}

/// Who an answer says it is. What repeats the credential is nobody's name: it would be kept and shown.
fn who(probe: &IdentityProbe, body: &Value, credentials: &CallCredentials<'_>) -> Option<Identity> {
    let secrets = || credentials.fields.values().chain(credentials.access_token);
    let identity = probe.read(body)?;
    let tells = provider_text::contains_secret(&identity.id, secrets())
        || provider_text::contains_secret(&identity.label, secrets());
    (!tells).then_some(identity)
}

/// A secret comes in by the form alone: a context is kept in the clear, and shown to whoever may see the account.
pub(crate) fn no_credentials(context: &Map<String, Value>, providers: &[Provider]) -> Result<()> {
    let is_credential = |key: &&String| {
        is_always_credential(key) || providers.iter().any(|provider| provider.definition.is_credential(key))
    };
    let Some(key) = context.keys().find(is_credential) else { return Ok(()) };
    let message = format!(
        "The context's key {key:?} is a credential, which is kept in the keychain and can't be given here. It is typed into \
         the form when the account is connected or reauthorized."
    );
    Err(Error::invalid_field("context_key_reserved", format!("context.{key}"), message))
}

fn trouble_of(answer: &HttpResponse, now: relink_domain::Timestamp) -> Failure {
    let cause = match answer.status.as_u16() {
        429 => Cause::RateLimited,
        408 | 500..=599 => Cause::ServerError,
        _ => Cause::UnknownRefusal,
    };
    Failure { retry_after_secs: answer.retry_after_secs(now), ..Failure::new(cause).status(answer.status.as_u16()) }
}

#[cfg(test)]
mod tests {
    use relink_domain::integration::JsonPath;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_repeats_the_credential_is_nobodys_name() {
        let path = |text| JsonPath::parse(text).expect("a path");
        let probe = IdentityProbe { source: IdentitySource::Probe, id: path("id"), label: vec![path("name")] };
        let fields = BTreeMap::from([("api_key".to_owned(), Secret::new("sk-1"))]);
        let access = Secret::new("at-1");
        let credentials = CallCredentials {
            method: AuthenticationMethod::ApiKey,
            access_token: Some(&access),
            fields: &fields,
            context: &Map::new(),
        };
        for body in [json!({"id": "sk-1"}), json!({"id": "7", "name": "key sk-1"}), json!({"id": "at-1"})] {
            assert_eq!(who(&probe, &body, &credentials), None, "{body}");
        }
        assert!(who(&probe, &json!({"id": "7", "name": "Ada"}), &credentials).is_some());
    }
}
