//! The steps that an integration runs after each sign-in (contract sections 3 and 4.8): first its `post_install` action, then its
//! `validation`. The account is [`AccountState::Connecting`] meanwhile.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Account, AccountChange, AccountState, ConnectStep, Rejected, SeenFailure, TimelineEvent, Transition};
use crate::{
    Timestamp,
    event::EventKind,
    failure::{Cause, Failure},
};

/// The connect steps that are still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onboarding {
    /// Of the credentials that the steps began with. A result that carries another one belongs to an earlier sign-in.
    pub generation: u64,
    /// The action that runs next, or that failed.
    pub next: ConnectStep,
}

/// What an action did (contract section 4.8, `last_action_run_result`). It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRun {
    pub action: String,
    pub success: bool,
    /// Those that ran, in their order.
    pub steps: Vec<StepRun>,
}

/// What a step of an action did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRun {
    #[serde(rename = "type")]
    pub kind: String,
    pub success: bool,
    /// Left out if the step gave nothing, if it was skipped, or if it is too long to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionOutcome {
    /// The next action follows, or none.
    Passed { then: Option<ConnectStep> },
    /// With the message of the step that failed.
    Failed { error: String },
}

impl ConnectStep {
    /// The name of its action in a definition.
    pub const fn action(self) -> &'static str {
        match self {
            Self::PostInstall => "post_install",
            Self::Validation => "validation",
        }
    }

    const fn cause(self) -> Cause {
        match self {
            Self::PostInstall => Cause::PostInstallFailed,
            Self::Validation => Cause::ValidationFailed,
        }
    }

    const fn event(self) -> EventKind {
        match self {
            Self::PostInstall => EventKind::AccountPostInstallError,
            Self::Validation => EventKind::AccountValidationError,
        }
    }
}

impl Account {
    /// The steps begin: after a sign-in, or because somebody wants them run again. An account that needs its person can't run any.
    pub(super) fn begin_steps(mut self, first: ConnectStep, now: Timestamp) -> Result<Transition, Rejected> {
        let events = match &self.state {
            AccountState::Connecting { .. } if self.onboarding.is_none() => vec![],
            AccountState::Connecting { .. } => return Err(Rejected::StepsRunning),
            AccountState::StepFailed { .. } | AccountState::Working { .. } => vec![EventKind::AccountUpdated],
            AccountState::Failing { .. } | AccountState::Moved { .. } | AccountState::Unusable { .. } => {
                return Err(Rejected::NeedsPerson);
            }
        };
        let timeline = if events.is_empty() { vec![] } else { vec![TimelineEvent::StepsBegun] };
        let credential = self.state.credential().clone();
        self.onboarding = Some(Onboarding { generation: credential.generation(), next: first });
        self.state = AccountState::Connecting { credential };
        self.profile.last_error = None;
        self.profile.updated_at = now;
        Ok(self.transition(timeline, events))
    }

    /// What the steps are in, if this result is of them.
    fn open_steps(&self, generation: u64) -> Result<Onboarding, Rejected> {
        let AccountState::Connecting { .. } = &self.state else { return Err(Rejected::StepsDone) };
        let open = self.onboarding.filter(|open| open.generation == generation);
        open.ok_or(Rejected::Stale { got: generation })
    }

    /// A step put something into the context. Nobody is notified before the steps have ended.
    pub(super) fn step_context(
        mut self,
        generation: u64,
        context: Map<String, Value>,
        now: Timestamp,
    ) -> Result<Transition, Rejected> {
        self.open_steps(generation)?;
        self.profile = AccountChange { context, ..AccountChange::default() }.applied_to(self.profile);
        self.profile.updated_at = now;
        Ok(self.transition(vec![], vec![]))
    }

    pub(super) fn action_ended(
        mut self,
        generation: u64,
        run: Option<ActionRun>,
        outcome: ActionOutcome,
        now: Timestamp,
    ) -> Result<Transition, Rejected> {
        let open = self.open_steps(generation)?;
        if run.is_some() {
            self.last_action_run = run;
        }
        match outcome {
            ActionOutcome::Passed { then: Some(next) } => {
                self.onboarding = Some(Onboarding { next, ..open });
                self.profile.updated_at = now;
                Ok(self.transition(vec![], vec![]))
            }
            ActionOutcome::Passed { then: None } => self.steps_passed(now),
            ActionOutcome::Failed { error } => Ok(self.step_failed(open.next, error, now)),
        }
    }

    pub(super) fn steps_passed(mut self, now: Timestamp) -> Result<Transition, Rejected> {
        let (AccountState::Connecting { credential } | AccountState::StepFailed { credential, .. }) = &self.state
        else {
            // A late result must not hide the account's trouble.
            return Err(Rejected::StepsDone);
        };
        self.state = AccountState::Working { credential: credential.clone() };
        self.onboarding = None;
        self.profile.last_error = None;
        self.profile.updated_at = now;
        Ok(self.transition(vec![TimelineEvent::Activated], vec![EventKind::AccountActive]))
    }

    fn step_failed(mut self, step: ConnectStep, error: String, now: Timestamp) -> Transition {
        let failure = Failure { step_error: Some(error), ..Failure::new(step.cause()) };
        self.state = AccountState::StepFailed { step, credential: self.state.credential().clone() };
        self.profile.last_error = Some(SeenFailure { failure: failure.clone(), at: now });
        self.profile.updated_at = now;
        self.transition(vec![TimelineEvent::StepFailed { step, failure }], vec![step.event()])
    }
}
