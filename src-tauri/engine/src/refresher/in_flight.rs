//! Refreshes in flight: one per account, however many callers ask.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use relink_domain::{AccountId, account::Rejected, caller::Caller, schedule};
use tokio::sync::watch;

use super::Refresher;
use crate::{
    access_tokens::AccessToken,
    error::{Error, Result},
    keychain::KeychainError,
    sync::lock,
};

/// Why a refresh begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshReason {
    /// It is due. It may be deferred.
    Due,
    /// Somebody asked. It is always tried.
    Asked,
}

/// The refreshes in flight.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<HashMap<AccountId, watch::Receiver<RefreshProgress>>>);

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
pub(super) enum Entered {
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
    /// Joins the account's refresh in flight, or starts one. `unless_fresh`: a token that has just become fresh will do.
    pub(crate) async fn join_or_start_refresh(
        &self,
        caller: &Caller,
        account: AccountId,
        reason: RefreshReason,
        unless_fresh: bool,
    ) -> Result<AccessToken> {
        loop {
            let (mut progress, joined) = match self.enter_refresh(caller, account, reason, unless_fresh)? {
                Entered::Fresh(token) => return Ok(token),
                Entered::Joined(progress) => (progress, true),
                Entered::Started(progress) => (progress, false),
            };
            // While the keychain is waited for nothing else can be tried: whoever comes gets what there is.
            if joined && let RefreshProgress::WaitingForKeychain { token, error } = progress.borrow().clone() {
                let will_do = unless_fresh && schedule::is_fresh(token.lifetime, self.now());
                return if will_do { Ok(token) } else { Err(error.into()) };
            }
            let has_news = |progress: &RefreshProgress| !matches!(progress, RefreshProgress::Running);
            let outcome = match progress.wait_for(has_news).await.map_err(|_| Error::Stopping)?.clone() {
                RefreshProgress::Finished(outcome) => outcome,
                RefreshProgress::WaitingForKeychain { token, .. } => Ok(token),
                RefreshProgress::Running => Err(Error::Stopping),
            };
            // A refresh that was due may be deferred; one that somebody asked for is always tried.
            if joined && reason == RefreshReason::Asked && matches!(outcome, Err(Error::Deferred)) {
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
        unless_fresh: bool,
    ) -> Result<Entered> {
        let mut in_flight = lock(&self.0.in_flight.0);
        if let Some(progress) = in_flight.get(&account) {
            return Ok(Entered::Joined(progress.clone()));
        }
        // A refresh puts its token into memory before it leaves the map, so nobody can miss both.
        if unless_fresh && let Some(token) = self.fresh_in_memory(account) {
            return Ok(Entered::Fresh(token));
        }
        if self.0.uses.tasks.is_stopping() {
            return Err(Error::Stopping);
        }
        let (sender, progress) = watch::channel(RefreshProgress::Running);
        in_flight.insert(account, progress.clone());
        self.spawn_refresh(caller.clone(), account, reason, sender);
        Ok(Entered::Started(progress))
    }

    fn spawn_refresh(
        &self,
        caller: Caller,
        account: AccountId,
        reason: RefreshReason,
        progress: watch::Sender<RefreshProgress>,
    ) {
        let refresher = self.clone();
        self.0.uses.tasks.spawn(async move {
            let in_flight = InFlightRefresh { refresher: refresher.clone(), account };
            let outcome = refresher.refresh_account(&caller, account, reason, &progress).await;
            if let Err(error) = &outcome {
                tracing::info!(%account, ?reason, code = error.code(), "not refreshed: {error}");
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
