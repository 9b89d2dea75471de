//! Read views of accounts and timelines.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use relink_contract::account::{AccountContext, IntegratedAccount, Waiting};
use relink_domain::{
    AccountId, EnvironmentIntegrationId, Timestamp,
    account::{Account, Due, Status},
    caller::Caller,
    integration::Definition,
    merge::merge,
    schedule::Jitter,
};

use serde_json::{Map, Value};

use super::{Accounts, limits::narrowed};
use crate::{
    error::{Error, Result},
    organization::OrganizationIds,
    provider::{Provider, VARIABLES},
    store::{
        accounts::{self, Used},
        filter::{AccountOrder, AccountPlace, AccountTime, Filter},
        integrations::Installed,
        timeline,
    },
    wire,
};

/// An account with the data that is shown next to it.
#[derive(Debug, Clone)]
pub struct AccountView {
    pub account: Account,
    /// Shared by all accounts of the integration.
    pub installed: Arc<Installed>,
    /// The integration's display name.
    pub label: String,
    pub last_used_at: Option<Timestamp>,
    /// When Relink refreshes or checks it next.
    pub due: Option<Timestamp>,
    /// Set while the provider has asked Relink to wait.
    pub waiting: Option<Waiting>,
    /// Whether its key was never tried, because the integration defines no probe.
    pub is_unchecked: bool,
    /// Whether an access token is at hand that hasn't expired.
    pub holds_token: bool,
}

impl AccountView {
    /// The account as responses contain it.
    pub fn integrated_account(&self, ids: OrganizationIds) -> IntegratedAccount {
        let mut shown = wire::integrated_account(&self.account, ids, &self.installed);
        shown.environment_integration = self.installed.summary(ids.environment);
        if let Some(variables) = self.environment_variables() {
            shown.context.insert(VARIABLES.to_owned(), variables.into());
        }
        shown
    }

    /// The variables of the overrides, which responses show in the context and events don't (contract section 3).
    fn environment_variables(&self) -> Option<Map<String, Value>> {
        let own = &self.account.profile.settings.integration_override;
        let mut overrides =
            [&self.installed.r#override, own].into_iter().filter_map(|over| over.get(VARIABLES)?.as_object());
        let mut variables = overrides.next()?.clone();
        overrides.for_each(|over| merge(&mut variables, over));
        Some(variables)
    }

    /// What was filled in and found for the account. An earlier version stored variables in it, too.
    pub fn shown_context(&self) -> Map<String, Value> {
        let mut context = self.account.profile.context.clone();
        context.shift_remove(VARIABLES);
        context
    }

    /// The data that the contract's account rows contain besides the account.
    pub fn context(&self, now: Timestamp) -> AccountContext<'_> {
        AccountContext {
            label: &self.label,
            last_used_at: self.last_used_at,
            next_action_at: self.due,
            waiting: self.waiting.as_ref(),
            is_unchecked: self.is_unchecked,
            holds_token: self.holds_token,
            now,
        }
    }
}

/// A page of accounts.
#[derive(Debug, Clone)]
pub struct AccountPage {
    pub accounts: Vec<AccountView>,
    /// The place after which the next page begins; `None` on the last page.
    pub next: Option<AccountPlace>,
}

/// Which page of accounts to read.
#[derive(Debug, Clone, Copy)]
pub struct PageQuery {
    pub order: AccountOrder,
    /// The place after which it begins; `None`: at the beginning.
    pub after: Option<AccountPlace>,
    pub limit: usize,
}

/// The display names of a timeline's account and its integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountName {
    pub name: String,
    /// The integration's label; `None` if the account was deleted.
    pub label: Option<String>,
}

/// Which part of a timeline to show.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimelineQuery {
    /// `None`: all accounts.
    pub account: Option<AccountId>,
    /// Only entries before this sequence number; `None`: from the newest on.
    pub before: Option<i64>,
    pub problems_only: bool,
}

/// The maximum number of entries that are read for one page of problems.
const MAX_SCANNED: usize = 2000;

impl Accounts {
    /// All accounts that match the filter, oldest first.
    pub async fn list(&self, caller: &Caller, filter: Filter) -> Result<Vec<AccountView>> {
        let filter = narrowed(caller, filter);
        let found =
            self.0.uses.store.read(move |c| accounts::list(c, &filter, AccountOrder::OLDEST_FIRST, None, None)).await?;
        Ok(self.views(found))
    }

    /// A page of the accounts that match the filter.
    pub async fn page(&self, caller: &Caller, filter: Filter, page: PageQuery) -> Result<AccountPage> {
        let filter = narrowed(caller, filter);
        let PageQuery { order, after, limit } = page;
        // Read one more than requested, to find out whether there is a next page.
        let wanted = limit.saturating_add(1);
        let found = self.0.uses.store.read(move |c| accounts::list(c, &filter, order, after, Some(wanted)));
        let mut found = found.await?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        let place = |account: &Account| {
            let profile = &account.profile;
            let at = match order.by {
                AccountTime::Created => profile.created_at,
                AccountTime::Updated => profile.updated_at,
                AccountTime::SandboxSince => profile.sandbox_since().unwrap_or(profile.created_at),
            };
            AccountPlace { at, id: account.id() }
        };
        let next = found.last().filter(|_| has_more).map(|(account, _)| place(account));
        Ok(AccountPage { accounts: self.views(found), next })
    }

    pub async fn get(&self, caller: &Caller, id: AccountId) -> Result<AccountView> {
        self.require(caller, id).await?;
        self.view_of(id).await
    }

    /// The definition of the account's integration; `None` if it can't be used.
    pub async fn definition(&self, caller: &Caller, id: AccountId) -> Result<Option<Arc<Definition>>> {
        self.require(caller, id).await?;
        let account = self.load(id).await?;
        let provider = self.0.uses.providers.of(&account).ok();
        Ok(provider.map(|provider| Arc::clone(&provider.definition)))
    }

    /// The number of accounts by the name of their status.
    pub async fn status_counts(&self, caller: &Caller) -> Result<HashMap<String, u32>> {
        if caller.is_limited_to_accounts() {
            let mut counts = HashMap::new();
            for view in self.list(caller, Filter::default()).await? {
                *counts.entry(view.account.status().as_str().to_owned()).or_default() += 1;
            }
            return Ok(counts);
        }
        Ok(self.0.uses.store.read(accounts::status_counts).await?)
    }

    /// How many accounts each installed integration has.
    pub async fn counts(&self, _caller: &Caller) -> Result<HashMap<EnvironmentIntegrationId, u32>> {
        Ok(self.0.uses.store.read(accounts::counts).await?)
    }

    /// The display names of these accounts. The name of a deleted account comes from its timeline.
    pub async fn names(&self, _caller: &Caller, ids: HashSet<AccountId>) -> Result<HashMap<AccountId, AccountName>> {
        let found = self
            .0
            .uses
            .store
            .read(move |c| {
                let mut found = Vec::new();
                for id in ids {
                    if let Some((name, integration)) = accounts::name_of(c, id)? {
                        found.push((id, name, Some(integration)));
                    } else if let Some(name) = timeline::name_of_deleted(c, id)? {
                        found.push((id, name, None));
                    }
                }
                Ok(found)
            })
            .await?;
        let label = |id| self.0.uses.providers.installed(id).map(|installed| installed.label());
        let named = found.into_iter().map(|(id, name, integration)| {
            let label = integration.and_then(label);
            (id, AccountName { name, label })
        });
        Ok(named.collect())
    }

    /// A timeline, newest entry first: the account's, or that of all accounts for `None`.
    pub async fn timeline(
        &self,
        caller: &Caller,
        account: Option<AccountId>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<timeline::Entry>> {
        match account {
            Some(id) => self.require(caller, id).await?,
            None => caller.require_all_accounts()?,
        }
        Ok(self.0.uses.store.read(move |c| timeline::list(c, account, before, Some(limit))).await?)
    }

    /// A page of a timeline, and where the next one begins. A page of problems may be empty even if more follow.
    pub async fn timeline_page(&self, _caller: &Caller, query: TimelineQuery, limit: usize) -> Result<timeline::Page> {
        let TimelineQuery { account, before, problems_only } = query;
        let page =
            self.0.uses.store.read(move |c| timeline::page(c, account, before, problems_only, (limit, MAX_SCANNED)));
        Ok(page.await?)
    }

    pub(crate) async fn view_of(&self, id: AccountId) -> Result<AccountView> {
        let found = self.0.uses.store.read(move |c| accounts::get_used(c, id)).await?;
        let closed = self.0.uses.hosts.closed(self.0.uses.clock.now());
        self.view(found.ok_or_else(|| Error::not_found("account", &id))?, &closed)
    }

    /// The accounts whose refresh waits, because their providers have asked for it.
    pub async fn waiting(&self, caller: &Caller) -> Result<Vec<AccountView>> {
        let is_any_closed = !self.0.uses.hosts.closed(self.0.uses.clock.now()).is_empty();
        // An account that received a long `Retry-After` itself is failing.
        let statuses = if is_any_closed { Vec::new() } else { vec![Status::NeedsReauth.as_str().to_owned()] };
        let found = self.list(caller, Filter { statuses, ..Filter::default() }).await?;
        Ok(found.into_iter().filter(|view| view.waiting.is_some()).collect())
    }

    pub(crate) fn installed_of(&self, account: &Account) -> Result<Arc<Installed>> {
        let id = account.profile.environment_integration_id;
        self.0.uses.providers.installed(id).ok_or_else(|| Error::not_found("installed integration", &id))
    }

    fn wait_of(&self, account: &Account, provider: &Provider, closed: &HashMap<String, Timestamp>) -> Option<Waiting> {
        let now = self.0.uses.clock.now();
        let of_account = account.asked_to_wait_until(now);
        let is_held_up = !closed.is_empty() && account.is_refresh_due(now);
        let of_host = is_held_up.then(|| closed.get(&provider.token_host(&account.profile.context)).copied()).flatten();
        let until = of_account.max(of_host)?;
        Some(Waiting { host: provider.shown_token_host(&account.profile.context), until })
    }

    fn views(&self, found: Vec<Used>) -> Vec<AccountView> {
        let closed = self.0.uses.hosts.closed(self.0.uses.clock.now());
        found.into_iter().filter_map(|used| self.view(used, &closed).ok()).collect()
    }

    /// `closed`: the hosts whose `Retry-After` is in force.
    fn view(&self, (account, last_used_at): Used, closed: &HashMap<String, Timestamp>) -> Result<AccountView> {
        let installed = self.installed_of(&account)?;
        let provider = self.0.uses.providers.of(&account).ok();
        Ok(AccountView {
            waiting: provider.as_ref().and_then(|provider| self.wait_of(&account, provider, closed)),
            is_unchecked: provider.is_some_and(|provider| provider.leaves_unchecked(&account)),
            holds_token: self.0.uses.tokens.get_fresh(account.id(), self.0.uses.clock.now()).is_some(),
            label: installed.label(),
            last_used_at,
            due: account.due(Jitter::NONE).map(Due::at),
            account,
            installed,
        })
    }
}

#[cfg(test)]
#[path = "views_tests.rs"]
mod tests;
