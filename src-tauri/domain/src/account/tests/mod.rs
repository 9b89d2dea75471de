//! The state machine. A [`Story`] applies inputs to an account and collects its events.

mod calls;
mod clock;
mod moved;
mod onboarding;
mod properties;
mod refresh;
mod replacement;
mod timeline;
mod usability;

use serde_json::Map;

use super::*;
use crate::{
    LinkTokenId,
    failure::{Cause, Failure, ProviderError},
    schedule::{Jitter, TokenLifetime},
};

const T0: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn granted(by: Option<Renewal>, person: &str) -> Granted {
    let credential = match by {
        Some(by) => NewCredential::Renewing { by, lifetime: lifetime(T0) },
        None => NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None },
    };
    let identity = Some(Identity { id: person.into(), label: person.into() });
    Granted {
        credential,
        identity,
        scopes: vec![],
        requested_scopes: vec![],
        context: Map::new(),
        object_store_context_fields: vec![],
        origins: Origins::default(),
    }
}

fn replacement(by: Option<Renewal>, person: &str) -> Input {
    Input::BeginReplacement {
        granted: granted(by, person),
        link: Some(LinkTokenId::from_uuid(uuid::Uuid::nil())),
        first_step: None,
    }
}

fn unauthorized() -> CallOutcome {
    CallOutcome::Unauthorized { status: 401, said: ProviderError::default() }
}

fn forbidden() -> CallOutcome {
    CallOutcome::Forbidden {
        said: ProviderError::default(),
        missing_scopes: vec!["repo".into()],
        method: Some(ResourceMethod { resource: "issues".into(), method: "list".into() }),
    }
}

fn lifetime(at: Timestamp) -> TokenLifetime {
    TokenLifetime::new(at, Some(at.plus_secs(3600)))
}

fn profile() -> Profile {
    Profile {
        id: AccountId::from_uuid(uuid::Uuid::nil()),
        tenant_id: "acme-1".into(),
        environment_integration_id: EnvironmentIntegrationId::from_uuid(uuid::Uuid::nil()),
        integration: "sandbox".into(),
        name: "Acme".into(),
        is_sandbox: true,
        region: None,
        context: Map::new(),
        identity: None,
        scopes: vec![],
        requested_scopes: None,
        origins: Origins::default(),
        settings: crate::account::Settings::default(),
        last_error: None,
        answers_as_another: None,
        last_forbidden_error: None,
        created_at: T0,
        updated_at: T0,
    }
}

/// An account, the events that it has sent, and its timeline.
struct Story {
    account: Account,
    events: Vec<&'static str>,
    timeline: Vec<TimelineEvent>,
    now: Timestamp,
}

impl Story {
    fn connected(by: Option<Renewal>) -> Self {
        let step = Account::connect(profile(), &granted(by, "ada"), T0);
        let mut story = Self { account: step.account, events: vec!["created"], timeline: step.timeline, now: T0 };
        assert_eq!(step.events, [EventKind::AccountCreated]);
        story.apply(Input::StepsPassed);
        story
    }

    /// An account whose connect steps have just begun.
    fn connecting(by: Option<Renewal>) -> Self {
        let step = Account::connect(profile(), &granted(by, "ada"), T0);
        let mut story = Self { account: step.account, events: vec!["created"], timeline: step.timeline, now: T0 };
        story.apply(Input::BeginSteps { first: ConnectStep::PostInstall });
        story
    }

    /// The action that is next ends.
    fn ends(&mut self, outcome: ActionOutcome) -> &mut Self {
        let generation = self.account.onboarding.expect("steps are open").generation;
        self.apply(Input::ActionEnded { generation, run: None, outcome })
    }

    fn fails(&mut self) -> &mut Self {
        self.ends(ActionOutcome::Failed { error: "The workspace is gone.".into() })
    }

    fn passes(&mut self, then: Option<ConnectStep>) -> &mut Self {
        self.ends(ActionOutcome::Passed { then })
    }

    fn try_apply(&mut self, input: Input) -> Result<(), Rejected> {
        let step = self.account.clone().apply(input, self.now, Jitter::NONE)?;
        self.account = step.account;
        self.timeline.extend(step.timeline);
        self.events
            .extend(step.events.iter().map(|event| event.as_str().split(':').nth(1).expect("a name with a colon")));
        Ok(())
    }

    fn apply(&mut self, input: Input) -> &mut Self {
        self.try_apply(input).expect("the input fits the account");
        self
    }

    fn answered(&mut self, outcome: CallOutcome) -> &mut Self {
        let generation = self.account.state.credential().generation();
        self.apply(Input::CallAnswered { generation, outcome })
    }

    fn refresh_fails(&mut self, cause: Cause) -> &mut Self {
        let generation = self.account.next_generation();
        self.apply(Input::BeginRefresh).apply(Input::RefreshFailed { generation, failure: Failure::new(cause) })
    }

    fn refresh_succeeds(&mut self) -> &mut Self {
        let generation = self.account.next_generation();
        let lifetime = lifetime(self.now);
        self.apply(Input::BeginRefresh).apply(Input::Refreshed { generation, lifetime, rotated: true })
    }

    fn wait(&mut self, secs: i64) -> &mut Self {
        self.now = self.now.plus_secs(secs);
        self
    }

    fn cause(&self) -> Option<Cause> {
        self.account.state.trouble().map(|trouble| trouble.failure.cause)
    }
}
