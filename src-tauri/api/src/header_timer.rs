//! The time limit for a request's headers.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};
use relink_calls::ReusedTimer;

/// A connection's timer. hyper asks for a new one for each request, and drops it when the headers are there. Here all of them are the same,
/// since only one request's headers are awaited at a time (RFC 9112 §9.3.2).
#[derive(Debug, Clone, Default)]
pub(crate) struct HeaderTimer(Arc<Mutex<ReusedTimer>>);

/// The time until the headers of one request must be there.
#[derive(Debug)]
struct Wait {
    due: tokio::time::Instant,
    timer: HeaderTimer,
}

impl Timer for HeaderTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Wait { due: deadline.into(), timer: self.clone() })
    }

    /// Tokio's time, which stands still in some tests.
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

impl Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.timer.0.lock().unwrap_or_else(PoisonError::into_inner).poll(context, self.due)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn each_request_has_its_own_time() {
        let timer = HeaderTimer::default();
        for pause in [0, 4, 9, 10, 11, 100].map(Duration::from_secs) {
            // Headers that arrive in time.
            let wait = timer.sleep(LIMIT);
            tokio::time::timeout(LIMIT / 2, wait).await.expect_err("there is time left");
            tokio::time::sleep(pause).await;
            let began = Instant::now();
            timer.sleep(LIMIT).await;
            let excess = began.elapsed().checked_sub(LIMIT).expect("not too early");
            assert!(excess < Duration::from_millis(5), "{excess:?} too late after {pause:?}");
        }
    }
}
