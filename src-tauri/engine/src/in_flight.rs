//! Refreshes under way: one per account, however many ask, and a few at a time per provider host.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use relink_domain::{AccountId, Timestamp, account::Due, schedule};
use tokio::sync::{Semaphore, watch};

use crate::{
    Engine, Error,
    engine::{AccessToken, held},
    error::Result,
    keychain::KeychainError,
    provider::Provider,
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
    under_way: Mutex<HashMap<AccountId, watch::Receiver<Course>>>,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

/// How far a refresh has come.
#[derive(Debug, Clone)]
pub(crate) enum Course {
    /// Nothing is known yet.
    UnderWay,
    /// The provider has answered; its new refresh token waits for the keychain. The access token works meanwhile.
    Unkept { token: AccessToken, error: KeychainError },
    /// It is over.
    Over(Result<AccessToken>),
}

/// A refresh's place among those under way. It goes with the refresh, however that ends: one that stayed behind would keep
/// every later one from beginning.
struct Entry {
    engine: Engine,
    account: AccountId,
}

impl Drop for Entry {
    fn drop(&mut self) {
        held(&self.engine.0.flights.under_way).remove(&self.account);
    }
}

/// A provider's host: how many refreshes it is sent at a time, and until when it wants none.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) permits: Arc<Semaphore>,
    closed_until: Mutex<Option<Timestamp>>,
}

/// Refreshes at a time per provider host.
const PER_HOST: usize = 4;

impl Engine {
    /// A fresh access token: the one at hand if it will outlive the call, else a new one.
    pub(crate) async fn fresh_token(&self, account: AccountId) -> Result<AccessToken> {
        match self.fresh_at_hand(account) {
            Some(token) => Ok(token),
            None => self.fly(account, Reason::Asked, true).await,
        }
    }

    pub(crate) fn fresh_at_hand(&self, account: AccountId) -> Option<AccessToken> {
        self.held_token(account).filter(|held| schedule::is_fresh(held.lifetime, self.now()))
    }

    /// Joins the refresh under way, or begins one. `unless_fresh`: a token that has just become fresh will do.
    pub(crate) async fn fly(&self, account: AccountId, reason: Reason, unless_fresh: bool) -> Result<AccessToken> {
        loop {
            let (mut flight, joined) = {
                let mut under_way = held(&self.0.flights.under_way);
                if let Some(flight) = under_way.get(&account) {
                    (flight.clone(), true)
                } else {
                    // A flight puts its token in place before it leaves the map, so nobody can miss both.
                    if unless_fresh && let Some(token) = self.fresh_at_hand(account) {
                        return Ok(token);
                    }
                    if self.0.stopping.is_cancelled() {
                        return Err(Error::Stopping);
                    }
                    let (course, flight) = watch::channel(Course::UnderWay);
                    under_way.insert(account, flight.clone());
                    let engine = self.clone();
                    self.0.tasks.spawn(async move {
                        let entry = Entry { engine: engine.clone(), account };
                        let outcome = engine.refresh_account(account, reason, &course).await;
                        if let Err(error) = &outcome {
                            tracing::info!(account = %account, ?reason, code = error.code(), "not refreshed: {error}");
                            engine.plan_again(account, Due::Refresh(engine.now()), error).await;
                        }
                        drop(entry);
                        course.send_replace(Course::Over(outcome));
                    });
                    (flight, false)
                }
            };
            // Nothing is tried for whoever comes while the keychain is waited for: they get what there is.
            if joined && let Course::Unkept { token, error } = flight.borrow().clone() {
                let will_do = unless_fresh && schedule::is_fresh(token.lifetime, self.now());
                return if will_do { Ok(token) } else { Err(error.into()) };
            }
            let known = |course: &Course| !matches!(course, Course::UnderWay);
            let outcome = match flight.wait_for(known).await.map_err(|_| Error::Stopping)?.clone() {
                Course::Over(outcome) => outcome,
                Course::Unkept { token, .. } => Ok(token),
                Course::UnderWay => Err(Error::Stopping),
            };
            // What was due may wait; what somebody asked for is always tried.
            if joined && reason == Reason::Asked && matches!(outcome, Err(Error::Deferred)) {
                continue;
            }
            return outcome;
        }
    }

    pub(crate) fn host(&self, provider: &Provider) -> Arc<Host> {
        let mut hosts = held(&self.0.flights.hosts);
        Arc::clone(hosts.entry(provider.token_host()).or_default())
    }

    /// Until when the account's provider wants no refreshes, if it said so.
    pub(crate) fn closed_until(&self, provider: &Provider) -> Option<Timestamp> {
        self.host(provider).closed_until(self.now())
    }
}

impl Default for Host {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(PER_HOST)), closed_until: Mutex::default() }
    }
}

impl Host {
    pub(crate) fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        held(&self.closed_until).filter(|until| *until > now)
    }

    /// Obeys a `Retry-After`, up to a day.
    pub(crate) fn close_for(&self, secs: Option<u32>, now: Timestamp) {
        let Some(secs) = secs else { return };
        let until = now.plus_secs(i64::from(secs.min(24 * 60 * 60)));
        let mut closed_until = held(&self.closed_until);
        *closed_until = Some(closed_until.map_or(until, |known| known.max(until)));
    }
}

#[cfg(test)]
#[path = "in_flight_tests.rs"]
mod tests;
