//! Finishes what a crash or an update of Relink left open: at the start, or as soon as the keychain is available.
//!
//! If a crash interrupted a refresh, its old refresh token is tried at once, because many providers allow a grace
//! period.

use std::{sync::Arc, time::Duration};

use relink_domain::{
    AccountId,
    account::{AccountState, Attempt, Credential, Input, Renewing, Status},
    caller::Caller,
    failure::{Cause, Failure},
};

use crate::{
    accounts::Accounts,
    clock::Clock,
    error::{Error, Result},
    keychain::{Key, Keychain},
    provider::{Entry, Providers},
    schedule::RefreshSchedule,
    store::{
        Store, accounts,
        filter::{AccountOrder, Filter},
    },
    tasks::Tasks,
    unfinished::Unfinished,
};

/// How often an item is read again while an earlier write to it is still running.
const ITEM_POLL_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    pub(crate) providers: Providers,
    pub(crate) accounts: Accounts,
    pub(crate) schedule: Arc<RefreshSchedule>,
    pub(crate) unfinished: Unfinished,
}

/// Finishes what was left open. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct Recovery(Arc<Dependencies>);

impl Recovery {
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(uses))
    }

    /// Finishes what can be finished now and begins to wait for the rest.
    pub(crate) async fn start(&self) -> Result<()> {
        for account in self.0.store.read(accounts::unfinished).await? {
            self.finish_in_background(account.id());
        }
        // Subscribe before the first pass, so that no change is missed.
        let mut changes = self.0.providers.changes();
        self.follow_definitions().await?;
        let recovery = self.clone();
        self.0.tasks.spawn_until_stop(async move {
            loop {
                recovery.0.unfinished.take().into_iter().for_each(|id| recovery.finish_in_background(id));
                recovery.0.unfinished.added().await;
            }
        });
        let recovery = self.clone();
        self.0.tasks.spawn_until_stop(async move {
            while changes.changed().await.is_ok() {
                if let Err(error) = recovery.follow_definitions().await {
                    tracing::warn!(code = error.code(), "accounts could not follow their definition: {error}");
                }
            }
        });
        Ok(())
    }

    /// Finishes what is open on an account once the keychain is available, however long that takes.
    fn finish_in_background(&self, id: AccountId) {
        let recovery = self.clone();
        self.0.tasks.spawn_until_stop(async move {
            loop {
                recovery.0.keychain.opened().await;
                match recovery.finish(id).await {
                    Ok(()) => return,
                    // An earlier write of its item may still be running, although the keychain responds to other calls.
                    Err(Error::Keychain(error)) if error.is_passing() => tokio::time::sleep(ITEM_POLL_INTERVAL).await,
                    Err(error) => {
                        tracing::info!(account = %id, code = error.code(), "not finished: {error}");
                        return;
                    }
                }
            }
        });
    }

    async fn finish(&self, id: AccountId) -> Result<()> {
        let accounts = &self.0.accounts;
        let mut account = accounts.load(id).await?;
        if account.replacement.is_some() {
            let lock = accounts.lock_of(id);
            let _guard = lock.lock().await;
            let item = self.0.keychain.get(&Key::Account(id)).await?.unwrap_or_default();
            account = accounts.reconcile(accounts.load(id).await?, &item).await?;
        }
        // New credentials may be bound to addresses that have changed since. That is noted, not an error.
        accounts.refuse_if_moved(&account).await.or_else(|error| match error {
            Error::Provider { .. } => Ok(()),
            error => Err(error),
        })?;
        match account.state.credential() {
            // The refresher resumes it.
            Credential::Renewing(Renewing { attempt: Attempt::Refreshing { .. }, .. }) => {
                self.0.schedule.set(id, Some(self.0.clock.now()));
            }
            Credential::Renewing(Renewing { attempt: Attempt::Idle, .. }) | Credential::Fixed(_) => {}
        }
        Ok(())
    }

    /// Marks the accounts of integrations whose definition can't be loaded or whose addresses have changed, and restores
    /// those whose definition can be loaded or whose addresses are the old ones again.
    async fn follow_definitions(&self) -> Result<()> {
        for Entry { installed, provider } in self.0.providers.all() {
            // Before an account works again: it may have moved while its definition could not be used.
            if let Ok(provider) = &provider {
                self.0.accounts.follow_provider(provider).await?;
            }
            // If the definition can be used, only marked accounts matter: normally none.
            let statuses = match &provider {
                Ok(_) => vec![Status::ValidationError.as_str().to_owned()],
                Err(_) => Vec::new(),
            };
            let filter = Filter { environment_integration_id: Some(installed.id), statuses, ..Filter::default() };
            let accounts =
                self.0.store.read(move |c| accounts::list(c, &filter, AccountOrder::OLDEST_FIRST, None, None)).await?;
            for (account, _) in accounts {
                let is_marked = matches!(account.state, AccountState::Unusable { .. });
                let input = match &provider {
                    Err(error) if !is_marked => Input::IntegrationUnusable {
                        failure: Failure {
                            provider_message: Some(error.to_string()),
                            ..Failure::new(Cause::IntegrationUnusable)
                        },
                    },
                    Ok(_) if is_marked => Input::IntegrationUsable,
                    Ok(_) | Err(_) => continue,
                };
                match self.0.accounts.commit(&Caller::Internal, account.id(), input).await {
                    // The account was deleted or changed meanwhile, so there is nothing to do.
                    Ok(_) | Err(Error::NotFound { .. } | Error::Rejected(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
