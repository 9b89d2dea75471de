//! Bodies of calls.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Collected, Empty, Full, combinators::UnsyncBoxBody};

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body whose bytes arrive while they are sent on.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Bodies up to this size are read before the call, so that the call can be repeated after a refresh.
const MAX_REPLAYED: u64 = 64 << 10;

/// The body of a request to a provider.
pub(crate) enum RequestBody {
    /// It can be sent again.
    Known(Bytes),
    /// It is sent while it arrives, once.
    Streamed(Body),
    /// It was sent.
    Spent,
}

impl RequestBody {
    /// The body of a request with these headers, which say its length if the body itself doesn't. If the call may be repeated, a
    /// small body is read.
    pub(crate) async fn new(body: Body, headers: &HeaderMap, may_be_repeated: bool) -> Result<Self, BoxError> {
        if body.is_end_stream() {
            return Ok(Self::Known(Bytes::new()));
        }
        let most = if may_be_repeated { MAX_REPLAYED } else { 0 };
        Ok(match body.size_hint().exact().or_else(|| declared_length(headers)) {
            Some(size) if size <= most => Self::Known(body.collect().await.map(Collected::to_bytes)?),
            _ => Self::Streamed(body),
        })
    }

    pub(crate) const fn can_be_sent(&self) -> bool {
        !matches!(self, Self::Spent)
    }

    /// The body for one request.
    pub(crate) fn send(&mut self) -> Body {
        if let Self::Known(bytes) = self {
            return full(bytes.clone());
        }
        match std::mem::replace(self, Self::Spent) {
            Self::Streamed(body) => body,
            Self::Known(_) | Self::Spent => full(Bytes::new()),
        }
    }
}

/// The length of a request's body (RFC 9112 §6.3).
fn declared_length(headers: &HeaderMap) -> Option<u64> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    headers.get(CONTENT_LENGTH).map_or(Some(0), |value| value.to_str().ok()?.parse().ok())
}

/// Why a body isn't there as a whole.
#[derive(Debug)]
pub(crate) enum IncompleteBody {
    TooLong,
    Broken(BoxError),
}

/// Reads a body of at most so many bytes.
pub(crate) async fn read_whole(mut body: Body, most: usize) -> Result<Bytes, IncompleteBody> {
    if body.size_hint().lower() > most as u64 {
        return Err(IncompleteBody::TooLong);
    }
    let mut read = BytesMut::new();
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(IncompleteBody::Broken)?.into_data() else { continue };
        if read.len() + data.len() > most {
            return Err(IncompleteBody::TooLong);
        }
        if read.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        if read.is_empty() {
            read.reserve(declared.max(data.len()));
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

/// A body that is there already.
pub(crate) fn full(bytes: Bytes) -> Body {
    if bytes.is_empty() {
        return Empty::new().map_err(|never| match never {}).boxed_unsync();
    }
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A body of pieces that are there already. Its length is known.
pub(crate) fn full_of<const COUNT: usize>(pieces: [Bytes; COUNT]) -> Body {
    Pieces(pieces.into_iter()).map_err(|never| match never {}).boxed_unsync()
}

struct Pieces<const COUNT: usize>(std::array::IntoIter<Bytes, COUNT>);

impl<const COUNT: usize> HttpBody for Pieces<COUNT> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_slice().iter().map(|piece| piece.len() as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_body_of_pieces_says_what_is_left_of_it() {
        let mut body = full_of(["ab", "", "c"].map(Bytes::from));
        let mut seen = Vec::new();
        loop {
            seen.push((body.size_hint().exact(), body.is_end_stream()));
            let Some(frame) = body.frame().now_or_never().expect("no wait") else { break };
            seen.extend(frame.expect("a frame").data_ref().map(|data| (Some(data.len() as u64), false)));
        }
        let expected = [(3, false), (2, false), (1, false), (0, false), (1, false), (1, false), (0, true)];
        assert_eq!(seen, expected.map(|(length, has_ended)| (Some(length), has_ended)));
    }
}
