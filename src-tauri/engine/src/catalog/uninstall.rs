//! Uninstalling integrations.

use relink_domain::{
    AccountId, EnvironmentId, EnvironmentIntegrationId, IntegrationId, Timestamp, caller::Caller, event::EventKind,
};
use rusqlite::Transaction;

use super::{Catalog, built_in, install::announce};
use crate::{
    accounts::{DeletedAll, delete_all_of, keep_for_revocations},
    error::{Error, Result},
    keychain::Key,
    store::{
        self, accounts, documentation,
        integrations::{self, Installed},
        orphans,
    },
};

/// The result of one attempt to uninstall an integration.
enum Attempt {
    Uninstalled(Box<Installed>),
    NotInstalled,
    /// It has accounts: so many, or those that must be locked first.
    InUse(u32),
    NotLocked(Vec<AccountId>),
}

/// The result of an attempt to delete an integration.
enum Deletion {
    Deleted(Option<EnvironmentIntegrationId>),
    NotFound,
    BuiltIn(String),
    InUse(String, u32),
}

impl Catalog {
    /// Uninstalls an integration, whether or not its definition can be used. Fails if it has accounts.
    pub async fn uninstall(&self, caller: &Caller, name: &str) -> Result<()> {
        let (wanted, environment, now) = (name.to_owned(), self.0.environment, self.0.clock.now());
        let write = move |tx: &Transaction<'_>| {
            let Some(installed) = integrations::installed_named(tx, &wanted)? else {
                return Ok(Attempt::NotInstalled);
            };
            let accounts = accounts::counts(tx)?.get(&installed.id).copied().unwrap_or(0);
            if accounts > 0 {
                return Ok(Attempt::InUse(accounts));
            }
            remove(tx, &installed, environment, now)?;
            Ok(Attempt::Uninstalled(Box::new(installed)))
        };
        let providers = self.0.providers.clone();
        let publish = move |attempt: &Attempt| {
            if let Attempt::Uninstalled(installed) = attempt {
                providers.publish_removal(installed.id);
            }
        };
        match self.0.store.write_then(write, publish).await? {
            Attempt::Uninstalled(_) => {}
            Attempt::InUse(accounts) => return Err(in_use(name, accounts)),
            Attempt::NotInstalled | Attempt::NotLocked(_) => {
                return Err(Error::not_found("installed integration", name));
            }
        }
        tracing::info!(integration = name, ?caller, "uninstalled");
        if let Err(error) = self.0.orphans.sweep().await {
            tracing::info!(integration = name, code = error.code(), "its client secret is removed later: {error}");
        }
        Ok(())
    }

    /// Deletes an integration from the catalog, and uninstalls it. Fails if it has accounts, or is built in. A built-in
    /// integration that it hid is back.
    pub async fn delete_row(&self, caller: &Caller, id: IntegrationId) -> Result<()> {
        let (environment, now) = (self.0.environment, self.0.clock.now());
        let write = move |tx: &Transaction<'_>| {
            let Some(integration) = integrations::get(tx, id)? else { return Ok(Deletion::NotFound) };
            if integration.built_in {
                return Ok(Deletion::BuiltIn(integration.name));
            }
            let installed = integrations::installed_named(tx, &integration.name)?;
            if let Some(installed) = &installed {
                let accounts = accounts::counts(tx)?.get(&installed.id).copied().unwrap_or(0);
                if accounts > 0 {
                    return Ok(Deletion::InUse(integration.name, accounts));
                }
                remove(tx, installed, environment, now)?;
            }
            integrations::delete(tx, id)?;
            documentation::delete_of(tx, &id.to_string())?;
            Ok(Deletion::Deleted(installed.map(|installed| installed.id)))
        };
        let providers = self.0.providers.clone();
        let publish = move |deletion: &Deletion| {
            if let Deletion::Deleted(Some(id)) = deletion {
                providers.publish_removal(*id);
            }
        };
        match self.0.store.write_then(write, publish).await? {
            Deletion::Deleted(_) => {}
            Deletion::NotFound => return Err(Error::not_found("integration", &id)),
            Deletion::BuiltIn(name) => {
                let message = format!("{name} is built in and can't be deleted. It can be uninstalled.");
                return Err(Error::conflict("integration_built_in", message));
            }
            Deletion::InUse(name, accounts) => return Err(in_use(&name, accounts)),
        }
        tracing::info!(integration = %id, ?caller, "deleted");
        built_in::update(&self.0.store, now).await?;
        if let Err(error) = self.0.orphans.sweep().await {
            tracing::info!(integration = %id, code = error.code(), "its client secret is removed later: {error}");
        }
        Ok(())
    }

    /// Uninstalls an integration and deletes its accounts, in one transaction, whether or not its definition can be used. Their
    /// tokens are revoked after it, and sign-ins in progress end.
    pub async fn uninstall_with_accounts(&self, caller: &Caller, id: EnvironmentIntegrationId) -> Result<Installed> {
        let mut locked = self.0.accounts.lock_several().await;
        let installed = loop {
            match self.try_uninstall_with_accounts(caller, id, locked.ids()).await? {
                Attempt::Uninstalled(installed) => break *installed,
                // At first all of them, then those that were connected meanwhile.
                Attempt::NotLocked(accounts) => self.0.accounts.lock_all(accounts, &mut locked).await,
                Attempt::NotInstalled | Attempt::InUse(_) => {
                    return Err(Error::not_found("installed integration", &id));
                }
            }
        };
        let accounts = locked.ids().len();
        drop(locked);
        tracing::info!(integration = installed.integration.name, accounts, ?caller, "uninstalled with its accounts");
        self.0.accounts.revoke_now().await;
        Ok(installed)
    }

    async fn try_uninstall_with_accounts(
        &self,
        caller: &Caller,
        id: EnvironmentIntegrationId,
        locked: Vec<AccountId>,
    ) -> Result<Attempt> {
        let (caller, environment, now) = (caller.clone(), self.0.environment, self.0.clock.now());
        let write = move |tx: &Transaction<'_>| {
            let Some(installed) = integrations::installed(tx, id)? else { return Ok((Attempt::NotInstalled, vec![])) };
            let deleted = match delete_all_of(tx, &installed, &locked, &caller, now)? {
                DeletedAll::Deleted(deleted) => deleted,
                DeletedAll::NotLocked(accounts) => return Ok((Attempt::NotLocked(accounts), vec![])),
            };
            remove(tx, &installed, environment, now)?;
            Ok((Attempt::Uninstalled(Box::new(installed)), deleted))
        };
        let (accounts, providers) = (self.0.accounts.clone(), self.0.providers.clone());
        // Runs with the commit, even if the caller was cancelled, so that nobody gets a token afterwards.
        let publish = move |(attempt, deleted): &(Attempt, Vec<_>)| {
            if let Attempt::Uninstalled(_) = attempt {
                accounts.forget_all(deleted);
                providers.publish_removal(id);
            }
        };
        Ok(self.0.store.write_then(write, publish).await?.0)
    }
}

fn in_use(name: &str, accounts: u32) -> Error {
    let message = format!("{name} still has connected accounts ({accounts}). Delete them first.");
    Error::conflict("integration_in_use", message)
}

/// Removes an integration that has no accounts any more.
fn remove(
    tx: &Transaction<'_>,
    installed: &Installed,
    environment: EnvironmentId,
    now: Timestamp,
) -> store::Result<()> {
    integrations::uninstall(tx, installed.id)?;
    documentation::delete_of(tx, &installed.id.to_string())?;
    orphans::note(tx, &Key::Integration(installed.id).to_string(), now)?;
    keep_for_revocations(tx, installed)?;
    announce(tx, EventKind::EnvironmentIntegrationDeleted, installed, environment, now)
}
