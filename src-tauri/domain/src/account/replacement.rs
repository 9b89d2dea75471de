//! Replacing an account's credentials: the intent is stored before the keychain is written, and done once it holds them.

use super::{Account, AccountState, Credential, Granted, Rejected, Replacement, TimelineEvent, Transition};
use crate::{LinkTokenId, Timestamp, event::EventKind};

impl Account {
    /// An open refresh is no obstacle: the replacement takes a later generation, so that the refresh's result is rejected
    /// as stale once the new credentials are in place.
    pub(super) fn begin_replacement(mut self, granted: Granted, link: LinkTokenId) -> Result<Transition, Rejected> {
        if self.replacement.is_some() {
            return Err(Rejected::BeingReplaced);
        }
        let generation = self.next_generation();
        self.replacement = Some(Replacement { generation, granted, link });
        Ok(self.transition(vec![], vec![]))
    }

    pub(super) fn replaced(mut self, generation: u64, now: Timestamp) -> Result<Transition, Rejected> {
        let Some(Replacement { granted, .. }) = self.replacement.take_if(|open| open.generation == generation) else {
            return Err(Rejected::Stale { got: generation });
        };
        let before = self.profile.identity.clone();
        self.state = AccountState::Working { credential: Credential::new(&granted.credential, generation) };
        self.profile = self.profile.signed_in(&granted, now);
        let after = self.profile.identity.clone();
        let instead_of = match (&before, &after) {
            (Some(before), Some(after)) if before.id != after.id => Some(before.label.clone()),
            (Some(_) | None, Some(_) | None) => None,
        };
        let timeline_event = TimelineEvent::Reauthorized { identity: after.map(|identity| identity.label), instead_of };
        Ok(self.transition(vec![timeline_event], vec![EventKind::AccountUpdated, EventKind::AccountActive]))
    }

    pub(super) fn replacement_lost(mut self, generation: u64) -> Result<Transition, Rejected> {
        match self.replacement.take_if(|open| open.generation == generation) {
            Some(_) => Ok(self.transition(vec![], vec![])),
            None => Err(Rejected::Stale { got: generation }),
        }
    }
}
