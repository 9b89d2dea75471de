//! Accounts and timelines as surfaces show them. What is shown for thousands of accounts costs no more than they do.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use relink_domain::{
    AccountId, EnvironmentIntegrationId, Timestamp,
    account::{Account, Due},
    schedule::Jitter,
};
use rusqlite::Connection;

use crate::{
    Engine, Error,
    error::Result,
    store::{
        self,
        accounts::{self, Filter, Used},
        integrations::{self, Installed},
        timeline,
    },
    wire,
};

/// An account and what goes with it.
#[derive(Debug, Clone)]
pub struct AccountView {
    /// The account.
    pub account: Account,
    /// The installed integration that it belongs to; accounts of one share it.
    pub installed: Arc<Installed>,
    /// What a person calls that.
    pub label: String,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// When Relink does something for it by itself.
    pub due: Option<Timestamp>,
}

/// What a person calls an account of a timeline, and its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The account.
    pub name: String,
    /// Its integration; `None` when the account is gone.
    pub label: Option<String>,
}

/// Which page of a timeline.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pages {
    /// Whose; `None`: everybody's.
    pub account: Option<AccountId>,
    /// Before which place.
    pub before: Option<i64>,
    /// Only what is not as it should be.
    pub wrong: bool,
}

/// Entries that are looked at for one page of what went wrong.
const FAR: usize = 2000;

impl Engine {
    /// Accounts, oldest first: at most `limit`, after the one with the id `after`.
    pub async fn accounts(
        &self,
        filter: Filter,
        after: Option<AccountId>,
        limit: Option<usize>,
    ) -> Result<Vec<AccountView>> {
        Ok(self.0.store.read(move |c| views(c, accounts::list(c, &filter, after, limit)?)).await?)
    }

    /// One account.
    pub async fn account(&self, id: AccountId) -> Result<AccountView> {
        let found = self.0.store.read(move |c| views(c, accounts::get_used(c, id)?.into_iter().collect())).await?;
        found.into_iter().next().ok_or_else(|| Error::not_found("account", &id))
    }

    /// How many accounts each installed integration has.
    pub async fn account_counts(&self) -> Result<HashMap<EnvironmentIntegrationId, u32>> {
        Ok(self.0.store.read(accounts::counts).await?)
    }

    /// How many accounts are in each status, by its stored name.
    pub async fn status_counts(&self) -> Result<HashMap<String, u32>> {
        Ok(self.0.store.read(accounts::status_counts).await?)
    }

    /// What a person calls these accounts. Of one that is gone, its timeline knows.
    pub async fn names(&self, ids: HashSet<AccountId>) -> Result<HashMap<AccountId, Named>> {
        Ok(self.0.store.read(move |c| names(c, ids)).await?)
    }

    /// A timeline, newest first: an account's, or everybody's.
    pub async fn timeline(
        &self,
        account: Option<AccountId>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<timeline::Entry>> {
        Ok(self.0.store.read(move |c| timeline::list(c, account, before, Some(limit))).await?)
    }

    /// A page of a timeline, and where the next one begins. One of what went wrong may be empty though there are more.
    pub async fn timeline_page(&self, pages: Pages, limit: usize) -> Result<timeline::Page> {
        let Pages { account, before, wrong } = pages;
        Ok(self.0.store.read(move |c| timeline::page(c, account, before, wrong, (limit, FAR))).await?)
    }
}

/// Each integration that the accounts belong to is read once.
fn views(c: &Connection, accounts: Vec<Used>) -> store::Result<Vec<AccountView>> {
    let mut known: HashMap<EnvironmentIntegrationId, Arc<Installed>> = HashMap::new();
    let view = |(account, last_used_at): Used| {
        let installed = read_once(c, &mut known, account.profile.environment_integration_id)?;
        Ok(AccountView {
            label: wire::label(&installed.integration),
            last_used_at,
            due: account.due(Jitter::NONE).map(Due::at),
            account,
            installed,
        })
    };
    accounts.into_iter().map(view).collect()
}

fn names(c: &Connection, ids: HashSet<AccountId>) -> store::Result<HashMap<AccountId, Named>> {
    let mut known = HashMap::new();
    let mut names = HashMap::new();
    for id in ids {
        if let Some((name, integration)) = accounts::name_of(c, id)? {
            let label = wire::label(&read_once(c, &mut known, integration)?.integration);
            names.insert(id, Named { name, label: Some(label) });
        } else if let Some(name) = timeline::name_of_deleted(c, id)? {
            names.insert(id, Named { name, label: None });
        }
    }
    Ok(names)
}

fn read_once(
    c: &Connection,
    known: &mut HashMap<EnvironmentIntegrationId, Arc<Installed>>,
    id: EnvironmentIntegrationId,
) -> store::Result<Arc<Installed>> {
    if let Some(installed) = known.get(&id) {
        return Ok(Arc::clone(installed));
    }
    let installed = Arc::new(integrations::installed(c, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?);
    known.insert(id, Arc::clone(&installed));
    Ok(installed)
}

#[cfg(test)]
#[path = "views_tests.rs"]
mod tests;
