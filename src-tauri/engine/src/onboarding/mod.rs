//! The steps that an integration runs after a sign-in: its actions `post_install` and `validation` (contract section 4.8).
//!
//! The account is the state machine: it is `connecting`, and says which action is next, until the last one has passed or one has
//! failed. It is committed with the sign-in, so a crash strands nothing: at the next start the worker goes on with that action.
//!
//! Invariants:
//! - At most one run of an account at a time. What a run gives carries the generation of the sign-in that it began with, and is refused
//!   after another sign-in.
//! - An action that was interrupted begins anew, so its requests may be made twice. One that has ended doesn't run again by itself.
//! - Nothing that a step gives is stored before the account's secrets were removed from it ([`redaction`]).

mod action;
mod form;
mod redaction;
mod run;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use relink_domain::{
    AccountId,
    account::{Account, AccountState, Input},
    caller::Caller,
};
use serde_json::{Map, Value};

use crate::{
    access_tokens::AccessTokens,
    accounts::Accounts,
    error::{Error, Result},
    form_runner::{FormRunner, InstalledFormRunner},
    keychain::Keychain,
    provider::Providers,
    step_runner::{StepRunner, StepRunners},
    store::Store,
    sync::lock,
    tasks::Tasks,
    unfinished::Unfinished,
};

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) tasks: Tasks,
    pub(crate) providers: Providers,
    pub(crate) accounts: Accounts,
    pub(crate) tokens: AccessTokens,
    /// The accounts whose steps are to run.
    pub(crate) connecting: Unfinished,
    pub(crate) runners: StepRunners,
}

/// Runs the steps of accounts, and actions that programs ask for. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Onboarding(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    form_runner: InstalledFormRunner,
    /// One lock per account whose steps run.
    locks: Mutex<HashMap<AccountId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Onboarding {
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(Inner { uses, form_runner: InstalledFormRunner::default(), locks: Mutex::default() }))
    }

    /// Sets who makes the steps' requests. The worker waits for it. Its owner keeps it alive.
    pub fn set_runner(&self, _caller: &Caller, runner: &Arc<dyn StepRunner>) {
        self.0.uses.runners.install(runner);
    }

    /// Sets who lists the options of forms and validates them. Its owner keeps it alive.
    pub fn set_form_runner(&self, _caller: &Caller, runner: &Arc<dyn FormRunner>) {
        self.0.form_runner.install(runner);
    }

    /// Runs both actions again and waits for their end (contract section 3, `run-post-install-actions`). Steps that already run are
    /// waited for.
    pub async fn run_again(&self, caller: &Caller, id: AccountId) -> Result<Account> {
        self.begin_again(caller, id).await?;
        let account = self.wait(id).await?;
        match self.error_of(&account) {
            None => Ok(account),
            Some(error) => Err(error),
        }
    }

    /// Begins to run both actions again. Nobody waits for their end.
    pub async fn begin_again(&self, caller: &Caller, id: AccountId) -> Result<()> {
        let accounts = &self.0.uses.accounts;
        accounts.require(caller, id).await?;
        let account = accounts.load(id).await?;
        let provider = accounts.provider_for(&account).await?;
        let input = match (provider.definition.actions().first_connect_step(), &account.state) {
            (_, AccountState::Connecting { .. }) => return Ok(()),
            (Some(first), _) => Input::BeginSteps { first },
            (None, AccountState::StepFailed { .. }) => Input::StepsPassed,
            (None, _) => return Ok(()),
        };
        match accounts.commit(caller, id, input).await {
            Ok(_) | Err(Error::Rejected(relink_domain::account::Rejected::StepsRunning)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The account, once no step of it runs.
    pub(crate) async fn wait(&self, id: AccountId) -> Result<Account> {
        // Subscribe before the first look, so that no change is missed.
        let mut changes = self.0.uses.store.changes();
        loop {
            let account = self.0.uses.accounts.load(id).await?;
            if !matches!(account.state, AccountState::Connecting { .. }) {
                return Ok(account);
            }
            self.0.uses.tasks.unless_stopping(changes.next()).await?.ok_or(Error::Stopping)?;
        }
    }

    /// Runs an action that a program names (contract section 4.8). The result of its last step.
    pub async fn run_action(
        &self,
        caller: &Caller,
        id: AccountId,
        name: &str,
        (query, body): (Map<String, Value>, Value),
    ) -> Result<Value> {
        Box::pin(self.run_named(caller, id, name, (&query, &body))).await
    }

    /// Why an account isn't active after its steps.
    pub(crate) fn error_of(&self, account: &Account) -> Option<Error> {
        let seen = account.profile.last_error.as_ref()?;
        let label = self.label_of(account);
        Some(match &account.state {
            AccountState::Working { .. } => return None,
            AccountState::StepFailed { step, .. } => {
                let words = account.explain(seen, &label);
                Error::Step {
                    code: seen.failure.cause.code(),
                    title: words.title,
                    message: words.message,
                    hint: words.hint,
                    failed: Some(*step),
                    status: None,
                }
            }
            _ => Error::provider(seen.failure.clone(), &label, None),
        })
    }

    fn label_of(&self, account: &Account) -> String {
        let provider = self.0.uses.providers.get(account.profile.environment_integration_id);
        provider.map_or_else(|_| account.profile.integration.clone(), |provider| provider.label().to_owned())
    }

    fn lock_of(&self, id: AccountId) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = lock(&self.0.locks);
        locks.retain(|_, held| Arc::strong_count(held) > 1);
        Arc::clone(locks.entry(id).or_default())
    }
}
