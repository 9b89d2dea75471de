//! Revoking the tokens of accounts that were deleted while the keychain was locked. Their keychain items stay until that is done.

use std::time::Duration;

use relink_domain::{
    AccountId, EnvironmentIntegrationId, Timestamp,
    account::{Account, AuthenticationMethod, TimelineEvent},
    caller::Caller,
    origins::Origins,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Accounts;
use crate::{
    error::Result,
    keychain::{Key, KeychainError},
    provider::{Revoked, revoke},
    store::{
        StoreError, orphans,
        timeline::{self, NewEntry},
    },
};

/// The delay before a revocation that failed is retried.
const RETRY_DELAY: Duration = Duration::from_mins(5);
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
            if is_done {
                self.0.revocation_added.notified().await;
            } else {
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }

    /// Tries everything that is still to be revoked. Returns whether nothing is left.
    async fn revoke_pending(&self) -> Result<bool> {
        let mut is_done = true;
        for (key, since, document) in self.0.uses.store.read(orphans::revocations).await? {
            let pending: PendingRevocation = serde_json::from_str(&document).map_err(StoreError::from)?;
            let event = match self.try_revocation(&pending, since).await {
                Attempt::Later => {
                    is_done = false;
                    continue;
                }
                Attempt::Nothing => None,
                Attempt::Ended { revoked } => {
                    tracing::info!(account = %pending.account, revoked, "the revocation of a deleted account has ended");
                    Some(TimelineEvent::RevokedLater { provider: pending.provider, revoked })
                }
            };
            let now = self.0.uses.clock.now();
            let entry = event
                .map(|event| NewEntry::of(Some(pending.account), now, &event, Some(&Caller::Internal)))
                .transpose()?;
            let write = move |tx: &rusqlite::Transaction<'_>| {
                orphans::end_revocation(tx, &key)?;
                entry.as_ref().map_or(Ok(()), |entry| timeline::add(tx, entry))
            };
            self.0.uses.store.write(write).await?;
        }
        if is_done { self.0.uses.orphans.sweep().await.map(|()| true) } else { Ok(false) }
    }

    async fn try_revocation(&self, pending: &PendingRevocation, since: Timestamp) -> Attempt {
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
        let Ok(provider) = self.0.uses.providers.bound(*integration, *method, context, origins) else {
            return Attempt::Ended { revoked: false };
        };
        let Ok(secret) = self.0.uses.providers.client_secret(&provider).await else { return Attempt::Later };
        match revoke(&self.0.uses.outbound, &provider, secret, &item).await {
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
