//! What the answer to a call with the account's credential changes: a 401 becomes the account's trouble and its event.

use super::{
    Account, AccountState, CallOutcome, Credential, ForbiddenCall, Identity, Rejected, SeenFailure, TimelineEvent,
    Transition, Trouble, trouble::CALL_EVENTS_MILLIS,
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
            CallOutcome::Forbidden { said, missing_scopes, method } => {
                let failure = Failure { missing_scopes, ..Failure::new(Cause::Forbidden).status(403).said(&said) };
                let seen = SeenFailure { failure: failure.clone(), at: now };
                self.profile.last_forbidden_error = Some(ForbiddenCall { seen, method });
                self.profile.updated_at = now;
                self.transition(vec![TimelineEvent::Forbidden { failure: Some(failure) }], vec![])
            }
            // It is the steps' own call, or they show it: a step that is refused fails.
            CallOutcome::Unauthorized { .. } if matches!(self.state, AccountState::Connecting { .. }) => {
                self.transition(vec![], vec![])
            }
            CallOutcome::Unauthorized { status, said } => {
                let cause = match self.state.credential() {
                    Credential::Renewing(_) => Cause::RejectedAfterRefresh,
                    Credential::Fixed(_) => Cause::Rejected,
                };
                self.refused(Failure::new(cause).status(status).said(&said), now, jitter)
            }
        })
    }

    /// A refused call is announced at most once a minute, also if the account has recovered meanwhile. The status follows each
    /// refusal; if it is still the same when the minute is over, the event is sent then. The timeline says what the events say.
    fn refused(self, failure: Failure, now: Timestamp, jitter: Jitter) -> Transition {
        let is_recent = |at: &Timestamp| (0..CALL_EVENTS_MILLIS).contains(&now.millis_since(*at));
        let of_episode = self.state.trouble().and_then(|trouble| trouble.announced_at).filter(is_recent);
        let of_earlier = self.refusal_announced_at.filter(is_recent);
        let credential = self.state.credential().clone();
        let unauthorized = |failure, _: &Trouble| TimelineEvent::Unauthorized { failure };
        let mut transition = self.fail(credential, failure, false, now, jitter, unauthorized);
        match (&mut transition.account.state, of_episode, of_earlier) {
            (AccountState::Failing { trouble, .. }, Some(at), _) => {
                trouble.announced_at = Some(at);
                transition.events.clear();
            }
            (AccountState::Failing { trouble, .. }, None, Some(at)) => {
                trouble.announced_at = None;
                trouble.withheld_until = Some(at.plus_millis(CALL_EVENTS_MILLIS));
                transition.events.clear();
                transition.timeline.clear();
            }
            _ => transition.account.refusal_announced_at = Some(now),
        }
        transition
    }

    /// Until when the event of its trouble is withheld.
    pub fn withheld_until(&self) -> Option<Timestamp> {
        match &self.state {
            AccountState::Failing { trouble, .. } => trouble.withheld_until,
            AccountState::Connecting { .. }
            | AccountState::StepFailed { .. }
            | AccountState::Working { .. }
            | AccountState::Moved { .. }
            | AccountState::Unusable { .. } => None,
        }
    }

    pub(super) fn announce_withheld(mut self, now: Timestamp) -> Transition {
        let is_over = self.withheld_until().is_some_and(|until| until <= now);
        match &mut self.state {
            AccountState::Failing { trouble, .. } if is_over => {
                trouble.withheld_until = None;
                trouble.announced_at = Some(now);
                self.refusal_announced_at = Some(now);
                let timeline = vec![TimelineEvent::Unauthorized { failure: trouble.failure.clone() }];
                self.transition(timeline, vec![EventKind::AccountAuthenticationError])
            }
            _ => self.transition(vec![], vec![]),
        }
    }

    /// When it was last known that a further 401 changes nothing: the latest event, or the beginning of a trouble whose event is
    /// withheld.
    pub fn refusal_known_at(&self) -> Option<Timestamp> {
        let trouble = self.state.trouble()?;
        trouble.announced_at.or_else(|| trouble.withheld_until.and(self.refusal_announced_at))
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
        let is_forbidden = self.profile.answers_as_another.is_none() && self.profile.last_forbidden_error.is_some();
        is_forbidden || self.recovers_by_accepted_call()
    }

    /// Whether an accepted call of a program ends its trouble.
    pub fn recovers_by_accepted_call(&self) -> bool {
        let ends_trouble = match &self.state {
            AccountState::Failing { credential, trouble } => ends_by_accepted_call(credential, trouble),
            AccountState::Connecting { .. }
            | AccountState::StepFailed { .. }
            | AccountState::Working { .. }
            | AccountState::Moved { .. }
            | AccountState::Unusable { .. } => false,
        };
        self.profile.answers_as_another.is_none() && ends_trouble
    }

    /// An accepted call ends the trouble that a refused call began. For a fixed credential it ends any trouble. It does not end the trouble of a failed refresh: the current access token may still be valid
    /// although it can't be renewed.
    fn accepted(mut self, now: Timestamp) -> Transition {
        let is_itself_again = self.profile.answers_as_another.take().is_some();
        let is_permitted_again = self.profile.last_forbidden_error.take().is_some();
        let has_steps = self.onboarding.is_some();
        let (state, timeline, mut events) = match self.state {
            AccountState::Failing { credential, trouble }
                if has_steps && ends_by_accepted_call(&credential, &trouble) =>
            {
                self.profile.last_error = None;
                self.profile.updated_at = now;
                (
                    AccountState::Connecting { credential },
                    vec![TimelineEvent::StepsBegun],
                    vec![EventKind::AccountUpdated],
                )
            }
            AccountState::Failing { credential, trouble } if ends_by_accepted_call(&credential, &trouble) => {
                self.profile.last_error = None;
                self.profile.updated_at = now;
                // Nobody has heard of a trouble whose event was withheld.
                let is_announced = trouble.withheld_until.is_none();
                let (timeline, events) = if is_announced {
                    (vec![TimelineEvent::Reactivated], vec![EventKind::AccountReactivated])
                } else {
                    (vec![], vec![])
                };
                (AccountState::Working { credential }, timeline, events)
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

impl AccountState {
    /// Whether its trouble is that new tokens are refused: no refresh ends it, but an accepted call does.
    pub fn needs_accepted_call(&self) -> bool {
        matches!(self, Self::Failing { trouble, .. } if trouble.failure.cause == Cause::RejectedAfterRefresh)
    }
}

fn ends_by_accepted_call(credential: &Credential, trouble: &Trouble) -> bool {
    matches!(credential, Credential::Fixed(_)) || trouble.failure.cause == Cause::RejectedAfterRefresh
}
