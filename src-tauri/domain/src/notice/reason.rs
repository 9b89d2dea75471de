//! Why the policy shows an account or holds it back.

use crate::Timestamp;

/// What makes an account worth an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertReason {
    /// Only signing in again helps.
    NeedsPerson,
    /// The integration's client must be corrected.
    NeedsClient,
    /// It may go away, but has lasted, and the account no longer works.
    Outlasted,
    /// The person asked to be reminded.
    Reminder,
}

/// Why an account is shown or held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeReason {
    /// This decision announces it.
    Announced(AlertReason),
    /// The notification on display names it.
    Displayed {
        /// When it was announced.
        at: Timestamp,
    },
    /// Its episode was announced, and that notification is gone.
    AlreadyAnnounced {
        /// When it was announced.
        at: Timestamp,
    },
    /// It waits for others that may fail at the same time.
    Debounced { until: Timestamp },
    /// The person asked to be reminded later.
    Snoozed {
        /// At the latest; an unlock of the machine comes first.
        until: Timestamp,
    },
    /// The person has paused notifications.
    Paused,
    /// The machine is offline.
    Offline,
    /// The machine has just woken.
    JustWoken {
        /// When the network is expected to be up.
        until: Timestamp,
    },
    /// Its access token is still valid.
    StillWorks { until: Timestamp },
    /// It may go away and has not lasted yet.
    TooRecent {
        /// When it will have lasted; `None` while the time doesn't count as online.
        until: Option<Timestamp>,
    },
    /// A retry is due or in progress.
    RetryDue,
    /// It works again or was deleted, and has left the notification.
    Recovered,
}

impl NoticeReason {
    /// When this reason ends without anything happening.
    pub const fn until(self) -> Option<Timestamp> {
        match self {
            Self::Debounced { until }
            | Self::Snoozed { until }
            | Self::JustWoken { until }
            | Self::StillWorks { until } => Some(until),
            Self::TooRecent { until } => until,
            Self::Announced(_)
            | Self::Displayed { .. }
            | Self::AlreadyAnnounced { .. }
            | Self::Paused
            | Self::Offline
            | Self::RetryDue
            | Self::Recovered => None,
        }
    }
}
