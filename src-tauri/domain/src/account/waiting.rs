//! Waits that a provider asked for.

use super::{Account, AccountState, Credential};
use crate::{Timestamp, schedule};

impl Account {
    /// Until when the provider asked Relink to wait with this account (`Retry-After`).
    pub fn asked_to_wait_until(&self, now: Timestamp) -> Option<Timestamp> {
        let trouble = self.state.trouble().filter(|trouble| trouble.failure.retry_after_secs.is_some())?;
        trouble.next_try.filter(|next| *next > now)
    }

    /// Whether its next refresh may be due by now.
    pub fn is_refresh_due(&self, now: Timestamp) -> bool {
        match (self.state.credential(), &self.state) {
            (Credential::Renewing(_), AccountState::Failing { trouble, .. }) => {
                trouble.next_try.is_some_and(|next| next <= now)
            }
            (Credential::Renewing(renewing), AccountState::Working { .. } | AccountState::StepFailed { .. }) => {
                schedule::may_be_due(renewing.lifetime, now)
            }
            (Credential::Renewing(_) | Credential::Fixed(_), _) => false,
        }
    }
}
