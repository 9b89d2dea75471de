//! What the templates of a definition's methods are filled with, for an account. It is in memory with the prepared account, so that
//! filling one reads neither the database nor the keychain, and parses nothing.

use std::{borrow::ToOwned, collections::BTreeMap};

use http::{HeaderMap, HeaderValue};
use relink_domain::{
    Secret,
    account::{Account, AuthenticationMethod},
    integration::{
        Address, AddressError, Definition, Header, HeaderError, PathTemplate, SigningExpression, UrlPath, WebUrl,
        resources::Method,
    },
    origins::{Origin, Origins},
    template::{FillError, Filled, Root, Scope, Template, TextTemplate},
};
use serde_json::{Map, Value};

use super::{CallCredentials, Provider};

/// The values of an account.
#[derive(Debug)]
pub(super) struct MethodValues {
    format: AuthenticationMethod,
    context: Map<String, Value>,
    fields: BTreeMap<String, Secret>,
    variables: BTreeMap<String, Secret>,
    access_token: Option<Secret>,
    /// In a refresh.
    refresh_token: Option<Secret>,
    tenant_id: String,
    /// What may be missing.
    optional: Vec<String>,
    /// What its credential was given for.
    origins: Origins,
}

impl MethodValues {
    pub(super) fn of(account: &Account, provider: &Provider, credentials: &CallCredentials<'_>) -> Self {
        Self {
            format: credentials.method,
            context: credentials.context.clone(),
            fields: credentials.fields.clone(),
            variables: credentials.variables.clone(),
            access_token: credentials.access_token.cloned(),
            refresh_token: credentials.of_refresh.and_then(|it| it.refresh_token).cloned(),
            tenant_id: account.profile.tenant_id.clone(),
            optional: credentials.optional(provider).into_iter().map(ToOwned::to_owned).collect(),
            origins: account.profile.origins.clone(),
        }
    }

    pub(super) const fn context(&self) -> &Map<String, Value> {
        &self.context
    }

    pub(super) fn tenant_id(&self) -> &str {
        &self.tenant_id
    }

    fn with_scope<T>(&self, call: &[(&str, Root<'_>)], fill: impl FnOnce(&Scope<'_>) -> T) -> T {
        let optional: Vec<&str> = self.optional.iter().map(String::as_str).collect();
        let account = Scope::new(&self.context, &self.fields, self.access_token.as_ref());
        let (variables, refresh_token) = (Some(&self.variables), self.refresh_token.as_ref());
        let tenant_id = Some(self.tenant_id.as_str());
        fill(&Scope { tenant_id, optional: &optional, variables, refresh_token, roots: call, ..account })
    }

    /// `call`: the values of the call, here and below.
    pub(super) fn fill(&self, template: &Template, call: &[(&str, Root<'_>)]) -> Result<Filled, FillError> {
        self.with_scope(call, |scope| template.fill(scope))
    }

    pub(super) fn fill_secret(
        &self,
        text: &TextTemplate,
        call: &[(&str, Root<'_>)],
    ) -> Result<Option<Secret>, FillError> {
        self.with_scope(call, |scope| text.fill_secret(scope))
    }

    /// A path has no secret: URLs are shown and recorded.
    pub(super) fn fill_path(&self, path: &PathTemplate, call: &[(&str, Root<'_>)]) -> Result<UrlPath, FillError> {
        let none = BTreeMap::new();
        path.fill(&Scope { tenant_id: Some(&self.tenant_id), roots: call, ..Scope::new(&self.context, &none, None) })
    }

    pub(super) fn headers_of(
        &self,
        definition: &Definition,
        method: &Method,
        call: &[(&str, Root<'_>)],
    ) -> Result<HeaderMap, HeaderError> {
        header_map(self.with_scope(call, |scope| definition.headers_of(method, self.format, scope))?)
    }

    pub(super) fn signing<'d>(
        &self,
        definition: &'d Definition,
        method: Option<&'d Method>,
    ) -> Option<&'d SigningExpression> {
        let authorization = match method {
            Some(method) => definition.authorization_of(method, self.format),
            None => definition.authorization(self.format),
        };
        authorization?.signing()
    }

    /// Whether there is a secret under this name.
    pub(super) fn has_secret(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// What templates can put into a request that is secret.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let tokens = self.access_token.iter().chain(&self.refresh_token);
        self.fields.values().chain(self.variables.values()).chain(tokens)
    }

    pub(super) fn resolve(&self, address: &Address) -> Result<WebUrl, AddressError> {
        address.resolve(&self.context)
    }

    pub(super) fn allows_method_at(&self, origin: &Origin) -> bool {
        self.origins.allows_method_at(origin)
    }
}

fn header_map(headers: Vec<Header>) -> Result<HeaderMap, HeaderError> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for Header { name, value } in headers {
        let unfit = || HeaderError::Unfit { name: name.as_str().to_owned() };
        let key: http::HeaderName = name.as_str().parse().map_err(|_| unfit())?;
        let mut value = HeaderValue::from_bytes(value.expose().as_bytes()).map_err(|_| unfit())?;
        value.set_sensitive(true);
        map.insert(key, value);
    }
    Ok(map)
}
