//! Which tools a server offers.

use std::collections::{BTreeSet, HashMap, HashSet};

use relink_contract::tool::{MethodFilter, Tool, Tools};
use relink_domain::{AccountId, account::Account, caller::Caller, integration::Definition};
use relink_engine::Filter;

use super::names::{self, Names};
use crate::{ApiState, error::ApiError};

/// A tool under the name that agents know it by.
#[derive(Debug, Clone)]
pub(super) struct Offered {
    pub(super) name: String,
    pub(super) account: AccountId,
    /// The account's name, if the server has tools of several accounts.
    pub(super) account_name: Option<String>,
    pub(super) tool: Tool,
}

impl Offered {
    /// What agents read. Only it says whose tool it is in a person's words.
    pub(super) fn description(&self) -> String {
        match &self.account_name {
            None => self.tool.description.clone(),
            Some(account) => format!("{} (Account: {account})", self.tool.description),
        }
    }

    pub(super) fn only_reads(&self) -> bool {
        matches!(self.tool.method.as_str(), "get" | "list")
    }
}

/// The tools of one account.
pub(super) async fn of_account(
    api: &ApiState,
    caller: &Caller,
    account: AccountId,
    filter: &MethodFilter,
) -> Result<Vec<Offered>, ApiError> {
    let (_, (_, definition)) = api.definition_of_account(caller, account).await?;
    let tools = named(&definition, filter, None).into_iter();
    Ok(tools.map(|(name, tool)| Offered { name, account, account_name: None, tool }).collect())
}

/// The wanted tools with their names, which don't depend on what else is wanted.
fn named(definition: &Definition, filter: &MethodFilter, account: Option<&str>) -> Vec<(String, Tool)> {
    let wanted: HashSet<_> =
        filter.select(definition).into_iter().map(|(resource, method, _)| (resource, method)).collect();
    let mut names = Names::default();
    let all = Tools::of(definition, &MethodFilter::default()).result.into_iter();
    let with_names = all.map(|tool| (names.take(&tool.name, account), tool));
    with_names.filter(|(_, tool)| wanted.contains(&(tool.resource.as_str(), tool.method.as_str()))).collect()
}

/// The tools of all accounts that the caller may use, the oldest first; `accounts` names some of them by their ids or names.
pub(super) async fn of_all(
    api: &ApiState,
    caller: &Caller,
    accounts: &[String],
    filter: &MethodFilter,
) -> Result<Vec<Offered>, ApiError> {
    let views = api.engine.accounts().list(caller, Filter::default()).await?;
    if let Some(unknown) = accounts.iter().find(|wanted| !views.iter().any(|view| is_named(&view.account, wanted))) {
        return Err(ApiError::not_found(&format!("There is no account {unknown}")));
    }
    let entries = api.engine.catalog().list(caller).await?;
    let definitions: HashMap<_, _> =
        entries.into_iter().filter_map(|entry| Some((entry.installed?.id, entry.definition?))).collect();
    // Named among all of them, so that a narrower list has the same names.
    let every: Vec<_> = views.iter().map(|view| (view.account.id(), view.account.profile.name.as_str())).collect();
    let mut all = Vec::new();
    let mut methods = BTreeSet::new();
    for (view, account_part) in views.iter().zip(names::of_accounts(&every)) {
        let is_wanted = accounts.is_empty() || accounts.iter().any(|wanted| is_named(&view.account, wanted));
        if !is_wanted {
            continue;
        }
        let has_own = !view.account.profile.settings.integration_override.is_empty();
        let own = if has_own { api.engine.accounts().definition(caller, view.account.id()).await? } else { None };
        let shared = definitions.get(&view.installed.id).filter(|_| !has_own);
        let Some(definition) = own.as_ref().or(shared) else { continue };
        methods.extend(definition.resources().iter().flat_map(|(_, it)| it.iter().map(|(name, _)| name.to_owned())));
        let (account, account_name) = (view.account.id(), &view.account.profile.name);
        for (name, tool) in named(definition, filter, Some(&account_part)) {
            all.push(Offered { name, account, account_name: Some(account_name.clone()), tool });
        }
    }
    require_known(&filter.methods, &methods)?;
    Ok(all)
}

/// Refuses a method that none of the accounts has, which is probably misspelled. Without any account, nothing is known.
fn require_known(wanted: &[String], known: &BTreeSet<String>) -> Result<(), ApiError> {
    let is_word = |name: &str| MethodFilter::WORDS.contains(&name);
    let is_unknown = |name: &&String| !is_word(name) && !known.contains(*name);
    let Some(unknown) = wanted.iter().find(is_unknown).filter(|_| !known.is_empty()) else { return Ok(()) };
    let own = known.iter().map(String::as_str).filter(|name| !is_word(name));
    let names: Vec<_> = MethodFilter::WORDS.into_iter().chain(own).collect();
    let message = format!("No account has a method {unknown}. There are: {}.", names.join(", "));
    Err(ApiError::bad_request("unknown_method", &message))
}

fn is_named(account: &Account, wanted: &str) -> bool {
    account.id().to_string() == wanted || account.profile.name == wanted
}
