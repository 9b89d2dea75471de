//! Definitions of the catalog: adding and changing them.

use std::sync::Arc;

use relink_domain::{
    IntegrationId, Secret,
    caller::Caller,
    event::EventKind,
    integration::{Definition, DefinitionError, FORMATS, Parsed, check, parse},
    merge::merge,
    permission::Permission,
};
use serde_json::{Map, Value};

use super::{
    Catalog,
    documentation::rows_of_file,
    install::{announce, newly_installed, record_of},
    secrets::ChangedSecrets,
};
use crate::{
    error::{Error, Result},
    keychain::Key,
    provider::NewSecrets,
    store::{
        StoreError, accounts, documentation,
        integrations::{self, Installed, Integration},
        orphans,
    },
};

/// The result of [`Catalog::add`].
#[derive(Debug, Clone)]
pub struct Added {
    pub installed: Installed,
    /// Whether it took the place of a definition of the same name.
    pub replaced: bool,
    /// How many accounts use it.
    pub accounts: u32,
    /// The parts of the definition that Relink doesn't know or advises against.
    pub warnings: Vec<String>,
}

/// A definition as it is stored now.
#[derive(Debug, Clone)]
struct Stored {
    integration: Integration,
    installed: Option<Installed>,
    replaced: bool,
    accounts: u32,
    warnings: Vec<String>,
}

/// Which integration of the catalog a definition takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replaces {
    /// The one of its name, if there is one.
    Any,
    /// None: its name must be new.
    Nothing,
    /// The one that has this version.
    Version(i64),
}

/// Which integrations are also installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Installs {
    All,
    /// Those with a client secret, because the keychain keeps it with the installation.
    WithSecret,
}

impl Catalog {
    /// Adds an integration from the text of a definition file, and installs it. The text is checked strictly and, if
    /// the integration is already installed, also with the installation's override. A client secret in the text goes
    /// into the keychain. All of it is stored, or nothing.
    pub async fn add(&self, caller: &Caller, text: &str) -> Result<Added> {
        let checked = parse(text).map_err(refused)?;
        Box::pin(self.store_definition(caller, checked, None, Replaces::Any, Installs::All)).await?.installed()
    }

    /// Like [`Catalog::add`], for a definition that isn't a text.
    pub async fn add_document(&self, caller: &Caller, document: &Value) -> Result<Added> {
        let checked = check(document).map_err(refused)?;
        Box::pin(self.store_definition(caller, checked, None, Replaces::Any, Installs::All)).await?.installed()
    }

    /// Like [`Catalog::add`], but with the client secret beside the text, and refuses a name that the catalog already has.
    pub async fn create(&self, caller: &Caller, text: &str, client_secret: Option<Secret>) -> Result<Added> {
        let checked = parse(text).map_err(refused)?;
        let stored = self.store_definition(caller, checked, client_secret, Replaces::Nothing, Installs::All);
        Box::pin(stored).await?.installed()
    }

    /// Adds an integration from its row (contract section 4.1). It is installed only if it has a client secret, which the
    /// keychain keeps with the installation.
    pub async fn create_row(&self, caller: &Caller, row: &Value) -> Result<Integration> {
        let checked = check(row).map_err(refused)?;
        let stored = self.store_definition(caller, checked, None, Replaces::Nothing, Installs::WithSecret);
        Ok(Box::pin(stored).await?.integration)
    }

    /// Merges a change into an integration's row, deeply: `null` removes a key, and an array replaces what was there. Nothing
    /// changes if the row has another version by now.
    pub async fn change_row(
        &self,
        caller: &Caller,
        id: IntegrationId,
        version: i64,
        change: &Map<String, Value>,
    ) -> Result<Integration> {
        let known = self.changeable(id, version).await?;
        if change.get("name").is_some_and(|name| *name != *known.name) {
            return Err(name_fixed(&known.name));
        }
        let Value::Object(mut row) = known.document else {
            return Err(Error::conflict("integration_broken", "The stored definition isn't a JSON object."));
        };
        merge(&mut row, change);
        let checked = check(&Value::Object(row)).map_err(refused)?;
        let stored = self.store_definition(caller, checked, None, Replaces::Version(version), Installs::WithSecret);
        Ok(Box::pin(stored).await?.integration)
    }

    /// Replaces an integration's definition by the text of a file, like [`Catalog::change_row`]. Returns what Relink doesn't know in
    /// it or advises against.
    pub async fn replace(&self, caller: &Caller, id: IntegrationId, version: i64, text: &str) -> Result<Vec<String>> {
        let known = self.changeable(id, version).await?;
        let checked = parse(text).map_err(refused)?;
        if checked.definition.name() != known.name {
            return Err(name_fixed(&known.name));
        }
        let stored = self.store_definition(caller, checked, None, Replaces::Version(version), Installs::WithSecret);
        Ok(Box::pin(stored).await?.warnings)
    }

    /// The integration, if it may be changed and still has this version.
    async fn changeable(&self, id: IntegrationId, version: i64) -> Result<Integration> {
        let known = self.0.store.read(move |c| integrations::get(c, id)).await?;
        let known = known.ok_or_else(|| Error::not_found("integration", &id))?;
        if known.built_in {
            let message = format!(
                "{} is built in, and its definition can't be changed. Change how it is used with the override of its \
                 environment integration.",
                known.name
            );
            return Err(Error::conflict("integration_built_in", message));
        }
        if known.version != version {
            return Err(stale(known.version, version));
        }
        Ok(known)
    }

    async fn store_definition(
        &self,
        caller: &Caller,
        mut checked: Parsed,
        client_secret: Option<Secret>,
        replaces: Replaces,
        installs: Installs,
    ) -> Result<Stored> {
        let definition = checked.definition;
        if definition.allows_local() {
            // A definition that somebody else has written is not the person's consent.
            caller.require(Permission::AllowPrivateAddresses)?;
        }
        self.0.runners.check_actions(&definition, "config").await?;
        let name = definition.name().to_owned();
        let known = {
            let name = name.clone();
            self.0.store.read(move |c| integrations::named(c, &name)).await?
        };
        if known.is_some() && replaces == Replaces::Nothing {
            return Err(name_taken(&name));
        }
        if known.as_ref().is_some_and(|known| known.built_in) {
            let message = format!("{name} is the name of a built-in integration. Use another name.");
            return Err(Error::conflict("integration_built_in", message));
        }
        let in_row = FORMATS.into_iter().find_map(|format| checked.client_secrets.take(format));
        let secret = client_secret.or(in_row);
        let before = self.0.providers.entry_named(&name).map(|entry| Arc::clone(&entry.installed));
        if let Some(before) = &before {
            ensure_fits_override(&definition, secret.is_some(), &before.r#override)?;
        }
        let mut document = serde_json::to_value(&definition).map_err(StoreError::from)?;
        let documentation = document.as_object_mut().and_then(|document| document.shift_remove("documentation"));
        let now = self.0.clock.now();
        // Never the ID that the file names: it may be another integration's, now or after an update.
        let id = known.as_ref().map_or_else(integrations::new_id, |known| known.id);
        let rows = match documentation {
            Some(Value::Array(rows)) => Some(rows_of_file(rows, &id.to_string(), now)),
            _ => None,
        };
        let mut installed = newly_installed(record_of(&definition, id, document, false, now), now);
        if let Some(before) = &before {
            installed.id = before.id;
            let wanted = Installed { r#override: before.r#override.clone(), ..installed.clone() };
            self.require_same_refresh_steps(caller, before, &wanted).await?;
        }

        let secrets = NewSecrets { client: secret, ..NewSecrets::default() };
        let was_there = known.is_some();
        let (is_new, has_secret, written) = (before.is_none(), secrets.client.is_some(), ChangedSecrets::by(&secrets));
        let is_installed = !is_new || has_secret || installs == Installs::All;
        let (record, providers, environment) = (installed.clone(), self.0.providers.clone(), self.0.environment);
        let write = move |tx: &rusqlite::Transaction<'_>| {
            let found = integrations::installed_named(tx, &name)?;
            let checked_with = |installed: &Installed| (installed.id, installed.r#override.clone());
            let current = integrations::named(tx, &name)?.map(|current| (current.id, current.version));
            let is_current = match replaces {
                Replaces::Version(version) => current == Some((id, version)),
                Replaces::Any | Replaces::Nothing => current.map(|(id, _)| id) == known.as_ref().map(|known| known.id),
            };
            if !is_current || found.as_ref().map(checked_with) != before.as_deref().map(checked_with) {
                return Ok(Err(current.map(|(_, version)| version)));
            }
            integrations::put(tx, &record.integration)?;
            if let Some(rows) = &rows {
                documentation::delete_of(tx, &id.to_string())?;
                rows.iter().try_for_each(|row| documentation::put(tx, row))?;
            }
            if is_installed && is_new {
                integrations::install(tx, &record)?;
                orphans::claim(tx, &Key::Integration(record.id).to_string())?;
            }
            let installed = integrations::installed(tx, record.id)?;
            let installed = installed.map(|installed| written.put_in_force(tx, installed)).transpose()?;
            if let Some(installed) = &installed {
                let event = if is_new {
                    EventKind::EnvironmentIntegrationCreated
                } else {
                    EventKind::EnvironmentIntegrationUpdated
                };
                announce(tx, event, installed, environment, now)?;
            }
            let integration = integrations::get(tx, id)?.unwrap_or(record.integration);
            let accounts = accounts::counts(tx)?.get(&record.id).copied().unwrap_or(0);
            Ok(Ok((integration, installed, accounts)))
        };
        let commit = async {
            let publish = move |written: &std::result::Result<(Integration, Option<Installed>, u32), Option<i64>>| {
                written.iter().filter_map(|(_, installed, _)| installed.clone()).for_each(|it| providers.publish(it));
            };
            self.0.store.write_then(write, publish).await?.map_err(|current| match (replaces, current) {
                (Replaces::Nothing, _) => name_taken(definition.name()),
                (Replaces::Version(version), Some(current)) if version != current => stale(current, version),
                (Replaces::Any | Replaces::Version(_), _) => {
                    let message = "This integration was changed in the meantime. Do it again.";
                    Error::conflict("integration_changed", message)
                }
            })
        };
        let (integration, installed, accounts) = self.write_secrets(&installed, is_new, secrets, commit).await?;
        if let Some(installed) = &installed {
            self.follow_addresses(installed).await;
        }
        tracing::info!(integration = integration.name, version = integration.version, ?caller, "stored");
        let warnings = checked.warnings.iter().map(ToString::to_string).collect();
        Ok(Stored { integration, installed, replaced: was_there, accounts, warnings })
    }
}

impl Stored {
    fn installed(self) -> Result<Added> {
        let Self { integration, installed, replaced, accounts, warnings } = self;
        let installed = installed.ok_or_else(|| Error::not_found("installed integration", &integration.name))?;
        Ok(Added { installed, replaced, accounts, warnings })
    }
}

/// What is wrong with a definition, and where.
fn refused(error: DefinitionError) -> Error {
    Error::Invalid { code: error.code(), message: error.to_string(), field: Some(error.path) }
}

/// The error for another name than the one that the integration has.
fn name_fixed(name: &str) -> Error {
    let message = format!("The name can't be changed: {name} is part of redirect URIs. Add another integration.");
    Error::invalid_field("name_fixed", "name", message)
}

fn stale(current: i64, version: i64) -> Error {
    let message = format!(
        "The integration has version {current} by now, and this change was made to version {version}. Nothing was changed. \
         Read it again, and repeat the change."
    );
    Error::conflict("version_stale", message)
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
