//! OAuth clients, which identify Relink to a provider. The ID is part of the installation's override; the secret is in
//! the keychain.

use relink_domain::{
    Secret,
    caller::Caller,
    event::EventKind,
    integration::{MAX_CLIENT_ID_CHARS, WebUrl, is_client_id, merge},
};
use rusqlite::Transaction;
use serde_json::{Map, Value, json};

use super::{Catalog, SANDBOX};
use crate::{
    error::{Error, Result},
    keychain::{Item, Key, KeychainError},
    provider::{CLIENT_SECRET, Entry, compile, unusable},
    store::{
        self,
        integrations::{self, Installed, Integration},
        outbox,
    },
};

/// The override that sets this OAuth client.
fn client_override(integration: &Integration, id: &str) -> Map<String, Value> {
    let client = json!({ "config": { "client": { "id": id } } });
    // Truto allows one credentials object, or a map of them by format.
    let is_single = integration.document.pointer("/config/credentials/format").is_some();
    let credentials = if is_single { client } else { json!({ "oauth2": client }) };
    Map::from_iter([("credentials".into(), credentials)])
}

/// Changes an installed integration's override. Fails if the definition can't be loaded with the change.
fn changed(mut installed: Installed, change: impl Fn(&mut Installed)) -> Result<Installed> {
    change(&mut installed);
    match compile::definition(&installed) {
        Ok(_) => Ok(installed),
        Err(error) => Err(unusable(&installed, &error)),
    }
}

/// Binds the client secret that was written to the keychain just now to the addresses in force.
pub(super) fn bind_client_secret(tx: &Transaction<'_>, mut installed: Installed) -> store::Result<Installed> {
    if let Ok(provider) = Entry::compile(installed.clone()).provider {
        installed.client_secret_origins = provider.client_origins();
        integrations::bind_client_secret(tx, installed.id, &installed.client_secret_origins)?;
    }
    Ok(installed)
}

impl Catalog {
    /// Sets the OAuth client that is registered at the provider. The secret goes into the keychain; without one, the
    /// stored secret stays.
    pub async fn set_client(
        &self,
        caller: &Caller,
        name: &str,
        id: String,
        secret: Option<Secret>,
    ) -> Result<Installed> {
        let id = id.trim().to_owned();
        if !is_client_id(&id) {
            let message = format!("A client ID must have 1 to {MAX_CLIENT_ID_CHARS} characters and no spaces.");
            return Err(Error::invalid_field("client_id_invalid", "id", message));
        }
        let provider = self.0.providers.named(name)?;
        if provider.definition.oauth2().is_none() {
            return Err(Error::invalid("unknown_method", format!("{} doesn't use OAuth 2.0.", provider.label())));
        }
        let installed = Installed::clone(&provider.installed);
        let change = move |installed: &mut Installed| {
            let client = client_override(&installed.integration, &id);
            merge(&mut installed.r#override, &client);
        };
        let has_secret = secret.is_some();
        // Check the change before anything is written.
        changed(installed.clone(), &change)?;
        let commit = self.change_override(&installed, change, has_secret);
        let installed = self.write_client_secret(&installed, false, secret, commit).await?;
        tracing::info!(integration = name, ?caller, "its OAuth client was set");
        Ok(installed)
    }

    /// Sets the Sandbox's URLs to the address on which its provider listens.
    pub async fn set_sandbox_address(&self, caller: &Caller, base_url: &str) -> Result<()> {
        let installed = Installed::clone(&self.0.providers.named(SANDBOX)?.installed);
        let url = WebUrl::parse(base_url).map_err(|error| Error::invalid("sandbox_address", error.to_string()))?;
        let built_in =
            relink_domain::integration::built_in(SANDBOX).ok_or_else(|| Error::not_found("integration", SANDBOX))?;
        let moved =
            built_in.at(&url.origin()).map_err(|error| Error::conflict("integration_broken", error.to_string()))?;
        let Value::Object(config) = moved.config().clone() else {
            return Err(Error::conflict("integration_broken", "The Sandbox's definition isn't a JSON object."));
        };
        if installed.r#override == config {
            return Ok(());
        }
        self.change_override(&installed, move |installed| installed.r#override.clone_from(&config), false).await?;
        tracing::info!(base_url, ?caller, "the Sandbox's address was set");
        Ok(())
    }

    /// Changes the override of an installed integration, based on its state in the transaction. Fails if the definition
    /// can't be loaded with the change, or if the integration was uninstalled meanwhile.
    async fn change_override(
        &self,
        installed: &Installed,
        change: impl Fn(&mut Installed) + Send + 'static,
        has_new_secret: bool,
    ) -> Result<Installed> {
        let (id, now, payload) = (installed.id, self.0.clock.now(), self.payload(installed)?);
        let providers = self.0.providers.clone();
        let write = move |tx: &Transaction<'_>| {
            let Some(installed) = integrations::installed(tx, id)? else { return Ok(None) };
            let mut installed = match changed(installed, &change) {
                Ok(installed) => installed,
                Err(refused) => return Ok(Some(Err(refused))),
            };
            installed.updated_at = now;
            integrations::install(tx, &installed)?;
            if has_new_secret {
                installed = bind_client_secret(tx, installed)?;
            }
            let subject = id.to_string();
            outbox::enqueue_event(tx, EventKind::EnvironmentIntegrationUpdated, Some(&subject), &payload, now)?;
            Ok(Some(Ok(installed)))
        };
        let publish = move |outcome: &Option<Result<Installed>>| {
            outcome.iter().flatten().cloned().for_each(|installed| providers.publish(installed));
        };
        let outcome = self.0.store.write_then(write, publish).await?;
        let installed = outcome.unwrap_or_else(|| Err(Error::not_found("integration", &installed.integration.name)))?;
        self.follow_addresses(&installed).await;
        Ok(installed)
    }

    /// Writes a client secret, if there is one, then runs `commit`. The keychain is written first, so that nothing has
    /// changed if it is locked. If the commit fails, the keychain item is restored.
    pub(super) async fn write_client_secret<T>(
        &self,
        installed: &Installed,
        is_new: bool,
        secret: Option<Secret>,
        commit: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(secret) = secret else { return commit.await };
        let (key, keychain) = (Key::Integration(installed.id), &self.0.keychain);
        let before = match keychain.get(&key).await {
            // A damaged item can only be replaced.
            Err(KeychainError::Damaged { .. }) => None,
            found => found?,
        };
        let _being_written = if is_new { Some(self.0.orphans.note_before_writing(key).await?) } else { None };
        let item = Item { secrets: [(CLIENT_SECRET.to_owned(), secret)].into(), ..Item::default() };
        let label = format!("Relink: client of {}", installed.label());
        keychain.set(&key, &label, &item).await?;
        let committed = commit.await;
        if committed.is_err() {
            let restored = if let Some(item) = before {
                keychain.set(&key, &label, &item).await
            } else {
                let deleted = keychain.delete(&key).await;
                self.0.providers.forget_client_secret(installed.id);
                deleted
            };
            if let Err(error) = restored {
                let integration = &installed.integration.name;
                tracing::warn!(integration, "its client secret could not be restored: {error}");
            }
        }
        committed
    }
}
