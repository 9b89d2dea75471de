//! A call that goes as it is, with the account's credential added.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header::UPGRADE};
use hyper::upgrade::OnUpgrade;
use relink_domain::{AccountId, caller::Caller};
use tokio::sync::Semaphore;
use url::Url;

use crate::{
    account::{Account, Accounts, Described},
    answer::Answer,
    body::{Body, BoxError, RequestBody},
    headers,
    links::{self, AccountUrl},
    method_override::may_write,
    quiet::{Quiet, Wait},
    rate_limit::RateLimits,
    target::{TargetError, target},
    upstream::{Upstream, UpstreamError},
    withheld::Withheld,
};

/// So many calls may wait for a person at the same time.
pub const MAX_WAITING_CALLS: usize = 100;

/// Calls of programs, with the accounts' credentials. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Calls<A> {
    pub(crate) accounts: A,
    upstream: Upstream,
    quiet: Arc<Quiet>,
    /// A place for each call that waits for a person.
    pub(crate) waiting: Arc<Semaphore>,
}

/// A call that was made, or could not be.
pub(crate) struct Attempt<A, E> {
    pub(crate) outcome: Result<Response<Body>, E>,
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
    pub prefix: AccountUrl<'a>,
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
    /// The definition signs each request, and this one is not read.
    #[error(
        "This integration signs each request with a JSONata expression, and what is passed through isn't read. Call a method of its \
         resources at /proxy, or a path at /custom."
    )]
    Signed,
    /// The account is one for testing, which nothing is written with (contract section 0.4).
    #[error("This account is a sandbox, so only calls that read can be made with it. Use another account to write.")]
    ReadOnly,
    /// Only calls that read are made there.
    #[error("This call would write, and only calls that read can be made here.")]
    Writes,
    /// Nothing was sent, because the provider asked for that.
    #[error(transparent)]
    Quiet(#[from] Wait),
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

impl<A: Accounts> Calls<A> {
    pub fn new(accounts: A, upstream: Upstream) -> Self {
        Self { accounts, upstream, quiet: Arc::default(), waiting: Arc::new(Semaphore::new(MAX_WAITING_CALLS)) }
    }

    /// Calls with other accounts, over the same connections.
    pub fn with_accounts<B: Accounts>(&self, accounts: B) -> Calls<B> {
        Calls::new(accounts, self.upstream.clone())
    }

    /// Who waits for which provider.
    pub fn quiet(&self) -> &Quiet {
        &self.quiet
    }

    /// Fails while the provider at this URL wants no calls with the account.
    pub(crate) fn keep_quiet(&self, account: AccountId, url: &Url) -> Result<(), Wait> {
        self.quiet.wait(account, url, self.accounts.now()).map_or(Ok(()), Err)
    }

    /// Heeds what the usual headers of an answer ask for.
    fn heed(&self, account: AccountId, url: &Url, answer: &Answer) {
        let status = answer.status();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let now = self.accounts.now();
            let limits = RateLimits::of_headers(status, answer.headers(), now);
            self.quiet.heed(account, url, &limits, now);
        }
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
        self.attempt(caller, id, call).await.outcome
    }

    pub(crate) async fn attempt(
        &self,
        caller: &Caller,
        id: AccountId,
        call: Incoming<'_>,
    ) -> Attempt<A::Account, CallError<A::Error>> {
        let mut refused = None;
        let outcome = self.pass(caller, id, call, &mut refused).await;
        Attempt { outcome, refused }
    }

    /// `refused` becomes the account if its credential was refused.
    async fn pass(
        &self,
        caller: &Caller,
        id: AccountId,
        call: Incoming<'_>,
        refused: &mut Option<A::Account>,
    ) -> Result<Response<Body>, CallError<A::Error>> {
        let Incoming { method, path, query, headers, body, prefix } = call;
        let account = self.accounts.prepared(caller, id).await.map_err(CallError::Account)?;
        if account.is_sandbox() && may_write(&method, &headers, query) {
            return Err(CallError::ReadOnly);
        }
        let base = account.base_url().ok_or(TargetError::NoBase)?;
        if account.signing(None).is_some() {
            return Err(CallError::Signed);
        }
        self.keep_quiet(id, base)?;
        // What can be refused is, before anything of the body is read.
        let uri = target(base, path, query, account.query())?;
        let body = RequestBody::new(body, &headers, account.is_renewable()).await.map_err(CallError::Body)?;
        let mut through = Through { method, path, query, headers, body, uri, was_sent: false };
        let (account, answer) = self.exchange::<_, CallError<A::Error>>(caller, account, &mut through).await?;
        if let Some(base) = account.base_url() {
            self.heed(id, base, &answer);
        }
        let is_refused = answer.is_unauthorized();
        let response = respond(answer, &through, &account, prefix);
        *refused = is_refused.then_some(account);
        Ok(response)
    }

    /// Sends a request, and reports what the answer shows of the account's credential. If the provider refuses an access token that
    /// can be renewed, it is renewed, and the request sent once more; one that can't be isn't, but the next one has the new token.
    /// Gives the account that the answer is to.
    pub(crate) async fn exchange<O, E>(
        &self,
        caller: &Caller,
        mut account: A::Account,
        outgoing: &mut O,
    ) -> Result<(A::Account, Answer), E>
    where
        O: Outgoing<A::Account>,
        E: From<O::Error> + From<CallError<A::Error>>,
    {
        let mut answer = self.send::<_, E>(&account, outgoing).await?;
        if !outgoing.carries_credential() {
            return Ok((account, answer));
        }
        // A token that replaced a refused one is replaced once more only if the call can be repeated, which shows whether that
        // helps. Otherwise the provider refuses what it issues, and the account says so.
        let is_worth_renewing = account.is_renewable() && (outgoing.can_be_sent() || !account.follows_refusal());
        if answer.is_unauthorized() && is_worth_renewing {
            match Box::pin(self.accounts.renewed(caller, &account)).await {
                Ok(renewed) if outgoing.can_be_sent() => {
                    account = renewed;
                    answer = self.send::<_, E>(&account, outgoing).await?;
                }
                // The call had the old token, so its refusal says nothing of the new one.
                Ok(_) => return Ok((account, answer)),
                Err(failed) => return Err(CallError::Account(failed).into()),
            }
        }
        answer.report(outgoing.described(), |answered| self.accounts.answered(caller, &account, answered)).await;
        Ok((account, answer))
    }

    async fn send<O, E>(&self, account: &A::Account, outgoing: &mut O) -> Result<Answer, E>
    where
        O: Outgoing<A::Account>,
        E: From<O::Error> + From<CallError<A::Error>>,
    {
        let request = outgoing.request(account).await?;
        let sent = self.upstream.send(request, outgoing.base(account)?, account.consent()).await;
        let response = sent.map_err(CallError::Upstream)?;
        let mut answer = Answer::new(response, account.expired_when()).await;
        if let Some(status) = outgoing.judge(&mut answer).await {
            answer.count_as(status);
        }
        Ok(answer)
    }
}

/// A request that can be made for an account, and once more with another token of it.
pub(crate) trait Outgoing<A>: Send {
    type Error;

    fn request(&mut self, account: &A) -> impl Future<Output = Result<Request<Body>, Self::Error>> + Send;

    /// The URL that the request goes below, with this account.
    fn base<'b>(&'b self, account: &'b A) -> Result<&'b Url, Self::Error>;

    /// Whether its body can be sent, perhaps once more.
    fn can_be_sent(&self) -> bool;

    /// The status that an answer counts as, if the definition judges it.
    fn judge(&mut self, _answer: &mut Answer) -> impl Future<Output = Option<StatusCode>> + Send {
        async { None }
    }

    /// Whether the account's credential goes with it. If not, the answer shows nothing of it.
    fn carries_credential(&self) -> bool {
        true
    }

    /// What the definition says of it.
    fn described(&self) -> Described<'_> {
        Described::default()
    }
}

struct Through<'a> {
    method: Method,
    path: &'a str,
    query: Option<&'a str>,
    headers: HeaderMap,
    body: RequestBody,
    /// Where it goes.
    uri: Uri,
    was_sent: bool,
}

impl<A: Account> Outgoing<A> for Through<'_> {
    type Error = TargetError;

    async fn request(&mut self, account: &A) -> Result<Request<Body>, TargetError> {
        // The account may be another one.
        if std::mem::replace(&mut self.was_sent, true) {
            self.uri = target(self.base(account)?, self.path, self.query, account.query())?;
        }
        let mut request = Request::new(self.body.send());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers::of_request(&self.headers, account.headers());
        Ok(request)
    }

    fn base<'b>(&'b self, account: &'b A) -> Result<&'b Url, TargetError> {
        account.base_url().ok_or(TargetError::NoBase)
    }

    fn can_be_sent(&self) -> bool {
        self.body.can_be_sent()
    }
}

/// The provider's response, whose body is still arriving.
fn respond(answer: Answer, through: &Through<'_>, account: &impl Account, prefix: AccountUrl<'_>) -> Response<Body> {
    let (mut parts, body) = answer.into_response();
    let protocol = parts.headers.remove(UPGRADE).filter(|_| parts.status == StatusCode::SWITCHING_PROTOCOLS);
    headers::keep_of_response(&mut parts.headers);
    links::rewrite(&mut parts.headers, &through.uri, account.base_url(), || Withheld::of(account), prefix);
    parts.version = http::Version::HTTP_11;
    let provider = parts.extensions.remove::<OnUpgrade>();
    parts.extensions.clear();
    if let (Some(protocol), Some(provider)) = (protocol, provider) {
        headers::switch_to(&mut parts.headers, protocol);
        parts.extensions.insert(provider);
    }
    Response::from_parts(parts, body)
}
