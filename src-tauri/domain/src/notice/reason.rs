//! Why an account is shown or held back, for the app to explain.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What made an account worth an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertReason {
    /// Only signing in again helps.
    NeedsPerson,
    /// The integration's client must be mended.
    NeedsClient,
    /// It was told as passing, and turned out to need the person.
    TurnedFinal,
    /// It may pass, but has lasted, and the account no longer works.
    Outlasted,
    /// The person wanted to be reminded.
    Reminder,
}

/// Why an account is shown or held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", content = "detail", rename_all = "snake_case")]
pub enum NoticeReason {
    /// It is shown with this decision.
    Shown(AlertReason),
    /// The notification that is up names it.
    OnDisplay {
        /// When it was told.
        at: Timestamp,
    },
    /// Its episode was told, and that is no longer up.
    ToldAlready {
        /// When it was told.
        at: Timestamp,
    },
    /// It joins others that may fail at the same time.
    Gathering {
        /// Until when.
        until: Timestamp,
    },
    /// The person wanted to be reminded later.
    RemindLater {
        /// When, unless the machine is unlocked before.
        until: Timestamp,
    },
    /// The person has paused notifications.
    Paused,
    /// The machine is offline.
    Offline,
    /// The machine has just woken.
    JustWoken {
        /// Until when the network is given time.
        until: Timestamp,
    },
    /// Its access token still works.
    StillWorks {
        /// Until when.
        until: Timestamp,
    },
    /// It may yet pass.
    NotYetLasted {
        /// When it will have lasted; `None` while the time isn't running.
        until: Option<Timestamp>,
    },
    /// Relink is about to try again, or just doing so.
    TryDue,
    /// It works again, or was deleted: it has left the notification.
    Recovered,
}

impl NoticeReason {
    /// When this stops holding by itself.
    pub const fn until(self) -> Option<Timestamp> {
        match self {
            Self::Gathering { until }
            | Self::RemindLater { until }
            | Self::JustWoken { until }
            | Self::StillWorks { until } => Some(until),
            Self::NotYetLasted { until } => until,
            Self::Shown(_)
            | Self::OnDisplay { .. }
            | Self::ToldAlready { .. }
            | Self::Paused
            | Self::Offline
            | Self::TryDue
            | Self::Recovered => None,
        }
    }
}
