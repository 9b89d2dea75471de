//! Binds what an earlier version of Relink stored to the addresses that are in force when this version first starts.

use relink_domain::account::Account;
use rusqlite::Transaction;

use crate::{
    error::Result,
    provider::{Entry, Provider},
    store::{
        self, Store, accounts,
        filter::{AccountOrder, Filter},
        integrations, settings,
    },
};

/// Set when this was done. From then on, what is bound to nothing is sent nowhere.
const BOUND_ONCE: &str = "credentials_bound";

/// Binds accounts and client secrets, once. Those of a definition that can't be loaded are bound to nothing: it may name any
/// address when it is repaired. Call it before a built-in definition is updated.
pub(super) async fn bind_existing(store: &Store) -> Result<()> {
    if store.read(|c| settings::get::<bool>(c, BOUND_ONCE)).await?.is_some() {
        return Ok(());
    }
    let bind_all = |tx: &Transaction<'_>| {
        for installed in integrations::all_installed(tx)? {
            if let Ok(provider) = Entry::compile(installed).provider {
                bind(tx, &provider)?;
            }
        }
        settings::set(tx, BOUND_ONCE, &true)
    };
    Ok(store.write(bind_all).await?)
}

fn bind(tx: &Transaction<'_>, provider: &Provider) -> store::Result<()> {
    integrations::bind_client_secret(tx, provider.id(), &provider.client_origins())?;
    let filter = Filter { environment_integration_id: Some(provider.id()), ..Filter::default() };
    for (account, _) in accounts::list(tx, &filter, AccountOrder::OLDEST_FIRST, None, None)? {
        let origins = provider.origins(account.method(), &account.profile.context);
        let bound: Account = account.bound_to(&origins);
        accounts::rewrite(tx, &bound)?;
    }
    Ok(())
}
