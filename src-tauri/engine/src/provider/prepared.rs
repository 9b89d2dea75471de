//! Accounts that are ready for calls of programs.

use std::sync::Arc;

use http::HeaderMap;
use relink_domain::{
    AccountId, Secret,
    account::Account,
    destination::Consent,
    failure::{NeededScopes, ProviderError},
    integration::{
        Address, AddressError, Definition, ExpiredWhen, HeaderError, PathTemplate, SigningExpression, UrlPath, WebUrl,
        resources::{Method, MethodAuthorization},
    },
    origins::Origin,
    provider_text::SecretFilter,
    template::{FillError, Filled, Placeholder, Root, Template, TextTemplate},
};
use serde_json::{Map, Value};
use url::Url;

use super::{
    BoundProvider, CallCredentials, Provider, Standing, Unproven, call::unresolved, method_values::MethodValues,
    own_mappings::OwnMappings,
};
use crate::{
    error::Result,
    oauth::{self, decode},
    store::integrations::Installed,
};

/// A provider's answer that refused a call.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    pub status: u16,
    pub headers: &'a HeaderMap,
    /// The beginning of the body, without its content coding.
    pub body: &'a [u8],
    /// The scopes that the call needs, if its definition says so.
    pub needed_scopes: &'a [String],
    /// The names of the resource and of its method, if one was called.
    pub method: Option<(&'a str, &'a str)>,
}

/// Everything that a call needs of an account, in memory until the account changes. Its headers contain the credential.
#[derive(Debug)]
pub struct PreparedAccount {
    id: AccountId,
    generation: u64,
    provider: Arc<Provider>,
    base_url: Option<Url>,
    headers: HeaderMap,
    query: Vec<(String, Secret)>,
    /// The access token in the headers, if it can be renewed.
    renewable: Option<Secret>,
    /// Whether it replaced one that a call was refused with.
    unproven: Option<Unproven>,
    /// The scopes that the account was granted.
    scopes: Vec<String>,
    filter: SecretFilter,
    /// What a method's templates are filled with.
    values: MethodValues,
    is_sandbox: bool,
    mappings: OwnMappings,
    standing: Arc<Standing>,
    /// [`Standing::recoveries`] when it was prepared.
    recoveries: u64,
}

impl PreparedAccount {
    /// `renewable`: the access token, if it can be renewed. `unproven`: whether it replaced one that a
    /// call was refused with.
    pub(crate) fn new(
        account: &Account,
        provider: &BoundProvider,
        credentials: &CallCredentials<'_>,
        renewable: Option<Secret>,
        unproven: Option<Unproven>,
        standing: Arc<Standing>,
    ) -> Result<Self> {
        Self::with_base_from(credentials.context, account, provider, credentials, (renewable, unproven), standing)
    }

    /// The same for the steps of the account's own refresh. An answer to their requests says nothing of the account.
    pub(crate) fn in_refresh(
        account: &Account,
        provider: &BoundProvider,
        credentials: &CallCredentials<'_>,
    ) -> Result<Self> {
        let standing = Arc::new(Standing::of(account));
        // What the steps found so far doesn't decide where a credential goes.
        Self::with_base_from(&account.profile.context, account, provider, credentials, (None, None), standing)
    }

    /// `context`: what the base URL is made of.
    fn with_base_from(
        context: &Map<String, Value>,
        account: &Account,
        provider: &BoundProvider,
        credentials: &CallCredentials<'_>,
        (renewable, unproven): (Option<Secret>, Option<Unproven>),
        standing: Arc<Standing>,
    ) -> Result<Self> {
        let base_url = provider.definition.base_url().map(|url| url.resolve(context)).transpose();
        Ok(Self {
            id: account.id(),
            generation: account.state.credential().generation(),
            base_url: base_url.map_err(|error| unresolved(&error))?.map(|url| url.as_url().clone()),
            headers: provider.headers(&[], &[], credentials)?,
            query: provider.query(credentials)?,
            renewable,
            unproven,
            scopes: account.profile.scopes.clone(),
            filter: credentials.filter(),
            values: MethodValues::of(account, provider, credentials),
            is_sandbox: account.profile.is_sandbox,
            recoveries: standing.recoveries(),
            mappings: OwnMappings::new(account.profile.settings.unified_model_override.clone()),
            standing,
            provider: provider.shared(),
        })
    }

    pub const fn id(&self) -> AccountId {
        self.id
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Where the provider's API is. Calls go to paths below it. Without one, each method names its own.
    pub const fn base_url(&self) -> Option<&Url> {
        self.base_url.as_ref()
    }

    pub fn consent(&self) -> Consent {
        self.provider.consent()
    }

    /// The headers that the definition adds to a call, and the one that carries the credential. Each is marked as sensitive.
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The parameters that the definition adds to the query. A key may be among them.
    pub fn query(&self) -> &[(String, Secret)] {
        &self.query
    }

    pub const fn is_renewable(&self) -> bool {
        self.renewable.is_some()
    }

    /// Whether its access token replaced one that a call was refused with, and no call with it has been accepted yet.
    pub fn follows_refusal(&self) -> bool {
        self.unproven.as_ref().is_some_and(Unproven::is_still)
    }

    /// The answers that mean the same as a 401.
    pub fn expired_when(&self) -> &[ExpiredWhen] {
        &self.provider.definition.refresh().expired_when
    }

    /// The scopes that the account was granted.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    pub fn definition(&self) -> &Definition {
        &self.provider.definition
    }

    /// Whether nothing may be written with it.
    pub const fn is_sandbox(&self) -> bool {
        self.is_sandbox
    }

    /// Its values, without secrets.
    pub const fn context(&self) -> &Map<String, Value> {
        self.values.context()
    }

    /// Whom it belongs to.
    pub fn tenant_id(&self) -> &str {
        self.values.tenant_id()
    }

    /// The name of its integration.
    pub fn integration_name(&self) -> &str {
        self.provider.name()
    }

    /// Its own mappings of unified models.
    pub(crate) const fn mappings(&self) -> &OwnMappings {
        &self.mappings
    }

    /// Fills a template of a method with the account's values, and with those of a call.
    pub fn fill(&self, template: &Template, call: &[(&str, Root<'_>)]) -> Result<Filled, FillError> {
        self.values.fill(template, call)
    }

    /// Fills a text that may be a secret: what isn't found is an error, and never stays as written.
    pub fn fill_secret(&self, text: &TextTemplate, call: &[(&str, Root<'_>)]) -> Result<Option<Secret>, FillError> {
        self.values.fill_secret(text, call)
    }

    /// Fills a path, which no secret goes into.
    pub fn fill_path(&self, path: &PathTemplate, call: &[(&str, Root<'_>)]) -> Result<UrlPath, FillError> {
        self.values.fill_path(path, call)
    }

    /// The headers of a method's request: the integration's, the method's over them, and the one with the credential.
    pub fn headers_of(&self, method: &Method, call: &[(&str, Root<'_>)]) -> Result<HeaderMap, HeaderError> {
        let is_plain = method.headers.is_empty() && method.without_headers.is_empty();
        if is_plain && method.authorization == MethodAuthorization::Inherited {
            return Ok(self.headers.clone());
        }
        self.values.headers_of(self.definition(), method, call)
    }

    /// The expression that gives the headers with the credential: of a method, or of calls without one.
    pub fn signing<'a>(&'a self, method: Option<&'a Method>) -> Option<&'a SigningExpression> {
        self.values.signing(self.definition(), method)
    }

    /// Whether a placeholder may lead to a secret.
    pub fn names_secret(&self, placeholder: &Placeholder) -> bool {
        placeholder.names_secret(|name| self.definition().is_credential(name) || self.values.has_secret(name))
    }

    /// What templates can put into a request that is secret.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.values.secrets()
    }

    /// The URL of an address of the definition, for this account.
    pub fn resolve(&self, address: &Address) -> Result<WebUrl, AddressError> {
        self.values.resolve(address)
    }

    /// Whether its credential was given for a method at this origin.
    pub fn allows_method_at(&self, origin: &Origin) -> bool {
        self.values.allows_method_at(origin)
    }

    pub(crate) const fn access_token(&self) -> Option<&Secret> {
        self.renewable.as_ref()
    }

    /// Whether its integration is still installed like this. The account's own override is that of the account, whose changes
    /// end what was prepared.
    pub(crate) fn is_of(&self, installed: &Arc<Installed>) -> bool {
        Arc::ptr_eq(&self.provider.installed, installed)
    }

    pub(crate) const fn provider(&self) -> &Arc<Provider> {
        &self.provider
    }

    /// Which answers to its calls are to be reported.
    pub(crate) const fn standing(&self) -> &Arc<Standing> {
        &self.standing
    }

    /// Whether the account has become active again since this was prepared, with the same credentials.
    pub(crate) fn has_recovered(&self) -> bool {
        self.standing.recoveries() > self.recoveries
    }

    /// The scopes that a call lacked that was answered with 403, as far as its definition or else the provider says. A provider may name
    /// scopes of which one would be enough.
    pub(crate) fn missing_scopes(&self, refusal: &Refusal<'_>) -> Vec<String> {
        let by_provider = oauth::needed_scopes(refusal.headers);
        let granted = by_provider.granted.clone();
        let all_of = refusal.needed_scopes.to_vec();
        let by_definition = NeededScopes { all_of, granted, ..NeededScopes::default() };
        let missing = by_definition.missing(&self.scopes, &self.filter);
        if missing.is_empty() { by_provider.missing(&self.scopes, &self.filter) } else { missing }
    }

    /// A text of the provider, with its lines and without the account's secrets.
    pub fn without_secrets(&self, text: &str) -> String {
        self.filter.clean_whole(text)
    }

    /// What the provider said with a refusal, without secrets.
    pub(crate) fn said(&self, refusal: &Refusal<'_>) -> ProviderError {
        let decode::Decoded { text, .. } = decode::decode(refusal.headers, refusal.body);
        let in_body = serde_json::from_str(&text).ok().map(|body| {
            let code = self.provider.definition.refresh().error_code_path.as_ref().and_then(|path| path.read(&body));
            ProviderError::read(&body, code)
        });
        let said = in_body.filter(|said| *said != ProviderError::default());
        said.unwrap_or_else(|| oauth::challenge(refusal.headers)).cleaned(&self.filter)
    }
}
