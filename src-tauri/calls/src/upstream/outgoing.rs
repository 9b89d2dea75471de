//! A request's body on its way to the provider, and the time limit for the response that begins when all of it was sent.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    sync::oneshot::{self, error::TryRecvError},
    time::Instant,
};

use crate::{
    body::{Body, BoxError},
    reused_timer::ReusedTimer,
};

/// The maximum time from a complete request to the headers of its response. Some providers compute for minutes.
const HEADERS_DEADLINE: Duration = Duration::from_mins(5);

/// A request's body. The connection drops it when all of it was sent.
pub(super) struct Outgoing {
    body: Body,
    /// Dropped with the body, which [`RequestSent`] sees.
    _being_sent: Option<oneshot::Sender<Infallible>>,
}

/// Whether all of a request was sent. A request without a body counts as sent from the beginning.
pub(super) struct RequestSent(Option<oneshot::Receiver<Infallible>>);

/// The request, and what says when all of it was sent.
pub(super) fn when_sent(request: Request<Body>) -> (Request<Outgoing>, RequestSent) {
    if request.body().is_end_stream() {
        return (request.map(|body| Outgoing { body, _being_sent: None }), RequestSent(None));
    }
    let (being_sent, sent) = oneshot::channel();
    (request.map(|body| Outgoing { body, _being_sent: Some(being_sent) }), RequestSent(Some(sent)))
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl RequestSent {
    pub(super) fn is_complete(&mut self) -> bool {
        self.0.as_mut().is_none_or(|sent| matches!(sent.try_recv(), Err(TryRecvError::Closed)))
    }

    /// Ends when the response's headers should have been there.
    pub(super) async fn until_too_late(&mut self) {
        if let Some(sent) = &mut self.0 {
            let _ = sent.await;
            self.0 = None;
        }
        tokio::time::sleep(HEADERS_DEADLINE).await;
    }
}

/// The time limit for the headers of each response on a connection that serves one call after another.
#[derive(Default)]
pub(super) struct HeadersDeadline {
    timer: ReusedTimer,
    /// When the current call is too late. `None` until its request is complete.
    due: Option<Instant>,
}

impl HeadersDeadline {
    pub(super) fn begin_call(&mut self) {
        self.due = None;
    }

    /// Ready if the response is too late. Pending without a wake-up as long as the request isn't complete: it is to be polled again
    /// after each step of the connection, which is what completes the request.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, sent: &mut RequestSent) -> Poll<()> {
        let due = match self.due {
            Some(due) => due,
            None if sent.is_complete() => *self.due.insert(Instant::now() + HEADERS_DEADLINE),
            None => return Poll::Pending,
        };
        self.timer.poll(context, due)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_channel::mpsc;
    use http_body_util::{BodyExt, Empty, StreamBody};

    use super::*;

    async fn too_late(deadline: &mut HeadersDeadline, sent: &mut RequestSent) -> Duration {
        let began = Instant::now();
        deadline.begin_call();
        poll_fn(|context| deadline.poll(context, sent)).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn each_call_on_a_connection_has_its_own_time() {
        let mut deadline = HeadersDeadline::default();
        for pause in [0, 1, 250, 299, 300, 301, 1000].map(Duration::from_secs) {
            tokio::time::sleep(pause).await;
            let waited = too_late(&mut deadline, &mut RequestSent(None)).await;
            let excess = waited.checked_sub(HEADERS_DEADLINE).expect("not too early");
            assert!(excess < Duration::from_millis(5), "{waited:?} after a pause of {pause:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_begins_when_the_body_was_sent() {
        let (sender, pieces) = mpsc::channel(1);
        let (request, mut sent) = when_sent(Request::new(StreamBody::new(pieces).boxed_unsync()));
        let mut deadline = HeadersDeadline::default();
        let early = tokio::time::timeout(2 * HEADERS_DEADLINE, too_late(&mut deadline, &mut sent)).await;
        early.expect_err("the request isn't complete");
        drop((sender, request));
        assert!(sent.is_complete());
        assert!(too_late(&mut deadline, &mut sent).await >= HEADERS_DEADLINE);
        let empty = Empty::new().map_err(|never: Infallible| match never {}).boxed_unsync();
        assert!(when_sent(Request::new(empty)).1.is_complete());
    }
}
