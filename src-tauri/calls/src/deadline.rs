//! The time limit for connecting: finding the address, TCP and TLS together.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use tower_service::Service;

use crate::body::BoxError;

/// A connector with a time limit for the whole connection.
#[derive(Debug, Clone)]
pub(crate) struct Deadline<S> {
    inner: S,
    limit: Duration,
}

impl<S> Deadline<S> {
    pub(crate) const fn new(inner: S, limit: Duration) -> Self {
        Self { inner, limit }
    }
}

/// There is no connection yet, so nothing was sent.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no connection in time")]
pub(crate) struct NotConnectedInTime;

impl<S> Service<Uri> for Deadline<S>
where
    S: Service<Uri, Future: Send + 'static, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, limit) = (self.inner.call(uri), self.limit);
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(NotConnectedInTime.into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Pending;

    use tokio::time::Instant;

    use super::*;

    /// A name server that never answers, or a server that never says its part of the TLS handshake.
    struct Never;

    impl Service<Uri> for Never {
        type Response = ();
        type Error = BoxError;
        type Future = Pending<Result<(), BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Uri) -> Self::Future {
            std::future::pending()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_takes_too_long_is_given_up() {
        let began = Instant::now();
        let mut connector = Deadline::new(Never, Duration::from_secs(10));
        let failed = connector.call(Uri::from_static("https://api.example.com")).await.expect_err("too late");
        assert!(failed.is::<NotConnectedInTime>());
        assert_eq!(began.elapsed(), Duration::from_secs(10));
    }
}
