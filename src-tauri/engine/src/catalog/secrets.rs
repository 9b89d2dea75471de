//! Secrets of installed integrations, in the keychain.

use std::{collections::BTreeMap, sync::Arc};

use relink_domain::Secret;
use rusqlite::Transaction;

use super::Catalog;
use crate::{
    error::Result,
    keychain::{Item, Key, KeychainError},
    provider::{CLIENT_SECRET, Entry},
    store::{
        self,
        integrations::{self, Installed},
    },
};

/// The names of secret variables in the keychain's item, beside the client secret.
const VARIABLE: &str = "variable:";

/// Held while secrets are written and what belongs to them is committed: a change that fails restores what it found, which must not be
/// older than what another one has written.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn(Arc<tokio::sync::Mutex<()>>);

/// What changes of an installed integration's secrets.
#[derive(Debug, Default)]
pub(super) struct NewSecrets {
    /// `None`: the stored one stays.
    pub(super) client: Option<Secret>,
    /// All secret variables; `None`: they stay. One without a value keeps the stored one.
    pub(super) variables: Option<BTreeMap<String, Option<Secret>>>,
}

impl NewSecrets {
    const fn is_empty(&self) -> bool {
        self.client.is_none() && self.variables.is_none()
    }

    fn apply(self, item: &mut Item) {
        if let Some(secret) = self.client {
            item.secrets.insert(CLIENT_SECRET.to_owned(), secret);
        }
        let Some(variables) = self.variables else { return };
        item.secrets.retain(|name, _| name.strip_prefix(VARIABLE).is_none_or(|name| variables.contains_key(name)));
        let new = variables.into_iter().filter_map(|(name, secret)| Some((format!("{VARIABLE}{name}"), secret?)));
        item.secrets.extend(new);
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
    /// Writes new secrets, if there are any, then runs `commit`. The keychain is written first, so that nothing has
    /// changed if it is locked. If the commit fails, the keychain item is restored.
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
        let mut item = before.clone().unwrap_or_default();
        secrets.apply(&mut item);
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
                tracing::warn!(integration, "its secrets could not be restored: {error}");
            }
        }
        committed
    }
}
