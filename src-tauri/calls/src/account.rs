//! What calls need of the engine.

use std::borrow::Cow;

use http::HeaderMap;
use relink_domain::{
    AccountId, Secret, Timestamp,
    caller::Caller,
    destination::Consent,
    integration::{
        AddressError, Definition, ExpiredWhen, HeaderError, Origin, PathTemplate, SigningExpression, UrlPath,
        resources::Method,
    },
    template::{FillError, Filled, Placeholder, Root, Template},
};
use url::Url;

/// An account that is ready for calls: everything that a call needs of it, in memory.
pub trait Account: Clone + Send + Sync + 'static {
    /// Where the provider's API is. Calls go to paths below it. Without one, each method names its own.
    fn base_url(&self) -> Option<&Url>;

    /// Which addresses may be called.
    fn consent(&self) -> Consent;

    /// The headers that its integration's definition adds, with the one that carries the credential.
    fn headers(&self) -> &HeaderMap;

    /// The parameters that its integration's definition adds to the query. A key may be among them.
    fn query(&self) -> &[(String, Secret)];

    /// Whether a refused access token can be replaced by a new one.
    fn is_renewable(&self) -> bool;

    /// Whether its access token replaced one that a call was refused with, and no call with it has been accepted yet.
    fn follows_refusal(&self) -> bool;

    /// The answers that mean the same as a 401 at this provider (contract section 4.9).
    fn expired_when(&self) -> &[ExpiredWhen];

    /// The scopes that it was granted.
    fn scopes(&self) -> &[String];

    /// Its integration's definition.
    fn definition(&self) -> &Definition;

    /// Whether it is for testing, so that nothing may be written with it.
    fn is_sandbox(&self) -> bool;

    /// The URL that a method's path is below.
    fn base_of(&self, method: &Method) -> Result<Url, BaseError>;

    /// Fills a template with the account's values, secrets among them, and those of a call.
    fn fill(&self, template: &Template, call: &[(&str, Root<'_>)]) -> Result<Filled, FillError>;

    /// Whether a placeholder may lead to a secret.
    fn names_secret(&self, placeholder: &Placeholder) -> bool;

    /// What can be in a request that is secret.
    fn secrets(&self) -> impl Iterator<Item = &Secret>;

    /// Fills a path, which no secret goes into.
    fn fill_path(&self, path: &PathTemplate, call: &[(&str, Root<'_>)]) -> Result<UrlPath, FillError>;

    /// The expression that gives the headers with the credential: of a method, or of calls without one. None: they are among the
    /// other headers.
    fn signing<'a>(&'a self, method: Option<&'a Method>) -> Option<&'a SigningExpression>;

    /// The headers of a method's request: the integration's, the method's over them, and the one with the credential.
    fn headers_of(&self, method: &Method, call: &[(&str, Root<'_>)]) -> Result<HeaderMap, HeaderError>;
}

/// Why there is no URL that a method's path is below.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    #[error(
        "Neither the integration's definition nor the method has a base_url, so there is nowhere to call. Add \"base_url\" to one of \
         them, such as \"https://api.example.com\"."
    )]
    Missing,
    #[error("The request's URL can't be made: {0}.")]
    Address(#[from] AddressError),
    #[error(
        "This method calls {0}, which the account's credential was not given for, so it was not sent. Reauthorize the account to \
         allow it."
    )]
    Foreign(Origin),
    #[error("The account's address changed while the call was made. Make it again.")]
    Moved,
}

/// A key that only this installation has.
#[derive(Clone, Copy)]
pub struct CursorKey(pub [u8; 32]);

/// The accounts that calls can be made with.
pub trait Accounts: Clone + Send + Sync + 'static {
    type Account: Account;
    type Error: Send + 'static;

    /// Signs the cursors of lists. It is the same for as long as callers may keep a cursor.
    fn cursor_key(&self) -> CursorKey;

    /// The time.
    fn now(&self) -> Timestamp;

    /// The account, ready for calls. Fails if it has no credential that may be used now.
    fn prepared(
        &self,
        caller: &Caller,
        id: AccountId,
    ) -> impl Future<Output = Result<Self::Account, Self::Error>> + Send;

    /// The account with another access token than the one that the provider refused: refreshes it, once for all calls that
    /// wait for it.
    fn renewed(
        &self,
        caller: &Caller,
        refused: &Self::Account,
    ) -> impl Future<Output = Result<Self::Account, Self::Error>> + Send;

    /// Says how the provider answered. Nobody waits for what follows of it.
    fn answered(&self, caller: &Caller, account: &Self::Account, answer: Answered<'_>);
}

/// How the provider answered a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered<'a> {
    /// 2xx, 3xx, 404, 409 or 422: the credential was accepted (contract section 6).
    Accepted,
    /// 401, or what means the same at this provider: the credential was refused, also after a refresh where there could be one.
    Unauthorized(Said<'a>),
    /// 403: the credential lacks a permission.
    Forbidden(Said<'a>),
}

/// What the provider said with its refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said<'a> {
    pub status: u16,
    pub headers: &'a HeaderMap,
    /// The beginning of the body, without its content coding.
    pub body: Cow<'a, [u8]>,
    pub described: Described<'a>,
}

/// What the definition says of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Described<'a> {
    /// The names of the resource and of its method, if one is called.
    pub method: Option<(&'a str, &'a str)>,
    /// The scopes that the call needs.
    pub needed_scopes: &'a [String],
}
