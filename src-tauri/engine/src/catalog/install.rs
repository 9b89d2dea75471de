//! Installed integrations: installing them, and changing how they are used.

use relink_domain::{
    EnvironmentId, EnvironmentIntegrationId, IntegrationId, Timestamp,
    caller::Caller,
    event::EventKind,
    integration::{CHECKER_VERSION, Definition},
    origins::Origins,
};
use rusqlite::Transaction;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Catalog,
    overriding::{checked_override, secrets_of},
    secrets::ChangedSecrets,
};
use crate::{
    error::{Error, Result},
    keychain::Key,
    provider::{compile, unusable},
    store::{
        self,
        integrations::{self, Installed, Integration},
        orphans,
        outbox::{self, Payload},
    },
};

/// How an installed integration is used (contract section 4.1). What is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct InstallationChange {
    /// Whether accounts can be connected with it.
    pub is_enabled: Option<bool>,
    /// Whether the connect UI offers it.
    pub show_in_catalog: Option<bool>,
    /// Takes the place of the whole override. What is `null` at its top falls back to the integration's config.
    pub r#override: Option<Map<String, Value>>,
}

impl InstallationChange {
    fn apply(&self, caller: &Caller, installed: &mut Installed) -> Result<()> {
        installed.is_enabled = self.is_enabled.unwrap_or(installed.is_enabled);
        installed.show_in_catalog = self.show_in_catalog.unwrap_or(installed.show_in_catalog);
        if let Some(over) = &self.r#override {
            installed.r#override = checked_override(caller, installed, over)?.0;
        }
        Ok(())
    }
}

impl Catalog {
    /// Installs an integration of the catalog. Does nothing if it is already installed.
    pub async fn install(&self, caller: &Caller, name: &str) -> Result<Installed> {
        self.install_as(caller, name, &InstallationChange::default()).await
    }

    /// Installs an integration of the catalog with an override. An installed one stays as it is.
    pub async fn install_as(&self, caller: &Caller, name: &str, change: &InstallationChange) -> Result<Installed> {
        if let Some(entry) = self.0.providers.entry_named(name) {
            return Ok(Installed::clone(&entry.installed));
        }
        let (wanted, now, providers) = (name.to_owned(), self.0.clock.now(), self.0.providers.clone());
        let known = self.0.store.read(move |c| integrations::named(c, &wanted)).await?;
        let integration = known.ok_or_else(|| Error::not_found("integration", name))?;
        let new = newly_installed(integration, now);
        let secrets = secrets_of(caller, &new, change.r#override.as_ref())?;
        let (environment, written) = (self.0.environment, ChangedSecrets::by(&secrets));
        self.check_overriding_expressions(caller, &new, change.r#override.as_ref()).await?;
        let write = {
            let (mut new, change, caller) = (new.clone(), change.clone(), caller.clone());
            move |tx: &Transaction<'_>| {
                if let Some(installed) = integrations::installed_named(tx, &new.integration.name)? {
                    return Ok(Ok(installed));
                }
                // Read it again: it may have been added again since the first read.
                if let Some(integration) = integrations::named(tx, &new.integration.name)? {
                    new.integration = integration;
                }
                if let Err(refused) = change.apply(&caller, &mut new) {
                    return Ok(Err(refused));
                }
                integrations::install(tx, &new)?;
                orphans::claim(tx, &Key::Integration(new.id).to_string())?;
                let installed = written.put_in_force(tx, new)?;
                announce(tx, EventKind::EnvironmentIntegrationCreated, &installed, environment, now)?;
                Ok(Ok(installed))
            }
        };
        let publish = move |installed: &Result<Installed>| {
            installed.iter().cloned().for_each(|installed| providers.publish(installed));
        };
        let commit = async { self.0.store.write_then(write, publish).await? };
        let installed = self.write_secrets(&new, true, secrets, commit).await?;
        tracing::info!(integration = name, ?caller, "installed");
        Ok(installed)
    }

    /// Changes how an installed integration is used. Its override is checked strictly with the definition. Accounts whose
    /// credentials were given for other addresses are marked.
    pub async fn change_installation(
        &self,
        caller: &Caller,
        id: EnvironmentIntegrationId,
        change: InstallationChange,
    ) -> Result<Installed> {
        let installed = self.0.providers.installed(id).ok_or_else(|| Error::not_found("installed integration", &id))?;
        if change.r#override.is_some() && installed.integration.is_own_sandbox() {
            let message = "The Sandbox's override is its address on this machine, which Relink sets itself.";
            return Err(Error::conflict("sandbox_override", message));
        }
        let secrets = secrets_of(caller, &installed, change.r#override.as_ref())?;
        let written = ChangedSecrets::by(&secrets);
        self.check_overriding_expressions(caller, &installed, change.r#override.as_ref()).await?;
        let mut wanted = Installed::clone(&installed);
        change.apply(caller, &mut wanted)?;
        self.require_same_refresh_steps(caller, &installed, &wanted).await?;
        let changer = caller.clone();
        let apply = move |installed: &mut Installed| change.apply(&changer, installed);
        let commit = self.change_installed(&installed, apply, written);
        let installed = self.write_secrets(&installed, false, secrets, commit).await?;
        tracing::info!(integration = installed.integration.name, ?caller, "its installation was changed");
        Ok(installed)
    }

    /// Strictly checks an override without storing it.
    pub fn check_override(
        &self,
        caller: &Caller,
        id: EnvironmentIntegrationId,
        over: &Map<String, Value>,
    ) -> Result<()> {
        let installed = self.0.providers.installed(id).ok_or_else(|| Error::not_found("installed integration", &id))?;
        checked_override(caller, &installed, over).map(drop)
    }

    /// Changes an installed integration, based on its state in the transaction. Fails if the definition can't be loaded with
    /// the change, or if the integration was uninstalled meanwhile.
    pub(super) async fn change_installed(
        &self,
        installed: &Installed,
        change: impl Fn(&mut Installed) -> Result<()> + Send + 'static,
        written: ChangedSecrets,
    ) -> Result<Installed> {
        let (id, now, environment) = (installed.id, self.0.clock.now(), self.0.environment);
        let providers = self.0.providers.clone();
        let write = move |tx: &Transaction<'_>| {
            let Some(installed) = integrations::installed(tx, id)? else { return Ok(None) };
            let mut installed = match changed(installed, &change) {
                Ok(installed) => installed,
                Err(refused) => return Ok(Some(Err(refused))),
            };
            installed.updated_at = now;
            integrations::install(tx, &installed)?;
            let installed = written.put_in_force(tx, installed)?;
            announce(tx, EventKind::EnvironmentIntegrationUpdated, &installed, environment, now)?;
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
}

/// Changes an installed integration. Fails if the definition can't be loaded with the change.
pub(super) fn changed(mut installed: Installed, change: impl Fn(&mut Installed) -> Result<()>) -> Result<Installed> {
    change(&mut installed)?;
    match compile::definition(&installed) {
        Ok(_) => Ok(installed),
        Err(error) => Err(unusable(&installed, &error)),
    }
}

/// Enqueues an event about an installed integration as it is now (contract section 5).
pub(super) fn announce(
    tx: &Transaction<'_>,
    event: EventKind,
    installed: &Installed,
    environment: EnvironmentId,
    now: Timestamp,
) -> store::Result<()> {
    let payload = Payload::of(&installed.summary_with_override(environment))?;
    outbox::enqueue_event(tx, event, Some(&installed.id.to_string()), &payload, now).map(drop)
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
        documentation: Vec::new(),
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
        secrets_generation: 0,
        documentation: Vec::new(),
        created_at: now,
        updated_at: now,
    }
}
