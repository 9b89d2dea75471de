//! Integrations: the catalogue, and what is installed of it.

use relink_domain::{
    EnvironmentIntegrationId, IntegrationId, Secret,
    event::EventKind,
    integration::{Definition, FORMATS, WebUrl, catalog, parse},
};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    Engine, Error,
    error::Result,
    keychain::{Item, Key, KeychainError},
    provider::{CLIENT_SECRET, Provider},
    store::{
        accounts,
        integrations::{self, Installed, Integration},
        orphans, outbox, settings,
    },
};

/// An integration of the catalogue, and whether it can be used.
#[derive(Debug, Clone)]
pub struct CatalogueEntry {
    /// The integration.
    pub integration: Integration,
    /// How it is installed, if it is.
    pub installed: Option<Installed>,
    /// What is lacking before anybody can sign in, and what to do.
    pub not_ready: Option<String>,
}

/// An integration that was just added.
#[derive(Debug, Clone)]
pub struct Added {
    /// How it is installed.
    pub installed: Installed,
    /// What Relink doesn't know of it or advises against.
    pub warnings: Vec<String>,
}

/// The Sandbox's name. It runs only while it is installed, which is for the person to decide.
pub const SANDBOX: &str = "sandbox";

const BROUGHT: &str = "catalogue_brought";

impl Engine {
    /// Brings the built-in catalogue up to date. At the first start, all of it but the Sandbox is installed.
    pub(crate) async fn bring_catalogue(&self) -> Result<()> {
        let now = self.now();
        self.0
            .store
            .write(move |tx| {
                let first = settings::get::<bool>(tx, BROUGHT)?.is_none();
                for definition in catalog() {
                    let known = integrations::named(tx, definition.name())?;
                    let document = serde_json::to_value(definition)?;
                    if known.as_ref().is_none_or(|known| known.document != document) {
                        let id = definition.id().unwrap_or_else(|| IntegrationId::from_uuid(Uuid::now_v7()));
                        integrations::put(tx, &integration_of(definition, id, document, true, now))?;
                    }
                    if first
                        && !definition.is_sandbox()
                        && let Some(integration) = integrations::named(tx, definition.name())?
                    {
                        integrations::install(tx, &freshly_installed(integration, now))?;
                    }
                }
                settings::set(tx, BROUGHT, &true)
            })
            .await?;
        Ok(())
    }

    /// The catalogue, and what is installed of it.
    pub async fn catalogue(&self) -> Result<Vec<CatalogueEntry>> {
        let (all, installed) =
            self.0.store.read(|c| Ok((integrations::catalogue(c)?, integrations::all_installed(c)?))).await?;
        let mut entries = Vec::new();
        for integration in all {
            let installed = installed.iter().find(|installed| installed.integration.id == integration.id).cloned();
            let not_ready = match installed.clone().map(Provider::of) {
                Some(Ok(provider)) => self.first_not_ready(&provider).await,
                Some(Err(error)) => Some(error.to_string()),
                None => None,
            };
            entries.push(CatalogueEntry { integration, installed, not_ready });
        }
        Ok(entries)
    }

    async fn first_not_ready(&self, provider: &Provider) -> Option<String> {
        let methods = provider.definition.methods();
        let mut first = None;
        for format in methods {
            match self.not_ready(provider, format).await {
                Some(words) => first = first.or(Some(words)),
                // One way that works is enough.
                None => return None,
            }
        }
        first
    }

    /// Adds an integration from a file's text, and installs it. A client secret in it goes into the keychain.
    pub async fn add_integration(&self, text: &str) -> Result<Added> {
        let mut parsed = parse(text).map_err(|error| Error::Invalid {
            code: error.code(),
            field: Some(error.path.clone()),
            message: error.to_string(),
        })?;
        let definition = parsed.definition;
        let name = definition.name().to_owned();
        let (known, before) = {
            let name = name.clone();
            self.0
                .store
                .read(move |c| Ok((integrations::named(c, &name)?, integrations::installed_named(c, &name)?)))
                .await?
        };
        if known.as_ref().is_some_and(|known| known.built_in) {
            let message = format!("{name} is the name of a built-in integration. Use another name.");
            return Err(Error::conflict("integration_built_in", message));
        }
        let id = known.map(|known| known.id).or(definition.id());
        let id = id.unwrap_or_else(|| IntegrationId::from_uuid(Uuid::now_v7()));
        let document = serde_json::to_value(&definition).map_err(crate::store::StoreError::from)?;
        let now = self.now();
        let integration = integration_of(&definition, id, document, false, now);
        let before = before.map(|installed| installed.id);
        let mut installed = freshly_installed(integration, now);
        installed.id = before.unwrap_or(installed.id);

        let keeping = installed.clone();
        let commit = self.0.store.write(move |tx| {
            let found = integrations::installed_named(tx, &name)?.map(|installed| installed.id);
            if found != before {
                return Ok(None);
            }
            integrations::put(tx, &installed.integration)?;
            if before.is_none() {
                integrations::install(tx, &installed)?;
                orphans::claim(tx, &Key::Integration(installed.id).to_string())?;
                enqueue_event(tx, EventKind::EnvironmentIntegrationCreated, &installed, now)?;
            }
            integrations::installed(tx, installed.id)
        });
        let commit = async {
            let message = "This integration was changed in the meantime. Add it again.";
            commit.await?.ok_or_else(|| Error::conflict("integration_changed", message))
        };
        let secret = FORMATS.into_iter().find_map(|format| parsed.client_secrets.take(format));
        let installed = self.keep_client_secret(&keeping, before.is_none(), secret, commit).await?;
        self.0.installed_changed.send_modify(|n| *n += 1);
        let warnings = parsed.warnings.iter().map(ToString::to_string).collect();
        Ok(Added { installed, warnings })
    }

    /// Installs an integration of the catalogue; one that is installed stays as it is.
    pub async fn install(&self, name: &str) -> Result<Installed> {
        let (wanted, now) = (name.to_owned(), self.now());
        let installed = self
            .0
            .store
            .write(move |tx| {
                if let Some(installed) = integrations::installed_named(tx, &wanted)? {
                    return Ok(Some(installed));
                }
                let Some(integration) = integrations::named(tx, &wanted)? else { return Ok(None) };
                let installed = freshly_installed(integration, now);
                integrations::install(tx, &installed)?;
                enqueue_event(tx, EventKind::EnvironmentIntegrationCreated, &installed, now)?;
                Ok(Some(installed))
            })
            .await?
            .ok_or_else(|| Error::not_found("integration", name))?;
        self.0.installed_changed.send_modify(|n| *n += 1);
        Ok(installed)
    }

    /// Uninstalls an integration that has no accounts.
    pub async fn uninstall(&self, name: &str) -> Result<()> {
        let installed = self.provider_named(name).await?.installed;
        let (id, now) = (installed.id, self.now());
        let accounts = self
            .0
            .store
            .write(move |tx| {
                let accounts = accounts::counts(tx)?.get(&id).copied().unwrap_or(0);
                if accounts == 0 {
                    integrations::uninstall(tx, id)?;
                    orphans::note(tx, &Key::Integration(id).to_string(), now)?;
                    enqueue_event(tx, EventKind::EnvironmentIntegrationDeleted, &installed, now)?;
                }
                Ok(accounts)
            })
            .await?;
        if accounts > 0 {
            let message = format!("{name} still has connected accounts ({accounts}). Delete them first.");
            return Err(Error::conflict("integration_in_use", message));
        }
        self.0.installed_changed.send_modify(|n| *n += 1);
        if let Err(error) = self.sweep().await {
            tracing::info!(integration = name, code = error.code(), "its client secret is removed later: {error}");
        }
        Ok(())
    }

    /// Sets the client that is registered at the provider. The secret goes into the keychain.
    pub async fn set_client(&self, name: &str, id: String, secret: Option<Secret>) -> Result<Installed> {
        let id = id.trim().to_owned();
        if id.is_empty() || id.len() > 512 || id.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let message = "A client ID must have 1 to 512 characters and no spaces.";
            return Err(Error::invalid_field("client_id_invalid", "id", message));
        }
        let mut installed = self.provider_named(name).await?.installed;
        let client = json!({ "config": { "client": { "id": id } } });
        // Truto allows one object, or a map by format.
        let single = installed.integration.document.pointer("/config/credentials/format").is_some();
        let credentials = if single { client } else { json!({ "oauth2": client }) };
        let change = Map::from_iter([("credentials".into(), credentials)]);
        // What can't be read again is refused before anything is kept.
        relink_domain::integration::merge(&mut installed.r#override, &change);
        Provider::of(installed.clone())?;
        let commit = self.change_override(&installed, move |current| {
            relink_domain::integration::merge(current, &change);
        });
        self.keep_client_secret(&installed, false, secret, commit).await
    }

    /// Moves the Sandbox to where its provider listens.
    pub async fn sandbox_at(&self, base_url: &str) -> Result<()> {
        let mut provider = self.provider_named(SANDBOX).await?;
        let url = WebUrl::parse(base_url).map_err(|error| Error::invalid("sandbox_address", error.to_string()))?;
        let built_in =
            relink_domain::integration::built_in(SANDBOX).ok_or_else(|| Error::not_found("integration", SANDBOX))?;
        let moved =
            built_in.at(&url.origin()).map_err(|error| Error::conflict("integration_broken", error.to_string()))?;
        let Value::Object(config) = moved.config().clone() else {
            return Err(Error::conflict("integration_broken", "The Sandbox's definition isn't a JSON object."));
        };
        if provider.installed.r#override == config {
            return Ok(());
        }
        provider.installed.r#override.clone_from(&config);
        Provider::of(provider.installed.clone())?;
        self.change_override(&provider.installed, move |current| *current = config).await.map(drop)
    }

    /// Changes what is laid over an installed integration, as it is by then. One that was uninstalled stays so.
    async fn change_override(
        &self,
        installed: &Installed,
        change: impl FnOnce(&mut Map<String, Value>) + Send + 'static,
    ) -> Result<Installed> {
        let (id, now) = (installed.id, self.now());
        let changed = self.0.store.write(move |tx| {
            let Some(mut installed) = integrations::installed(tx, id)? else { return Ok(None) };
            change(&mut installed.r#override);
            installed.updated_at = now;
            integrations::install(tx, &installed)?;
            enqueue_event(tx, EventKind::EnvironmentIntegrationUpdated, &installed, now)?;
            Ok(Some(installed))
        });
        changed.await?.ok_or_else(|| Error::not_found("integration", &installed.integration.name))
    }

    /// Keeps a client secret, if there is one, and commits what goes with it. The keychain comes first, because it may be
    /// locked: then nothing has changed. If the commit fails, the keychain is put back as it was.
    async fn keep_client_secret<T>(
        &self,
        installed: &Installed,
        is_new: bool,
        secret: Option<Secret>,
        commit: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(secret) = secret else { return commit.await };
        let key = Key::Integration(installed.id);
        let before = match self.0.keychain.get(&key).await {
            // The one way to mend a damaged item is another in its place.
            Err(KeychainError::Damaged { .. }) => None,
            found => found?,
        };
        let _making = if is_new { Some(self.make_item(key).await?) } else { None };
        let item = Item { secrets: [(CLIENT_SECRET.to_owned(), secret)].into(), ..Item::default() };
        let label = format!("Relink: client of {}", crate::wire::label(&installed.integration));
        self.0.keychain.set(&key, &label, &item).await?;
        let committed = commit.await;
        if committed.is_err() {
            let put_back = match before {
                Some(item) => self.0.keychain.set(&key, &label, &item).await,
                None => self.0.keychain.delete(&key).await,
            };
            if let Err(error) = put_back {
                tracing::warn!(integration = installed.integration.name, "its client secret is not as it was: {error}");
            }
        }
        committed
    }

    /// Changes whenever something is installed or uninstalled.
    pub fn installed_changes(&self) -> watch::Receiver<u64> {
        self.0.installed_changed.subscribe()
    }

    /// Whether the integration with this name is installed.
    pub async fn is_installed(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        Ok(self.0.store.read(move |c| integrations::is_installed(c, &name)).await?)
    }
}

fn integration_of(
    definition: &Definition,
    id: IntegrationId,
    document: Value,
    built_in: bool,
    now: relink_domain::Timestamp,
) -> Integration {
    Integration {
        id,
        name: definition.name().to_owned(),
        built_in,
        version: 1,
        document,
        created_at: now,
        updated_at: now,
    }
}

fn freshly_installed(integration: Integration, now: relink_domain::Timestamp) -> Installed {
    Installed {
        id: EnvironmentIntegrationId::from_uuid(Uuid::now_v7()),
        integration,
        is_enabled: true,
        show_in_catalog: true,
        r#override: Map::new(),
        created_at: now,
        updated_at: now,
    }
}

fn enqueue_event(
    tx: &rusqlite::Transaction<'_>,
    kind: EventKind,
    installed: &Installed,
    now: relink_domain::Timestamp,
) -> crate::store::Result<()> {
    let environment = settings::environment_id(tx)?;
    let payload = crate::wire::environment_integration(environment, installed);
    outbox::enqueue_event(tx, kind, Some(&installed.id.to_string()), &payload, now).map(drop)
}

#[cfg(test)]
#[path = "integrations_tests.rs"]
mod tests;
