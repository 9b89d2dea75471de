//! A method's request on its way.

use http::{HeaderValue, Request, StatusCode, Uri, header::CONTENT_TYPE};
use relink_domain::Timestamp;
use url::Url;

use super::{
    ReadError,
    judgment::Judgment,
    request::{BuildError, Run},
};
use crate::{
    account::{Account, BaseError, Described},
    answer::Answer,
    body::{Body, RequestBody, full},
    expressions::Expressions,
    pages::PageRequest,
    pass_through::Outgoing,
};

/// A request that is sent, and once more with another token.
pub(super) struct Sending<'s, X> {
    run: &'s Run<'s>,
    outline: &'s PageRequest,
    base: &'s Url,
    /// The caller's body as it is, with its type.
    streamed: Option<(RequestBody, Option<HeaderValue>)>,
    expressions: &'s X,
    now: Timestamp,
    /// Where it was sent.
    pub(super) called: Uri,
    /// Of the last answer.
    pub(super) judgment: Result<Judgment, ReadError>,
    was_sent: bool,
    carries_credential: bool,
}

impl<'s, X: Expressions> Sending<'s, X> {
    pub(super) fn new(
        run: &'s Run<'s>,
        (outline, base): (&'s PageRequest, &'s Url),
        streamed: Option<(RequestBody, Option<HeaderValue>)>,
        expressions: &'s X,
        now: Timestamp,
        carries_credential: bool,
    ) -> Self {
        Self {
            run,
            outline,
            base,
            streamed,
            expressions,
            now,
            called: Uri::default(),
            judgment: Ok(Judgment::default()),
            was_sent: false,
            carries_credential,
        }
    }
}

impl<A: Account, X: Expressions> Outgoing<A> for Sending<'_, X> {
    type Error = BuildError;

    async fn request(&mut self, account: &A) -> Result<Request<Body>, BuildError> {
        // A renewed account may have been reauthorized meanwhile, and its credential be for another address.
        if self.was_sent && account.base_of(self.run.method)? != *self.base {
            return Err(BaseError::Moved.into());
        }
        self.was_sent = true;
        let (mut request, bytes) = self.run.complete(account, self.outline, self.base)?;
        self.run.sign(account, &mut request, &bytes, self.expressions).await?;
        self.called = request.uri().clone();
        Ok(match &mut self.streamed {
            Some((body, content_type)) => {
                if let Some(content_type) = content_type {
                    request.headers_mut().insert(CONTENT_TYPE, content_type.clone());
                }
                request.map(|()| body.send())
            }
            None => request.map(|()| full(bytes)),
        })
    }

    fn base<'b>(&'b self, _: &'b A) -> Result<&'b Url, Self::Error> {
        Ok(self.base)
    }

    fn can_be_sent(&self) -> bool {
        self.streamed.as_ref().is_none_or(|(body, _)| body.can_be_sent())
    }

    async fn judge(&mut self, answer: &mut Answer) -> Option<StatusCode> {
        self.judgment = Judgment::of(answer, self.run.method, self.expressions, self.now).await;
        self.judgment.as_ref().ok()?.status()
    }

    fn carries_credential(&self) -> bool {
        self.carries_credential
    }

    fn described(&self) -> Described<'_> {
        Described { method: self.run.name, needed_scopes: &self.run.method.docs.scopes }
    }
}
