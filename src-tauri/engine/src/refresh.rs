//! One refresh, for one account, under its own lock.
//!
//! The order is the promise (docs/reliability.md):
//! 1. The intent is committed: the disk is known to take writes *before* the old token is spent.
//! 2. The exchange, in a task that neither its caller nor a stop cancels. Nothing is ever sent twice.
//! 3. What must last and has changed goes into the keychain, carrying the intent's generation. Nothing changed: nothing is
//!    written. The access token stays in memory.
//! 4. One transaction: lifetime, generation, status, intent closed, events.

use std::{sync::Arc, time::Duration};

use relink_domain::{
    AccountId, Secret,
    account::{
        Account, AccountState, Attempt, Credential, DeferReason, Due, Input, Rejected, Renewal, Renewing, Transition,
    },
    failure::{Cause, Failure},
    schedule,
};
use tokio::sync::watch;

use crate::{
    Engine, Error,
    crash::CrashPoint,
    engine::{AccessToken, jitter},
    error::Result,
    in_flight::{Course, Reason},
    keychain::{Item, Key, KeychainError, KeychainState},
    oauth::Tokens,
    provider::Provider,
    store::accounts,
};

/// What waited for a host's `Retry-After` is spread over this long.
const REOPENING_SECS: i64 = 20;

/// How often a keychain that doesn't take a new refresh token is tried again.
const KEEP_AGAIN: Duration = Duration::from_secs(5);

/// When a refresh is tried again that a keychain refused which says that it is available.
const REFUSED_AGAIN_SECS: i64 = 30;

/// An account's lock, held but for the time that something else is waited for.
struct AccountLock {
    lock: Arc<tokio::sync::Mutex<()>>,
    guard: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl AccountLock {
    async fn take(&mut self) {
        self.guard = Some(Arc::clone(&self.lock).lock_owned().await);
    }

    fn release(&mut self) {
        self.guard = None;
    }
}

impl Engine {
    pub(crate) async fn refresh_account(
        &self,
        id: AccountId,
        reason: Reason,
        course: &watch::Sender<Course>,
    ) -> Result<AccessToken> {
        let account = self.load(id).await?;
        if let Credential::Fixed(_) = account.state.credential() {
            return Err(Rejected::NotRenewing.into());
        }
        if reason == Reason::Due
            && let Some(token) = self.renewed_meanwhile(&account)
        {
            return Ok(token);
        }
        let provider = self.provider(account.profile.environment_integration_id).await?;
        let host = self.host(&provider);
        if reason == Reason::Due && !provider.is_within_reach() {
            self.defer(id, DeferReason::Offline).await?;
            return Err(Error::Deferred);
        }
        // The host's place first, then the account's lock: a host that is slow holds no account up.
        let permits = Arc::clone(&host.permits);
        let permit = self.unless_stopping(permits.acquire_owned()).await?.map_err(|_| Error::Stopping)?;
        if reason == Reason::Due
            && let Some(until) = host.closed_until(self.now())
        {
            self.0.agenda.set(id, Some(Due::Refresh(jitter().within(until, REOPENING_SECS))));
            return Err(Error::Deferred);
        }
        let mut lock = AccountLock { lock: self.lock_of(id), guard: None };
        self.unless_stopping(lock.take()).await?;

        let account = self.load(id).await?;
        let (item, client_secret) = match self.credentials_for(&account, &provider).await {
            Ok(found) => found,
            Err(error) => return self.without_credentials(&account, &provider, error).await,
        };
        let account = self.reconcile(account, &item).await?;
        if reason == Reason::Due
            && let Some(token) = self.renewed_meanwhile(&account)
        {
            return Ok(token);
        }
        let Credential::Renewing(renewing) = account.state.credential().clone() else {
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
        CrashPoint::RefreshIntent.here(&(&item, &client_secret)).await;
        let exchanged = self.exchange(&provider, &renewing, &item, client_secret, &account).await;
        CrashPoint::RefreshAnswered.here(&exchanged).await;
        drop(permit);
        match exchanged {
            Ok(tokens) => {
                let token = self.keep(&account, &provider, item, generation, tokens, course, &mut lock).await?;
                tracing::info!(account = %id, ?reason, "refreshed");
                Ok(token)
            }
            Err(failure) => {
                host.close_for(failure.retry_after_secs, self.now());
                self.failed(id, &provider, generation, failure).await
            }
        }
    }

    /// The token at hand, if the account's refresh isn't due any more: somebody has had it renewed since, or signed in
    /// anew. A second refresh would come of nothing but the two having met, and cost a rotation.
    pub(crate) fn renewed_meanwhile(&self, account: &Account) -> Option<AccessToken> {
        let (id, now) = (account.id(), self.now());
        let AccountState::Working { credential: Credential::Renewing(renewing) } = &account.state else { return None };
        let is_open = account.replacement.is_some() || renewing.attempt != Attempt::Idle || renewing.deferred.is_some();
        if is_open || schedule::may_be_due(renewing.lifetime, now) {
            return None;
        }
        let token = self.fresh_at_hand(id)?;
        if let Some(due) = account.due_by(now, jitter()) {
            self.0.agenda.set_unless_planned(id, due);
        }
        tracing::debug!(account = %id, "renewed meanwhile");
        Some(token)
    }

    /// Waits for it, but not beyond the stop: what has not begun by then does not begin.
    async fn unless_stopping<T>(&self, waited_for: impl Future<Output = T>) -> Result<T> {
        self.0.stopping.run_until_cancelled(waited_for).await.ok_or(Error::Stopping)
    }

    /// What the exchange needs out of the keychain.
    async fn credentials_for(
        &self,
        account: &Account,
        provider: &Provider,
    ) -> Result<(Item, Option<Secret>), KeychainError> {
        let item = self.0.keychain.get(&Key::Account(account.id())).await?.unwrap_or_default();
        Ok((item, self.client_secret(provider).await?))
    }

    /// The keychain gave nothing out: a refresh that can't be tried is put off; an item that can't be read is final.
    async fn without_credentials(
        &self,
        account: &Account,
        provider: &Provider,
        error: KeychainError,
    ) -> Result<AccessToken> {
        let why = match &error {
            KeychainError::Damaged { .. } | KeychainError::Newer { .. } => {
                let generation = match open_generation(account) {
                    Ok(open) => open,
                    Err(_) => open_generation(&self.commit(account.id(), Input::BeginRefresh).await?.account)?,
                };
                let failure = Failure::new(Cause::CredentialDamaged);
                return self.failed(account.id(), provider, generation, failure).await;
            }
            KeychainError::Absent { .. } => DeferReason::KeychainAbsent,
            KeychainError::Locked
            | KeychainError::Denied
            | KeychainError::Slow { .. }
            | KeychainError::TooLong
            | KeychainError::Other(_) => DeferReason::KeychainLocked,
        };
        self.defer(account.id(), why).await?;
        // It refused this one item alone, or once: nothing will say that it is available again.
        if *self.0.keychain.state().borrow() == KeychainState::Available {
            let again = self.now().plus_secs(REFUSED_AGAIN_SECS);
            self.0.agenda.set(account.id(), Some(Due::Refresh(again)));
        }
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
    #[expect(clippy::too_many_arguments, reason = "each is a thing of its own of one refresh")]
    async fn keep(
        &self,
        account: &Account,
        provider: &Provider,
        mut item: Item,
        generation: u64,
        tokens: Tokens,
        course: &watch::Sender<Course>,
        lock: &mut AccountLock,
    ) -> Result<AccessToken> {
        let id = account.id();
        let token = AccessToken { token: tokens.access, lifetime: tokens.lifetime };
        let rotated = tokens.refresh.filter(|new| item.secrets.get(REFRESH_TOKEN) != Some(new));
        let is_rotated = rotated.is_some();
        if let Some(refresh) = rotated {
            item.generation = generation;
            item.secrets.insert(REFRESH_TOKEN.into(), refresh);
            item.note_lifetime(tokens.lifetime);
            self.keep_until_kept(account, provider, &item, &token, course, lock).await?;
        }
        CrashPoint::RefreshKept.here(&(&item, &token)).await;
        // The token is at hand before the flight is over and before anybody is told.
        self.hold_token(id, token.clone());
        self.commit(id, Input::Refreshed { generation, lifetime: token.lifetime, rotated: is_rotated }).await?;
        CrashPoint::RefreshCommitted.here(&token).await;
        Ok(token)
    }

    /// The old refresh token may be spent: the new one is put into the keychain however long that takes. Meanwhile the
    /// callers get the access token, which works, and nobody waits for the account's lock.
    async fn keep_until_kept(
        &self,
        account: &Account,
        provider: &Provider,
        item: &Item,
        token: &AccessToken,
        course: &watch::Sender<Course>,
        lock: &mut AccountLock,
    ) -> Result<()> {
        let id = account.id();
        let label = provider.item_label(&account.profile.name);
        while let Err(error) = self.0.keychain.set(&Key::Account(id), &label, item).await {
            tracing::warn!(account = %id, code = error.code(), "a new refresh token waits for the keychain: {error}");
            self.hold_token(id, token.clone());
            course.send_replace(Course::Unkept { token: token.clone(), error });
            lock.release();
            let mut state = self.0.keychain.state();
            tokio::select! {
                () = tokio::time::sleep(KEEP_AGAIN) => {}
                _ = state.wait_for(|state| *state == KeychainState::Available), if *self.0.keychain.state().borrow() != KeychainState::Available => {}
            }
            lock.take().await;
            // Deleted, or signed in anew meanwhile: then it is nobody's any more.
            if open_generation(&self.load(id).await?).ok() != Some(item.generation) {
                return Err(Rejected::Stale { got: item.generation }.into());
            }
        }
        // Whoever comes now waits for the commit.
        course.send_replace(Course::UnderWay);
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
        let trouble = step.account.state.trouble().cloned();
        match trouble {
            Some(trouble) => Err(Error::provider(trouble.failure, provider.label(), trouble.next_try)),
            None => Err(Error::Stopping),
        }
    }

    /// A refresh that is due waits; the agenda takes it up again when its reason is gone.
    pub(crate) async fn defer(&self, id: AccountId, why: DeferReason) -> Result<()> {
        self.commit(id, Input::Defer { why }).await?;
        tracing::info!(account = %id, ?why, "put off");
        Ok(())
    }

    /// The one way in which an account changes: read, apply, commit, and note what falls due next, in the order of the
    /// commits: of two that end at once, the agenda would otherwise go by the one that was heard of last.
    pub(crate) async fn commit(&self, id: AccountId, input: Input) -> Result<Transition> {
        self.commit_with(id, input, |_, _| Ok(())).await
    }

    /// [`Engine::commit`], with something more in the same transaction.
    pub(crate) async fn commit_with(
        &self,
        id: AccountId,
        input: Input,
        more: impl FnOnce(&rusqlite::Transaction<'_>, &Transition) -> crate::store::Result<()> + Send + 'static,
    ) -> Result<Transition> {
        let (now, jitter, engine) = (self.now(), jitter(), self.clone());
        let waits_for = match input {
            Input::Defer { why } => Some(why),
            _ => None,
        };
        let write = move |tx: &rusqlite::Transaction<'_>| {
            let Some(account) = accounts::get(tx, id)? else { return Ok(None) };
            let step = match account.apply(input, now, jitter) {
                Ok(step) => step,
                Err(rejected) => return Ok(Some(Err(rejected))),
            };
            accounts::commit(tx, &step, now, jitter)?;
            more(tx, &step)?;
            Ok(Some(Ok(step)))
        };
        let plan = move |committed: &Option<Result<Transition, Rejected>>| {
            let Some(Ok(step)) = committed else { return };
            match waits_for {
                Some(why) => engine.0.agenda.wait_for(id, why),
                None => engine.0.agenda.set(id, step.account.due_by(now, jitter)),
            }
        };
        Ok(self.0.store.write_then(write, plan).await?.ok_or_else(|| Error::not_found("account", &id))??)
    }

    pub(crate) async fn load(&self, id: AccountId) -> Result<Account> {
        self.0.store.read(move |c| accounts::get(c, id)).await?.ok_or_else(|| Error::not_found("account", &id))
    }
}

/// The secret's name in the keychain item.
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";
/// The secret's name in the keychain item, for an access token that no refresh token stands behind.
pub(crate) const ACCESS_TOKEN: &str = "access_token";

pub(crate) fn open_generation(account: &Account) -> Result<u64> {
    match account.state.credential() {
        Credential::Renewing(Renewing { attempt: Attempt::Refreshing { generation, .. }, .. }) => Ok(*generation),
        Credential::Renewing(Renewing { attempt: Attempt::Idle, .. }) | Credential::Fixed(_) => {
            Err(Rejected::NotRenewing.into())
        }
    }
}

impl Item {
    /// Notes the access token's life beside a rotated refresh token: a crash right after needs it to finish the refresh.
    pub(crate) fn note_lifetime(&mut self, lifetime: schedule::TokenLifetime) {
        if let Ok(value) = serde_json::to_value(lifetime) {
            self.notes.insert("lifetime".into(), value);
        }
    }

    /// The life that [`Item::note_lifetime`] noted.
    pub(crate) fn noted_lifetime(&self) -> Option<schedule::TokenLifetime> {
        // "lease": as Relink 0.1 wrote it.
        serde_json::from_value(self.notes.get("lifetime").or_else(|| self.notes.get("lease"))?.clone()).ok()
    }
}
