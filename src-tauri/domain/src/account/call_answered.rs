//! What the answer to a call with the account's credential changes: a 401 becomes the account's trouble and its event.

use super::{
    Account, AccountState, CallOutcome, ConnectStep, Credential, Identity, Rejected, SeenFailure, TimelineEvent,
    Transition, Trouble,
};
use crate::{
    Timestamp,
    event::EventKind,
    failure::{Cause, Failure},
    schedule::Jitter,
};

impl Account {
    pub(super) fn call_answered(
        mut self,
        generation: u64,
        outcome: CallOutcome,
        now: Timestamp,
        jitter: Jitter,
    ) -> Result<Transition, Rejected> {
        if generation != self.state.credential().generation() {
            return Err(Rejected::Stale { got: generation });
        }
        self.state = self.state.checked(now);
        Ok(match outcome {
            CallOutcome::Accepted => self.accepted(now),
            CallOutcome::AcceptedAsAnother(identity) => self.accepted_as_another(&identity, now),
            CallOutcome::Inconclusive(failure) => {
                self.transition(vec![TimelineEvent::CheckInconclusive { failure }], vec![])
            }
            CallOutcome::Forbidden(said) => {
                let failure = Failure::new(Cause::Forbidden).status(403).said(&said);
                self.profile.last_forbidden_error = Some(SeenFailure { failure: failure.clone(), at: now });
                self.profile.updated_at = now;
                self.transition(vec![TimelineEvent::Forbidden { failure: Some(failure) }], vec![])
            }
            CallOutcome::Unauthorized { status, said } => {
                let credential = self.state.credential().clone();
                let cause = match &credential {
                    Credential::Renewing(_) => Cause::RejectedAfterRefresh,
                    Credential::Fixed(_) => Cause::Rejected,
                };
                let failure = Failure::new(cause).status(status).said(&said);
                let earlier = self.state.trouble().filter(|trouble| !trouble.announces_calls(now));
                let announced_at = earlier.and_then(|trouble| trouble.announced_at);
                let mut transition = self.fail(credential, failure, false, now, jitter, |failure, _| {
                    TimelineEvent::Unauthorized { failure }
                });
                if let (Some(_), AccountState::Failing { trouble, .. }) = (announced_at, &mut transition.account.state)
                {
                    trouble.announced_at = announced_at;
                    transition.events.clear();
                }
                transition
            }
        })
    }

    /// Somebody else's answer shows nothing about the person's sign-in, so it ends no trouble. It is announced once.
    fn accepted_as_another(mut self, identity: &Identity, now: Timestamp) -> Transition {
        let failure =
            Failure { provider_message: Some(identity.label.clone()), ..Failure::new(Cause::AnotherIdentity) };
        let timeline = vec![TimelineEvent::AnsweredAsAnother {
            identity: identity.label.clone(),
            instead_of: self.profile.identity.as_ref().map(|own| own.label.clone()),
        }];
        if self.profile.answers_as_another.as_ref().is_some_and(|seen| seen.failure == failure) {
            return self.transition(timeline, vec![]);
        }
        self.profile.answers_as_another = Some(SeenFailure { failure, at: now });
        self.profile.updated_at = now;
        self.transition(timeline, vec![EventKind::AccountUpdated])
    }

    /// Whether an accepted call of a program changes the account. It doesn't show whose credential it was: an account that
    /// answered as somebody else waits for a check.
    pub fn waits_for_accepted_call(&self) -> bool {
        let ends_trouble = match &self.state {
            AccountState::Failing { credential, trouble } => ends_by_accepted_call(credential, trouble),
            AccountState::StepFailed { step, .. } => *step == ConnectStep::Validation,
            AccountState::Connecting { .. }
            | AccountState::Working { .. }
            | AccountState::Moved { .. }
            | AccountState::Unusable { .. } => false,
        };
        self.profile.answers_as_another.is_none() && (ends_trouble || self.profile.last_forbidden_error.is_some())
    }

    /// An accepted call ends the trouble that a refused call began, and passes a failed validation. For a fixed credential
    /// it ends any trouble. It does not end the trouble of a failed refresh: the current access token may still be valid
    /// although it can't be renewed.
    fn accepted(mut self, now: Timestamp) -> Transition {
        let is_itself_again = self.profile.answers_as_another.take().is_some();
        let is_permitted_again = self.profile.last_forbidden_error.take().is_some();
        let (state, timeline, mut events) = match self.state {
            AccountState::Failing { credential, trouble } if ends_by_accepted_call(&credential, &trouble) => {
                self.profile.last_error = None;
                self.profile.updated_at = now;
                (
                    AccountState::Working { credential },
                    vec![TimelineEvent::Reactivated],
                    vec![EventKind::AccountReactivated],
                )
            }
            AccountState::StepFailed { step: ConnectStep::Validation, credential } => {
                self.profile.last_error = None;
                self.profile.updated_at = now;
                (AccountState::Working { credential }, vec![TimelineEvent::Activated], vec![EventKind::AccountActive])
            }
            other @ (AccountState::Connecting { .. }
            | AccountState::StepFailed { .. }
            | AccountState::Working { .. }
            | AccountState::Failing { .. }
            | AccountState::Moved { .. }
            | AccountState::Unusable { .. }) => (other, vec![TimelineEvent::Checked], vec![]),
        };
        if is_itself_again || is_permitted_again {
            self.profile.updated_at = now;
            // The event of a recovery has the whole account.
            if events.is_empty() {
                events.push(EventKind::AccountUpdated);
            }
        }
        self.state = state;
        self.transition(timeline, events)
    }
}

fn ends_by_accepted_call(credential: &Credential, trouble: &Trouble) -> bool {
    matches!(credential, Credential::Fixed(_)) || trouble.failure.cause == Cause::RejectedAfterRefresh
}
