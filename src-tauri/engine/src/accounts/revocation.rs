//! Revoking the tokens of accounts that were deleted while the keychain was locked, or with their integration. Their keychain
//! items stay until that is done, and so does what is needed of an integration that was removed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use relink_domain::{
    AccountId, EnvironmentIntegrationId, Timestamp,
    account::{Account, AuthenticationMethod, TimelineEvent},
    caller::Caller,
    origins::Origins,
};
use rusqlite::{Connection, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Accounts;
use crate::{
    error::Result,
    keychain::{Key, KeychainError},
    provider::{BoundProvider, Entry, Provider, Revoked, revoke},
    store::{
        self, StoreError,
        integrations::Installed,
        orphans,
        timeline::{self, NewEntry},
    },
};

/// The delay before a revocation that failed is retried.
const RETRY_DELAY: Duration = Duration::from_mins(5);
/// How long the removal of an integration waits for its accounts' revocations.
const CALLER_TIMEOUT: Duration = Duration::from_secs(10);
/// After so many revocations of one integration that failed in a row, the others wait for the next pass: its provider can't be
/// reached.
const MAX_FAILURES_IN_A_ROW: usize = 3;
/// How long after the deletion a provider that can't be reached is tried again.
const MAX_AGE_MILLIS: i64 = 7 * 24 * 60 * 60 * 1000;

/// A revocation that is still to be done, as the database stores it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PendingRevocation {
    account: AccountId,
    integration: EnvironmentIntegrationId,
    /// The integration's label.
    provider: String,
    method: AuthenticationMethod,
    context: Map<String, Value>,
    /// The addresses that the tokens may be sent to.
    origins: Origins,
}

impl PendingRevocation {
    /// Serialized, for the store.
    pub(super) fn of(account: &Account, label: &str) -> Result<String, StoreError> {
        let pending = Self {
            account: account.id(),
            integration: account.profile.environment_integration_id,
            provider: label.to_owned(),
            method: account.method(),
            context: account.profile.context.clone(),
            origins: account.profile.origins.clone(),
        };
        Ok(serde_json::to_string(&pending)?)
    }
}

/// What became of one attempt.
enum Attempt {
    Ended {
        revoked: bool,
    },
    /// There was nothing to revoke.
    Nothing,
    Later,
}

/// What is still to be revoked.
struct Pending {
    /// The keychain item's key, and since when.
    accounts: Vec<(String, Timestamp, PendingRevocation)>,
    /// Integrations that were removed before, as they were.
    removed: HashMap<EnvironmentIntegrationId, Arc<Provider>>,
}

fn pending(connection: &Connection) -> store::Result<Pending> {
    let mut pending = Pending { accounts: Vec::new(), removed: HashMap::new() };
    for (key, since, document) in orphans::revocations(connection)? {
        // What a newer Relink has written and this one can't read waits for an update; the others don't.
        if let Some(Key::Integration(id)) = Key::parse(&key) {
            let provider = serde_json::from_str(&document).map(|removed: Installed| Entry::compile(removed).provider);
            pending.removed.extend(provider.ok().and_then(Result::ok).map(|provider| (id, provider)));
        } else if let Ok(revocation) = serde_json::from_str(&document) {
            pending.accounts.push((key, since, revocation));
        }
    }
    Ok(pending)
}

/// Lets go of removed integrations for which nothing is to be revoked any more.
fn end_unneeded(tx: &Transaction<'_>) -> store::Result<()> {
    for (key, _, _) in orphans::revocations(tx)? {
        if let Some(Key::Integration(id)) = Key::parse(&key)
            && !orphans::has_revocations(tx, id)?
        {
            orphans::end_revocation(tx, &key)?;
        }
    }
    Ok(())
}

/// Keeps an integration that was removed in this transaction, with its client, for the revocations that are still to be done.
pub(crate) fn keep_for_revocations(tx: &Transaction<'_>, removed: &Installed) -> store::Result<()> {
    if orphans::has_revocations(tx, removed.id)? {
        let document = serde_json::to_string(removed)?;
        orphans::set_revocation(tx, &Key::Integration(removed.id).to_string(), &document)?;
    }
    Ok(())
}

impl Accounts {
    /// Starts to revoke what is still to be revoked, now and whenever an account is deleted while the keychain is locked.
    pub(crate) fn start(&self) {
        self.0.uses.tasks.spawn_until_stop(self.clone().keep_revoking());
    }

    async fn keep_revoking(self) {
        loop {
            self.0.uses.keychain.opened().await;
            let is_done = self.revoke_pending().await.unwrap_or_else(|error| {
                tracing::warn!(code = error.code(), "tokens of deleted accounts are revoked later: {error}");
                false
            });
            let added = self.0.revocation_added.notified();
            if is_done {
                added.await;
            } else {
                // Either way, everything is tried again.
                let _ = tokio::time::timeout(RETRY_DELAY, added).await;
            }
        }
    }

    /// Revokes what is still to be revoked while a caller waits. What that doesn't reach is done in the background.
    pub(crate) async fn revoke_now(&self) {
        match tokio::time::timeout(CALLER_TIMEOUT, self.revoke_pending()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::info!(code = error.code(), "tokens are revoked later: {error}"),
            Err(_) => tracing::info!("tokens are revoked in the background"),
        }
    }

    /// Tries everything that is still to be revoked, then sweeps. Returns whether nothing is left.
    async fn revoke_pending(&self) -> Result<bool> {
        let mut passes = self.0.revoking.lock().await;
        let mut due = self.0.uses.store.read(pending).await?;
        if !due.accounts.is_empty() {
            // Start elsewhere each time, so that everything is tried although an integration is left after some failures.
            let start = *passes * MAX_FAILURES_IN_A_ROW % due.accounts.len();
            due.accounts.rotate_left(start);
        }
        *passes = passes.wrapping_add(1);
        let mut failures: HashMap<EnvironmentIntegrationId, usize> = HashMap::new();
        let mut is_done = true;
        for (key, since, pending) in due.accounts {
            let failed = failures.entry(pending.integration).or_default();
            if *failed == MAX_FAILURES_IN_A_ROW {
                continue;
            }
            let event = match self.try_revocation(&pending, since, &due.removed).await {
                Attempt::Later => {
                    *failed += 1;
                    is_done = false;
                    continue;
                }
                Attempt::Nothing => None,
                Attempt::Ended { revoked } => {
                    tracing::info!(account = %pending.account, revoked, "the revocation of a deleted account has ended");
                    Some(TimelineEvent::RevokedLater { provider: pending.provider, revoked })
                }
            };
            *failed = 0;
            let now = self.0.uses.clock.now();
            let entry = event
                .map(|event| NewEntry::of(Some(pending.account), now, &event, Some(&Caller::Internal)))
                .transpose()?;
            let write = move |tx: &Transaction<'_>| {
                orphans::end_revocation(tx, &key)?;
                entry.as_ref().map_or(Ok(()), |entry| timeline::add(tx, entry))
            };
            self.0.uses.store.write(write).await?;
        }
        self.0.uses.store.write(end_unneeded).await?;
        let swept = self.0.uses.orphans.sweep().await;
        if is_done { swept.map(|()| true) } else { Ok(false) }
    }

    async fn try_revocation(
        &self,
        pending: &PendingRevocation,
        since: Timestamp,
        removed: &HashMap<EnvironmentIntegrationId, Arc<Provider>>,
    ) -> Attempt {
        let item = match self.0.uses.keychain.get(&Key::Account(pending.account)).await {
            Ok(Some(item)) => item,
            Ok(None) => return Attempt::Nothing,
            Err(KeychainError::Damaged { .. } | KeychainError::Newer { .. }) => {
                return Attempt::Ended { revoked: false };
            }
            Err(_) => return Attempt::Later,
        };
        // Without the integration, or when its addresses have changed, there is nowhere to revoke.
        let PendingRevocation { integration, method, context, origins, .. } = pending;
        let bound = match removed.get(integration) {
            Some(provider) => BoundProvider::checked(Arc::clone(provider), *method, context, origins),
            None => self.0.uses.providers.bound(*integration, *method, context, origins),
        };
        let Ok(provider) = bound else { return Attempt::Ended { revoked: false } };
        let Ok(secret) = self.0.uses.providers.client_secret(&provider).await else { return Attempt::Later };
        match revoke(&self.0.uses.outbound, &provider, secret, &item, context).await {
            Revoked::NotOffered => Attempt::Nothing,
            Revoked::Accepted => Attempt::Ended { revoked: true },
            Revoked::Refused => Attempt::Ended { revoked: false },
            Revoked::Unreachable if self.0.uses.clock.now().millis_since(since) > MAX_AGE_MILLIS => {
                Attempt::Ended { revoked: false }
            }
            Revoked::Unreachable => Attempt::Later,
        }
    }
}
