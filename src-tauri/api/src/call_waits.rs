//! The accounts that wait because a provider asked for no calls, for whoever shows accounts.

use std::collections::{BTreeMap, HashSet};

use relink_calls::Wait;
use relink_contract::{account::Waiting, status::WaitingHost};
use relink_domain::{AccountId, Timestamp, caller::Caller};
use relink_engine::{AccountView, Error, Filter};

use crate::ApiState;

/// So many accounts are read at once.
const MAX_READ: usize = 500;

/// The waits that are in force now.
#[derive(Debug, Clone, Default)]
pub struct CallWaits(BTreeMap<AccountId, Wait>);

impl CallWaits {
    pub(crate) fn now(api: &ApiState) -> Self {
        Self(api.calls.quiet().waiting(api.engine.now()))
    }

    /// The hosts that accounts wait for, with a refresh or with calls.
    pub(crate) async fn hosts(api: &ApiState, caller: &Caller) -> Result<Vec<WaitingHost>, Error> {
        let (waits, accounts) = (Self::now(api), api.engine.accounts());
        let mut waiting = accounts.waiting(caller).await?;
        let known: HashSet<_> = waiting.iter().map(|view| view.account.id()).collect();
        let others: Vec<_> = waits.accounts().filter(|id| !known.contains(id)).collect();
        for ids in others.chunks(MAX_READ) {
            waiting.extend(accounts.list(caller, Filter { ids: Some(ids.to_vec()), ..Filter::default() }).await?);
        }
        let mut hosts: BTreeMap<String, WaitingHost> = BTreeMap::new();
        for Waiting { host, until } in waiting.iter().filter_map(|view| waits.of(view)) {
            let entry = hosts.entry(host.clone()).or_insert(WaitingHost { host, until, accounts: 0 });
            entry.until = entry.until.max(until);
            entry.accounts += 1;
        }
        Ok(hosts.into_values().collect())
    }

    /// The wait of an account's calls or of its refresh, whichever ends later.
    pub fn of(&self, view: &AccountView) -> Option<Waiting> {
        let of_calls =
            self.0.get(&view.account.id()).map(|wait| Waiting { host: wait.host.clone(), until: wait.until });
        [view.waiting.clone(), of_calls].into_iter().flatten().max_by_key(|wait| wait.until)
    }

    /// The accounts whose calls wait.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> {
        self.0.keys().copied()
    }

    /// When the first of the waits is over.
    pub fn first_end(&self) -> Option<Timestamp> {
        self.0.values().map(|wait| wait.until).min()
    }
}
