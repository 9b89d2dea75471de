//! The engine's accounts, for calls.

use std::sync::Arc;

use axum::http::HeaderMap;
use relink_calls::{Account, Accounts, Answered, Awaited, BaseError, CursorKey, Described, Said};
use relink_domain::{
    AccountId, Secret, Timestamp,
    account::Verdict,
    caller::Caller,
    destination::Consent,
    integration::{
        Definition, ExpiredWhen, HeaderError, PathTemplate, SigningExpression, UrlPath, WebUrl, resources::Method,
    },
    template::{FillError, Filled, Placeholder, Root, Template},
};
use relink_engine::{Engine, Error, PreparedAccount, Refusal};
use url::Url;

/// The accounts of the engine. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct EngineAccounts(pub(crate) Engine);

#[derive(Debug, Clone)]
pub(crate) struct Prepared(Arc<PreparedAccount>);

impl Account for Prepared {
    fn base_url(&self) -> Option<&Url> {
        self.0.base_url()
    }

    fn consent(&self) -> Consent {
        self.0.consent()
    }

    fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    fn query(&self) -> &[(String, Secret)] {
        self.0.query()
    }

    fn is_renewable(&self) -> bool {
        self.0.is_renewable()
    }

    fn follows_refusal(&self) -> bool {
        self.0.follows_refusal()
    }

    fn expired_when(&self) -> &[ExpiredWhen] {
        self.0.expired_when()
    }

    fn scopes(&self) -> &[String] {
        self.0.scopes()
    }

    fn definition(&self) -> &Definition {
        self.0.definition()
    }

    fn is_sandbox(&self) -> bool {
        self.0.is_sandbox()
    }

    fn base_of(&self, method: &Method) -> Result<Url, BaseError> {
        let Some(address) = &method.base_url else { return self.base_url().cloned().ok_or(BaseError::Missing) };
        let url = self.0.resolve(address)?;
        let origin = WebUrl::origin(&url);
        if self.0.allows_method_at(&origin) { Ok(url.as_url().clone()) } else { Err(BaseError::Foreign(origin)) }
    }

    fn fill(&self, template: &Template, call: &[(&str, Root<'_>)]) -> Result<Filled, FillError> {
        self.0.fill(template, call)
    }

    fn fill_path(&self, path: &PathTemplate, call: &[(&str, Root<'_>)]) -> Result<UrlPath, FillError> {
        self.0.fill_path(path, call)
    }

    fn signing<'a>(&'a self, method: Option<&'a Method>) -> Option<&'a SigningExpression> {
        self.0.signing(method)
    }

    fn names_secret(&self, placeholder: &Placeholder) -> bool {
        self.0.names_secret(placeholder)
    }

    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.0.secrets()
    }

    fn headers_of(&self, method: &Method, call: &[(&str, Root<'_>)]) -> Result<HeaderMap, HeaderError> {
        self.0.headers_of(method, call)
    }
}

impl Awaited for EngineAccounts {
    fn needs_person(error: &Error) -> bool {
        let Error::Provider { failure, next_try, .. } = error else { return false };
        Verdict::for_failure(failure, *next_try) != Verdict::Retrying
    }

    async fn works_again(&self, caller: &Caller, id: AccountId, refused: Option<&Prepared>) -> Result<(), Error> {
        self.0.accounts().works_again(caller, id, refused.map(|refused| &*refused.0)).await
    }
}

impl Accounts for EngineAccounts {
    type Account = Prepared;
    type Error = Error;

    fn cursor_key(&self) -> CursorKey {
        CursorKey(self.0.cursor_key())
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn prepared(&self, caller: &Caller, id: AccountId) -> Result<Prepared, Error> {
        self.0.refresher().prepared(caller, id).await.map(Prepared)
    }

    async fn renewed(&self, caller: &Caller, refused: &Prepared) -> Result<Prepared, Error> {
        self.0.refresher().renewed(caller, &refused.0).await.map(Prepared)
    }

    fn answered(&self, caller: &Caller, account: &Prepared, answer: Answered<'_>) {
        let refresher = self.0.refresher();
        match answer {
            Answered::Accepted => refresher.call_accepted(caller, &account.0),
            Answered::Unauthorized(said) => refresher.call_refused(caller, &account.0, &refusal(&said)),
            Answered::Forbidden(said) => refresher.call_forbidden(caller, &account.0, &refusal(&said)),
        }
    }
}

/// The one account that a refresh by steps has (contract section 4.8). Nothing waits for another token of it, and an answer says nothing
/// of it: the refresh does.
#[derive(Debug, Clone)]
pub(crate) struct InRefresh {
    pub(crate) account: Arc<PreparedAccount>,
    pub(crate) engine: Engine,
}

impl Accounts for InRefresh {
    type Account = Prepared;
    type Error = Error;

    fn cursor_key(&self) -> CursorKey {
        CursorKey(self.engine.cursor_key())
    }

    fn now(&self) -> Timestamp {
        self.engine.now()
    }

    async fn prepared(&self, _: &Caller, _: AccountId) -> Result<Prepared, Error> {
        Ok(Prepared(Arc::clone(&self.account)))
    }

    async fn renewed(&self, _: &Caller, refused: &Prepared) -> Result<Prepared, Error> {
        Ok(refused.clone())
    }

    fn answered(&self, _: &Caller, _: &Prepared, _: Answered<'_>) {}
}

fn refusal<'a>(said: &'a Said<'_>) -> Refusal<'a> {
    let Said { status, headers, body, described: Described { method, needed_scopes } } = said;
    Refusal { status: *status, headers, body, needed_scopes, method: *method }
}
