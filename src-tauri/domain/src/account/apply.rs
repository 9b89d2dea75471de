//! The state machine's one function: [`Account::apply`].

use super::{
    Account, AccountState, Attempt, Credential, DeferReason, Input, Rejected, Renewal, Renewing, SeenFailure,
    TimelineEvent, Transition, Trouble,
};
use crate::{
    Timestamp,
    event::EventKind,
    failure::{Cause, Failure},
    schedule::{Jitter, TokenLifetime},
};

impl Account {
    /// Computes the next account. `jitter` spreads what falls due later.
    pub fn apply(self, input: Input, now: Timestamp, jitter: Jitter) -> Result<Transition, Rejected> {
        if matches!(input, Input::SubmitForm { .. }) && !self.state.is_active() {
            return Err(Rejected::NotActive);
        }
        if self.is_unusable() && !matches!(input, Input::IntegrationUnusable { .. } | Input::IntegrationUsable) {
            return self.apply_while_unusable(input, now, jitter);
        }
        if matches!(self.state, AccountState::Moved { .. })
            && !matches!(
                input,
                Input::FollowOrigins { .. }
                    | Input::Replaced { .. }
                    | Input::IntegrationUnusable { .. }
                    | Input::ClockSetBack { .. }
            )
        {
            return self.apply_while_moved(input, now, jitter);
        }
        match input {
            Input::StepsPassed => self.steps_passed(now),
            Input::BeginSteps { first } => self.begin_steps(first, now),
            Input::StepContext { generation, context } => self.step_context(generation, context, now),
            Input::ActionEnded { generation, run, outcome } => self.action_ended(generation, run, outcome, now),
            Input::BeginRefresh => self.begin_refresh(now),
            Input::ResumeRefresh => self.resume_refresh(),
            Input::Refreshed { generation, lifetime, rotated } => self.refreshed(generation, lifetime, rotated, now),
            Input::RefreshFailed { generation, failure } => self.refresh_failed(generation, failure, now, jitter),
            Input::Defer { why } => Ok(self.defer(why, now)),
            Input::CredentialGone { failure } => Ok(self.credential_gone(failure, now, jitter)),
            Input::CallAnswered { generation, outcome } => self.call_answered(generation, outcome, now, jitter),
            Input::BeginReplacement { granted, link, first_step } => self.begin_replacement(granted, link, first_step),
            Input::Replaced { generation } => self.replaced(generation, now),
            Input::ReplacementLost { generation } => self.replacement_lost(generation),
            Input::AnnounceWithheld => Ok(self.announce_withheld(now)),
            Input::Rename { name } => Ok(self.rename(name, now)),
            Input::IntegrationUnusable { failure } => Ok(self.integration_unusable(failure, now)),
            Input::IntegrationUsable => self.integration_usable(now),
            Input::ClockSetBack { millis } => Ok(self.clock_set_back(millis)),
            Input::FollowOrigins { current, accepted } => Ok(self.follow_origins(&current, &accepted, now, jitter)),
            Input::Change(change) => Ok(self.change(*change, now)),
            Input::MarkSandbox { is_sandbox } => Ok(self.mark_sandbox(is_sandbox, now)),
            Input::SubmitForm { context } => Ok(self.submit_form(context, now)),
        }
    }

    pub(super) fn transition(self, timeline: Vec<TimelineEvent>, events: Vec<EventKind>) -> Transition {
        Transition { account: self, timeline, events }
    }

    /// The credential whose open refresh has this generation.
    fn open_refresh(&self, generation: u64) -> Result<Renewing, Rejected> {
        match self.state.credential() {
            Credential::Renewing(renewing) => match renewing.attempt {
                Attempt::Refreshing { generation: open, .. } if open == generation => Ok(renewing.clone()),
                Attempt::Refreshing { .. } | Attempt::Idle => Err(Rejected::Stale { got: generation }),
            },
            Credential::Fixed(_) => Err(Rejected::Stale { got: generation }),
        }
    }

    fn begin_refresh(mut self, now: Timestamp) -> Result<Transition, Rejected> {
        if self.replacement.is_some() {
            return Err(Rejected::BeingReplaced);
        }
        let generation = self.next_generation();
        let credential = match self.state.credential().clone() {
            Credential::Fixed(_) => return Err(Rejected::NotRenewing),
            Credential::Renewing(Renewing { attempt: Attempt::Refreshing { .. }, .. }) => {
                return Err(Rejected::UnderWay);
            }
            Credential::Renewing(renewing) => Credential::Renewing(Renewing {
                attempt: Attempt::Refreshing { generation, since: now },
                deferred: None,
                ..renewing
            }),
        };
        self.state = self.state.with(credential);
        Ok(self.transition(vec![], vec![]))
    }

    fn resume_refresh(mut self) -> Result<Transition, Rejected> {
        let credential = match self.state.credential().clone() {
            Credential::Fixed(_) => return Err(Rejected::NotRenewing),
            Credential::Renewing(renewing) => match renewing.attempt {
                Attempt::Idle => {
                    return Err(Rejected::Stale { got: renewing.generation });
                }
                Attempt::Refreshing { .. } => Credential::Renewing(Renewing { answer_lost: true, ..renewing }),
            },
        };
        self.state = self.state.with(credential);
        Ok(self.transition(vec![TimelineEvent::Resumed], vec![]))
    }

    fn refreshed(
        mut self,
        generation: u64,
        lifetime: TokenLifetime,
        rotated: bool,
        now: Timestamp,
    ) -> Result<Transition, Rejected> {
        let renewing = self.open_refresh(generation)?;
        let credential = Credential::Renewing(Renewing {
            generation,
            lifetime,
            attempt: Attempt::Idle,
            answer_lost: false,
            deferred: None,
            ..renewing
        });
        let mut timeline = vec![TimelineEvent::Refreshed { expires_at: lifetime.expires_at, rotated }];
        // A call had put it into this state, so only an accepted call ends it (contract section 6): that the provider issues
        // tokens was never in doubt, but whether it accepts them. A refresh that reactivated the account would be followed by
        // the next refusal, and both announced, for as long as programs call.
        if self.state.needs_accepted_call() {
            self.state = self.state.with(credential);
            self.profile.updated_at = now;
            return Ok(self.transition(timeline, vec![]));
        }
        let mut events = vec![];
        self.state = match self.state {
            AccountState::Failing { .. } if self.onboarding.is_some() => {
                timeline.push(TimelineEvent::StepsBegun);
                events.push(EventKind::AccountUpdated);
                AccountState::Connecting { credential }
            }
            AccountState::Failing { .. } => {
                timeline.push(TimelineEvent::Reactivated);
                events.push(EventKind::AccountReactivated);
                AccountState::Working { credential }
            }
            other @ (AccountState::Connecting { .. }
            | AccountState::StepFailed { .. }
            | AccountState::Working { .. }
            | AccountState::Moved { .. }
            | AccountState::Unusable { .. }) => other.with(credential),
        };
        // What a step failed of stays.
        if !matches!(self.state, AccountState::StepFailed { .. }) {
            self.profile.last_error = None;
        }
        self.profile.updated_at = now;
        Ok(self.transition(timeline, events))
    }

    fn refresh_failed(
        self,
        generation: u64,
        mut failure: Failure,
        now: Timestamp,
        jitter: Jitter,
    ) -> Result<Transition, Rejected> {
        let renewing = self.open_refresh(generation)?;
        match (failure.cause, renewing.by) {
            (Cause::InvalidGrant | Cause::RefusedByProvider, _) if renewing.answer_lost => {
                failure.cause = Cause::LostResponse;
            }
            // The client is this account's own: nothing is wrong with the integration.
            (Cause::InvalidClient | Cause::UnauthorizedClient, Renewal::ClientCredentials) => {
                failure.cause = Cause::ClientRefused;
            }
            _ => {}
        }
        let at_once = failure.cause.is_ambiguous() && !renewing.answer_lost;
        let answer_lost = renewing.answer_lost || failure.is_ambiguous();
        let credential =
            Credential::Renewing(Renewing { attempt: Attempt::Idle, answer_lost, deferred: None, ..renewing });
        Ok(self.fail(credential, failure, at_once, now, jitter, |failure, trouble| TimelineEvent::RefreshFailed {
            failure,
            next_try: trouble.next_try,
        }))
    }

    /// Begins an episode of trouble or adds a failure to it. Each failure sends the event, whatever its cause.
    pub(super) fn fail(
        mut self,
        credential: Credential,
        failure: Failure,
        at_once: bool,
        now: Timestamp,
        jitter: Jitter,
        timeline_event: impl FnOnce(Failure, &Trouble) -> TimelineEvent,
    ) -> Transition {
        let mut trouble = match self.state {
            AccountState::Failing { trouble, .. } => trouble.failed_again(failure.clone(), at_once, now, jitter),
            AccountState::Connecting { .. }
            | AccountState::StepFailed { .. }
            | AccountState::Working { .. }
            | AccountState::Moved { .. }
            | AccountState::Unusable { .. } => Trouble::begin(failure.clone(), at_once, now, jitter),
        };
        trouble.announced_at = Some(now);
        let failure = failure.without_body();
        let timeline = vec![timeline_event(failure.clone(), &trouble)];
        self.state = AccountState::Failing { credential, trouble };
        self.profile.last_error = Some(SeenFailure { failure, at: now });
        self.profile.updated_at = now;
        self.transition(timeline, vec![EventKind::AccountAuthenticationError])
    }

    /// Only the first reason of a wait enters the timeline.
    fn defer(mut self, why: DeferReason, now: Timestamp) -> Transition {
        let Credential::Renewing(renewing) = self.state.credential().clone() else {
            return self.transition(vec![], vec![]);
        };
        let is_noted = renewing.deferred.is_some();
        self.state = match self.state.with(Credential::Renewing(Renewing { deferred: Some(why), ..renewing })) {
            AccountState::Failing { credential, trouble } => {
                let trouble = match why {
                    DeferReason::Offline => trouble.went_offline(now),
                    DeferReason::JustWoken => trouble.was_asleep(),
                    DeferReason::KeychainLocked | DeferReason::KeychainAbsent | DeferReason::ProviderAsked => trouble,
                };
                AccountState::Failing { credential, trouble }
            }
            other @ (AccountState::Connecting { .. }
            | AccountState::StepFailed { .. }
            | AccountState::Working { .. }
            | AccountState::Moved { .. }
            | AccountState::Unusable { .. }) => other,
        };
        self.transition(if is_noted { vec![] } else { vec![TimelineEvent::Deferred { why }] }, vec![])
    }

    /// Finding the same again changes nothing.
    fn credential_gone(self, failure: Failure, now: Timestamp, jitter: Jitter) -> Transition {
        if self.state.trouble().is_some_and(|trouble| trouble.failure.cause == failure.cause) {
            return self.transition(vec![], vec![]);
        }
        let credential = self.state.credential().clone();
        self.fail(credential, failure, false, now, jitter, |failure, _| TimelineEvent::CredentialGone { failure })
    }

    fn rename(mut self, name: String, now: Timestamp) -> Transition {
        self.profile.name.clone_from(&name);
        self.profile.updated_at = now;
        self.transition(vec![TimelineEvent::Renamed { name }], vec![EventKind::AccountUpdated])
    }
}
