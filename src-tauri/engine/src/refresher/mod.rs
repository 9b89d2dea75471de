//! Keeps credentials fresh: refreshes, limits per provider host, and checks whether an account works.
//!
//! Invariants:
//! - One refresh per account at a time, in a task that no caller cancels; callers join it ([`in_flight`]).
//! - Nothing is ever sent twice: no HTTP retry, no redirect.
//! - The host permit is taken before the account lock, so that a slow host cannot block an account.

mod check;
mod due;
mod in_flight;
mod keep;
mod prepare;
mod refresh;
mod remaining;
mod steps;

use std::sync::Arc;

use relink_domain::{
    AccountId, Timestamp,
    account::{Account, Credential, Fixed},
    caller::Caller,
    failure::{Cause, Failure},
    schedule::TokenLifetime,
};

pub use check::CheckReport;

use crate::{
    access_tokens::{AccessToken, AccessTokens},
    accounts::{AccountView, Accounts},
    clock::Clock,
    error::{Error, Result},
    hosts::Hosts,
    keychain::{Item, Keychain},
    outbound::Outbound,
    provider::{Providers, choose_secret},
    schedule::RefreshSchedule,
    step_runner::StepRunners,
    store::{Store, accounts},
    tasks::Tasks,
};
use in_flight::{InFlight, RefreshReason};

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) clock: Clock,
    pub(crate) outbound: Outbound,
    pub(crate) tasks: Tasks,
    pub(crate) providers: Providers,
    pub(crate) accounts: Accounts,
    pub(crate) tokens: AccessTokens,
    pub(crate) schedule: Arc<RefreshSchedule>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) runners: StepRunners,
}

/// Refreshes and checks accounts. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Refresher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    in_flight: InFlight,
}

impl Refresher {
    pub(crate) fn new(uses: Dependencies) -> Self {
        Self(Arc::new(Inner { uses, in_flight: InFlight::default() }))
    }

    /// Starts the loop that refreshes and checks due accounts.
    pub(crate) fn start(&self) {
        self.0.uses.tasks.spawn_until_stop(due::run(self.clone()));
    }

    /// The credential for a program's calls: a fresh access token, or the account's key.
    pub async fn access_token(&self, caller: &Caller, id: AccountId) -> Result<AccessToken> {
        self.0.uses.accounts.require(caller, id).await?;
        // A program may ask before each of its calls, so read neither the database nor the keychain here.
        if let Some(token) = self.fresh_in_memory(id).or_else(|| self.0.uses.tokens.fixed().get(id)) {
            self.record_use(id);
            return Ok(token);
        }
        let read = self.0.uses.tokens.fixed().begin(id);
        let account = self.0.uses.accounts.load(id).await?;
        self.0.uses.accounts.refuse_if_moved(&account).await?;
        let token = match account.state.credential() {
            Credential::Renewing(_) => {
                self.obey_retry_after(&account)?;
                self.refuse_by_final_failure(&account)?;
                self.fresh_token(caller, id).await?
            }
            Credential::Fixed(fixed) => {
                let item = self.item_of(caller, &account).await?;
                let token = self.secret_of(&account, fixed, item, None)?;
                // While new credentials are being written, the keychain item changes without a commit, so don't cache
                // it.
                if account.replacement.is_none() { read.keep(token) } else { token }
            }
        };
        self.record_use(id);
        Ok(token)
    }

    /// Whether this machine's network reaches the account's provider, as far as that is known without sending anything.
    pub async fn is_within_reach(&self, caller: &Caller, id: AccountId) -> Result<bool> {
        self.0.uses.accounts.require(caller, id).await?;
        let account = self.0.uses.accounts.load(id).await?;
        Ok(self.0.uses.providers.of(&account)?.is_within_reach(&account.profile.context))
    }

    /// One of the values of an account whose credential consists of several, by its field's name.
    pub async fn credential_field(&self, caller: &Caller, id: AccountId, field: &str) -> Result<AccessToken> {
        self.0.uses.accounts.require(caller, id).await?;
        let account = self.0.uses.accounts.load(id).await?;
        let Credential::Fixed(fixed) = account.state.credential() else {
            return Err(Error::not_found("credential field", field));
        };
        self.0.uses.accounts.refuse_if_moved(&account).await?;
        let item = self.item_of(caller, &account).await?;
        let token = self.secret_of(&account, fixed, item, Some(field))?;
        self.record_use(id);
        Ok(token)
    }

    fn secret_of(&self, account: &Account, fixed: &Fixed, item: Item, field: Option<&str>) -> Result<AccessToken> {
        let provider = self.0.uses.providers.of(account).ok();
        let fields = provider.as_ref().and_then(|provider| provider.definition.fields(account.method()));
        if item.secrets.is_empty() && fields.is_some_and(|fields| fields.iter().all(|field| !field.required)) {
            let message =
                "This account has no credential: its optional fields were left empty. Its calls are made without one.";
            return Err(Error::conflict("no_credential", message));
        }
        let chosen = choose_secret(item.secrets, provider.as_deref(), account.method(), field)?;
        let (name, secret) = chosen.ok_or_else(|| self.failure_of(account, Failure::new(Cause::CredentialMissing)))?;
        tracing::debug!(account = %account.id(), secret = name, "given to a caller");
        Ok(AccessToken::new(secret, TokenLifetime::new(account.profile.updated_at, fixed.expires_at)))
    }

    /// Refreshes on request. It is always attempted if the person requests it, and its failure is always reported.
    pub async fn refresh(&self, caller: &Caller, id: AccountId) -> Result<AccountView> {
        self.0.uses.accounts.require(caller, id).await?;
        if *caller != Caller::Person {
            self.refuse_by_final_failure(&self.0.uses.accounts.load(id).await?)?;
        }
        self.join_or_start_refresh(caller, id, RefreshReason::Requested).await?;
        if self.0.uses.accounts.load(id).await?.state.needs_accepted_call() {
            // A call decides whether the provider accepts what it issues. If none can be made, the next one of a program does.
            if let Err(error) = self.check(caller, id).await {
                tracing::debug!(account = %id, code = error.code(), "not checked after the refresh: {error}");
            }
        }
        self.0.uses.accounts.view_of(id).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.uses.clock.now()
    }

    /// The account's access token in memory, if it will outlive a call made now.
    fn fresh_in_memory(&self, account: AccountId) -> Option<AccessToken> {
        self.0.uses.tokens.get_fresh(account, self.now())
    }

    /// A fresh access token: the one in memory if it will outlive the call, else a new one.
    async fn fresh_token(&self, caller: &Caller, account: AccountId) -> Result<AccessToken> {
        match self.fresh_in_memory(account) {
            Some(token) => Ok(token),
            None => self.join_or_start_refresh(caller, account, RefreshReason::TokenNeeded).await,
        }
    }

    /// Fails while a `Retry-After` for the account or its provider's host is in force, so that a program that asks
    /// repeatedly can't flood the provider. A requested refresh ([`Refresher::refresh`]) is attempted anyway.
    fn obey_retry_after(&self, account: &Account) -> Result<()> {
        if self.fresh_in_memory(account.id()).is_some() {
            return Ok(());
        }
        let provider = self.0.uses.providers.of(account)?;
        let now = self.now();
        let of_account = account.asked_to_wait_until(now);
        let announced = account.state.trouble().filter(|trouble| trouble.failure.retry_after_secs.is_some());
        let of_host = self.0.uses.hosts.get(&provider, &account.profile.context).closed_until(now);
        let Some(until) = of_account.max(of_host) else { return Ok(()) };
        let wait = u32::try_from(until.millis_since(now).max(0) / 1000 + 1).unwrap_or(u32::MAX);
        let failure = announced.map_or(Failure::new(Cause::RateLimited), |trouble| trouble.failure.clone());
        Err(Error::provider(Failure { retry_after_secs: Some(wait), ..failure }, provider.label(), Some(until)))
    }

    /// Fails while the last refresh failed for a reason that only the person can change, so that programs that ask
    /// repeatedly cause neither requests nor events (contract section 6). A refresh in progress may still succeed.
    fn refuse_by_final_failure(&self, account: &Account) -> Result<()> {
        match account.state.trouble() {
            Some(trouble) if trouble.makes_programs_wait(self.now()) && account.open_generation().is_err() => {
                Err(self.failure_of(account, trouble.failure.clone()))
            }
            _ => Ok(()),
        }
    }

    /// The error for a failure of this account that isn't retried.
    fn failure_of(&self, account: &Account, failure: Failure) -> Error {
        let label = self.0.uses.accounts.installed_of(account).map(|installed| installed.label());
        Error::provider(failure, &label.unwrap_or_else(|_| account.profile.integration.clone()), None)
    }

    /// Records a use of the account, to the minute, in the background.
    fn record_use(&self, id: AccountId) {
        let now = self.now();
        if !self.0.uses.tokens.record_use(id, now) {
            return;
        }
        let store = self.0.uses.store.clone();
        self.0.uses.tasks.spawn(async move {
            if let Err(error) = store.write(move |tx| accounts::mark_used(tx, id, now)).await {
                tracing::warn!(account = %id, "its last use could not be recorded: {error}");
            }
        });
    }
}

#[cfg(test)]
mod answer_order_tests;
#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod fixed_tests;
#[cfg(test)]
mod lifetime_tests;
#[cfg(test)]
mod prepare_tests;
#[cfg(test)]
mod refused_tests;
#[cfg(test)]
mod response_tests;
#[cfg(test)]
mod steps_change_tests;
#[cfg(test)]
mod steps_failure_tests;
#[cfg(test)]
mod steps_script;
#[cfg(test)]
mod steps_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waiting_tests;
