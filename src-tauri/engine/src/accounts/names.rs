//! Which account has which name, in memory: programs name an account in each of their calls.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use relink_domain::{
    AccountId,
    account::{Account, Profile},
    caller::Caller,
};

use super::Accounts;
use crate::{
    error::Result,
    store::accounts::{self, Named},
    sync::lock,
};

/// All accounts' names, once somebody has asked for one. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(super) struct AccountNames(Arc<Mutex<Option<Index>>>);

#[derive(Debug, Default)]
struct Index {
    accounts: HashMap<AccountId, Named>,
    /// In the order in which the accounts were made.
    ids: HashMap<String, Vec<AccountId>>,
}

impl Index {
    fn set(&mut self, id: AccountId, named: Named) {
        if self.accounts.get(&id) == Some(&named) {
            return;
        }
        self.remove(id);
        let ids = self.ids.entry(named.name.clone()).or_default();
        self.accounts.insert(id, named);
        ids.push(id);
        ids.sort();
    }

    fn remove(&mut self, id: AccountId) {
        let Some(Named { name, .. }) = self.accounts.remove(&id) else { return };
        if let Some(ids) = self.ids.get_mut(&name) {
            ids.retain(|known| *known != id);
            if ids.is_empty() {
                self.ids.remove(&name);
            }
        }
    }
}

impl AccountNames {
    /// An account was committed. Runs with the commit, in the order of the commits.
    pub(super) fn set(&self, account: &Account) {
        if let Some(index) = lock(&self.0).as_mut() {
            let Profile { name, integration, .. } = &account.profile;
            index.set(account.id(), Named { name: name.clone(), integration: integration.clone() });
        }
    }

    /// Likewise for an account that was deleted.
    pub(super) fn remove(&self, id: AccountId) {
        if let Some(index) = lock(&self.0).as_mut() {
            index.remove(id);
        }
    }

    fn fill(&self, all: &[(AccountId, Named)]) {
        let mut index = Index::default();
        for (id, named) in all {
            index.set(*id, named.clone());
        }
        *lock(&self.0) = Some(index);
    }
}

impl Accounts {
    /// The accounts with this name that the caller may use, the oldest first. Only the first question reads the database.
    pub async fn named(&self, caller: &Caller, name: &str) -> Result<Vec<AccountId>> {
        self.read_names().await?;
        let names = lock(&self.0.names.0);
        let Some((index, ids)) = names.as_ref().and_then(|index| Some((index, index.ids.get(name)?))) else {
            return Ok(Vec::new());
        };
        let may_use = |id: &&AccountId| {
            index.accounts.get(*id).is_some_and(|named| caller.require_account(**id, &named.integration).is_ok())
        };
        Ok(ids.iter().filter(may_use).copied().collect())
    }

    /// Whether the account wasn't deleted. Only the first question reads the database.
    pub async fn exists(&self, _caller: &Caller, id: AccountId) -> bool {
        if let Err(error) = self.read_names().await {
            tracing::warn!(account = %id, code = error.code(), "not known whether it still exists: {error}");
            return true;
        }
        lock(&self.0.names.0).as_ref().is_some_and(|index| index.accounts.contains_key(&id))
    }

    async fn read_names(&self) -> Result<()> {
        if lock(&self.0.names.0).is_some() {
            return Ok(());
        }
        // On the writer, so that no commit comes between reading and keeping.
        let names = self.0.names.clone();
        let read = self.0.uses.store.write_then(|tx| accounts::names(tx), move |read: &Vec<_>| names.fill(read));
        Ok(read.await.map(drop)?)
    }
}

#[cfg(test)]
mod tests {
    use relink_domain::account::{FixedKind, NewCredential};

    use crate::testing::{NOWHERE, PERSON, Services};

    const API_KEY: NewCredential = NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None };

    #[tokio::test]
    async fn names_follow_every_change_without_another_read() {
        let services = Services::new();
        let accounts = services.accounts();
        let installed = services.install_sandbox(NOWHERE).await;
        let first = services.connect(&accounts, &installed, API_KEY).await;
        let named = async |name: &str| accounts.named(&PERSON, name).await.expect("known");
        assert_eq!(named("Ada").await, [first]);
        assert_eq!(named("Grace").await, []);
        let second = services.connect(&accounts, &installed, API_KEY).await;
        assert_eq!(named("Ada").await, [first, second]);
        accounts.rename(&PERSON, first, "Grace".to_owned()).await.expect("renamed");
        assert_eq!((named("Ada").await, named("Grace").await), (vec![second], vec![first]));
        accounts.delete(&PERSON, second).await.expect("deleted");
        assert_eq!(named("Ada").await, []);
        assert!(accounts.exists(&PERSON, first).await && !accounts.exists(&PERSON, second).await);
        let stored = services.store.read(crate::store::accounts::names).await.expect("read");
        assert_eq!(stored.len(), 1, "as in the database");
        assert_eq!((stored[0].0, stored[0].1.name.as_str()), (first, "Grace"));
    }
}
