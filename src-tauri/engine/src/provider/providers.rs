//! The installed integrations, as every component reads them. Only the `Catalog` publishes changes.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwap;
use relink_domain::{
    AccountId, EnvironmentIntegrationId, Secret,
    account::{Account, AuthenticationMethod},
    integration::{ClientSecretNeed, Missing},
    origins::MovedAddress,
    provider_text::KnownSecrets,
};
use tokio::sync::watch;

use super::{
    Provider,
    own::OwnProviders,
    secrets::{IntegrationSecrets, has_variables},
    snapshot::{Entry, Snapshot},
};
use crate::{
    address::ApiAddress,
    error::{Error, Result},
    keychain::{Key, Keychain, KeychainError},
    store::integrations::Installed,
    sync::lock,
};

/// How often secrets are read that are changed at the same time.
const MAX_READS: u32 = 4;

/// The installed integrations with their compiled definitions and client secrets. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct Providers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    keychain: Keychain,
    address: ApiAddress,
    installed: ArcSwap<Snapshot>,
    changed: watch::Sender<u64>,
    /// Installed integrations whose client secret has been seen in the keychain. Lists read this instead of the
    /// keychain.
    with_secret: Mutex<HashSet<EnvironmentIntegrationId>>,
    own: OwnProviders,
}

impl Providers {
    /// Empty until [`Self::load`].
    pub(crate) fn new(keychain: Keychain, address: ApiAddress) -> Self {
        let (installed, changed, with_secret) = (ArcSwap::default(), watch::Sender::new(0), Mutex::default());
        let own = OwnProviders::default();
        Self(Arc::new(Inner { keychain, address, installed, changed, with_secret, own }))
    }

    /// Compiles all installed integrations, at the start.
    pub(crate) fn load(&self, installed: Vec<Installed>) {
        self.0.installed.store(Arc::new(Snapshot::of(installed)));
    }

    /// Publishes an installed integration as its transaction committed it.
    pub(crate) fn publish(&self, installed: Installed) {
        let entry = Entry::compile(installed);
        self.0.installed.rcu(|snapshot| snapshot.with(entry.clone()));
        self.0.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn publish_removal(&self, id: EnvironmentIntegrationId) {
        self.forget_client_secret(id);
        self.0.installed.rcu(|snapshot| snapshot.without(id));
        self.0.changed.send_modify(|count| *count += 1);
    }

    /// Notifies of changes to the installed integrations.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// An installed integration. Fails if its definition can't be used.
    pub(crate) fn get(&self, id: EnvironmentIntegrationId) -> Result<Arc<Provider>> {
        let installed = self.0.installed.load();
        let entry = installed.get(id).ok_or_else(|| Error::not_found("installed integration", &id))?;
        entry.usable()
    }

    /// The account's integration, with the account's own override. Fails if its definition can't be used.
    pub(crate) fn of(&self, account: &Account) -> Result<Arc<Provider>> {
        self.0.own.get(account, self.get(account.profile.environment_integration_id)?)
    }

    /// Call it after an account was deleted.
    pub(crate) fn forget_account(&self, account: AccountId) {
        self.0.own.forget(account);
    }

    /// The installed, enabled integration with this name.
    pub(crate) fn named(&self, name: &str) -> Result<Arc<Provider>> {
        let installed = self.0.installed.load();
        let entry = installed.named(name).filter(|entry| entry.installed.is_enabled);
        entry.ok_or_else(|| Error::not_found("installed integration", name))?.usable()
    }

    /// An installed integration, usable or not.
    pub(crate) fn installed(&self, id: EnvironmentIntegrationId) -> Option<Arc<Installed>> {
        self.0.installed.load().get(id).map(|entry| Arc::clone(&entry.installed))
    }

    /// The installed integration with this name, usable or not.
    pub(crate) fn entry_named(&self, name: &str) -> Option<Entry> {
        self.0.installed.load().named(name).cloned()
    }

    /// All installed integrations by name, usable or not.
    pub(crate) fn all(&self) -> Vec<Entry> {
        let mut all: Vec<_> = self.0.installed.load().entries().cloned().collect();
        all.sort_by(|a, b| a.installed.integration.name.cmp(&b.installed.integration.name));
        all
    }

    /// The integration's OAuth client secret; `None` if it has none that may be sent to this provider's addresses.
    pub(crate) async fn client_secret(&self, provider: &Provider) -> Result<Option<Secret>, KeychainError> {
        let (secret, latest) = self.stored_client_secret(provider).await?;
        Ok(secret.filter(|_| client_secret_moved(&latest, provider).is_none()))
    }

    /// The integration as it is now: the provider may be that of a sign-in that began before it was changed. After its removal, it
    /// is as it was then.
    fn latest(&self, provider: &Provider) -> Arc<Installed> {
        self.installed(provider.id()).unwrap_or_else(|| Arc::clone(&provider.installed))
    }

    /// What the person must do because the client secret in the keychain was given for other addresses.
    pub(crate) async fn client_secret_to_enter_again(&self, provider: &Provider) -> Option<String> {
        let latest = self.latest(provider);
        let moved = client_secret_moved(&latest, provider)?;
        // If the keychain can't be read, there is one if one was given: no address has changed for one that never was there.
        if !self.stores_client_secret(provider).await.unwrap_or(!latest.client_secret_origins.is_empty()) {
            return None;
        }
        let id = provider.definition.oauth2().map(|oauth2| oauth2.client_id.as_str()).unwrap_or_default();
        Some(format!(
            "{} {}, so its client secret must be entered again. If you trust the new address, enter it in the window or run: \
             relink integrations client {} --id {id} --secret-stdin",
            moved.title(provider.label()),
            moved.change(),
            provider.name(),
        ))
    }

    /// The client secret, whether it may be sent to this provider's addresses or not, and the integration that it belongs to.
    async fn stored_client_secret(
        &self,
        provider: &Provider,
    ) -> Result<(Option<Secret>, Arc<Installed>), KeychainError> {
        if !has_client_secret(provider) {
            let need = provider.definition.oauth2().map(|oauth2| oauth2.client_secret);
            let empty = (need == Some(ClientSecretNeed::Empty)).then(|| Secret::new(""));
            return Ok((empty, self.latest(provider)));
        }
        let (secrets, latest) = self.secrets(provider).await?;
        Ok((secrets.client().cloned(), latest))
    }

    /// The integration's secrets, and the integration as it is while they are in force.
    pub(crate) async fn secrets(
        &self,
        provider: &Provider,
    ) -> Result<(IntegrationSecrets, Arc<Installed>), KeychainError> {
        let key = Key::Integration(provider.id());
        let mut reads = 0;
        loop {
            let item = self.0.keychain.get(&key).await?;
            // Read after the keychain: what was written there before is either in force, or has the former ones beside it.
            let latest = self.latest(provider);
            let Some(item) = item else { return Ok((IntegrationSecrets::default(), latest)) };
            reads += 1;
            // A change was committed meanwhile, so the keychain has newer ones.
            if item.generation >= latest.secrets_generation || reads == MAX_READS {
                return Ok((IntegrationSecrets::in_force(&item, latest.secrets_generation), latest));
            }
        }
    }

    /// What is missing for a sign-in with this method, and what to do about it. `None`: nothing is known to be missing.
    pub(crate) async fn not_ready(&self, provider: &Provider, method: AuthenticationMethod) -> Option<String> {
        let port = self.0.address.port().ok()?;
        if method == AuthenticationMethod::Oauth2
            && let Some(message) = self.client_secret_to_enter_again(provider).await
        {
            return Some(message);
        }
        let not_ready = provider.definition.not_ready(method, false, port)?;
        let is_ready = not_ready.missing == Missing::ClientSecret && self.has_stored_client_secret(provider).await;
        (!is_ready).then_some(not_ready.message)
    }

    /// The integration's secret environment variables.
    pub(crate) async fn variables(&self, provider: &Provider) -> Result<BTreeMap<String, Secret>, KeychainError> {
        if !has_variables(&self.latest(provider)) {
            return Ok(BTreeMap::new());
        }
        Ok(self.secrets(provider).await?.0.variables())
    }

    /// The secrets of an account and of its integration, as far as the keychain returns them. `account`: `None` for a new one.
    pub(crate) async fn known_secrets(&self, provider: &Provider, account: Option<AccountId>) -> KnownSecrets {
        let known = KnownSecrets::default();
        // Also those that may not be sent to this provider any more.
        let known = if has_client_secret(provider) || has_variables(&self.latest(provider)) {
            match self.secrets(provider).await {
                Ok((secrets, _)) => known.and(secrets.values()),
                Err(_) => known.incomplete(),
            }
        } else {
            known
        };
        let Some(account) = account else { return known };
        match self.0.keychain.get(&Key::Account(account)).await {
            Ok(item) => known.and(item.iter().flat_map(|item| item.secrets.values())),
            // Nothing can be read from such an item, and so nothing of it be recognized; the account is reauthorized.
            Err(KeychainError::Damaged { .. } | KeychainError::Newer { .. }) => known,
            Err(_) => known.incomplete(),
        }
    }

    /// Whether the integration's client secret is in the keychain. True if that can't be read now: the error is
    /// reported when the secret is needed.
    async fn has_stored_client_secret(&self, provider: &Provider) -> bool {
        self.stores_client_secret(provider).await.unwrap_or(true)
    }

    /// `None`: the keychain can't be read now.
    async fn stores_client_secret(&self, provider: &Provider) -> Option<bool> {
        if lock(&self.0.with_secret).contains(&provider.id()) {
            return Some(true);
        }
        let is_there = self.stored_client_secret(provider).await.ok()?.0.is_some();
        if is_there {
            lock(&self.0.with_secret).insert(provider.id());
        }
        Some(is_there)
    }

    /// Call it after the client secret was removed from the keychain.
    pub(crate) fn forget_client_secret(&self, id: EnvironmentIntegrationId) {
        lock(&self.0.with_secret).remove(&id);
    }
}

/// Whether the keychain may have a client secret for it.
fn has_client_secret(provider: &Provider) -> bool {
    let need = provider.definition.oauth2().map(|oauth2| oauth2.client_secret);
    matches!(need, Some(ClientSecretNeed::Required | ClientSecretNeed::Optional))
}

/// The address that the client secret in the keychain may not be sent to.
fn client_secret_moved(latest: &Installed, provider: &Provider) -> Option<MovedAddress> {
    latest.client_secret_origins.moved_to(&provider.client_origins(), provider.moved_from())
}
