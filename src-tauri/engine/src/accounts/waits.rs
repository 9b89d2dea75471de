//! The programs whose calls wait until an account works again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use relink_domain::{AccountId, account::Status, caller::Caller};
use tokio::sync::watch;

use super::Accounts;
use crate::{
    error::{Error, Result},
    provider::PreparedAccount,
    sync::lock,
};

/// Who waits, in memory. Clones share the same state.
#[derive(Debug, Clone)]
pub(super) struct Waits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// How many calls of each program wait for each account.
    calls: Mutex<HashMap<AccountId, BTreeMap<String, usize>>>,
    changed: watch::Sender<()>,
}

impl Default for Waits {
    fn default() -> Self {
        Self(Arc::new(Inner { calls: Mutex::default(), changed: watch::Sender::new(()) }))
    }
}

/// One call that waits, until this is dropped.
struct Wait {
    waits: Waits,
    account: AccountId,
    program: String,
}

impl Waits {
    fn begin(&self, account: AccountId, program: String) -> Wait {
        *lock(&self.0.calls).entry(account).or_default().entry(program.clone()).or_default() += 1;
        self.0.changed.send_replace(());
        Wait { waits: self.clone(), account, program }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut calls = lock(&self.waits.0.calls);
        if let Some(of_account) = calls.get_mut(&self.account) {
            if let Some(count) = of_account.get_mut(&self.program) {
                *count -= 1;
            }
            of_account.retain(|_, count| *count > 0);
            if of_account.is_empty() {
                calls.remove(&self.account);
            }
        }
        drop(calls);
        self.waits.0.changed.send_replace(());
    }
}

impl Accounts {
    /// The programs that wait until the account works again.
    pub fn awaited_by(&self, _caller: &Caller, id: AccountId) -> Vec<String> {
        lock(&self.0.waits.0.calls).get(&id).map(|programs| programs.keys().cloned().collect()).unwrap_or_default()
    }

    /// Notified when a program begins to wait for an account, or ends.
    pub fn waits_changed(&self, _caller: &Caller) -> watch::Receiver<()> {
        self.0.waits.0.changed.subscribe()
    }

    /// Waits until the account works: with other credentials than those that a call was `refused` with, or because the provider accepts
    /// them again. Meanwhile its person learns that the caller waits.
    pub async fn works_again(&self, caller: &Caller, id: AccountId, refused: Option<&PreparedAccount>) -> Result<()> {
        let program = match caller {
            Caller::ApiToken { name, .. } => name.clone(),
            _ => "A program".to_owned(),
        };
        let _wait = self.0.waits.begin(id, program);
        let mut changes = self.0.uses.store.changes();
        loop {
            let account = self.load(id).await?;
            let generation = account.state.credential().generation();
            // That a call was refused may not be committed yet: that the account is active says nothing.
            let is_after = |refused: &PreparedAccount| generation > refused.generation() || refused.has_recovered();
            if account.status() == Status::Active && refused.is_none_or(is_after) {
                return Ok(());
            }
            loop {
                let change = changes.next().await.ok_or(Error::Stopping)?;
                if change.accounts.contains(id) {
                    break;
                }
            }
        }
    }
}
