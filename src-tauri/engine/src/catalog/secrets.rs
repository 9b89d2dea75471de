//! Secrets of installed integrations, in the keychain.

use std::sync::Arc;

use rusqlite::Transaction;

use super::Catalog;
use crate::{
    error::Result,
    keychain::{Item, Key, KeychainError},
    provider::{Entry, IntegrationSecrets, NewSecrets},
    store::{
        self,
        integrations::{self, Installed},
    },
};

/// Held while secrets are written and what belongs to them is committed, so that each change begins with what the one before has
/// left.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn(Arc<tokio::sync::Mutex<()>>);

/// Which secrets were written to the keychain, to be put in force with the rest of their change.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ChangedSecrets {
    any: bool,
    client: bool,
}

impl ChangedSecrets {
    pub(super) const fn by(secrets: &NewSecrets) -> Self {
        Self { any: !secrets.is_empty(), client: secrets.client.is_some() }
    }

    /// Puts them in force, and binds the client's to the addresses that are in force now.
    pub(super) fn put_in_force(self, tx: &Transaction<'_>, mut installed: Installed) -> store::Result<Installed> {
        if self.any {
            installed.secrets_generation += 1;
            integrations::put_secrets_in_force(tx, installed.id, installed.secrets_generation)?;
        }
        if self.client
            && let Ok(provider) = Entry::compile(installed.clone()).provider
        {
            installed.client_secret_origins = provider.client_origins();
            integrations::bind_client_secret(tx, installed.id, &installed.client_secret_origins)?;
        }
        Ok(installed)
    }
}

impl Catalog {
    /// Writes new secrets to the keychain, if there are any, then runs `commit`, which puts them in force
    /// ([`ChangedSecrets::put_in_force`]). So nothing has changed if the keychain is locked. Until the commit, and if it fails, the former
    /// secrets are in force.
    pub(super) async fn write_secrets<T>(
        &self,
        installed: &Installed,
        is_new: bool,
        secrets: NewSecrets,
        commit: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        if secrets.is_empty() {
            return commit.await;
        }
        let _turn = self.1.0.lock().await;
        let (key, keychain) = (Key::Integration(installed.id), &self.0.keychain);
        let before = match keychain.get(&key).await {
            // A damaged item can only be replaced.
            Err(KeychainError::Damaged { .. }) => None,
            found => found?,
        };
        let _being_written = if is_new { Some(self.0.orphans.note_before_writing(key).await?) } else { None };
        let generation = self.0.providers.installed(installed.id).map_or(0, |latest| latest.secrets_generation);
        let former = before.as_ref().map(|item| IntegrationSecrets::in_force(item, generation)).unwrap_or_default();
        let staged = former.staged(secrets, generation + 1);
        let label = format!("Relink: client of {}", installed.label());
        keychain.set(&key, &label, &staged).await?;
        let committed = commit.await;
        // What fails from here on leaves only secrets that aren't in force.
        let settle = async |item: Option<Item>| match item {
            Some(item) => keychain.set(&key, &label, &item).await,
            None => keychain.delete(&key).await,
        };
        let settled = match &committed {
            Ok(_) => settle(Some(IntegrationSecrets::settled(staged))).await,
            Err(_) => settle(before).await,
        };
        if let Err(error) = settled {
            let integration = &installed.integration.name;
            tracing::warn!(integration, "secrets that are no longer in force stay in the keychain: {error}");
        }
        committed
    }
}
