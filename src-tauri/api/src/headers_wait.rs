//! How long a client may take to send the headers of its next request.
//!
//! hyper would set a timer for each request, which costs as much as reading its headers. Here a connection has one timer: it stays where
//! it is while requests come and go, and is set anew only when it fires.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

/// Since when a connection waits for the headers of a request; `None` while one is answered. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct HeadersWait(Arc<Mutex<Option<Instant>>>);

/// A request is being answered until this is dropped.
#[derive(Debug)]
pub(crate) struct Answering(HeadersWait);

/// A response's body. When it is dropped, its connection waits for the next request.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Body,
    _answering: Answering,
}

impl HeadersWait {
    /// Of a new connection.
    pub(crate) fn begin() -> Self {
        Self(Arc::new(Mutex::new(Some(Instant::now()))))
    }

    /// The headers of a request are there.
    pub(crate) fn end(&self) -> Answering {
        *self.since() = None;
        Answering(self.clone())
    }

    /// Ends when the connection has waited for so long.
    pub(crate) async fn is_too_long(&self, limit: Duration) {
        loop {
            let now = Instant::now();
            let until = self.since().unwrap_or(now) + limit;
            if until <= now {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        *self.0.since() = Some(Instant::now());
    }
}

impl Answer {
    pub(crate) const fn new(body: Body, answering: Answering) -> Self {
        Self { body, _answering: answering }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);
    /// Timers have a resolution of a millisecond.
    const RESOLUTION: Duration = Duration::from_millis(2);

    async fn pass(time: Duration) {
        tokio::time::sleep(time).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_has_so_long_for_its_first_request_and_for_each_after_an_answer() {
        let wait = HeadersWait::begin();
        let began = Instant::now();
        let watching = {
            let wait = wait.clone();
            tokio::spawn(async move { wait.is_too_long(LIMIT).await })
        };
        for answered_after in [0, 1, 9, 11, 100].map(Duration::from_secs) {
            pass(LIMIT.mul_f64(0.9)).await;
            let answering = wait.end();
            pass(answered_after).await;
            assert!(!watching.is_finished(), "while a request is answered, and at once afterwards");
            drop(answering);
        }
        let last = Instant::now();
        watching.await.expect("no panic");
        assert!(last > began + LIMIT);
        let waited = last.elapsed();
        assert!(LIMIT <= waited && waited <= LIMIT + RESOLUTION, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_has_so_long_and_no_longer() {
        let began = Instant::now();
        HeadersWait::begin().is_too_long(LIMIT).await;
        assert!(LIMIT <= began.elapsed() && began.elapsed() <= LIMIT + RESOLUTION);
    }
}
