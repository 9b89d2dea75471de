//! Bodies of calls, for the hour for which the person switches that on. They are in memory only, and end with it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use relink_contract::call::{CallBodies, CallWithBodies};
use relink_domain::{AccountId, Timestamp, caller::Caller, permission::Permission};

use super::CallLog;
use crate::{
    error::{Error, Result},
    sync::lock,
};

/// For so long bodies are recorded, and kept.
const SECS: i64 = 60 * 60;
/// How many of an account's last calls are kept with their bodies.
const MAX_CALLS: usize = 20;
/// With so many accounts at a time.
const MAX_ACCOUNTS: usize = 10;

#[derive(Debug, Default)]
pub(super) struct Bodies {
    accounts: Mutex<HashMap<AccountId, OfAccount>>,
    /// The number of `accounts`, so that a call takes no lock while there is none.
    recorded: AtomicUsize,
}

#[derive(Debug)]
struct OfAccount {
    until: Timestamp,
    /// Oldest first.
    calls: VecDeque<CallWithBodies>,
}

impl Bodies {
    /// Changes the accounts, without those whose time is over.
    fn change<T>(&self, now: Timestamp, change: impl FnOnce(&mut HashMap<AccountId, OfAccount>) -> T) -> T {
        let mut accounts = lock(&self.accounts);
        accounts.retain(|_, it| now < it.until);
        let changed = change(&mut accounts);
        self.recorded.store(accounts.len(), Ordering::Relaxed);
        changed
    }
}

impl CallLog {
    /// Switches the recording of bodies on for an hour, or off. What was recorded goes with it.
    pub async fn record_bodies(&self, caller: &Caller, id: AccountId, on: bool) -> Result<CallBodies> {
        caller.require(Permission::RecordBodies)?;
        self.0.uses.accounts.get(caller, id).await?;
        let now = self.0.uses.clock.now();
        let until = now.plus_secs(SECS);
        let has_room = self.0.bodies.change(now, |accounts| {
            if on {
                let has_room = accounts.len() < MAX_ACCOUNTS || accounts.contains_key(&id);
                if has_room {
                    accounts.entry(id).or_insert_with(|| OfAccount { until, calls: VecDeque::new() }).until = until;
                }
                has_room
            } else {
                accounts.remove(&id);
                true
            }
        });
        if !has_room {
            let message = format!("Bodies are recorded for {MAX_ACCOUNTS} accounts at a time. Switch one of them off.");
            return Err(Error::conflict("too_many_recorded", message));
        }
        if on {
            tracing::info!(account = %id, ?caller, "bodies of calls are recorded for an hour");
            self.forget_later();
        }
        self.bodies(caller, id).await
    }

    /// Removes what was recorded when its time is over, although nobody looks.
    fn forget_later(&self) {
        let log = self.clone();
        self.0.uses.tasks.spawn_until_stop(async move {
            tokio::time::sleep(Duration::from_secs(SECS.unsigned_abs())).await;
            log.0.bodies.change(log.0.uses.clock.now(), |_| ());
        });
    }

    /// Whether the bodies of an account's calls are recorded.
    pub fn records_bodies(&self, _caller: &Caller, id: AccountId) -> bool {
        let bodies = &self.0.bodies;
        bodies.recorded.load(Ordering::Relaxed) > 0
            && lock(&bodies.accounts).get(&id).is_some_and(|it| self.0.uses.clock.now() < it.until)
    }

    /// Keeps a call with its bodies, which must not contain the account's secrets.
    pub fn keep_bodies(&self, _caller: &Caller, id: AccountId, call: CallWithBodies) {
        self.0.bodies.change(self.0.uses.clock.now(), |accounts| {
            let Some(of_account) = accounts.get_mut(&id) else { return };
            if of_account.calls.len() == MAX_CALLS {
                of_account.calls.pop_front();
            }
            of_account.calls.push_back(call);
        });
    }

    /// The calls that were recorded with their bodies, newest first.
    pub async fn bodies(&self, caller: &Caller, id: AccountId) -> Result<CallBodies> {
        caller.require(Permission::RecordBodies)?;
        self.0.uses.accounts.get(caller, id).await?;
        Ok(self.0.bodies.change(self.0.uses.clock.now(), |accounts| {
            accounts.get(&id).map_or_else(CallBodies::default, |it| CallBodies {
                until: Some(it.until),
                calls: it.calls.iter().rev().cloned().collect(),
            })
        }))
    }
}
