//! Sending a method's requests, and reading their answers.

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode, Uri,
    header::{CONTENT_LENGTH, LOCATION},
};
use relink_domain::{
    AccountId,
    caller::Caller,
    integration::resources::{ApiResponseFormat, Verb},
};
use serde_json::json;
use url::Url;

use super::{
    MAX_ANSWER, MethodError, MethodTarget, ReadError,
    answer::{About, Read, is_json, json_response, list_response},
    judgment::Judgment,
    request::Run,
    sending::Sending,
};
use crate::{
    account::{Account, Accounts},
    body::{Body, IncompleteBody, RequestBody, full, read_whole},
    coding::{self, CodingError},
    expressions::Expressions,
    headers,
    json::Records,
    links::{self, AccountUrl},
    pages::{PageRequest, below_base},
    pass_through::Calls,
    remote_error::{ExpressedError, RemoteError},
    withheld::Withheld,
};

type Result<T, E> = std::result::Result<T, MethodError<E>>;

/// So many redirects are followed, one after the other. Browsers and `fetch` follow 20.
const MAX_REDIRECTS: usize = 5;

/// An answer that isn't read yet.
pub(super) struct Sent {
    pub(super) parts: http::response::Parts,
    pub(super) body: Body,
    /// What the definition's `error_expression` makes of it.
    pub(super) error: Option<ExpressedError>,
}

/// A method that runs.
pub(super) struct Source<'r, A: Accounts, X> {
    pub(super) calls: &'r Calls<A>,
    pub(super) caller: &'r Caller,
    pub(super) id: AccountId,
    /// As it is since its last renewal.
    pub(super) account: Mutex<A::Account>,
    /// The account, if its credential was refused by the latest answer.
    pub(super) refused: &'r Mutex<Option<A::Account>>,
    pub(super) run: &'r Run<'r>,
    pub(super) carries_credential: bool,
    pub(super) base: &'r Url,
    pub(super) prefix: AccountUrl<'r>,
    pub(super) expressions: &'r X,
}

impl<A: Accounts, X: Expressions> Source<'_, A, X> {
    pub(super) fn account(&self) -> A::Account {
        self.account.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn withheld(&self) -> Withheld {
        let account = self.account();
        Withheld::of(&account).and(&self.run.secret_parameters(&account))
    }

    /// Sends the request, and what a redirect within the API leads to. The answer's headers are those that the caller gets, and an answer
    /// that refuses the call for its rate has status 429.
    pub(super) async fn send(
        &self,
        outline: &PageRequest,
        mut streamed: Option<(RequestBody, Option<HeaderValue>)>,
    ) -> Result<Sent, A::Error> {
        let mut outline = Cow::Borrowed(outline);
        let mut redirects = 0;
        loop {
            let can_be_redirected = streamed.is_none() && redirects < MAX_REDIRECTS;
            let (called, mut sent) = self.send_once(&outline, streamed.take()).await?;
            let next = if can_be_redirected { self.redirected(&outline, &sent.parts) } else { None };
            if let Some(next) = next {
                redirects += 1;
                outline = Cow::Owned(next);
                continue;
            }
            let parts = &mut sent.parts;
            headers::keep_of_response(&mut parts.headers);
            // Where a list goes on is read in the provider's own links.
            if self.run.method.pagination.is_none() || parts.status.is_redirection() {
                let account = self.account();
                links::rewrite(&mut parts.headers, &called, account.base_url(), || self.withheld(), self.prefix);
            }
            parts.version = http::Version::HTTP_11;
            parts.extensions.clear();
            return Ok(sent);
        }
    }

    async fn send_once(
        &self,
        outline: &PageRequest,
        streamed: Option<(RequestBody, Option<HeaderValue>)>,
    ) -> Result<(Uri, Sent), A::Error> {
        let now = self.calls.accounts.now();
        let to = (outline, self.base);
        let mut sending = Sending::new(self.run, to, streamed, self.expressions, now, self.carries_credential);
        let exchanged = self.calls.exchange::<_, MethodError<A::Error>>(self.caller, self.account(), &mut sending);
        let (account, answer) = exchanged.await?;
        let is_refused = answer.is_unauthorized() && self.carries_credential;
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = is_refused.then(|| account.clone());
        *self.account.lock().unwrap_or_else(PoisonError::into_inner) = account;
        let (mut parts, body) = answer.into_response();
        let Judgment { limits, error } = sending.judgment?;
        limits.add_to(&mut parts.headers);
        if limits.is_limited {
            parts.status = StatusCode::TOO_MANY_REQUESTS;
        }
        self.calls.quiet().heed(self.id, self.base, &limits, now);
        Ok((sending.called, Sent { parts, body, error }))
    }

    /// The request that a redirect of a reading one leads to, if that is below the base URL. Any other redirect is the caller's to
    /// follow, without the credential.
    fn redirected(&self, outline: &PageRequest, answer: &http::response::Parts) -> Option<PageRequest> {
        let is_followed = matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308)
            && matches!(outline.method, http::Method::GET | http::Method::HEAD);
        let location = answer.headers.get(LOCATION).filter(|_| is_followed)?.to_str().ok()?;
        let to = below_base(self.base, &outline.path, location, &self.withheld()).ok()?;
        let (path, query) =
            to.split_once('?').map_or((to.as_str(), None), |(path, query)| (path, Some(query.to_owned())));
        Some(PageRequest { path: path.to_owned(), query: Vec::new(), raw_query: query, ..outline.clone() })
    }

    /// The answer to a method without pages.
    pub(super) async fn answer(
        &self,
        outline: &PageRequest,
        streamed: Option<(RequestBody, Option<HeaderValue>)>,
        target: MethodTarget<'_>,
    ) -> Result<Response<Body>, A::Error> {
        let Sent { parts, body, error } = self.send(outline, streamed).await?;
        let method = self.run.method;
        let is_empty = parts.status == StatusCode::NO_CONTENT
            || parts.headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() == b"0");
        if let (MethodTarget::Named { method: "delete", id: Some(id), .. }, true, true) =
            (target, is_empty, parts.status.is_success())
        {
            return Ok(json_response(StatusCode::OK, parts.headers, full(json!({ "id": id }).to_string().into())));
        }
        // A redirect has no data.
        if parts.status.is_redirection() {
            return Ok(Response::from_parts(parts, body));
        }
        let is_enveloped = match target {
            MethodTarget::Named { method, .. } => method == "list",
            MethodTarget::Step { .. } => false,
            MethodTarget::Custom { .. } => method.verb != Verb::Head && is_json(&parts.headers),
        };
        let is_read = is_enveloped
            || method.response_path.is_some()
            || method.error_expression.is_some()
            || method.throw_error_on_parse_error
            || method.api_response_format != ApiResponseFormat::ByContentType;
        if parts.status.as_u16() < 400 && (!is_read || is_empty && !is_enveloped) {
            return Ok(Response::from_parts(parts, body));
        }
        let read = self.read(Sent { parts, body, error }).await?;
        Ok(match target {
            MethodTarget::Named { .. } if is_enveloped => {
                list_response(Records::of(&read.data), About::default(), read.headers)
            }
            MethodTarget::Custom { .. } if is_enveloped => read.into_result(),
            MethodTarget::Named { .. } | MethodTarget::Step { .. } | MethodTarget::Custom { .. } => read.into_bare(),
        })
    }

    /// Reads an answer whole. One that is an error becomes the caller's.
    pub(super) async fn read(&self, Sent { parts, body, error: expressed }: Sent) -> Result<Read, A::Error> {
        let bytes = read_whole(body, MAX_ANSWER).await.map_err(|error| match error {
            IncompleteBody::TooLong => MethodError::AnswerTooLong,
            IncompleteBody::Broken(_) => MethodError::AnswerEnded,
        })?;
        let is_error = parts.status.is_client_error() || parts.status.is_server_error();
        let bytes = match coding::decoded_whole(&parts.headers, bytes, MAX_ANSWER).await {
            Ok(decoded) => decoded,
            Err(CodingError::TooLong) => return Err(MethodError::AnswerTooLong),
            // What the provider said can't be shown, but that it refused can.
            Err(_) if is_error => Bytes::new(),
            Err(CodingError::Unknown(coding)) => return Err(ReadError::Coding(coding).into()),
            Err(CodingError::Broken) => return Err(MethodError::AnswerEnded),
        };
        let (status, method) = (parts.status, self.run.method);
        let read = Read::new(method, (status, parts.headers, bytes.clone()), self.expressions).await?;
        let error = match expressed {
            Some(expressed) => RemoteError::expressed(expressed, &bytes),
            None if status.is_client_error() || status.is_server_error() => RemoteError::new(status, &bytes),
            None => return Ok(read),
        };
        let account = self.account();
        let error = error.with_scopes(&method.docs.scopes, account.scopes().iter().map(String::as_str));
        Err(MethodError::Remote(Box::new(read.into_error(&error))))
    }
}
