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
mod snapshot;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwap;
use relink_domain::{
    EnvironmentId, EnvironmentIntegrationId, Secret,
    account::AuthenticationMethod,
    caller::Caller,
    integration::{ClientSecretNeed, Definition, Missing},
};
use serde_json::Map;
use tokio::sync::watch;

pub use install::Added;
pub(crate) use snapshot::{Entry, compile};

use crate::{
    address::ApiAddress,
    clock::Clock,
    error::{Error, Result},
    keychain::{Key, Keychain, KeychainError},
    orphans::Orphans,
    provider::Provider,
    store::{
        Store,
        integrations::{self, Installed, Integration},
        outbox::Payload,
    },
    sync::lock,
};
use snapshot::Snapshot;

/// Name of the client secret in an installed integration's keychain item.
pub(crate) const CLIENT_SECRET: &str = "client_secret";

/// Name of the Sandbox. It runs only while it is installed, and the person decides about that.
pub const SANDBOX: &str = "sandbox";

/// The services that [`Catalog`] uses.
#[derive(Debug)]
pub(crate) struct Dependencies {
    pub(crate) store: Store,
    pub(crate) keychain: Keychain,
    pub(crate) clock: Clock,
    pub(crate) orphans: Orphans,
    pub(crate) address: ApiAddress,
    pub(crate) environment: EnvironmentId,
}

/// Integrations, installed integrations and their OAuth clients. A clone is a handle on the same ones.
#[derive(Debug, Clone)]
pub struct Catalog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    uses: Dependencies,
    installed: ArcSwap<Snapshot>,
    changed: watch::Sender<u64>,
    /// Installed integrations whose client secret has been seen in the keychain. Lists ask this and not the keychain.
    with_secret: Mutex<HashSet<EnvironmentIntegrationId>>,
}

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
        let installed = uses.store.read(integrations::all_installed).await?;
        Ok(Self(Arc::new(Inner {
            uses,
            installed: ArcSwap::from_pointee(Snapshot::of(installed)),
            changed: watch::Sender::new(0),
            with_secret: Mutex::default(),
        })))
    }

    /// What there is, by name, and what is installed of it.
    pub async fn list(&self, _caller: &Caller) -> Result<Vec<CatalogEntry>> {
        let (all, hidden) =
            self.0.uses.store.read(|c| Ok((integrations::catalog(c)?, built_in::hidden_names(c)?))).await?;
        let installed = self.0.installed.load_full();
        let mut entries = Vec::new();
        for integration in all {
            let entry = installed.named(&integration.name);
            let (definition, not_ready) = match entry.map(|entry| &entry.provider) {
                Some(Ok(provider)) => (Some(Arc::clone(&provider.definition)), self.first_not_ready(provider).await),
                Some(Err(reason)) => (None, Some(reason.to_string())),
                None => (compile::without_override(&integration), None),
            };
            entries.push(CatalogEntry {
                hides_built_in: hidden.contains(&integration.name),
                installed: entry.map(|entry| Installed::clone(&entry.installed)),
                integration,
                definition,
                not_ready,
            });
        }
        Ok(entries)
    }

    /// Wakes whoever follows what is installed, after it has changed.
    pub fn changes(&self, _caller: &Caller) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Whether the integration with this name is installed.
    pub fn is_installed(&self, _caller: &Caller, name: &str) -> bool {
        self.0.installed.load().named(name).is_some()
    }

    /// An installed integration, usable or not.
    pub(crate) fn installed(&self, id: EnvironmentIntegrationId) -> Option<Arc<Installed>> {
        self.0.installed.load().get(id).map(|entry| Arc::clone(&entry.installed))
    }

    /// All installed integrations by name, usable or not.
    pub(crate) fn all_installed(&self) -> Vec<Entry> {
        let mut all: Vec<_> = self.0.installed.load().entries().cloned().collect();
        all.sort_by(|a, b| a.installed.integration.name.cmp(&b.installed.integration.name));
        all
    }

    /// An installed integration that can be used.
    pub(crate) fn provider(&self, id: EnvironmentIntegrationId) -> Result<Arc<Provider>> {
        let installed = self.0.installed.load();
        let entry = installed.get(id).ok_or_else(|| Error::not_found("installed integration", &id))?;
        entry.usable()
    }

    /// The installed, enabled integration with this name.
    pub(crate) fn provider_named(&self, name: &str) -> Result<Arc<Provider>> {
        let installed = self.0.installed.load();
        let entry = installed.named(name).filter(|entry| entry.installed.is_enabled);
        entry.ok_or_else(|| Error::not_found("installed integration", name))?.usable()
    }

    /// The integration's OAuth client secret, where it has one.
    pub(crate) async fn client_secret(&self, provider: &Provider) -> Result<Option<Secret>, KeychainError> {
        if provider.definition.oauth2().is_none_or(|oauth2| oauth2.client_secret == ClientSecretNeed::Never) {
            return Ok(None);
        }
        let item = self.0.uses.keychain.get(&Key::Integration(provider.id())).await?;
        Ok(item.and_then(|mut item| item.secrets.remove(CLIENT_SECRET)))
    }

    /// What is missing before anybody can sign in this way, and what to do.
    pub(crate) async fn not_ready(&self, provider: &Provider, method: AuthenticationMethod) -> Option<String> {
        let port = self.0.uses.address.port().ok()?;
        let not_ready = provider.definition.not_ready(method, false, port)?;
        let is_ready = not_ready.missing == Missing::ClientSecret && self.has_client_secret(provider).await;
        (!is_ready).then_some(not_ready.message)
    }

    /// Whether the integration's client secret is in the keychain. One that can't be asked now is reported when it is needed.
    async fn has_client_secret(&self, provider: &Provider) -> bool {
        if lock(&self.0.with_secret).contains(&provider.id()) {
            return true;
        }
        match self.client_secret(provider).await {
            Ok(Some(_)) => {
                lock(&self.0.with_secret).insert(provider.id());
                true
            }
            Ok(None) => false,
            Err(_) => true,
        }
    }

    async fn first_not_ready(&self, provider: &Provider) -> Option<String> {
        let mut first = None;
        for method in provider.definition.methods() {
            match self.not_ready(provider, method).await {
                Some(reason) => first = first.or(Some(reason)),
                // One way that works is enough.
                None => return None,
            }
        }
        first
    }

    /// Publishes an installed integration as the transaction that called this has left it.
    fn publish(&self, installed: Installed) {
        let entry = Entry::compile(installed);
        self.0.installed.rcu(|snapshot| snapshot.with(entry.clone()));
        self.0.changed.send_modify(|count| *count += 1);
    }

    /// What an event about an installed integration carries.
    fn payload(&self, installed: &Installed) -> Result<Payload> {
        Ok(Payload::of(&installed.summary(self.0.uses.environment))?)
    }

    fn publish_removal(&self, id: EnvironmentIntegrationId) {
        lock(&self.0.with_secret).remove(&id);
        self.0.installed.rcu(|snapshot| snapshot.without(id));
        self.0.changed.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests;
