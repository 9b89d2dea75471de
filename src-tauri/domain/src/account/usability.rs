//! Accounts whose integration's definition can't be used, and that can be used again.

use super::{
    Account, AccountState, Attempt, Credential, Input, Rejected, Renewing, SeenFailure, TimelineEvent, Transition,
};
use crate::{Timestamp, event::EventKind, failure::Failure, schedule::Jitter};

impl Account {
    pub(super) const fn is_unusable(&self) -> bool {
        matches!(self.state, AccountState::Unusable { .. })
    }

    /// Whatever happens to the account meanwhile happens to the state that it returns to.
    pub(super) fn apply_while_unusable(
        mut self,
        input: Input,
        now: Timestamp,
        jitter: Jitter,
    ) -> Result<Transition, Rejected> {
        if let AccountState::Unusable { before } = self.state {
            self.state = *before;
        }
        let mut transition = self.apply(input, now, jitter)?;
        transition.account.state = AccountState::Unusable { before: Box::new(transition.account.state) };
        Ok(transition)
    }

    /// The integration's definition can't be loaded. The account keeps its state for the time when it can be loaded again.
    pub(super) fn integration_unusable(mut self, failure: Failure, now: Timestamp) -> Transition {
        self.state = match self.state {
            // Reported already.
            unusable @ AccountState::Unusable { .. } => {
                self.state = unusable;
                return self.transition(vec![], vec![]);
            }
            before => AccountState::Unusable { before: Box::new(before) },
        };
        self.profile.last_error = Some(SeenFailure { failure: failure.clone(), at: now });
        self.profile.updated_at = now;
        let event = TimelineEvent::IntegrationUnusable { failure };
        self.transition(vec![event], vec![EventKind::AccountValidationError])
    }

    /// The integration's definition can be loaded again. An account that worked before is active again.
    pub(super) fn integration_usable(mut self, now: Timestamp) -> Result<Transition, Rejected> {
        let AccountState::Unusable { before } = self.state else { return Err(Rejected::StepsDone) };
        self.state = before.run_again();
        self.profile.last_error = self.state.failure_seen();
        self.profile.updated_at = now;
        let events = match self.state {
            AccountState::Working { .. } => vec![EventKind::AccountUpdated, EventKind::AccountActive],
            _ => vec![EventKind::AccountUpdated],
        };
        let steps = matches!(self.state, AccountState::Connecting { .. }).then_some(TimelineEvent::StepsBegun);
        Ok(self.transition([TimelineEvent::IntegrationUsable].into_iter().chain(steps).collect(), events))
    }

    /// The generation of the next credential, above every one that a result may still carry.
    pub fn next_generation(&self) -> u64 {
        let credential = self.state.credential();
        let attempted = match credential {
            Credential::Renewing(Renewing { attempt: Attempt::Refreshing { generation, .. }, .. }) => *generation,
            Credential::Renewing(Renewing { attempt: Attempt::Idle, .. }) | Credential::Fixed(_) => 0,
        };
        let staged = self.replacement.as_ref().map_or(0, |replacement| replacement.generation);
        credential.generation().max(attempted).max(staged) + 1
    }

    /// The generation of the refresh that is open.
    pub fn open_generation(&self) -> Result<u64, Rejected> {
        match self.state.credential() {
            Credential::Renewing(Renewing { attempt: Attempt::Refreshing { generation, .. }, .. }) => Ok(*generation),
            Credential::Renewing(Renewing { attempt: Attempt::Idle, .. }) | Credential::Fixed(_) => {
                Err(Rejected::NotRenewing)
            }
        }
    }

    /// Whether nothing happens for the account until a person does something.
    pub fn waits_for_person(&self) -> bool {
        self.due(Jitter::NONE).is_none() && self.open_generation().is_err()
    }
}

impl AccountState {
    /// The state that an account returns to when its integration has changed: a step that had failed runs once more.
    #[must_use]
    pub(super) fn run_again(self) -> Self {
        match self {
            Self::StepFailed { credential, .. } => Self::Connecting { credential },
            other => other,
        }
    }

    /// What its trouble shows as the last failure.
    pub(super) fn failure_seen(&self) -> Option<SeenFailure> {
        self.trouble().map(|trouble| SeenFailure { failure: trouble.failure.clone().without_body(), at: trouble.since })
    }
}
