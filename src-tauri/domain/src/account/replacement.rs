//! Replacing an account's credentials: the intent is stored before the keychain is written, and done once it holds them.

use super::{
    Account, AccountState, ConnectStep, Credential, Granted, Onboarding, Rejected, Replacement, TimelineEvent,
    Transition,
};
use crate::{LinkTokenId, Timestamp, event::EventKind};

impl Account {
    /// An open refresh is no obstacle: the replacement takes a later generation, so that the refresh's result is rejected
    /// as stale once the new credentials are in place.
    pub(super) fn begin_replacement(
        mut self,
        granted: Granted,
        link: Option<LinkTokenId>,
        first_step: Option<ConnectStep>,
    ) -> Result<Transition, Rejected> {
        if self.replacement.is_some() {
            return Err(Rejected::BeingReplaced);
        }
        let generation = self.next_generation();
        self.replacement = Some(Replacement { generation, granted, link, first_step });
        Ok(self.transition(vec![], vec![]))
    }

    pub(super) fn replaced(mut self, generation: u64, now: Timestamp) -> Result<Transition, Rejected> {
        let Some(Replacement { granted, first_step, .. }) =
            self.replacement.take_if(|open| open.generation == generation)
        else {
            return Err(Rejected::Stale { got: generation });
        };
        let before = self.profile.identity.clone();
        let credential = Credential::new(&granted.credential, generation);
        self.onboarding = first_step.map(|next| Onboarding { generation, next });
        self.state = match first_step {
            Some(_) => AccountState::Connecting { credential },
            None => AccountState::Working { credential },
        };
        self.profile = self.profile.signed_in(&granted, now);
        let after = self.profile.identity.clone();
        let instead_of = match (&before, &after) {
            (Some(before), Some(after)) if before.id != after.id => Some(before.label.clone()),
            (Some(_) | None, Some(_) | None) => None,
        };
        let timeline_event = TimelineEvent::Reauthorized { identity: after.map(|identity| identity.label), instead_of };
        // With steps, the last event follows them.
        let last = first_step.is_none().then_some(EventKind::AccountActive);
        let events = [EventKind::AccountUpdated].into_iter().chain(last).collect();
        let steps = first_step.is_some().then_some(TimelineEvent::StepsBegun);
        Ok(self.transition([timeline_event].into_iter().chain(steps).collect(), events))
    }

    pub(super) fn replacement_lost(mut self, generation: u64) -> Result<Transition, Rejected> {
        match self.replacement.take_if(|open| open.generation == generation) {
            Some(_) => Ok(self.transition(vec![], vec![])),
            None => Err(Rejected::Stale { got: generation }),
        }
    }
}
