//! Completes what a crash interrupted, as decided by the keychain's content.
//!
//! The keychain is written before the database, so it is the authority: if an item has the generation of an open
//! intent, only the database update is missing. Any other generation means that the provider's response, if there was
//! one, is lost.

use std::ops::ControlFlow;

use relink_domain::{
    account::{Account, Attempt, Credential, Input, Renewing, Replacement},
    caller::Caller,
    schedule::TokenLifetime,
};

use super::Accounts;
use crate::{
    error::{Error, Result},
    keychain::Item,
    store::links,
};

impl Accounts {
    /// Commits what was already written to the keychain, and drops a replacement that wasn't. An open refresh that
    /// wasn't written stays open, for the caller to resume. The caller must hold the account's lock.
    pub(crate) async fn reconcile(&self, account: Account, item: &Item) -> Result<Account> {
        let id = account.id();
        if let Some(replacement) = &account.replacement {
            let generation = replacement.generation;
            if item.generation != generation {
                return self.lose_replacement(&account, replacement).await;
            }
            // The old access token belongs to the old sign-in.
            self.0.uses.tokens.remove(id);
            return Ok(self.commit(&Caller::Internal, id, Input::Replaced { generation }).await?.account);
        }
        match account.state.credential() {
            Credential::Renewing(Renewing { attempt: Attempt::Refreshing { generation, .. }, lifetime, .. })
                if item.generation == *generation =>
            {
                let lifetime = item.lifetime().unwrap_or(*lifetime).or_assumed(Some(*lifetime));
                let input = Input::Refreshed { generation: *generation, lifetime, rotated: true };
                Ok(self.commit(&Caller::Internal, id, input).await?.account)
            }
            Credential::Renewing(_) | Credential::Fixed(_) => Ok(account),
        }
    }

    /// Drops a replacement that wasn't written to the keychain. Its link can be used again.
    pub(crate) async fn lose_replacement(&self, account: &Account, replacement: &Replacement) -> Result<Account> {
        let (generation, link) = (replacement.generation, replacement.link);
        let give_back = move |tx: &rusqlite::Transaction<'_>| {
            if let Some(link) = link {
                links::give_back(tx, link)?;
            }
            Ok(ControlFlow::Continue(()))
        };
        let input = Input::ReplacementLost { generation };
        let committed = self.commit_with(&Caller::Internal, account.id(), input, give_back).await?;
        committed.map(|step| step.account).ok_or(Error::Stopping)
    }
}

/// The key of the lifetime of the access token that was issued with the refresh token.
const LIFETIME: &str = "lifetime";
/// The same key in Relink 0.1.
const LIFETIME_0_1: &str = "lease";

impl Item {
    /// Records the access token's lifetime with a rotated refresh token. Finishing the refresh after a crash requires
    /// it.
    pub(crate) fn set_lifetime(&mut self, lifetime: TokenLifetime) {
        if let Ok(value) = serde_json::to_value(lifetime) {
            self.notes.insert(LIFETIME.into(), value);
        }
    }

    /// The lifetime that [`Item::set_lifetime`] recorded.
    fn lifetime(&self) -> Option<TokenLifetime> {
        let value = self.notes.get(LIFETIME).or_else(|| self.notes.get(LIFETIME_0_1))?;
        serde_json::from_value(value.clone()).ok()
    }
}
