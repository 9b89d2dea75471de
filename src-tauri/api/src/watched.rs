//! A body of which something sees each frame that passes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

pub(crate) struct Watched<W: Watch> {
    pub(crate) body: Body,
    pub(crate) watcher: W,
}

/// What sees the frames.
pub(crate) trait Watch: Send + Unpin {
    /// `None`: the end.
    fn see(&mut self, frame: Option<&Result<Frame<Bytes>, axum::Error>>);

    /// The body is dropped. `is_at_end`: it is known that no frame is left.
    fn dropped(&mut self, _is_at_end: bool) {}
}

impl<W: Watch> HttpBody for Watched<W> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.watcher.see(frame.as_ref());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<W: Watch> Drop for Watched<W> {
    fn drop(&mut self) {
        let is_at_end = self.body.is_end_stream();
        self.watcher.dropped(is_at_end);
    }
}
