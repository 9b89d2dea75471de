//! Named places at which a test can kill the process (docs/reliability.md).
//!
//! With the feature `crash-points`, the process stops at the place named in `RELINK_CRASH_AT`, after printing that on
//! standard error; the test then sends it a real `kill -9`. `RELINK_CRASH_SKIP` is how often it first passes there. At the place named in `RELINK_PANIC_AT` it panics and
//! prints the current values, as a failed `expect` does. Without the feature, none of this is compiled.

use std::fmt::Debug;
#[cfg(feature = "crash-points")]
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CrashPoint {
    /// The intent is committed; nothing was sent.
    RefreshIntent,
    /// The provider has responded; nothing is stored yet.
    RefreshAnswered,
    /// The provider has answered a request of a refresh by steps; the next one isn't sent yet.
    RefreshStepAnswered,
    /// The steps have failed behind a new refresh token, which is in the keychain; the database isn't updated yet.
    RefreshRotatedKept,
    /// The new refresh token is in the keychain; the database isn't updated yet.
    RefreshKept,
    /// Everything is committed.
    RefreshCommitted,
    /// A replacement is about to be written to the keychain.
    ReplaceIntent,
    /// The replacement is in the keychain; the database isn't updated yet.
    ReplaceKept,
    /// A new account's item is in the keychain; the database only has it as an orphan.
    ConnectKept,
    /// The connect steps of an account are open; nothing of the next action was sent.
    StepsBegin,
    /// An action has run; its end isn't stored yet.
    StepsRan,
    /// The action's end is committed.
    StepsCommitted,
    /// A delivery is about to be sent.
    DeliverySending,
    /// The receiver has responded to a delivery; the database isn't updated yet.
    DeliveryAnswered,
    /// A run has fetched a page; nothing of it is delivered yet.
    RunFetched,
    /// A destination has a batch of a run; the database isn't updated yet.
    RunDelivered,
    /// A step of a run is committed.
    RunCommitted,
    /// It is decided which workflows some events start; nothing of that is committed.
    WorkflowDecided,
    /// The runs of the workflows are committed; no step is taken.
    WorkflowStarted,
    /// A step of a workflow's run is committed.
    WorkflowStepped,
}

/// How often the named place was passed.
#[cfg(feature = "crash-points")]
static PASSED: AtomicUsize = AtomicUsize::new(0);

#[cfg(feature = "crash-points")]
fn skipped() -> usize {
    std::env::var("RELINK_CRASH_SKIP").ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(feature = "crash-points")]
impl CrashPoint {
    const fn name(self) -> &'static str {
        match self {
            Self::RefreshIntent => "refresh-intent",
            Self::RefreshAnswered => "refresh-answered",
            Self::RefreshStepAnswered => "refresh-step-answered",
            Self::RefreshRotatedKept => "refresh-rotated-kept",
            Self::RefreshKept => "refresh-kept",
            Self::RefreshCommitted => "refresh-committed",
            Self::ReplaceIntent => "replace-intent",
            Self::ReplaceKept => "replace-kept",
            Self::ConnectKept => "connect-kept",
            Self::StepsBegin => "steps-begin",
            Self::StepsRan => "steps-ran",
            Self::StepsCommitted => "steps-committed",
            Self::DeliverySending => "delivery-sending",
            Self::DeliveryAnswered => "delivery-answered",
            Self::RunFetched => "run-fetched",
            Self::RunDelivered => "run-delivered",
            Self::RunCommitted => "run-committed",
            Self::WorkflowDecided => "workflow-decided",
            Self::WorkflowStarted => "workflow-started",
            Self::WorkflowStepped => "workflow-stepped",
        }
    }

    /// Stops here forever, or panics with the values, if the test requested it.
    #[expect(clippy::print_stderr, reason = "the test reads it")]
    pub(crate) async fn here(self, at_hand: &(dyn Debug + Sync)) {
        let is_named_by = |variable: &str| std::env::var(variable).is_ok_and(|at| at == self.name());
        assert!(!is_named_by("RELINK_PANIC_AT"), "crash-point {}: {at_hand:?}", self.name());
        if is_named_by("RELINK_CRASH_AT") && PASSED.fetch_add(1, Ordering::Relaxed) >= skipped() {
            eprintln!("crash-point {}", self.name());
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(feature = "crash-points"))]
impl CrashPoint {
    /// Does nothing in a release.
    #[expect(clippy::unused_async, reason = "the same shape as with the feature")]
    pub(crate) async fn here(self, _: &(dyn Debug + Sync)) {}
}
