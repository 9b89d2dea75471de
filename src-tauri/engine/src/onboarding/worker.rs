//! The worker: runs the steps of each account that is connecting, at the start and whenever one begins to.

use std::{sync::Arc, time::Duration};

use relink_domain::{
    AccountId,
    account::{Account, AccountState, ActionOutcome, ConnectStep, Input, Status},
    caller::Caller,
};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::{Onboarding, run::ContextTarget};
use crate::{
    crash::CrashPoint,
    error::{Error, Result},
    provider::BoundProvider,
    steps::{Action, Ran, is_truthy},
    store::{
        accounts,
        filter::{AccountOrder, Filter},
    },
};

/// Accounts whose steps run at the same time.
const MAX_RUNNING: usize = 8;
/// How long after an error of this machine's a run is tried again, and how often the network is looked at.
const RETRY_DELAY: Duration = Duration::from_secs(5);

impl Onboarding {
    /// Begins to run the steps of accounts, once somebody makes their requests.
    pub(crate) fn start(&self) {
        let onboarding = self.clone();
        self.0.uses.tasks.spawn_until_stop(async move {
            onboarding.0.uses.runners.installed().await;
            onboarding.add_left_open().await;
            let places = Arc::new(Semaphore::new(MAX_RUNNING));
            let connecting = &onboarding.0.uses.connecting;
            loop {
                connecting.take().into_iter().for_each(|id| onboarding.run_in_background(id, Arc::clone(&places)));
                connecting.added().await;
            }
        });
    }

    /// Adds the accounts whose steps an earlier process didn't end.
    async fn add_left_open(&self) {
        let statuses = vec![Status::Connecting.as_str().to_owned()];
        let filter = Filter { statuses, ..Filter::default() };
        loop {
            let filter = filter.clone();
            let list =
                move |c: &rusqlite::Connection| accounts::list(c, &filter, AccountOrder::OLDEST_FIRST, None, None);
            match self.0.uses.store.read(list).await {
                Ok(found) => return found.iter().for_each(|(account, _)| self.0.uses.connecting.add(account.id())),
                Err(error) => tracing::warn!("the accounts with open steps can't be read: {error}"),
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    fn run_in_background(&self, id: AccountId, places: Arc<Semaphore>) {
        let onboarding = self.clone();
        self.0.uses.tasks.spawn_until_stop(async move {
            let lock = onboarding.lock_of(id);
            let _guard = lock.lock().await;
            while let Err(error) = Box::pin(onboarding.run_steps(id, &places)).await {
                tracing::warn!(account = %id, code = error.code(), "its steps are run later: {error}");
                tokio::time::sleep(RETRY_DELAY).await;
            }
        });
    }

    /// Runs what is open of an account, until nothing is. An error is one of this machine's, which may pass.
    async fn run_steps(&self, id: AccountId, places: &Semaphore) -> Result<()> {
        let uses = &self.0.uses;
        loop {
            let Some((account, provider)) = self.open_account(id).await? else { return Ok(()) };
            let (Some(open), AccountState::Connecting { .. }) = (account.onboarding, &account.state) else {
                return Ok(());
            };
            uses.keychain.opened().await;
            if !provider.is_within_reach(&account.profile.context) {
                tokio::time::sleep(RETRY_DELAY).await;
                continue;
            }
            // The semaphore is never closed.
            let place = places.acquire().await.ok();
            let input = self.run_one(&account, &provider, (open.generation, open.next)).await?;
            drop(place);
            CrashPoint::StepsRan.here(&account.id()).await;
            match uses.accounts.commit(&Caller::Internal, id, input).await {
                // There was another sign-in, it needs its person, or it was deleted.
                Ok(_) | Err(Error::Rejected(_) | Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
            CrashPoint::StepsCommitted.here(&account.id()).await;
        }
    }

    /// The account, if its steps can run: it exists, and its provider is the one that it was connected with.
    async fn open_account(&self, id: AccountId) -> Result<Option<(Account, BoundProvider)>> {
        let accounts = &self.0.uses.accounts;
        let account = match accounts.load(id).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            loaded => loaded?,
        };
        if !matches!(account.state, AccountState::Connecting { .. }) {
            return Ok(None);
        }
        match accounts.provider_for(&account).await {
            Ok(provider) => Ok(Some((account, provider))),
            Err(error @ (Error::Store(_) | Error::Stopping)) => Err(error),
            // Its status says so from now on, and it is connecting again afterwards.
            Err(_) => Ok(None),
        }
    }

    /// Runs one action, and says what became of it.
    async fn run_one(
        &self,
        account: &Account,
        provider: &BoundProvider,
        (generation, next): (u64, ConnectStep),
    ) -> Result<Input> {
        let actions = provider.definition.actions();
        let then = match next {
            ConnectStep::PostInstall => actions.connect_step_from(ConnectStep::Validation),
            ConnectStep::Validation => None,
        };
        let passed = ActionOutcome::Passed { then };
        let Some(action) = actions.get(next.action()) else {
            return Ok(Input::ActionEnded { generation, run: None, outcome: passed });
        };
        CrashPoint::StepsBegin.here(&account.id()).await;
        let (query, target) = (Map::new(), ContextTarget::Steps { generation });
        let action = Action { name: next.action(), steps: &action.steps, query: &query, body: &Value::Null };
        let running = Box::pin(self.run(&Caller::Internal, account, provider, (&action, target)));
        let Ran { run, last, error } = running.await?;
        let mut run = self.redaction_of(account, provider).await.run(run);
        let outcome = match error {
            Some(error) => ActionOutcome::Failed { error: error.message },
            None if next == ConnectStep::Validation && !is_truthy(&last) => {
                run.success = false;
                let shown = if last.is_null() { "nothing".to_owned() } else { last.to_string() };
                ActionOutcome::Failed { error: format!("The check gave {shown}, which means no.") }
            }
            None => passed,
        };
        Ok(Input::ActionEnded { generation, run: Some(run), outcome })
    }
}
