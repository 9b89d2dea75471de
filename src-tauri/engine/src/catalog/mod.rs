//! Integrations: the catalog, the installed integrations and their compiled definitions.
//!
//! A definition is checked strictly when it is written. After that it is loaded tolerantly, once, into a snapshot that
//! is published with the transaction that changed it. Nothing on the hot path reads or parses a definition.
//!
//! Invariant: an installed integration whose definition can't be loaded stays in the snapshot with the reason.
//! `Recovery` marks its accounts. They can be deleted, and the integration can be uninstalled.

mod binding;
mod built_in;
mod client;
mod definitions;
mod documentation;
mod install;
mod overriding;
mod secrets;
mod uninstall;

use std::sync::Arc;

use relink_domain::{EnvironmentId, IntegrationId, caller::Caller, integration::Definition};
use serde_json::Map;
use tokio::sync::watch;

pub use definitions::Added;
pub use documentation::NewDocumentation;
pub use install::InstallationChange;

pub use crate::store::integrations::SANDBOX;

use crate::{
    accounts::Accounts,
    clock::Clock,
    error::{Error, Result},
    keychain::Keychain,
    orphans::Orphans,
    provider::{Provider, Providers, compile},
    step_runner::StepRunners,
    store::{
        Store,
        integrations::{self, Installed, Integration},
    },
};

#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) clock: Clock,
    pub(crate) orphans: Orphans,
    pub(crate) providers: Providers,
    pub(crate) accounts: Accounts,
    pub(crate) environment: EnvironmentId,
    pub(crate) runners: StepRunners,
}

/// Integrations, installed integrations and their OAuth clients. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Catalog(Arc<Dependencies>, secrets::Turn);

/// An integration of the catalog, and whether it can be used.
#[derive(Debug, Clone)]
pub struct CatalogEntry {
    pub integration: Integration,
    pub installed: Option<Installed>,
    /// The definition with the installation's override applied; `None` if it can't be loaded.
    pub definition: Option<Arc<Definition>>,
    /// What is missing for a sign-in, and what to do about it. `None`: nothing.
    pub not_ready: Option<String>,
    /// Whether it hides a built-in integration of the same name.
    pub hides_built_in: bool,
}

impl CatalogEntry {
    /// The display name, with the installation's override applied.
    pub fn label(&self) -> String {
        self.installed.as_ref().map_or_else(|| self.integration.label_with(&Map::new()), Installed::label)
    }

    /// The color in CSS syntax.
    pub fn color(&self) -> Option<String> {
        self.installed.as_ref().map_or_else(|| self.integration.color_with(&Map::new()), Installed::color)
    }
}

impl Catalog {
    /// Updates the built-in integrations and loads the installed ones.
    pub(crate) async fn open(uses: Dependencies) -> Result<Self> {
        binding::bind_existing(&uses.store).await?;
        built_in::update(&uses.store, uses.clock.now()).await?;
        uses.providers.load(uses.store.read(integrations::all_installed).await?);
        Ok(Self(Arc::new(uses), secrets::Turn::default()))
    }

    /// All integrations by name, each with its installation.
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

    pub async fn integration(&self, _caller: &Caller, id: IntegrationId) -> Result<Integration> {
        let found = self.0.store.read(move |c| integrations::get(c, id)).await?;
        found.ok_or_else(|| Error::not_found("integration", &id))
    }

    /// Notifies of changes to the installed integrations.
    pub fn changes(&self, _caller: &Caller) -> watch::Receiver<u64> {
        self.0.providers.changes()
    }

    pub fn is_installed(&self, _caller: &Caller, name: &str) -> bool {
        self.0.providers.entry_named(name).is_some()
    }

    async fn first_not_ready(&self, provider: &Provider) -> Option<String> {
        let mut first = None;
        for method in provider.definition.methods() {
            match self.0.providers.not_ready(provider, method).await {
                Some(reason) => first = first.or(Some(reason)),
                // One method that is ready is enough.
                None => return None,
            }
        }
        first
    }

    /// Marks the accounts whose credentials may not be sent to the integration's addresses any more, and restores those whose
    /// credentials may again. What fails here, `Recovery` does.
    async fn follow_addresses(&self, installed: &Installed) {
        let Ok(provider) = self.0.providers.get(installed.id) else { return };
        if let Err(error) = Box::pin(self.0.accounts.follow_provider(&provider)).await {
            tracing::warn!(
                integration = provider.name(),
                code = error.code(),
                "its accounts are marked later: {error}"
            );
        }
    }
}

#[cfg(test)]
mod tests;
