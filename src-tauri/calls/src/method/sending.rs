//! A method's request on its way.

use http::{HeaderValue, Request, Uri, header::CONTENT_TYPE};
use relink_domain::integration::resources::MethodAuthorization;
use url::Url;

use super::request::{BuildError, Run};
use crate::{
    account::{Account, BaseError},
    body::{Body, RequestBody, full},
    pages::PageRequest,
    pass_through::Outgoing,
};

/// A request that is sent, and once more with another token.
pub(super) struct Sending<'s> {
    run: &'s Run<'s>,
    outline: &'s PageRequest,
    base: &'s Url,
    /// The caller's body as it is, with its type.
    streamed: Option<(RequestBody, Option<HeaderValue>)>,
    /// Where it was sent.
    pub(super) called: Uri,
    was_sent: bool,
}

impl<'s> Sending<'s> {
    pub(super) fn new(
        run: &'s Run<'s>,
        outline: &'s PageRequest,
        base: &'s Url,
        streamed: Option<(RequestBody, Option<HeaderValue>)>,
    ) -> Self {
        Self { run, outline, base, streamed, called: Uri::default(), was_sent: false }
    }
}

impl<A: Account> Outgoing<A> for Sending<'_> {
    type Error = BuildError;

    fn request(&mut self, account: &A) -> Result<Request<Body>, BuildError> {
        // A renewed account may have been reauthorized meanwhile, and its credential be for another address.
        if self.was_sent && account.base_of(self.run.method)? != *self.base {
            return Err(BaseError::Moved.into());
        }
        self.was_sent = true;
        let (mut request, bytes) = self.run.complete(account, self.outline, self.base)?;
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

    fn base<'b>(&'b self, _: &'b A) -> &'b Url {
        self.base
    }

    fn can_be_sent(&self) -> bool {
        self.streamed.as_ref().is_none_or(|(body, _)| body.can_be_sent())
    }

    fn carries_credential(&self) -> bool {
        self.run.method.authorization != MethodAuthorization::None
    }

    fn needed_scopes(&self) -> &[String] {
        &self.run.method.docs.scopes
    }
}
