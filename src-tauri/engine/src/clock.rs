//! The clock. Only this module reads the time.

use std::fmt;
#[cfg(any(test, feature = "test-support"))]
use std::sync::Arc;

use relink_domain::Timestamp;
use tokio::{sync::watch, time::Instant};

/// The machine's wall clock, or one that a test sets.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    #[cfg(any(test, feature = "test-support"))]
    Test(Arc<watch::Sender<Timestamp>>),
}

impl Clock {
    /// The machine's wall clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that changes only when a test moves it.
    #[cfg(any(test, feature = "test-support"))]
    pub fn set_to(at: Timestamp) -> Self {
        Self(Source::Test(Arc::new(watch::Sender::new(at))))
    }

    /// The current time.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => jiff::Timestamp::now().into(),
            #[cfg(any(test, feature = "test-support"))]
            Source::Test(time) => *time.borrow(),
        }
    }

    /// Moves a test clock, also backwards, and wakes every loop that waits for a time. Doesn't affect the machine's clock.
    #[cfg(any(test, feature = "test-support"))]
    pub fn advance_secs(&self, secs: i64) {
        if let Source::Test(time) = &self.0 {
            time.send_modify(|time| *time = time.plus_secs(secs));
        }
    }

    /// Subscribes to changes of this clock.
    pub(crate) fn changes(&self) -> ClockChanges {
        match &self.0 {
            Source::System => ClockChanges(None),
            #[cfg(any(test, feature = "test-support"))]
            Source::Test(time) => ClockChanges(Some(time.subscribe())),
        }
    }
}

/// If the wall clock advanced this much more or less than the time that has passed, the machine was asleep or its clock was set.
const JUMP_MILLIS: i64 = 60_000;

/// Notices that the wall clock was set, by comparing it with the time that has passed.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    at: Timestamp,
    instant: Instant,
}

/// What has happened to the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockChange {
    None,
    /// It was set ahead, or the machine was asleep.
    Ahead,
    /// It was set back by this many milliseconds.
    Back(i64),
}

impl ClockWatch {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { at: now, instant: Instant::now() }
    }

    /// What has happened since the last call.
    pub(crate) fn look(&mut self, now: Timestamp) -> ClockChange {
        let passed = i64::try_from(self.instant.elapsed().as_millis()).unwrap_or(i64::MAX);
        let jump = now.millis_since(self.at) - passed;
        (self.at, self.instant) = (now, Instant::now());
        if jump > JUMP_MILLIS {
            ClockChange::Ahead
        } else if jump < -JUMP_MILLIS {
            ClockChange::Back(-jump)
        } else {
            ClockChange::None
        }
    }
}

/// Wakes a loop when a test moves the clock. The machine's clock has no such signal, so loops also
/// read it at an interval.
pub(crate) struct ClockChanges(Option<watch::Receiver<Timestamp>>);

impl ClockChanges {
    /// Completes when the clock has moved since the last call; never for the machine's clock.
    pub(crate) async fn changed(&mut self) {
        if let Some(time) = &mut self.0
            && time.changed().await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
