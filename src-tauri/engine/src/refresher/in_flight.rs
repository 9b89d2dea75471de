//! Refreshes in flight: one per account, however many callers ask.

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

/// Why a refresh begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefreshReason {
    /// It is due. It may be deferred.
    Due,
    /// A program needs a token. One that has just become fresh will do.
    TokenNeeded,
    /// Somebody asked for the refresh itself. It is always tried.
    Requested,
}

/// The refreshes in flight.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<HashMap<AccountId, Running>>);

#[derive(Debug)]
struct Running {
    progress: watch::Receiver<RefreshProgress>,
    /// Notified when somebody begins to wait for it.
    urgent: Arc<Notify>,
}

/// How far a refresh has come.
#[derive(Debug, Clone)]
pub(super) enum RefreshProgress {
    Running,
    /// The provider has answered, and the keychain doesn't take the new refresh token yet. The access token works meanwhile.
    WaitingForKeychain {
        token: AccessToken,
        error: KeychainError,
    },
    Finished(Result<AccessToken>),
}

/// Which refresh a caller waits for.
#[derive(Debug)]
pub(super) enum JoinOrStart {
    /// None: the token in memory is fresh.
    Fresh(AccessToken),
    Joined(watch::Receiver<RefreshProgress>),
    Started(watch::Receiver<RefreshProgress>),
}

/// When a refresh is tried again that failed within Relink: the database, or a definition that can't be used.
const RETRY_DELAY_SECS: i64 = 60;

/// A refresh's place among those in flight. It goes with the refresh, however that ends: one that stayed behind would keep
/// every later refresh from beginning.
struct InFlightRefresh {
    refresher: Refresher,
    account: AccountId,
}

impl Drop for InFlightRefresh {
    fn drop(&mut self) {
        // `lock` would do as well; a panic in the refresh must not become a second one here.
        self.refresher.0.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
    }
}

impl Refresher {
    /// Joins the account's refresh in flight, or starts one.
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
            // Nothing else can be tried before the keychain answers, so further callers get the token that there is.
            if joined && let RefreshProgress::WaitingForKeychain { token, error } = progress.borrow().clone() {
                let is_usable = reason == RefreshReason::TokenNeeded && schedule::is_fresh(token.lifetime, self.now());
                return if is_usable { Ok(token) } else { Err(error.into()) };
            }
            let is_settled = |progress: &RefreshProgress| !matches!(progress, RefreshProgress::Running);
            let outcome = match progress.wait_for(is_settled).await.map_err(|_| Error::Stopping)?.clone() {
                RefreshProgress::Finished(outcome) => outcome,
                RefreshProgress::WaitingForKeychain { token, .. } => Ok(token),
                RefreshProgress::Running => Err(Error::Stopping),
            };
            // A refresh that was due may be deferred; one that somebody waits for is always tried.
            if joined && reason != RefreshReason::Due && matches!(outcome, Err(Error::Deferred)) {
                continue;
            }
            return outcome;
        }
    }

    /// Finds the account's refresh in flight, or starts one, and waits for nothing.
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
        // A refresh puts its token into memory before it leaves the map, so nobody can miss both.
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

    /// Schedules another try of what failed within Relink, since nothing else would. An account that waits for its person goes
    /// on waiting.
    pub(super) async fn schedule_after_internal_error(&self, id: AccountId, error: &Error) {
        match error {
            // What comes next was scheduled with the failure, or there is nothing to come.
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
