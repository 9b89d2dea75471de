//! Refreshes in flight: one per account, shared by all its callers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use relink_domain::{AccountId, account::Rejected, caller::Caller, schedule};
use tokio::sync::{Notify, watch};

use super::{Refresher, refresh::Admission};
use crate::{
    access_tokens::AccessToken,
    error::{Error, Result},
    keychain::KeychainError,
    sync::lock,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefreshReason {
    /// It is due. It may be deferred.
    Due,
    /// A program needs a token. A fresh one in memory is enough.
    TokenNeeded,
    /// The refresh itself was requested. It is always attempted.
    Requested,
}

#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<HashMap<AccountId, Running>>);

#[derive(Debug)]
struct Running {
    progress: watch::Receiver<RefreshProgress>,
    /// Notified when a caller begins to wait for the refresh.
    urgent: Arc<Notify>,
}

#[derive(Debug, Clone)]
pub(super) enum RefreshProgress {
    Running,
    /// The provider has responded, but the keychain doesn't accept the new refresh token yet. The access token, if there is a
    /// new one, works meanwhile.
    WaitingForKeychain {
        token: Option<AccessToken>,
        error: KeychainError,
    },
    Finished(Result<Refreshed>),
}

/// A refresh that has ended well.
#[derive(Debug, Clone)]
pub(super) enum Refreshed {
    /// The provider has issued this token.
    Anew(AccessToken),
    /// It wasn't needed, because there is this one.
    Unneeded(AccessToken),
}

impl Refreshed {
    fn into_token(self) -> AccessToken {
        match self {
            Self::Anew(token) | Self::Unneeded(token) => token,
        }
    }
}

/// The result of [`Refresher::enter_refresh`].
#[derive(Debug)]
pub(super) enum JoinOrStart {
    /// No refresh is needed: the token in memory is fresh.
    Fresh(AccessToken),
    Joined(watch::Receiver<RefreshProgress>),
    Started(watch::Receiver<RefreshProgress>),
}

/// The delay before retrying a refresh that failed within Relink: the database, or a definition that can't be used.
const RETRY_DELAY_SECS: i64 = 60;

/// Removes a refresh from those in flight when it ends, in whatever way. An entry that stayed behind would prevent
/// every later refresh of the account.
struct InFlightRefresh {
    refresher: Refresher,
    account: AccountId,
}

impl Drop for InFlightRefresh {
    fn drop(&mut self) {
        // Must not panic, because this may run while a panic in the refresh unwinds.
        self.refresher.0.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
    }
}

impl Refresher {
    /// Joins the account's refresh in flight or starts one, and waits for its result.
    pub(super) async fn join_or_start_refresh(
        &self,
        caller: &Caller,
        account: AccountId,
        reason: RefreshReason,
    ) -> Result<AccessToken> {
        loop {
            let (mut progress, joined) = match self.enter_refresh(caller, account, reason)? {
                JoinOrStart::Fresh(token) => return Ok(token),
                JoinOrStart::Joined(progress) => (progress, true),
                JoinOrStart::Started(progress) => (progress, false),
            };
            // Nothing else can be tried until the keychain responds, so further callers get the current token.
            if joined && let RefreshProgress::WaitingForKeychain { token, error } = progress.borrow().clone() {
                let is_fresh = |token: &AccessToken| schedule::is_fresh(token.lifetime, self.now());
                let usable = token.filter(|token| reason == RefreshReason::TokenNeeded && is_fresh(token));
                return usable.ok_or_else(|| error.into());
            }
            let is_settled = |progress: &RefreshProgress| !matches!(progress, RefreshProgress::Running);
            let outcome = match progress.wait_for(is_settled).await.map_err(|_| Error::Stopping)?.clone() {
                RefreshProgress::Finished(outcome) => outcome,
                RefreshProgress::WaitingForKeychain { token, error } => {
                    token.map(Refreshed::Anew).ok_or_else(|| error.into())
                }
                RefreshProgress::Running => Err(Error::Stopping),
            };
            // A due refresh may be deferred; one that a caller waits for is always attempted, and a requested one even where another
            // one wasn't needed.
            let is_open = match outcome {
                Err(Error::Deferred) => reason != RefreshReason::Due,
                Ok(Refreshed::Unneeded(_)) => reason == RefreshReason::Requested,
                Ok(Refreshed::Anew(_)) | Err(_) => false,
            };
            if joined && is_open {
                continue;
            }
            return outcome.map(Refreshed::into_token);
        }
    }

    /// Finds the account's refresh in flight or starts one, without waiting.
    pub(super) fn enter_refresh(
        &self,
        caller: &Caller,
        account: AccountId,
        reason: RefreshReason,
    ) -> Result<JoinOrStart> {
        let mut in_flight = lock(&self.0.in_flight.0);
        if let Some(running) = in_flight.get(&account) {
            if reason != RefreshReason::Due {
                running.urgent.notify_one();
            }
            return Ok(JoinOrStart::Joined(running.progress.clone()));
        }
        // A refresh puts its token into memory before it leaves the map, so a caller finds at least one of the two.
        if reason == RefreshReason::TokenNeeded
            && let Some(token) = self.fresh_in_memory(account)
        {
            return Ok(JoinOrStart::Fresh(token));
        }
        if self.0.uses.tasks.is_stopping() {
            return Err(Error::Stopping);
        }
        let (sender, progress) = watch::channel(RefreshProgress::Running);
        let urgent = Arc::new(Notify::new());
        in_flight.insert(account, Running { progress: progress.clone(), urgent: Arc::clone(&urgent) });
        self.spawn_refresh(caller.clone(), account, Admission { reason, urgent }, sender);
        Ok(JoinOrStart::Started(progress))
    }

    fn spawn_refresh(
        &self,
        caller: Caller,
        account: AccountId,
        admission: Admission,
        progress: watch::Sender<RefreshProgress>,
    ) {
        let refresher = self.clone();
        self.0.uses.tasks.spawn(async move {
            let in_flight = InFlightRefresh { refresher: refresher.clone(), account };
            let outcome = refresher.refresh_account(&caller, account, &admission, &progress).await;
            if let Err(error) = &outcome {
                tracing::info!(%account, reason = ?admission.reason, code = error.code(), "not refreshed: {error}");
                Box::pin(refresher.schedule_after_internal_error(account, error)).await;
            }
            drop(in_flight);
            progress.send_replace(RefreshProgress::Finished(outcome));
        });
    }

    /// Schedules a retry of what failed within Relink, because nothing else would. An account that waits for the person
    /// is not retried.
    pub(super) async fn schedule_after_internal_error(&self, id: AccountId, error: &Error) {
        match error {
            // What comes next was scheduled with the failure, or nothing follows.
            Error::Provider { .. }
            | Error::Deferred
            | Error::NotFound { .. }
            | Error::Stopping
            | Error::Rejected(Rejected::NotRenewing) => return,
            _ => {}
        }
        if let Ok(account) = self.0.uses.accounts.load(id).await
            && account.waits_for_person()
        {
            return;
        }
        self.0.uses.schedule.set_if_absent(id, self.now().plus_secs(RETRY_DELAY_SECS));
    }
}
