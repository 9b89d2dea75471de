//! A provider's answer: what it means for the account, and the response that is passed on.

use std::{borrow::Cow, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    response::Parts,
};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::Frame;
use relink_domain::integration::{ExpiredWhen, Look};

use crate::{
    account::{Answered, Described, Said},
    body::{Body, BoxError},
    coding,
    upstream::ProviderBody,
};

/// So much of a body is read, to show what the provider said.
const MAX_SAID: usize = 64 << 10;
/// For so long the caller waits for it.
const SAID_DEADLINE: Duration = Duration::from_secs(2);

/// A provider's answer, of whose body no more than the beginning was read, unless the definition judges by all of it.
pub(crate) struct Answer {
    response: Response<ProviderBody>,
    beginning: Beginning,
    /// The status that it counts as for the account, which may be another than its own.
    counted: StatusCode,
}

impl Answer {
    /// `expired_when`: the answers that mean the same as a 401 at this provider. A body is looked at only where one of them could
    /// match.
    pub(crate) async fn new(response: Response<ProviderBody>, expired_when: &[ExpiredWhen]) -> Self {
        let counted = response.status();
        let mut answer = Self { response, beginning: Beginning::default(), counted };
        if !answer.is_unauthorized() && !expired_when.is_empty() && Box::pin(answer.means_expired(expired_when)).await {
            answer.counted = StatusCode::UNAUTHORIZED;
        }
        answer
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    async fn means_expired(&mut self, expired_when: &[ExpiredWhen]) -> bool {
        let (status, headers) = (self.response.status().as_u16(), self.response.headers());
        let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let content_type = text(CONTENT_TYPE);
        let looks: Vec<_> = expired_when.iter().map(|sign| (sign, sign.look(status, content_type))).collect();
        if looks.iter().any(|(_, look)| *look == Look::Matches) {
            return true;
        }
        let signs: Vec<_> = looks.into_iter().filter(|(_, look)| *look == Look::AtBody).map(|(sign, _)| sign).collect();
        let is_too_long =
            text(CONTENT_LENGTH).and_then(|text| text.parse().ok()).is_some_and(|size: usize| size > MAX_SAID);
        if signs.is_empty() || is_too_long {
            return false;
        }
        self.beginning.read(self.response.body_mut()).await;
        let body = self.said().body;
        self.beginning.has_ended && signs.iter().any(|sign| sign.matches(status, &body))
    }

    /// The whole body without its content coding. None if it has more bytes, or ends early.
    pub(crate) async fn whole(&mut self, most: usize) -> Option<Bytes> {
        self.beginning.read_up_to(self.response.body_mut(), most.saturating_add(1)).await;
        let bytes = &self.beginning.bytes;
        let is_there = self.beginning.has_ended && bytes.len() <= most;
        if !is_there {
            return None;
        }
        coding::decoded_whole(self.response.headers(), Bytes::copy_from_slice(bytes), most).await.ok()
    }

    /// Counts it as one with this status, as the definition says. A 401 stays one, unless it is about a permission or the rate: an
    /// answer to a refused credential never shows that it was accepted.
    pub(crate) fn count_as(&mut self, status: StatusCode) {
        let is_about_another = matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
        if is_about_another || !self.is_unauthorized() {
            self.counted = status;
        }
    }

    /// Whether the credential was refused: with 401, or with an answer that means the same.
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.counted == StatusCode::UNAUTHORIZED
    }

    /// Reports what the answer shows of the account's credential, if it shows something. Of a refusal, the beginning of the body
    /// is read.
    pub(crate) async fn report(&mut self, described: Described<'_>, to: impl FnOnce(Answered<'_>)) {
        let is_unauthorized = self.is_unauthorized();
        if is_unauthorized || self.counted == StatusCode::FORBIDDEN {
            Box::pin(self.beginning.read(self.response.body_mut())).await;
            let said = Said { described, ..self.said() };
            to(if is_unauthorized { Answered::Unauthorized(said) } else { Answered::Forbidden(said) });
        } else if shows_acceptance(self.counted) {
            to(Answered::Accepted);
        }
    }

    fn said(&self) -> Said<'_> {
        let headers = self.response.headers();
        let bytes = &self.beginning.bytes;
        let body = coding::decoded(headers, &bytes[..bytes.len().min(MAX_SAID)]).unwrap_or(Cow::Borrowed(&[]));
        Said { status: self.response.status().as_u16(), headers, body, described: Described::default() }
    }

    pub(crate) fn into_response(self) -> (Parts, Body) {
        let (parts, body) = self.response.into_parts();
        let rest = body.map_err(Into::into).boxed_unsync();
        let body = if self.beginning.frames.is_empty() { rest } else { self.beginning.followed_by(rest) };
        (parts, body)
    }
}

/// Whether such an answer shows that the credential is accepted (contract section 6).
fn shows_acceptance(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection() || matches!(status.as_u16(), 101 | 404 | 409 | 422)
}

/// The beginning of a body.
#[derive(Default)]
struct Beginning {
    bytes: BytesMut,
    frames: Vec<Result<Frame<Bytes>, BoxError>>,
    was_read: bool,
    is_broken: bool,
    has_ended: bool,
}

impl Beginning {
    /// Reads what the provider said. A body that stalls is passed on as far as it is there.
    async fn read(&mut self, body: &mut ProviderBody) {
        if !std::mem::replace(&mut self.was_read, true) {
            let _ = tokio::time::timeout(SAID_DEADLINE, self.read_up_to(body, MAX_SAID)).await;
        }
    }

    async fn read_up_to(&mut self, body: &mut ProviderBody, most: usize) {
        while self.bytes.len() < most && !self.is_broken && !self.has_ended {
            let Some(frame) = body.frame().await else {
                self.has_ended = true;
                return;
            };
            if let Some(data) = frame.as_ref().ok().and_then(Frame::data_ref) {
                self.bytes.extend_from_slice(data);
            }
            self.is_broken = frame.is_err();
            self.frames.push(frame.map_err(Into::into));
        }
    }

    fn followed_by(self, rest: Body) -> Body {
        StreamBody::new(stream::iter(self.frames).chain(BodyStream::new(rest))).boxed_unsync()
    }
}
