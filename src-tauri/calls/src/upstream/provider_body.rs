//! The body of a provider's response.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::{http1::Connection, origin::Origin};

/// A response's body, which arrives while it is polled. When it has ended, its connection can be used for another call. If it is
/// dropped before, the connection is closed, so that the provider sees that nobody reads any more.
pub(crate) struct ProviderBody {
    incoming: Incoming,
    /// What has to be driven for the body to arrive. `None` if a task does that, and when the body has ended.
    driven: Option<(Box<Connection>, Arc<Origin>)>,
}

impl ProviderBody {
    /// A body whose connection is driven by a task.
    pub(super) fn new(incoming: Incoming) -> Self {
        Self { incoming, driven: None }
    }

    /// A body that arrives on this connection.
    pub(super) fn on(connection: Box<Connection>, origin: Arc<Origin>, incoming: Incoming) -> Self {
        let mut body = Self { incoming, driven: Some((connection, origin)) };
        if body.incoming.is_end_stream() {
            body.release();
        }
        body
    }

    /// Keeps the connection for another call. One that can't be used again is closed.
    fn release(&mut self) {
        if let Some((connection, origin)) = self.driven.take() {
            origin.keep(connection);
        }
    }
}

impl fmt::Debug for ProviderBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ProviderBody").field(&self.incoming).finish()
    }
}

impl HttpBody for ProviderBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { incoming, driven } = &mut *self;
        let Some((connection, _)) = driven else {
            return Pin::new(incoming).poll_frame(context);
        };
        let mut next = |context: &mut Context<'_>| Pin::new(&mut *incoming).poll_frame(context);
        // What has arrived already can be taken without driving the connection.
        let frame = match next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => frame,
            Poll::Pending => ready!(connection.poll_until(context, next)),
        };
        match &frame {
            Some(Err(_)) => self.driven = None,
            // Nobody may ask for more after the last byte of a known length, or after the trailers.
            Some(Ok(frame)) if !frame.is_trailers() && !self.incoming.is_end_stream() => {}
            Some(Ok(_)) | None => self.release(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
