//! Why an account is shown or held back, for the app to explain.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What made an account worth an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
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
pub enum Why {
    /// It is shown with this decision.
    Shown(Reason),
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

impl Why {
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

    /// The same in words, for a person.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Shown(Reason::NeedsPerson) => "You were notified: only a new sign-in mends this.",
            Self::Shown(Reason::NeedsClient) => "You were notified: the integration's client must be mended.",
            Self::Shown(Reason::TurnedFinal) => "You were notified again: it no longer looks as if it would pass.",
            Self::Shown(Reason::Outlasted) => {
                "You were notified: the trouble has lasted, and the account has stopped working."
            }
            Self::Shown(Reason::Reminder) => "You were reminded, as you asked.",
            Self::OnDisplay { .. } => "The notification is up.",
            Self::ToldAlready { .. } => "You were notified when this trouble began; it is told once.",
            Self::Gathering { .. } => "About to be told, together with what else fails now.",
            Self::RemindLater { .. } => "You asked to be reminded later.",
            Self::Paused => "Notifications are paused.",
            Self::Offline => "This machine is offline; that is no reason to disturb you.",
            Self::JustWoken { .. } => "This machine has just woken; the network is given time.",
            Self::StillWorks { .. } => "The account still works; Relink tries again before you are disturbed.",
            Self::NotYetLasted { .. } => "It may pass by itself; Relink tries again before you are disturbed.",
            Self::TryDue => "Relink is just trying again.",
            Self::Recovered => "The account is no longer in trouble; its notification was withdrawn.",
        }
    }
}
