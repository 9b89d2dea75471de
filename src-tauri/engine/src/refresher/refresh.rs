//! One refresh of one account, under the account's lock.
//!
//! The order of these steps is guaranteed (docs/reliability.md):
//! 1. The intent is committed, which shows that the disk accepts writes *before* the old token is used up.
//! 2. The exchange, in a task that neither its caller nor a stop cancels.
//! 3. A new refresh token is written to the keychain, with the intent's generation. Without a new one nothing is
//!    written. The access token stays in memory.
//! 4. One transaction: token lifetime, generation, status, the intent closed, events.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use relink_domain::{
    AccountId, Secret,
    account::{Account, AccountState, Attempt, Credential, DeferReason, Input, Rejected, Renewal, Renewing},
    caller::Caller,
    failure::{Cause, Failure},
    provider_text::KnownSecrets,
    schedule,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, watch};

use super::{
    Refresher,
    in_flight::{RefreshProgress, RefreshReason, Refreshed},
    keep::Exchanged,
    steps::{StepsEnded, no_steps},
};
use crate::{
    access_tokens::AccessToken,
    crash::CrashPoint,
    error::{Error, Result},
    hosts::Host,
    keychain::{Item, Key, KeychainError, KeychainState},
    oauth::Tokens,
    provider::{AccountValues, BoundProvider, Provider, REFRESH_TOKEN},
    random::jitter,
};

/// Seconds over which the refreshes that waited for a host's `Retry-After` are spread.
const REOPENING_SPREAD_SECS: i64 = 20;
/// The delay before retrying a refresh that the keychain refused although it is available.
const KEYCHAIN_RETRY_DELAY_SECS: i64 = 30;

/// An account's lock, which can be released during a wait.
pub(super) struct AccountLock {
    lock: Arc<tokio::sync::Mutex<()>>,
    guard: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl AccountLock {
    pub(super) async fn take(&mut self) {
        self.guard = Some(Arc::clone(&self.lock).lock_owned().await);
    }

    pub(super) fn release(&mut self) {
        self.guard = None;
    }
}

/// What decides when a refresh may begin.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) reason: RefreshReason,
    /// Notified when a caller begins to wait for the refresh.
    pub(super) urgent: Arc<Notify>,
}

/// What an exchange needs from the keychain.
#[derive(Debug)]
pub(super) struct RefreshCredentials {
    pub(super) item: Item,
    pub(super) client_secret: Option<Secret>,
    /// The integration's secret environment variables, which its steps can name.
    pub(super) variables: BTreeMap<String, Secret>,
}

/// A refresh that has a permit for its provider's host.
struct AdmittedRefresh<'a> {
    caller: &'a Caller,
    id: AccountId,
    reason: RefreshReason,
    host: Arc<Host>,
    permit: OwnedSemaphorePermit,
}

impl Refresher {
    pub(super) async fn refresh_account(
        &self,
        caller: &Caller,
        id: AccountId,
        Admission { reason, urgent }: &Admission,
        progress: &watch::Sender<RefreshProgress>,
    ) -> Result<Refreshed> {
        let reason = *reason;
        loop {
            // Boxed, because thousands of refreshes may wait for their hosts at a time: these futures use memory only
            // while they run.
            let host = match Box::pin(self.prepare(caller, id, reason)).await? {
                ControlFlow::Continue(host) => host,
                ControlFlow::Break(token) => return Ok(Refreshed::Unneeded(token)),
            };
            // Take the host permit before the account lock, so that a slow host cannot block the account.
            let tasks = &self.0.uses.tasks;
            let permit = match reason {
                RefreshReason::Due => tasks.unless_stopping(host.admit_due(urgent)).await?,
                RefreshReason::TokenNeeded | RefreshReason::Requested => tasks.unless_stopping(host.admit()).await?,
            };
            let permit = permit.ok_or(Error::Stopping)?;
            if reason == RefreshReason::Due
                && let Some(until) = host.closed_until(self.now())
            {
                self.0.uses.accounts.defer(caller, id, DeferReason::ProviderAsked).await?;
                self.0.uses.schedule.set(id, Some(jitter().within(until, REOPENING_SPREAD_SECS)));
                return Err(Error::Deferred);
            }
            let admitted = AdmittedRefresh { caller, id, reason, host, permit };
            match Box::pin(self.refresh_admitted(admitted, progress)).await? {
                ControlFlow::Break(refreshed) => return Ok(refreshed),
                ControlFlow::Continue(()) => {
                    tracing::debug!(account = %id, "its token endpoint is at another host now");
                }
            }
        }
    }

    /// The host to send the refresh to, or the token if no refresh is needed any more.
    async fn prepare(
        &self,
        caller: &Caller,
        id: AccountId,
        reason: RefreshReason,
    ) -> Result<ControlFlow<AccessToken, Arc<Host>>> {
        let accounts = &self.0.uses.accounts;
        if reason == RefreshReason::TokenNeeded {
            // The token may be missing because a call was refused with it. Whether another one helps is known when that is committed.
            self.0.uses.tokens.refusal_committed(id).await;
        }
        let account = accounts.load(id).await?;
        if let Credential::Fixed(_) = account.state.credential() {
            return Err(Rejected::NotRenewing.into());
        }
        if reason == RefreshReason::TokenNeeded && *caller != Caller::Person {
            self.refuse_by_final_failure(&account)?;
        }
        if reason == RefreshReason::Due
            && let Some(token) = self.refreshed_meanwhile(&account)
        {
            return Ok(ControlFlow::Break(token));
        }
        let provider = accounts.provider_for(&account).await?;
        if provider.definition.actions().refresh().is_some() {
            self.0.uses.tasks.unless_stopping(self.0.uses.runners.installed()).await?;
        }
        if reason == RefreshReason::Due && !provider.is_within_reach(&account.profile.context) {
            accounts.defer(caller, id, DeferReason::Offline).await?;
            return Err(Error::Deferred);
        }
        Ok(ControlFlow::Continue(self.0.uses.hosts.get(&provider, &account.profile.context)))
    }

    /// Refreshes, unless the account's token endpoint has moved to another host. What was read before the wait for the
    /// host is read again, because the account may have been reauthorized, or its integration or client changed.
    async fn refresh_admitted(
        &self,
        AdmittedRefresh { caller, id, reason, host, permit }: AdmittedRefresh<'_>,
        progress: &watch::Sender<RefreshProgress>,
    ) -> Result<ControlFlow<Refreshed>> {
        let accounts = &self.0.uses.accounts;
        let mut lock = AccountLock { lock: accounts.lock_of(id), guard: None };
        self.0.uses.tasks.unless_stopping(lock.take()).await?;

        if reason == RefreshReason::TokenNeeded
            && let Some(token) = self.fresh_in_memory(id)
        {
            return Ok(ControlFlow::Break(Refreshed::Unneeded(token)));
        }
        let account = accounts.load(id).await?;
        let provider = accounts.provider_for(&account).await?;
        if !Arc::ptr_eq(&self.0.uses.hosts.get(&provider, &account.profile.context), &host) {
            return Ok(ControlFlow::Continue(()));
        }
        let credentials = match self.credentials_for(&account, &provider).await {
            Ok(found) => found,
            Err(error) => {
                return self.without_credentials(caller, &account, &provider, error).await.map(ControlFlow::Break);
            }
        };
        let account = accounts.reconcile(account, &credentials.item).await?;
        // A replacement that was completed just now may be bound to other addresses.
        let provider = accounts.provider_for(&account).await?;
        let runner = self.step_runner(&provider)?;
        if runner.is_some() {
            self.restore_access_token(&account, &credentials.item);
            if reason == RefreshReason::TokenNeeded
                && let Some(token) = self.fresh_in_memory(id)
            {
                return Ok(ControlFlow::Break(Refreshed::Unneeded(token)));
            }
        }
        if reason == RefreshReason::Due
            && let Some(token) = self.refreshed_meanwhile(&account)
        {
            return Ok(ControlFlow::Break(Refreshed::Unneeded(token)));
        }
        let Credential::Renewing(renewing) = account.state.credential().clone() else {
            return Err(Rejected::NotRenewing.into());
        };
        let generation = match renewing.attempt {
            // This task holds the lock, so a crash left the refresh open before the keychain was written.
            Attempt::Refreshing { generation, .. } => {
                accounts.commit(caller, id, Input::ResumeRefresh).await?;
                generation
            }
            Attempt::Idle => accounts.commit(caller, id, Input::BeginRefresh).await?.account.open_generation()?,
        };
        CrashPoint::RefreshIntent.here(&credentials).await;
        let (exchanged, rotated) = match &runner {
            Some(runner) => {
                let ran = self.run_refresh_steps(&**runner, &provider, &renewing, &credentials, &account);
                let StepsEnded { tokens, rotated } = Box::pin(ran).await;
                (tokens, rotated)
            }
            None => (self.exchange(&provider, &renewing, &credentials, &account).await, None),
        };
        CrashPoint::RefreshAnswered.here(&exchanged).await;
        drop(permit);
        match exchanged {
            Ok(tokens) => {
                let (item, keeps_access) = (credentials.item, runner.is_some());
                let exchanged =
                    Exchanged { account: &account, provider: &provider, item, generation, tokens, keeps_access };
                let token = self.keep(caller, exchanged, progress, &mut lock).await?;
                tracing::info!(account = %id, ?reason, "refreshed");
                Ok(ControlFlow::Break(Refreshed::Anew(token)))
            }
            Err(failure) => {
                host.close_for(failure.retry_after_secs, self.now());
                if let Some(rotated) = rotated {
                    let secrets = (credentials.item, rotated);
                    Box::pin(self.keep_rotated(&account, &provider, secrets, generation, progress, &mut lock)).await?;
                }
                let refused = self.commit_failure(caller, id, &provider, generation, failure).await;
                if matches!(&refused, Err(Error::Provider { next_try: None, .. })) {
                    self.probe_remaining_token(&account, &provider).await;
                }
                refused.map(ControlFlow::Break)
            }
        }
    }

    /// The token in memory, if the account was refreshed or reauthorized meanwhile and its refresh is no longer due. A
    /// second refresh would only cost a rotation.
    pub(super) fn refreshed_meanwhile(&self, account: &Account) -> Option<AccessToken> {
        let (id, now) = (account.id(), self.now());
        let AccountState::Working { credential: Credential::Renewing(renewing) } = &account.state else { return None };
        let is_open = account.replacement.is_some() || renewing.attempt != Attempt::Idle || renewing.deferred.is_some();
        if is_open || schedule::may_be_due(renewing.lifetime, now) {
            return None;
        }
        let token = self.fresh_in_memory(id)?;
        if let Some(due) = account.due_by(now, jitter()) {
            self.0.uses.schedule.set_if_absent(id, due.at());
        }
        tracing::debug!(account = %id, "refreshed meanwhile");
        Some(token)
    }

    async fn credentials_for(
        &self,
        account: &Account,
        provider: &BoundProvider,
    ) -> Result<RefreshCredentials, KeychainError> {
        let providers = &self.0.uses.providers;
        let item = self.0.uses.keychain.get(&Key::Account(account.id())).await?.unwrap_or_default();
        let client_secret = providers.client_secret(provider).await?;
        let has_steps = provider.definition.actions().refresh().is_some();
        let variables = if has_steps { providers.variables(provider).await? } else { BTreeMap::new() };
        Ok(RefreshCredentials { item, client_secret, variables })
    }

    /// Handles a keychain that didn't return the credential. The refresh is deferred, except that a damaged or newer
    /// item is final.
    async fn without_credentials(
        &self,
        caller: &Caller,
        account: &Account,
        provider: &Provider,
        error: KeychainError,
    ) -> Result<Refreshed> {
        let (id, accounts) = (account.id(), &self.0.uses.accounts);
        let reason = match &error {
            KeychainError::Damaged { .. } | KeychainError::Newer { .. } => {
                let generation = match account.open_generation() {
                    Ok(open) => open,
                    Err(_) => accounts.commit(caller, id, Input::BeginRefresh).await?.account.open_generation()?,
                };
                let failure = Failure::new(Cause::CredentialDamaged);
                return self.commit_failure(caller, id, provider, generation, failure).await;
            }
            KeychainError::Absent { .. } => DeferReason::KeychainAbsent,
            KeychainError::Locked
            | KeychainError::Denied
            | KeychainError::Slow { .. }
            | KeychainError::TooLong
            | KeychainError::Other(_) => DeferReason::KeychainLocked,
        };
        accounts.defer(caller, id, reason).await?;
        // It refused only this item or this call, so no state change will announce that it works again.
        if *self.0.uses.keychain.state().borrow() == KeychainState::Available {
            self.0.uses.schedule.set(id, Some(self.now().plus_secs(KEYCHAIN_RETRY_DELAY_SECS)));
        }
        Err(error.into())
    }

    async fn exchange(
        &self,
        provider: &BoundProvider,
        renewing: &Renewing,
        RefreshCredentials { item, client_secret, .. }: &RefreshCredentials,
        account: &Account,
    ) -> Result<Tokens, Failure> {
        let client_secret = client_secret.clone();
        let outbound = &self.0.uses.outbound;
        let held = self.0.uses.tokens.get(account.id()).map(|held| held.token);
        let known = KnownSecrets::default().and(item.secrets.values()).and(&held).and(&client_secret);
        match renewing.by {
            Renewal::RefreshToken => {
                let token = item.secrets.get(REFRESH_TOKEN).ok_or(Failure::new(Cause::CredentialMissing))?;
                let values = AccountValues::of(&account.profile.context, &item.secrets);
                let endpoint = provider.refresh_endpoint(client_secret, &values)?.knowing(known);
                endpoint.refresh(outbound, token, provider.refresh_scopes(account), self.now()).await
            }
            Renewal::Action => Err(no_steps()),
            Renewal::ClientCredentials => {
                if item.secrets.is_empty() {
                    return Err(Failure::new(Cause::CredentialMissing));
                }
                let endpoint = provider.client_credentials_endpoint(item, &account.profile.context)?.knowing(known);
                endpoint.client_credentials(outbound, provider.client_credentials_scopes(account), self.now()).await
            }
        }
    }

    async fn commit_failure(
        &self,
        caller: &Caller,
        id: AccountId,
        provider: &Provider,
        generation: u64,
        failure: Failure,
    ) -> Result<Refreshed> {
        let input = Input::RefreshFailed { generation, failure };
        let step = self.0.uses.accounts.commit(caller, id, input).await?;
        match step.account.state.trouble().cloned() {
            Some(trouble) => Err(Error::provider(trouble.failure, provider.label(), trouble.next_try)),
            None => Err(Error::Stopping),
        }
    }
}
