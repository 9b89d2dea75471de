//! What Relink does next for an account, and when.

use super::{Account, AccountState, Attempt, Credential, Renewing, trouble::CALL_EVENTS_MILLIS};
use crate::{
    Timestamp,
    schedule::{self, Jitter},
};

/// What Relink does next for an account unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Refresh its access token.
    Refresh(Timestamp),
    /// Check whether a fixed credential still works.
    Check(Timestamp),
    /// Send the event that was withheld ([`Trouble::withheld_until`]).
    Announce(Timestamp),
}

impl Due {
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Refresh(at) | Self::Check(at) | Self::Announce(at) => at,
        }
    }

    /// The same at another time.
    #[must_use]
    pub const fn moved_to(self, at: Timestamp) -> Self {
        match self {
            Self::Refresh(_) => Self::Refresh(at),
            Self::Check(_) => Self::Check(at),
            Self::Announce(_) => Self::Announce(at),
        }
    }
}

impl Account {
    /// What Relink does next for its credential unasked, and when. Nothing while a refresh is in progress, nor while only the person
    /// can fix it.
    pub fn due(&self, jitter: Jitter) -> Option<Due> {
        match (self.state.credential(), &self.state) {
            (Credential::Renewing(Renewing { attempt: Attempt::Refreshing { .. }, .. }), _)
            | (_, AccountState::Connecting { .. } | AccountState::Moved { .. } | AccountState::Unusable { .. })
            | (Credential::Fixed(_), AccountState::StepFailed { .. } | AccountState::Failing { .. }) => None,
            (Credential::Renewing(_), AccountState::Failing { trouble, .. }) => trouble.next_try.map(Due::Refresh),
            (Credential::Renewing(renewing), AccountState::Working { .. } | AccountState::StepFailed { .. }) => {
                Some(Due::Refresh(schedule::due_at(renewing.lifetime, jitter)))
            }
            (Credential::Fixed(fixed), AccountState::Working { .. }) => fixed.next_check.map(Due::Check),
        }
    }

    /// [`Account::due`], or the event that was withheld, corrected for a clock that has been set back: a time that was planned while the clock was ahead
    /// moves to where it would be if it were planned `now`.
    pub fn due_by(&self, now: Timestamp, jitter: Jitter) -> Option<Due> {
        if let Some(at) = self.withheld_until() {
            return Some(Due::Announce(at.min(now.plus_millis(CALL_EVENTS_MILLIS))));
        }
        let due = self.due(jitter)?;
        let latest = match (self.state.credential(), &self.state) {
            (_, AccountState::Failing { trouble, .. }) => {
                schedule::retry_at(&trouble.failure, trouble.tries, false, now, jitter)
            }
            (Credential::Renewing(renewing), _) if schedule::is_issued_in_future(renewing.lifetime, now) => now,
            (Credential::Fixed(_), _) if schedule::is_in_future(self.profile.updated_at, now) => now.plus_secs(60 * 60),
            (Credential::Renewing(_) | Credential::Fixed(_), _) => due.at(),
        };
        Some(due.moved_to(due.at().min(latest)))
    }
}
