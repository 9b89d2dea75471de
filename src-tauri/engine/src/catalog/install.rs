//! Adding and installing integrations.

use std::sync::Arc;

use relink_domain::{
    EnvironmentIntegrationId, IntegrationId, Secret, Timestamp,
    caller::Caller,
    event::EventKind,
    integration::{CHECKER_VERSION, Definition, FORMATS, parse},
    origins::Origins,
    permission::Permission,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Catalog, client::bind_client_secret};
use crate::{
    error::{Error, Result},
    keychain::Key,
    store::{
        StoreError,
        integrations::{self, Installed, Integration},
        orphans, outbox,
    },
};

/// The result of [`Catalog::add`].
#[derive(Debug, Clone)]
pub struct Added {
    pub installed: Installed,
    /// The parts of the definition that Relink doesn't know or advises against.
    pub warnings: Vec<String>,
}

/// What to do with an integration of the catalog that has the name of a new one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfNameExists {
    Replace,
    Keep,
}

impl Catalog {
    /// Adds an integration from the text of a definition file, and installs it. The text is checked strictly and, if
    /// the integration is already installed, also with the installation's override. A client secret in the text goes
    /// into the keychain. All of it is stored, or nothing.
    pub async fn add(&self, caller: &Caller, text: &str) -> Result<Added> {
        self.store_definition(caller, text, None, IfNameExists::Replace).await
    }

    /// Like [`Catalog::add`], but with the client secret beside the text, and refuses a name that the catalog already has.
    pub async fn create(&self, caller: &Caller, text: &str, client_secret: Option<Secret>) -> Result<Added> {
        self.store_definition(caller, text, client_secret, IfNameExists::Keep).await
    }

    async fn store_definition(
        &self,
        caller: &Caller,
        text: &str,
        client_secret: Option<Secret>,
        if_name_exists: IfNameExists,
    ) -> Result<Added> {
        let mut checked = parse(text).map_err(|error| Error::Invalid {
            code: error.code(),
            field: Some(error.path.clone()),
            message: error.to_string(),
        })?;
        let definition = checked.definition;
        if definition.allows_local() {
            // A definition that somebody else has written is not the person's consent.
            caller.require(Permission::AllowPrivateAddresses)?;
        }
        let name = definition.name().to_owned();
        let known = {
            let name = name.clone();
            self.0.store.read(move |c| integrations::named(c, &name)).await?
        };
        if known.is_some() && if_name_exists == IfNameExists::Keep {
            return Err(name_taken(&name));
        }
        if known.as_ref().is_some_and(|known| known.built_in) {
            let message = format!("{name} is the name of a built-in integration. Use another name.");
            return Err(Error::conflict("integration_built_in", message));
        }
        let in_text = FORMATS.into_iter().find_map(|format| checked.client_secrets.take(format));
        let secret = client_secret.or(in_text);
        let before = self.0.providers.entry_named(&name).map(|entry| Arc::clone(&entry.installed));
        if let Some(before) = &before {
            ensure_fits_override(&definition, secret.is_some(), &before.r#override)?;
        }
        let document = serde_json::to_value(&definition).map_err(StoreError::from)?;
        let now = self.0.clock.now();
        // Never the ID that the file names: it may be another integration's, now or after an update.
        let known_id = known.map(|known| known.id);
        let id = known_id.unwrap_or_else(integrations::new_id);
        let mut installed = newly_installed(record_of(&definition, id, document, false, now), now);
        installed.id = before.as_ref().map_or(installed.id, |before| before.id);

        let (record, payload) = (installed.clone(), self.payload(&installed)?);
        let (providers, is_new, has_secret) = (self.0.providers.clone(), before.is_none(), secret.is_some());
        let write = move |tx: &rusqlite::Transaction<'_>| {
            let found = integrations::installed_named(tx, &name)?;
            let checked_with = |installed: &Installed| (installed.id, installed.r#override.clone());
            let found_id = integrations::named(tx, &name)?.map(|found| found.id);
            if found_id != known_id || found.as_ref().map(checked_with) != before.as_deref().map(checked_with) {
                return Ok(None);
            }
            integrations::put(tx, &record.integration)?;
            let event = if is_new {
                integrations::install(tx, &record)?;
                orphans::claim(tx, &Key::Integration(record.id).to_string())?;
                EventKind::EnvironmentIntegrationCreated
            } else {
                EventKind::EnvironmentIntegrationUpdated
            };
            outbox::enqueue_event(tx, event, Some(&record.id.to_string()), &payload, now)?;
            match integrations::installed(tx, record.id)? {
                Some(installed) if has_secret => bind_client_secret(tx, installed).map(Some),
                installed => Ok(installed),
            }
        };
        let commit = async {
            let publish =
                move |installed: &Option<Installed>| installed.iter().cloned().for_each(|it| providers.publish(it));
            let written = self.0.store.write_then(write, publish).await?;
            written.ok_or_else(|| match if_name_exists {
                IfNameExists::Keep => name_taken(definition.name()),
                IfNameExists::Replace => {
                    let message = "This integration was changed in the meantime. Add it again.";
                    Error::conflict("integration_changed", message)
                }
            })
        };
        let installed = self.write_client_secret(&installed, is_new, secret, commit).await?;
        self.follow_addresses(&installed).await;
        tracing::info!(integration = installed.integration.name, ?caller, "added");
        let warnings = checked.warnings.iter().map(ToString::to_string).collect();
        Ok(Added { installed, warnings })
    }

    /// Installs an integration of the catalog. Does nothing if it is already installed.
    pub async fn install(&self, caller: &Caller, name: &str) -> Result<Installed> {
        let (wanted, now, providers) = (name.to_owned(), self.0.clock.now(), self.0.providers.clone());
        let known = self.0.store.read(move |c| integrations::named(c, &wanted)).await?;
        let integration = known.ok_or_else(|| Error::not_found("integration", name))?;
        let new = newly_installed(integration, now);
        let payload = self.payload(&new)?;
        let write = move |tx: &rusqlite::Transaction<'_>| {
            if let Some(installed) = integrations::installed_named(tx, &new.integration.name)? {
                return Ok(installed);
            }
            // Read it again: it may have been added again since the first read.
            let mut new = new;
            if let Some(integration) = integrations::named(tx, &new.integration.name)? {
                new.integration = integration;
            }
            integrations::install(tx, &new)?;
            let subject = new.id.to_string();
            outbox::enqueue_event(tx, EventKind::EnvironmentIntegrationCreated, Some(&subject), &payload, now)?;
            Ok(new)
        };
        let publish = move |installed: &Installed| providers.publish(installed.clone());
        let installed = self.0.store.write_then(write, publish).await?;
        tracing::info!(integration = name, ?caller, "installed");
        Ok(installed)
    }
}

fn name_taken(name: &str) -> Error {
    Error::invalid_field(
        "integration_name_taken",
        "name",
        format!("The API name {name} is already in use. Choose another one."),
    )
}

/// Refuses a new definition of an installed integration if the override can't be applied to it, or if its client secret
/// belongs to a different client than the one that was set.
fn ensure_fits_override(definition: &Definition, has_secret: bool, over: &Map<String, Value>) -> Result<()> {
    let name = definition.name();
    let in_force = definition.with_override(over).map_err(|error| {
        let message = format!(
            "The definition can't be used with the OAuth client that is set for {name}: {error}. Keep the form of its \
             credentials, or uninstall {name} first."
        );
        Error::conflict("integration_override_unfit", message)
    })?;
    if let (true, Some(own), Some(set)) = (has_secret, definition.oauth2(), in_force.definition.oauth2())
        && !own.client_id.is_empty()
        && own.client_id != set.client_id
    {
        let message = format!(
            "The file's client secret belongs to the client ID {}, but {} is set for {name}. Leave the secret out of the file \
             and set the client with: relink integrations client {name} --id {} --secret-stdin",
            own.client_id, set.client_id, own.client_id
        );
        return Err(Error::conflict("client_secret_of_another", message));
    }
    Ok(())
}

pub(super) fn record_of(
    definition: &Definition,
    id: IntegrationId,
    document: Value,
    built_in: bool,
    now: Timestamp,
) -> Integration {
    Integration {
        id,
        name: definition.name().to_owned(),
        built_in,
        version: 1,
        checker_version: i64::from(CHECKER_VERSION),
        document,
        created_at: now,
        updated_at: now,
    }
}

pub(super) fn newly_installed(integration: Integration, now: Timestamp) -> Installed {
    Installed {
        id: EnvironmentIntegrationId::from_uuid(Uuid::now_v7()),
        integration,
        is_enabled: true,
        show_in_catalog: true,
        r#override: Map::new(),
        client_secret_origins: Origins::default(),
        created_at: now,
        updated_at: now,
    }
}
