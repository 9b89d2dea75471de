//! What the actions of onboarding have: the account's calls, and its context.

use relink_domain::{
    account::{Account, AccountChange, ContextValues, Input},
    caller::Caller,
    name,
};
use serde_json::{Map, Value};

use super::Onboarding;
use crate::{
    error::{Error, Result},
    provider::BoundProvider,
    step_runner::{StepCall, StepError, StepRunner},
    steps::{self, Action, Failed, Ran, StepHost},
};

/// How a step's values get into the context.
#[derive(Debug, Clone, Copy)]
pub(super) enum ContextTarget {
    /// As part of the connect steps, which end with an event.
    Steps { generation: u64 },
    /// As a change of its own.
    Change,
}

struct Host<'a> {
    onboarding: &'a Onboarding,
    runner: &'a dyn StepRunner,
    caller: &'a Caller,
    account: &'a Account,
    provider: &'a BoundProvider,
    target: ContextTarget,
}

impl Onboarding {
    /// Runs an action to its end, or to its first step that fails.
    pub(super) async fn run(
        &self,
        caller: &Caller,
        account: &Account,
        provider: &BoundProvider,
        (action, target): (&Action<'_>, ContextTarget),
    ) -> Result<Ran> {
        let runner = self.0.uses.runners.required()?;
        let host = Host { onboarding: self, runner: &*runner, caller, account, provider, target };
        Box::pin(steps::run(&*runner, &host, account, account.profile.context.clone(), action)).await
    }
}

impl StepHost for Host<'_> {
    async fn call(&self, _: &Map<String, Value>, call: StepCall<'_>) -> Result<Value, Failed> {
        Ok(self.runner.call(self.caller, self.account.id(), call).await?)
    }

    /// Without credentials.
    async fn put(&self, values: Map<String, Value>, context: &mut Map<String, Value>) -> Result<Value, Failed> {
        let Self { onboarding, account, provider, .. } = self;
        let values = onboarding.redaction_of(account, provider).await.context(values, provider);
        context.extend(ContextValues::of(values.clone()).values);
        name::check_context(context).map_err(|fault| StepError::new(fault.to_string()))?;
        if values.is_empty() {
            return Ok(Value::Object(values));
        }
        let input = match self.target {
            ContextTarget::Steps { generation } => Input::StepContext { generation, context: values.clone() },
            ContextTarget::Change => {
                Input::Change(Box::new(AccountChange { context: values.clone(), ..AccountChange::default() }))
            }
        };
        match onboarding.0.uses.accounts.commit(self.caller, account.id(), input).await {
            Ok(_) => Ok(Value::Object(values)),
            Err(error @ (Error::Rejected(_) | Error::NotFound { .. })) => Err(StepError::new(error.to_string()).into()),
            Err(error) => Err(Failed::Local(error)),
        }
    }

    async fn without_secrets(&self, text: &str) -> String {
        self.onboarding.redaction_of(self.account, self.provider).await.text(text)
    }
}
