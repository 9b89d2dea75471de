//! A timer for one time limit after the other.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer whose time limits are mostly met, so that it hardly ever fires.
///
/// It isn't moved for each limit: setting a timer may wake the runtime, and costs more than much else in a call. It stays where an earlier limit
/// has left it, so that it fires too early for the current one, if at all, and is set to the right time only then.
#[derive(Debug, Default)]
pub struct ReusedTimer(Option<Pin<Box<Sleep>>>);

impl ReusedTimer {
    /// Ready if the time has come.
    pub fn poll(&mut self, context: &mut Context<'_>, due: Instant) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    /// Waits for a limit that begins now. Returns how late it was.
    async fn excess(timer: &mut ReusedTimer, limit: Duration) -> Duration {
        let began = Instant::now();
        poll_fn(|context| timer.poll(context, began + limit)).await;
        began.elapsed().checked_sub(limit).expect("not too early")
    }

    #[tokio::test(start_paused = true)]
    async fn each_limit_is_reached_at_its_own_time() {
        let mut timer = ReusedTimer::default();
        for (met_after, limit) in [(0, 10), (9, 10), (10, 10), (11, 10), (100, 10), (0, 1), (0, 10), (0, 0)] {
            tokio::time::sleep(Duration::from_secs(met_after)).await;
            let excess = excess(&mut timer, Duration::from_secs(limit)).await;
            assert!(excess < Duration::from_millis(5), "{excess:?} too late");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_was_met_does_not_hold_up_an_earlier_one() {
        let mut timer = ReusedTimer::default();
        let met = tokio::time::timeout(Duration::from_secs(1), excess(&mut timer, Duration::from_mins(5))).await;
        met.expect_err("there is time left");
        let excess = excess(&mut timer, Duration::from_secs(10)).await;
        assert!(excess < Duration::from_millis(5), "{excess:?} too late");
    }
}
