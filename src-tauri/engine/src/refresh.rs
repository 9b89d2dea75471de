//! One refresh, for one account, under its own lock.
//!
//! The order is the promise (docs/reliability.md):
//! 1. The intent is committed: the disk is known to take writes *before* the old token is spent.
//! 2. The exchange, in a task that neither its caller nor a stop cancels. Nothing is ever sent twice.
//! 3. What must last and has changed goes into the keychain, carrying the intent's generation. Nothing changed: nothing is
//!    written. The access token stays in memory.
//! 4. One transaction: lease, generation, status, intent closed, events.
//!
//! However many ask, there is one flight per account.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use relink_domain::{
    AccountId, Secret,
    account::{Account, Attempt, Credential, Input, PutOffReason, Rejected, Renewal, Renewing, Step},
    failure::{Cause, Failure},
    schedule,
};
use tokio::sync::{Semaphore, watch};

use crate::{
    Engine, Error,
    crash::CrashPoint,
    engine::{AccessToken, held, jitter},
    error::Result,
    network,
    oauth::Tokens,
    provider::Provider,
    store::accounts,
    vault::{Item, Key, VaultError, VaultState},
};

/// Why a refresh begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its time has come. It may be put off.
    Due,
    /// Somebody asked. It is always tried.
    Asked,
}

/// The refreshes under way.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    under_way: Mutex<HashMap<AccountId, watch::Receiver<Option<Result<AccessToken>>>>>,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// Refreshes at a time per provider host.
const PER_HOST: usize = 4;

/// How often a keychain that doesn't take a new refresh token is tried again.
const KEEP_AGAIN: Duration = Duration::from_secs(5);

impl Engine {
    /// A fresh access token: the one at hand if it will outlive the call, else a new one.
    pub(crate) async fn fresh_token(&self, account: AccountId) -> Result<AccessToken> {
        match self.fresh_at_hand(account) {
            Some(token) => Ok(token),
            None => self.fly(account, Reason::Asked, true).await,
        }
    }

    fn fresh_at_hand(&self, account: AccountId) -> Option<AccessToken> {
        self.held_token(account).filter(|held| schedule::is_fresh(held.lease, self.now()))
    }

    /// Joins the refresh under way, or begins one. `unless_fresh`: a token that has just become fresh will do.
    pub(crate) async fn fly(&self, account: AccountId, reason: Reason, unless_fresh: bool) -> Result<AccessToken> {
        let mut flight = {
            let mut under_way = held(&self.0.flights.under_way);
            if let Some(flight) = under_way.get(&account) {
                flight.clone()
            } else {
                // A flight puts its token in place before it leaves the map, so nobody can miss both.
                if unless_fresh && let Some(token) = self.fresh_at_hand(account) {
                    return Ok(token);
                }
                if self.0.stopping.is_cancelled() {
                    return Err(Error::Stopping);
                }
                let (landed, flight) = watch::channel(None);
                under_way.insert(account, flight.clone());
                let engine = self.clone();
                self.0.tasks.spawn(async move {
                    let outcome = engine.refresh_under_lock(account, reason, &landed).await;
                    held(&engine.0.flights.under_way).remove(&account);
                    landed.send_replace(Some(outcome));
                });
                flight
            }
        };
        let outcome = flight.wait_for(Option::is_some).await.map_err(|_| Error::Stopping)?;
        outcome.clone().unwrap_or(Err(Error::Stopping))
    }

    async fn refresh_under_lock(
        &self,
        id: AccountId,
        reason: Reason,
        landed: &watch::Sender<Option<Result<AccessToken>>>,
    ) -> Result<AccessToken> {
        let lock = self.lock_of(id);
        let _guard = lock.lock().await;
        let outcome = self.refresh_account(id, reason, landed).await;
        match &outcome {
            Ok(_) => tracing::info!(account = %id, ?reason, "refreshed"),
            Err(error) => tracing::info!(account = %id, ?reason, code = error.code(), "not refreshed: {error}"),
        }
        outcome
    }

    async fn refresh_account(
        &self,
        id: AccountId,
        reason: Reason,
        landed: &watch::Sender<Option<Result<AccessToken>>>,
    ) -> Result<AccessToken> {
        let account = self.load(id).await?;
        let provider = self.provider(account.profile.environment_integration_id).await?;
        if reason == Reason::Due && provider.needs_network() && !network::is_online() {
            self.put_off(id, PutOffReason::Offline).await?;
            return Err(Error::provider(Failure::new(Cause::Unreachable), provider.label(), None));
        }
        let permit = self.host_permit(&provider).await?;
        let (item, client_secret) = match self.credentials_for(&account, &provider).await {
            Ok(found) => found,
            Err(error) => return self.without_credentials(&account, &provider, error).await,
        };
        let account = self.settle(account, &item).await?;
        let Credential::Renewing(renewing) = account.life.credential().clone() else {
            return Err(Rejected::NotRenewing.into());
        };
        let generation = match renewing.attempt {
            // Nobody else holds the lock: a crash left it open, before the keychain was written.
            Attempt::Refreshing { generation, .. } => {
                self.commit(id, Input::ResumeRefresh).await?;
                generation
            }
            Attempt::Idle => open_generation(&self.commit(id, Input::BeginRefresh).await?.account)?,
        };
        CrashPoint::RefreshIntent.here().await;
        let exchanged = self.exchange(&provider, &renewing, &item, client_secret, &account).await;
        CrashPoint::RefreshAnswered.here().await;
        drop(permit);
        match exchanged {
            Ok(tokens) => self.keep(&account, &provider, item, generation, tokens, landed).await,
            Err(failure) => self.failed(id, &provider, generation, failure).await,
        }
    }

    async fn host_permit(&self, provider: &Provider) -> Result<tokio::sync::OwnedSemaphorePermit> {
        let host = {
            let mut hosts = held(&self.0.flights.hosts);
            Arc::clone(hosts.entry(provider.token_host()).or_insert_with(|| Arc::new(Semaphore::new(PER_HOST))))
        };
        host.acquire_owned().await.map_err(|_| Error::Stopping)
    }

    /// What the exchange needs out of the keychain.
    async fn credentials_for(
        &self,
        account: &Account,
        provider: &Provider,
    ) -> Result<(Item, Option<Secret>), VaultError> {
        let item = self.0.vault.get(&Key::Account(account.id())).await?.unwrap_or_default();
        Ok((item, self.client_secret(provider).await?))
    }

    /// The keychain gave nothing out: a refresh that can't be tried is put off; an item that can't be read is final.
    async fn without_credentials(
        &self,
        account: &Account,
        provider: &Provider,
        error: VaultError,
    ) -> Result<AccessToken> {
        let why = match &error {
            VaultError::Damaged { .. } | VaultError::Newer { .. } => {
                let generation = match open_generation(account) {
                    Ok(open) => open,
                    Err(_) => open_generation(&self.commit(account.id(), Input::BeginRefresh).await?.account)?,
                };
                let failure = Failure::new(Cause::CredentialDamaged);
                return self.failed(account.id(), provider, generation, failure).await;
            }
            VaultError::Absent { .. } => PutOffReason::KeychainAbsent,
            VaultError::Locked
            | VaultError::Denied
            | VaultError::Slow { .. }
            | VaultError::TooLong
            | VaultError::Other(_) => PutOffReason::KeychainLocked,
        };
        self.put_off(account.id(), why).await?;
        Err(error.into())
    }

    async fn exchange(
        &self,
        provider: &Provider,
        renewing: &Renewing,
        item: &Item,
        client_secret: Option<Secret>,
        account: &Account,
    ) -> Result<Tokens, Failure> {
        let outbound = &self.0.outbound;
        match renewing.by {
            Renewal::RefreshToken => {
                let token = item.secrets.get(REFRESH_TOKEN).ok_or(Failure::new(Cause::CredentialMissing))?;
                let endpoint = provider.refresh_endpoint(client_secret)?;
                endpoint.refresh(outbound, token, provider.refresh_scopes(account), self.now()).await
            }
            Renewal::ClientCredentials => {
                if item.secrets.is_empty() {
                    return Err(Failure::new(Cause::CredentialMissing));
                }
                let endpoint = provider.client_credentials_endpoint(item, &account.profile.context)?;
                endpoint.client_credentials(outbound, account.profile.scopes.clone(), self.now()).await
            }
        }
    }

    /// Steps 3 and 4.
    async fn keep(
        &self,
        account: &Account,
        provider: &Provider,
        mut item: Item,
        generation: u64,
        tokens: Tokens,
        landed: &watch::Sender<Option<Result<AccessToken>>>,
    ) -> Result<AccessToken> {
        let id = account.id();
        let token = AccessToken { token: tokens.access, lease: tokens.lease };
        let rotated = tokens.refresh.filter(|new| item.secrets.get(REFRESH_TOKEN) != Some(new));
        let is_rotated = rotated.is_some();
        if let Some(refresh) = rotated {
            item.generation = generation;
            item.secrets.insert(REFRESH_TOKEN.into(), refresh);
            item.note_lease(tokens.lease);
            self.keep_until_kept(account, provider, &item, &token, landed).await?;
        }
        CrashPoint::RefreshKept.here().await;
        // The token is at hand before the flight is over and before anybody is told.
        self.hold_token(id, token.clone());
        self.commit(id, Input::Refreshed { generation, lease: token.lease, rotated: is_rotated }).await?;
        CrashPoint::RefreshCommitted.here().await;
        Ok(token)
    }

    /// The old refresh token may be spent: the new one is put into the keychain however long that takes. Meanwhile the
    /// callers get the access token, which works.
    async fn keep_until_kept(
        &self,
        account: &Account,
        provider: &Provider,
        item: &Item,
        token: &AccessToken,
        landed: &watch::Sender<Option<Result<AccessToken>>>,
    ) -> Result<()> {
        let label = provider.item_label(&account.profile.name);
        let mut told = false;
        while let Err(error) = self.0.vault.set(&Key::Account(account.id()), &label, item).await {
            tracing::warn!(account = %account.id(), code = error.code(), "a new refresh token waits for the keychain: {error}");
            if !told {
                told = true;
                self.hold_token(account.id(), token.clone());
                landed.send_replace(Some(Ok(token.clone())));
            }
            let mut state = self.0.vault.state();
            tokio::select! {
                () = tokio::time::sleep(KEEP_AGAIN) => {}
                _ = state.wait_for(|state| *state == VaultState::Available), if *self.0.vault.state().borrow() != VaultState::Available => {}
            }
        }
        Ok(())
    }

    async fn failed(
        &self,
        id: AccountId,
        provider: &Provider,
        generation: u64,
        failure: Failure,
    ) -> Result<AccessToken> {
        let step = self.commit(id, Input::RefreshFailed { generation, failure }).await?;
        let trouble = step.account.life.trouble().cloned();
        match trouble {
            Some(trouble) => Err(Error::provider(trouble.failure, provider.label(), trouble.next_try)),
            None => Err(Error::Stopping),
        }
    }

    /// A refresh that is due waits; the agenda takes it up again when its reason is gone.
    pub(crate) async fn put_off(&self, id: AccountId, why: PutOffReason) -> Result<()> {
        self.commit(id, Input::PutOff { why }).await?;
        tracing::info!(account = %id, ?why, "put off");
        self.0.agenda.wait_for(id, why);
        Ok(())
    }

    /// The one way in which an account changes: read, apply, commit, and note what falls due next.
    pub(crate) async fn commit(&self, id: AccountId, input: Input) -> Result<Step> {
        self.commit_with(id, input, |_, _| Ok(())).await
    }

    /// [`Engine::commit`], with something more in the same transaction.
    pub(crate) async fn commit_with(
        &self,
        id: AccountId,
        input: Input,
        more: impl FnOnce(&rusqlite::Transaction<'_>, &Step) -> crate::store::Result<()> + Send + 'static,
    ) -> Result<Step> {
        let (now, jitter) = (self.now(), jitter());
        let step = self
            .0
            .store
            .write(move |tx| {
                let Some(account) = accounts::get(tx, id)? else { return Ok(None) };
                let step = match account.apply(input, now, jitter) {
                    Ok(step) => step,
                    Err(rejected) => return Ok(Some(Err(rejected))),
                };
                accounts::commit(tx, &step, now, jitter)?;
                more(tx, &step)?;
                Ok(Some(Ok(step)))
            })
            .await?
            .ok_or_else(|| Error::not_found("account", &id))??;
        self.0.agenda.set(id, step.account.due(jitter));
        Ok(step)
    }

    pub(crate) async fn load(&self, id: AccountId) -> Result<Account> {
        self.0.store.read(move |c| accounts::get(c, id)).await?.ok_or_else(|| Error::not_found("account", &id))
    }
}

/// The secret's name in the keychain item.
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";
/// The secret's name in the keychain item, for an access token that no refresh token stands behind.
pub(crate) const ACCESS_TOKEN: &str = "access_token";

fn open_generation(account: &Account) -> Result<u64> {
    match account.life.credential() {
        Credential::Renewing(Renewing { attempt: Attempt::Refreshing { generation, .. }, .. }) => Ok(*generation),
        Credential::Renewing(Renewing { attempt: Attempt::Idle, .. }) | Credential::Fixed(_) => {
            Err(Rejected::NotRenewing.into())
        }
    }
}

impl Item {
    /// Notes the access token's life beside a rotated refresh token: a crash right after needs it to finish the refresh.
    pub(crate) fn note_lease(&mut self, lease: schedule::Lease) {
        if let Ok(value) = serde_json::to_value(lease) {
            self.notes.insert("lease".into(), value);
        }
    }

    /// The life that [`Item::note_lease`] noted.
    pub(crate) fn noted_lease(&self) -> Option<schedule::Lease> {
        serde_json::from_value(self.notes.get("lease")?.clone()).ok()
    }
}
