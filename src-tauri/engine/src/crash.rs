//! Named places at which a test can kill the process (docs/reliability.md).
//!
//! With the feature `crash-points`, the process stands still at the place that `RELINK_CRASH_AT` names, after saying so on
//! standard error; the test then sends it a real `kill -9`. At the place that `RELINK_PANIC_AT` names it panics and prints what
//! is at hand, as a failed `expect` does. Without the feature, nothing of this is compiled in.

use std::fmt::Debug;

/// Where the process can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CrashPoint {
    /// The intent is committed; nothing was sent.
    RefreshIntent,
    /// The provider has answered; nothing of it is kept.
    RefreshAnswered,
    /// What must last is in the keychain; the database doesn't know.
    RefreshKept,
    /// Everything is committed.
    RefreshCommitted,
    /// A replacement is about to be put into the keychain.
    ReplaceIntent,
    /// The replacement is in the keychain; the database doesn't know.
    ReplaceKept,
    /// A new account's item is in the keychain; the database knows only that it may be an orphan.
    ConnectKept,
    /// A delivery is about to be sent.
    DeliverySending,
    /// A delivery was answered; the database doesn't know.
    DeliveryAnswered,
}

#[cfg(feature = "crash-points")]
impl CrashPoint {
    const fn name(self) -> &'static str {
        match self {
            Self::RefreshIntent => "refresh-intent",
            Self::RefreshAnswered => "refresh-answered",
            Self::RefreshKept => "refresh-kept",
            Self::RefreshCommitted => "refresh-committed",
            Self::ReplaceIntent => "replace-intent",
            Self::ReplaceKept => "replace-kept",
            Self::ConnectKept => "connect-kept",
            Self::DeliverySending => "delivery-sending",
            Self::DeliveryAnswered => "delivery-answered",
        }
    }

    /// Stands still here for ever, or panics over what is at hand, if the test asked for it.
    #[expect(clippy::print_stderr, reason = "the test reads it")]
    pub(crate) async fn here(self, at_hand: &(dyn Debug + Sync)) {
        let is_named_by = |variable: &str| std::env::var(variable).is_ok_and(|at| at == self.name());
        assert!(!is_named_by("RELINK_PANIC_AT"), "crash-point {}: {at_hand:?}", self.name());
        if is_named_by("RELINK_CRASH_AT") {
            eprintln!("crash-point {}", self.name());
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(feature = "crash-points"))]
impl CrashPoint {
    /// Nothing, in a release.
    #[expect(clippy::unused_async, reason = "the same shape as with the feature")]
    pub(crate) async fn here(self, _: &(dyn Debug + Sync)) {}
}
