//! Integrations: what there is, what is installed, and the compiled definitions in force.
//!
//! A definition is checked strictly once, when it is written. From then on it is loaded tolerantly, once, into a snapshot that
//! the transaction which changed it publishes; nothing on the hot path reads or parses a definition.
//!
//! Invariant: an installed definition that can't be loaded stays in the snapshot with the reason. Its accounts say so
//! (`Recovery`), can be deleted, and it can be uninstalled.

mod built_in;
mod client;
mod install;

use std::sync::Arc;

use relink_domain::{EnvironmentId, caller::Caller, integration::Definition};
use serde_json::Map;
use tokio::sync::watch;

pub use install::Added;

use crate::{
    clock::Clock,
    error::Result,
    keychain::Keychain,
    orphans::Orphans,
    provider::{Provider, Providers, compile},
    store::{
        Store,
        integrations::{self, Installed, Integration},
        outbox::Payload,
    },
};

/// Name of the Sandbox. It runs only while it is installed, and the person decides about that.
pub const SANDBOX: &str = "sandbox";

/// The services that [`Catalog`] uses.
#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) clock: Clock,
    pub(crate) orphans: Orphans,
    pub(crate) providers: Providers,
    pub(crate) environment: EnvironmentId,
}

/// Integrations, installed integrations and their OAuth clients. A clone is a handle on the same ones.
#[derive(Debug, Clone)]
pub struct Catalog(Arc<Dependencies>);

/// An integration of the catalog, and whether it can be used.
#[derive(Debug, Clone)]
pub struct CatalogEntry {
    pub integration: Integration,
    pub installed: Option<Installed>,
    /// The definition in force; `None` where it can't be loaded.
    pub definition: Option<Arc<Definition>>,
    /// What is missing before anybody can sign in, and what to do. `None`: nothing.
    pub not_ready: Option<String>,
    /// Whether it keeps a built-in integration of the same name hidden.
    pub hides_built_in: bool,
}

impl CatalogEntry {
    /// What a person calls it.
    pub fn label(&self) -> String {
        self.installed.as_ref().map_or_else(|| self.integration.label_with(&Map::new()), Installed::label)
    }

    /// Its color as CSS writes it.
    pub fn color(&self) -> Option<String> {
        self.installed.as_ref().map_or_else(|| self.integration.color_with(&Map::new()), Installed::color)
    }
}

impl Catalog {
    /// Brings the built-in integrations up to date and loads what is installed.
    pub(crate) async fn open(uses: Dependencies) -> Result<Self> {
        built_in::update(&uses.store, uses.clock.now()).await?;
        uses.providers.load(uses.store.read(integrations::all_installed).await?);
        Ok(Self(Arc::new(uses)))
    }

    /// What there is, by name, and what is installed of it.
    pub async fn list(&self, _caller: &Caller) -> Result<Vec<CatalogEntry>> {
        let (all, hidden) = self.0.store.read(|c| Ok((integrations::catalog(c)?, built_in::hidden_names(c)?))).await?;
        let mut entries = Vec::new();
        for integration in all {
            let entry = self.0.providers.entry_named(&integration.name);
            let (definition, not_ready) = match entry.as_ref().map(|entry| &entry.provider) {
                Some(Ok(provider)) => (Some(Arc::clone(&provider.definition)), self.first_not_ready(provider).await),
                Some(Err(reason)) => (None, Some(reason.to_string())),
                None => (compile::without_override(&integration), None),
            };
            entries.push(CatalogEntry {
                hides_built_in: hidden.contains(&integration.name),
                installed: entry.as_ref().map(|entry| Installed::clone(&entry.installed)),
                integration,
                definition,
                not_ready,
            });
        }
        Ok(entries)
    }

    /// Wakes whoever follows what is installed, after it has changed.
    pub fn changes(&self, _caller: &Caller) -> watch::Receiver<u64> {
        self.0.providers.changes()
    }

    /// Whether the integration with this name is installed.
    pub fn is_installed(&self, _caller: &Caller, name: &str) -> bool {
        self.0.providers.entry_named(name).is_some()
    }

    async fn first_not_ready(&self, provider: &Provider) -> Option<String> {
        let mut first = None;
        for method in provider.definition.methods() {
            match self.0.providers.not_ready(provider, method).await {
                Some(reason) => first = first.or(Some(reason)),
                // One way that works is enough.
                None => return None,
            }
        }
        first
    }

    /// What an event about an installed integration carries.
    fn payload(&self, installed: &Installed) -> Result<Payload> {
        Ok(Payload::of(&installed.summary(self.0.environment))?)
    }
}

#[cfg(test)]
mod tests;
