//! The access token that remains after a refresh has failed for good.

use relink_domain::{account::Account, provider_text::KnownSecrets, schedule};

use super::Refresher;
use crate::{
    access_tokens::AccessToken,
    provider::{BoundProvider, CallCredentials, ProbeResult, probe},
};

impl Refresher {
    /// Probes the remaining access token once, under the account's lock. Unless the provider accepts it, it is dropped: a
    /// token that may be dead is not handed out. One that is accepted is handed out with the note that the account needs its
    /// person.
    pub(super) async fn probe_remaining_token(&self, account: &Account, provider: &BoundProvider) {
        let id = account.id();
        let tokens = &self.0.uses.tokens;
        let Some(held) = tokens.take(id).filter(|held| schedule::is_fresh(held.lifetime, self.now())) else { return };
        let Ok(variables) = self.0.uses.providers.variables(provider).await else { return };
        let credentials = CallCredentials {
            method: account.method(),
            access_token: Some(&held.token),
            of_refresh: None,
            fields: &std::collections::BTreeMap::new(),
            variables: &variables,
            context: &account.profile.context,
            tenant_id: Some(&account.profile.tenant_id),
            // Only the status of the answer counts.
            known: &KnownSecrets::default(),
        };
        let probed = probe(&self.0.uses.outbound, provider, &credentials, None, self.now()).await;
        let is_accepted = match &probed {
            Ok(ProbeResult::Works(found)) => !found.as_ref().is_some_and(|found| account.is_another(&found.identity)),
            Ok(ProbeResult::Forbidden { .. }) => true,
            Ok(ProbeResult::Unauthorized { .. } | ProbeResult::Inconclusive(_) | ProbeResult::NoProbe) | Err(_) => {
                false
            }
        };
        tracing::info!(account = %id, is_accepted, "the remaining access token was probed");
        if is_accepted {
            tokens.insert(id, AccessToken { needs_reauth: true, ..held });
        }
    }
}
