//! Accounts whose credentials may not be sent to an address of their integration any more.

use super::{Account, AccountState, Input, Rejected, SeenFailure, TimelineEvent, Transition, Trouble};
use crate::{
    Timestamp,
    event::EventKind,
    failure::Failure,
    origins::{Origin, Origins},
    schedule::Jitter,
};

impl Account {
    /// Whether an address of its integration isn't one any more that its credentials may be sent to.
    pub fn has_moved(&self) -> bool {
        match &self.state {
            AccountState::Moved { .. } => true,
            AccountState::Unusable { before } => matches!(**before, AccountState::Moved { .. }),
            AccountState::Connecting { .. }
            | AccountState::StepFailed { .. }
            | AccountState::Working { .. }
            | AccountState::Failing { .. } => false,
        }
    }

    /// An account of an earlier version of Relink, whose credentials were given for these addresses.
    #[must_use]
    pub fn bound_to(mut self, origins: &Origins) -> Self {
        let staged = self.replacement.as_mut().map(|replacement| &mut replacement.granted.origins);
        for unbound in [Some(&mut self.profile.origins), staged].into_iter().flatten().filter(|it| it.is_empty()) {
            unbound.clone_from(origins);
        }
        self
    }

    /// What is still in progress with the old addresses ends in the state that the account returns to. Nothing new is begun.
    pub(super) fn apply_while_moved(
        mut self,
        input: Input,
        now: Timestamp,
        jitter: Jitter,
    ) -> Result<Transition, Rejected> {
        let AccountState::Moved { before, trouble } = self.state else { return Err(Rejected::OriginChanged) };
        if matches!(input, Input::BeginRefresh) {
            return Err(Rejected::OriginChanged);
        }
        self.state = *before;
        let mut transition = self.apply(input, now, jitter)?;
        // It works again only at the old addresses.
        transition.timeline.retain(|event| !matches!(event, TimelineEvent::Reactivated | TimelineEvent::Activated));
        for event in &mut transition.timeline {
            if let TimelineEvent::RefreshFailed { next_try, .. } = event {
                *next_try = None;
            }
        }
        transition.events.retain(|event| !matches!(event, EventKind::AccountReactivated | EventKind::AccountActive));
        let account = &mut transition.account;
        account.state = AccountState::Moved { before: Box::new(account.state.clone()), trouble };
        account.profile.last_error = account.state.failure_seen();
        Ok(transition)
    }

    /// Compares the integration's addresses with those that the credentials were given for.
    pub(super) fn follow_origins(
        mut self,
        current: &Origins,
        accepted: &[Origin],
        now: Timestamp,
        jitter: Jitter,
    ) -> Transition {
        let Some(moved) = self.profile.origins.moved_to(current, accepted) else {
            return self.stay_bound(current, now);
        };
        let failure = Failure::moved(moved);
        let before = match self.state {
            AccountState::Moved { before, trouble } if trouble.failure == failure => {
                self.state = AccountState::Moved { before, trouble };
                return self.transition(vec![], vec![]);
            }
            AccountState::Moved { before, .. } => before,
            before => Box::new(before),
        };
        let mut trouble = Trouble::begin(failure.clone(), false, now, jitter);
        trouble.announced_at = Some(now);
        self.state = AccountState::Moved { before, trouble };
        self.profile.last_error = Some(SeenFailure { failure: failure.clone(), at: now });
        self.profile.updated_at = now;
        self.transition(vec![TimelineEvent::OriginChanged { failure }], vec![EventKind::AccountAuthenticationError])
    }

    /// The credentials may be sent to the current addresses. An account that had moved returns to its state before.
    fn stay_bound(mut self, current: &Origins, now: Timestamp) -> Transition {
        let (mut timeline, mut events) = (vec![], vec![]);
        if let Some(moved) = self.profile.origins.difference(current) {
            self.profile.origins.clone_from(current);
            timeline.push(TimelineEvent::OriginFollowed { moved });
        }
        if let AccountState::Moved { before, .. } = self.state {
            self.state = before.run_again();
            self.profile.last_error = self.state.failure_seen();
            self.profile.updated_at = now;
            let next_try = self.state.trouble().and_then(|trouble| trouble.next_try);
            timeline.push(TimelineEvent::OriginRestored { next_try });
            if matches!(self.state, AccountState::Working { .. }) {
                timeline.push(TimelineEvent::Reactivated);
            }
            if matches!(self.state, AccountState::Connecting { .. }) {
                timeline.push(TimelineEvent::StepsBegun);
            }
            events.push(match self.state {
                AccountState::Working { .. } => EventKind::AccountReactivated,
                _ => EventKind::AccountUpdated,
            });
        }
        self.transition(timeline, events)
    }
}
