//! Calls to a provider's API with an account's credentials.

use std::collections::BTreeMap;

use relink_domain::{
    Secret,
    account::AuthenticationMethod,
    integration::{
        Address, AddressError, Field, Header, HeaderError, HeaderName, HeaderTemplate, is_always_credential,
    },
    provider_text::{KnownSecrets, SecretFilter},
    template::Scope,
};
use serde_json::{Map, Value};

use super::{ACCESS_TOKEN, BoundProvider, Provider};
use crate::error::{Error, Result};

#[derive(Debug)]
pub(crate) struct CallCredentials<'a> {
    pub(crate) method: AuthenticationMethod,
    pub(crate) access_token: Option<&'a Secret>,
    /// For the steps of a refresh.
    pub(crate) of_refresh: Option<OfRefresh<'a>>,
    /// The values of the integration's form fields that are secret.
    pub(crate) fields: &'a BTreeMap<String, Secret>,
    /// The secret environment variables of the integration.
    pub(crate) variables: &'a BTreeMap<String, Secret>,
    pub(crate) context: &'a Map<String, Value>,
    pub(crate) tenant_id: Option<&'a str>,
    /// Further secrets of the account and of its client, which the provider's texts must not repeat.
    pub(crate) known: &'a KnownSecrets,
}

/// What the steps of a refresh have beside the rest (contract section 4.8).
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfRefresh<'a> {
    pub(crate) refresh_token: Option<&'a Secret>,
}

impl CallCredentials<'_> {
    /// The values for templates. `optional`: what may be missing.
    fn scope<'v>(&'v self, optional: &'v [&'v str]) -> Scope<'v> {
        let account = Scope::new(self.context, self.fields, self.access_token);
        let refresh_token = self.of_refresh.and_then(|it| it.refresh_token);
        Scope { tenant_id: self.tenant_id, optional, variables: Some(self.variables), refresh_token, ..account }
    }

    /// What may be missing: the form's optional fields, and in a refresh the access token, which may have ended with the process that
    /// had it.
    pub(super) fn optional<'p>(&self, provider: &'p Provider) -> Vec<&'p str> {
        let mut optional = provider.optional_fields(self.method);
        optional.extend(self.of_refresh.map(|_| ACCESS_TOKEN));
        optional
    }

    /// The filter for what the provider answers.
    pub(crate) fn filter(&self) -> SecretFilter {
        self.known.filter(self.fields.values().chain(self.variables.values()).chain(self.access_token))
    }
}

fn unfit(error: &HeaderError) -> Error {
    Error::invalid("credential_unfit", format!("The credential can't be sent: {error}."))
}

pub(super) fn unresolved(error: &AddressError) -> Error {
    Error::conflict("address_unresolved", format!("The request's URL can't be made: {error}."))
}

impl Provider {
    pub(super) fn optional_fields(&self, method: AuthenticationMethod) -> Vec<&str> {
        let fields = self.definition.fields(method).into_iter().flatten();
        fields.filter(|field| !field.required).map(|field| field.name.as_str()).collect()
    }

    /// The optional fields of the form that were left empty, so that calls can't be signed: their `authorization` is left out.
    /// None if they can be. Fails if something else is missing.
    pub(crate) fn missing_to_sign(&self, credentials: &CallCredentials<'_>) -> Result<Vec<&Field>> {
        let Some(authorization) = self.definition.authorization(credentials.method) else { return Ok(Vec::new()) };
        if authorization.signing().is_some() {
            return Ok(Vec::new());
        }
        let optional = credentials.optional(self);
        let scope = credentials.scope(&optional);
        if authorization.apply(&scope).map_err(|error| unfit(&error))?.is_some() {
            return Ok(Vec::new());
        }
        let is_empty = |field: &&Field| !scope.has_field(&field.name);
        Ok(self.authorizing_fields(credentials.method).into_iter().filter(is_empty).collect())
    }
}

impl BoundProvider {
    /// A GET request with an account's credentials. Fails if the URL isn't in one of the integration's own origins.
    pub(super) fn call(
        &self,
        address: &Address,
        headers: &[HeaderTemplate],
        without: &[HeaderName],
        credentials: &CallCredentials<'_>,
    ) -> Result<reqwest::Request> {
        let url = address.resolve(credentials.context).map_err(|error| unresolved(&error))?;
        let url = url.as_url();
        let origins = self.definition.origins(credentials.context);
        if !origins.iter().any(|origin| origin.as_str() == url.origin().ascii_serialization()) {
            return Err(Error::conflict(
                "foreign_origin",
                "The URL doesn't belong to the integration, so the credential was not sent.",
            ));
        }
        let mut request = reqwest::Request::new(http::Method::GET, url.clone());
        let query = self.query(credentials)?;
        if !query.is_empty() {
            let exposed = query.iter().map(|(name, value)| (name, value.expose()));
            request.url_mut().query_pairs_mut().extend_pairs(exposed);
        }
        *request.headers_mut() = self.headers(headers, without, credentials)?;
        request.headers_mut().entry(http::header::ACCEPT).or_insert(http::HeaderValue::from_static("application/json"));
        Ok(request)
    }

    /// The parameters that the definition adds to the query of a call. A key may be among them.
    pub(super) fn query(&self, credentials: &CallCredentials<'_>) -> Result<Vec<(String, Secret)>> {
        let optional = credentials.optional(self);
        self.definition.query().fill(&credentials.scope(&optional)).map_err(|error| unfit(&error.into()))
    }

    /// The headers that the definition adds to a call, and the one that carries the credential.
    pub(super) fn headers(
        &self,
        further: &[HeaderTemplate],
        without: &[HeaderName],
        credentials: &CallCredentials<'_>,
    ) -> Result<http::HeaderMap> {
        let optional = credentials.optional(self);
        let scope = credentials.scope(&optional);
        let mut headers = http::HeaderMap::new();
        let shared = self.definition.headers().iter().filter(|header| !without.contains(&header.name));
        let templates = shared.chain(further);
        let signed = self.definition.authorization(credentials.method).map(|it| it.apply(&scope));
        for header in templates.map(|template| template.fill(&scope)).chain(signed) {
            let Some(Header { name, value }) = header.map_err(|error| unfit(&error))? else { continue };
            let name: http::HeaderName =
                name.as_str().parse().map_err(|_| Error::invalid("credential_unfit", "A header name isn't valid."))?;
            let mut value: http::HeaderValue = value.expose().parse().map_err(|_| {
                Error::invalid(
                    "credential_unfit",
                    "The credential contains a character that can't be sent in a header.",
                )
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

fn is_credential<'p>(key: &str, providers: &(impl IntoIterator<Item = &'p Provider> + Clone)) -> bool {
    is_always_credential(key) || providers.clone().into_iter().any(|provider| provider.definition.is_credential(key))
}

/// Removes the credentials from a context that a program sends back, as Truto's clients do with all of it.
pub(crate) fn drop_credentials_in_context(context: &mut Map<String, Value>, provider: Option<&Provider>) {
    context.retain(|key, value| {
        if let (true, Value::Object(oauth)) = (key == "oauth", value) {
            // The tokens, and what the provider granted.
            let is_dropped = |key: &str| matches!(key, "token" | "scope") || is_credential(key, &provider);
            if oauth.keys().any(|key| is_dropped(key)) {
                tracing::info!("a context was sent with credentials in oauth, which are ignored");
            }
            oauth.retain(|key, _| !is_dropped(key));
            return !oauth.is_empty();
        }
        let is_dropped = is_credential(key, &provider);
        if is_dropped {
            tracing::info!(key, "a context was sent with a credential, which is ignored");
        }
        !is_dropped
    });
}

/// Refuses a context that contains a credential. A context is stored in plain text and shown with the account, so
/// secrets can only be entered in the integration's form.
pub(crate) fn reject_credentials_in_context<'p>(
    context: &Map<String, Value>,
    providers: &(impl IntoIterator<Item = &'p Provider> + Clone),
) -> Result<()> {
    let Some(key) = context.keys().find(|key| is_credential(key, providers)) else { return Ok(()) };
    let message = format!(
        "The context key {key:?} is a credential. Credentials are kept in the keychain and can't be given here; the person \
         enters them in the form when the account is connected or reauthorized."
    );
    Err(Error::invalid_field("context_key_reserved", format!("context.{key}"), message))
}
