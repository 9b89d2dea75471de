//! A call that goes as it is, with the account's credential added.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header::UPGRADE};
use hyper::upgrade::OnUpgrade;
use relink_domain::{AccountId, caller::Caller};
use tokio::sync::Semaphore;

use crate::{
    account::{Account, Accounts},
    answer::Answer,
    body::{Body, BoxError, RequestBody},
    headers, links,
    target::{TargetError, target},
    upstream::{Upstream, UpstreamError},
    wait,
};

/// Calls of programs, with the accounts' credentials. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Calls<A> {
    pub(crate) accounts: A,
    upstream: Upstream,
    /// A place for each call that waits for a person.
    pub(crate) waiting: Arc<Semaphore>,
}

/// A call that was made.
pub(crate) struct Attempt<A> {
    pub(crate) response: Response<Body>,
    /// The account, if its credential was refused.
    pub(crate) refused: Option<A>,
}

/// A program's call.
pub struct Incoming<'a> {
    pub method: Method,
    /// What follows the account in the request's path, as it was sent: empty, or it begins with a slash.
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: HeaderMap,
    pub body: Body,
    /// Relink's URL of the account, to which redirects and links within the provider's API lead.
    pub prefix: &'a str,
}

/// Why a call has no response of the provider.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E> {
    /// The account can't be used for calls.
    #[error("the account can't be used")]
    Account(E),
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The caller's body broke off.
    #[error("the request's body ended early")]
    Body(#[source] BoxError),
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

impl<A: Accounts> Calls<A> {
    pub fn new(accounts: A, upstream: Upstream) -> Self {
        Self { accounts, upstream, waiting: wait::places() }
    }

    /// Makes a call and gives the provider's response, whose body is still arriving. If the provider refuses an access token that
    /// can be renewed, it is renewed, and the call repeated once; a call whose body can't be sent again isn't, but the next one
    /// has the new token.
    ///
    /// A response with 101 has the provider's [`OnUpgrade`] as an extension, for [`crate::tunnel`].
    pub async fn pass_through(
        &self,
        caller: &Caller,
        id: AccountId,
        call: Incoming<'_>,
    ) -> Result<Response<Body>, CallError<A::Error>> {
        Ok(self.attempt(caller, id, call).await?.response)
    }

    pub(crate) async fn attempt(
        &self,
        caller: &Caller,
        id: AccountId,
        call: Incoming<'_>,
    ) -> Result<Attempt<A::Account>, CallError<A::Error>> {
        let Incoming { method, path, query, headers, body, prefix } = call;
        let mut account = self.accounts.prepared(caller, id).await.map_err(CallError::Account)?;
        let mut uri = target(account.base_url(), path, query, account.query())?;
        let body = RequestBody::new(body, &headers, account.is_renewable()).await;
        let mut body = body.map_err(CallError::Body)?;
        let mut answer = self.send(&account, &method, &uri, headers.clone(), &mut body).await?;
        // A token that replaced a refused one is replaced once more only if the call can be repeated, which shows whether that
        // helps. Otherwise the provider refuses what it issues, and the account says so.
        let is_worth_renewing = account.is_renewable() && (body.can_be_sent() || !account.follows_refusal());
        if answer.is_unauthorized() && is_worth_renewing {
            match self.accounts.renewed(caller, &account).await {
                Ok(renewed) if body.can_be_sent() => {
                    account = renewed;
                    uri = target(account.base_url(), path, query, account.query())?;
                    answer = self.send(&account, &method, &uri, headers, &mut body).await?;
                }
                // The call had the old token, so its refusal says nothing of the new one.
                Ok(_) => return Ok(made(answer, &uri, account, prefix)),
                Err(failed) => return Err(CallError::Account(failed)),
            }
        }
        answer.report(|answered| self.accounts.answered(caller, &account, answered)).await;
        Ok(made(answer, &uri, account, prefix))
    }

    async fn send(
        &self,
        account: &A::Account,
        method: &Method,
        uri: &Uri,
        headers: HeaderMap,
        body: &mut RequestBody,
    ) -> Result<Answer, UpstreamError> {
        let mut request = Request::new(body.send());
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers::of_request(headers, account.headers());
        let response = self.upstream.send(request, account.base_url(), account.consent()).await?;
        Ok(Answer::new(response, account.expired_when()).await)
    }
}

fn made<A: Account>(answer: Answer, uri: &Uri, account: A, prefix: &str) -> Attempt<A> {
    let is_refused = answer.is_unauthorized();
    let response = respond(answer, uri, &account, prefix);
    Attempt { response, refused: is_refused.then_some(account) }
}

/// The provider's response, whose body is still arriving.
fn respond(answer: Answer, uri: &Uri, account: &impl Account, prefix: &str) -> Response<Body> {
    let (mut parts, body) = answer.into_response();
    let protocol = parts.headers.remove(UPGRADE).filter(|_| parts.status == StatusCode::SWITCHING_PROTOCOLS);
    headers::keep_of_response(&mut parts.headers);
    links::rewrite(&mut parts.headers, uri, account.base_url(), account.query(), prefix);
    parts.version = http::Version::HTTP_11;
    let provider = parts.extensions.remove::<OnUpgrade>();
    parts.extensions.clear();
    if let (Some(protocol), Some(provider)) = (protocol, provider) {
        headers::switch_to(&mut parts.headers, protocol);
        parts.extensions.insert(provider);
    }
    Response::from_parts(parts, body)
}
