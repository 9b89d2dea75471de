//! Providers of accounts with an override of their own, compiled once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use relink_domain::{AccountId, account::Account, merge::merge};
use serde_json::{Map, Value};

use super::{Provider, compile, unusable};
use crate::{error::Result, store::integrations::Installed, sync::lock};

/// The providers of accounts with an `integration_override`.
#[derive(Debug, Default)]
pub(super) struct OwnProviders(Mutex<HashMap<AccountId, Own>>);

/// A provider, and what it was compiled from.
#[derive(Debug)]
struct Own {
    over: Map<String, Value>,
    provider: Arc<Provider>,
}

impl OwnProviders {
    /// The provider of the account's integration with the account's override merged over it. Fails if the definition can't be used
    /// with it.
    pub(super) fn get(&self, account: &Account, provider: Arc<Provider>) -> Result<Arc<Provider>> {
        let over = &account.profile.settings.integration_override;
        if over.is_empty() {
            return Ok(provider);
        }
        let installed = &provider.installed;
        let mut known = lock(&self.0);
        let found =
            known.get(&account.id()).filter(|own| own.over == *over && Arc::ptr_eq(&own.provider.installed, installed));
        if let Some(own) = found {
            return Ok(Arc::clone(&own.provider));
        }
        let compiled = Arc::new(compiled(installed, over)?);
        known.insert(account.id(), Own { over: over.clone(), provider: Arc::clone(&compiled) });
        Ok(compiled)
    }

    pub(super) fn forget(&self, account: AccountId) {
        lock(&self.0).remove(&account);
    }
}

fn compiled(installed: &Arc<Installed>, over: &Map<String, Value>) -> Result<Provider> {
    let mut overridden = Installed::clone(installed);
    merge(&mut overridden.r#override, over);
    let definition = compile::definition(&overridden).map_err(|error| unusable(installed, &error))?;
    let moved_from = compile::moved_from(&overridden, &definition);
    Ok(Provider { installed: Arc::clone(installed), definition: Arc::new(definition), moved_from })
}
