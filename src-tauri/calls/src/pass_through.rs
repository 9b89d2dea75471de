//! A call that goes as it is, with the account's credential added.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::{Frame, Incoming as IncomingBody};
use relink_domain::{AccountId, caller::Caller};
use tokio::time::Instant;

use crate::{
    account::{Account, Accounts, Answered, Said},
    body::{Body, BoxError, RequestBody},
    headers, links,
    target::{TargetError, target},
    upstream::{Upstream, UpstreamError},
};

/// So much of a refusal's body is read, to show what the provider said.
const MAX_SAID: usize = 64 << 10;
/// For so long the caller waits for it.
const SAID_DEADLINE: Duration = Duration::from_secs(2);

/// Calls of programs, with the accounts' credentials. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Calls<A> {
    accounts: A,
    upstream: Upstream,
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
    pub const fn new(accounts: A, upstream: Upstream) -> Self {
        Self { accounts, upstream }
    }

    /// Makes a call and gives the provider's response, whose body is still arriving. If the provider refuses an access token that
    /// can be renewed, it is renewed, and the call repeated once; a call whose body can't be sent again isn't, but the next one
    /// has the new token.
    pub async fn pass_through(
        &self,
        caller: &Caller,
        id: AccountId,
        call: Incoming<'_>,
    ) -> Result<Response<Body>, CallError<A::Error>> {
        let Incoming { method, path, query, headers, body, prefix } = call;
        let mut account = self.accounts.prepared(caller, id).await.map_err(CallError::Account)?;
        let mut uri = target(account.base_url(), path, query, account.query())?;
        let body = RequestBody::new(body, &headers, account.is_renewable()).await;
        let mut body = body.map_err(CallError::Body)?;
        let mut response = self.send(&account, &method, &uri, headers.clone(), &mut body).await?;
        if response.status() == StatusCode::UNAUTHORIZED && account.is_renewable() {
            match self.accounts.renewed(caller, &account).await {
                Ok(renewed) if body.can_be_sent() => {
                    account = renewed;
                    uri = target(account.base_url(), path, query, account.query())?;
                    response = self.send(&account, &method, &uri, headers, &mut body).await?;
                }
                // The call had the old token, so its refusal says nothing of the new one.
                Ok(_) => return Ok(respond(response, &uri, &account, prefix)),
                Err(failed) => return Err(CallError::Account(failed)),
            }
        }
        match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Ok(self.refused(caller, response, &uri, &account, prefix).await)
            }
            status => {
                if shows_acceptance(status) {
                    self.accounts.answered(caller, &account, Answered::Accepted);
                }
                Ok(respond(response, &uri, &account, prefix))
            }
        }
    }

    async fn send(
        &self,
        account: &A::Account,
        method: &Method,
        uri: &Uri,
        headers: HeaderMap,
        body: &mut RequestBody,
    ) -> Result<Response<IncomingBody>, UpstreamError> {
        let mut request = Request::new(body.send());
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers::of_request(headers, account.headers());
        self.upstream.send(request, account.base_url(), account.consent()).await
    }

    /// Reads what the provider says, reports it, and passes all of it on.
    async fn refused(
        &self,
        caller: &Caller,
        mut response: Response<IncomingBody>,
        uri: &Uri,
        account: &A::Account,
        prefix: &str,
    ) -> Response<Body> {
        let read = Beginning::read(response.body_mut()).await;
        let said = Said { headers: response.headers(), body: &read.bytes };
        let is_forbidden = response.status() == StatusCode::FORBIDDEN;
        let answered = if is_forbidden { Answered::Forbidden(said) } else { Answered::Unauthorized(said) };
        self.accounts.answered(caller, account, answered);
        let (parts, body) = respond(response, uri, account, prefix).into_parts();
        Response::from_parts(parts, read.followed_by(body))
    }
}

/// The provider's response, whose body is still arriving.
fn respond(response: Response<IncomingBody>, uri: &Uri, account: &impl Account, prefix: &str) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    headers::keep_of_response(&mut parts.headers);
    links::rewrite(&mut parts.headers, uri, account.base_url(), account.query(), prefix);
    parts.version = http::Version::HTTP_11;
    parts.extensions.clear();
    Response::from_parts(parts, body.map_err(Into::into).boxed_unsync())
}

/// Whether such an answer shows that the credential is accepted (contract section 6).
fn shows_acceptance(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection() || matches!(status.as_u16(), 404 | 409 | 422)
}

/// The beginning of a body.
#[derive(Default)]
struct Beginning {
    bytes: BytesMut,
    frames: Vec<Result<Frame<Bytes>, BoxError>>,
}

impl Beginning {
    async fn read(body: &mut IncomingBody) -> Self {
        let mut read = Self::default();
        let until = Instant::now() + SAID_DEADLINE;
        while read.bytes.len() < MAX_SAID {
            // A body that stalls is passed on as far as it is there.
            let Ok(Some(frame)) = tokio::time::timeout_at(until, body.frame()).await else { break };
            if let Some(data) = frame.as_ref().ok().and_then(Frame::data_ref) {
                read.bytes.extend_from_slice(data);
            }
            let is_broken = frame.is_err();
            read.frames.push(frame.map_err(Into::into));
            if is_broken {
                break;
            }
        }
        read
    }

    fn followed_by(self, rest: Body) -> Body {
        StreamBody::new(stream::iter(self.frames).chain(BodyStream::new(rest))).boxed_unsync()
    }
}
