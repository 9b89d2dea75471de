//! Steps 3 and 4 of a refresh: the keychain, then the database.

use std::time::Duration;

use relink_domain::{
    Secret,
    account::{Account, Credential, Input, Rejected},
    caller::Caller,
};
use tokio::sync::watch;

use super::{Refresher, in_flight::RefreshProgress, refresh::AccountLock};
use crate::{
    access_tokens::AccessToken,
    crash::CrashPoint,
    error::Result,
    keychain::{Item, Key, KeychainState},
    oauth::Tokens,
    provider::{ACCESS_TOKEN, Provider, REFRESH_TOKEN},
};

/// The delay before a failed write of a new refresh token to the keychain is retried.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// A successful exchange and the refresh that it belongs to.
pub(super) struct Exchanged<'a> {
    pub(super) account: &'a Account,
    pub(super) provider: &'a Provider,
    pub(super) item: Item,
    pub(super) generation: u64,
    pub(super) tokens: Tokens,
    /// Whether the access token is kept in the keychain, too: the steps of the next refresh may need it.
    pub(super) keeps_access: bool,
}

impl Refresher {
    pub(super) async fn keep(
        &self,
        caller: &Caller,
        exchanged: Exchanged<'_>,
        progress: &watch::Sender<RefreshProgress>,
        lock: &mut AccountLock,
    ) -> Result<AccessToken> {
        let Exchanged { account, provider, mut item, generation, tokens, keeps_access } = exchanged;
        let last = match account.state.credential() {
            Credential::Renewing(renewing) => Some(renewing.lifetime),
            Credential::Fixed(_) => None,
        };
        let token = AccessToken::new(tokens.access, tokens.lifetime.or_assumed(last));
        let rotated = tokens.refresh.filter(|new| item.secrets.get(REFRESH_TOKEN) != Some(new));
        let is_rotated = rotated.is_some();
        if is_rotated || keeps_access {
            item.generation = generation;
            item.secrets.extend(rotated.map(|refresh| (REFRESH_TOKEN.to_owned(), refresh)));
            item.secrets.extend(keeps_access.then(|| (ACCESS_TOKEN.to_owned(), token.token.clone())));
            item.set_lifetime(token.lifetime);
            self.write_until_taken(account, provider, &item, (generation, Some(&token)), progress, lock).await?;
        }
        CrashPoint::RefreshKept.here(&(&item, &token)).await;
        // The token is in memory before the refresh counts as finished and before anything is announced.
        self.0.uses.tokens.insert(account.id(), token.clone());
        let input = Input::Refreshed { generation, lifetime: token.lifetime, rotated: is_rotated };
        self.0.uses.accounts.commit(caller, account.id(), input).await?;
        CrashPoint::RefreshCommitted.here(&token).await;
        Ok(token)
    }

    /// Keeps the refresh token that steps left before they failed. With the item's own generation: the refresh is no success.
    pub(super) async fn keep_rotated(
        &self,
        account: &Account,
        provider: &Provider,
        (mut item, rotated): (Item, Secret),
        generation: u64,
        progress: &watch::Sender<RefreshProgress>,
        lock: &mut AccountLock,
    ) -> Result<()> {
        item.secrets.insert(REFRESH_TOKEN.to_owned(), rotated);
        self.write_until_taken(account, provider, &item, (generation, None), progress, lock).await?;
        CrashPoint::RefreshRotatedKept.here(&item).await;
        Ok(())
    }

    /// The old refresh token may be used up, so writing the new one to the keychain is retried until it succeeds.
    /// Meanwhile callers get the access token, if there is a new one, and the account's lock is free. `generation`: of the
    /// refresh.
    async fn write_until_taken(
        &self,
        account: &Account,
        provider: &Provider,
        item: &Item,
        (generation, token): (u64, Option<&AccessToken>),
        progress: &watch::Sender<RefreshProgress>,
        lock: &mut AccountLock,
    ) -> Result<()> {
        let (id, keychain) = (account.id(), &self.0.uses.keychain);
        let label = provider.item_label(&account.profile.name);
        while let Err(error) = keychain.set(&Key::Account(id), &label, item).await {
            tracing::warn!(account = %id, code = error.code(), "a new refresh token waits for the keychain: {error}");
            if let Some(token) = token {
                self.0.uses.tokens.insert(id, token.clone());
            }
            progress.send_replace(RefreshProgress::WaitingForKeychain { token: token.cloned(), error });
            lock.release();
            let mut state = keychain.state();
            let is_unavailable = *state.borrow() != KeychainState::Available;
            tokio::select! {
                () = tokio::time::sleep(RETRY_DELAY) => {}
                _ = state.wait_for(|state| *state == KeychainState::Available), if is_unavailable => {}
            }
            lock.take().await;
            // If the account was deleted or reauthorized meanwhile, the token is obsolete.
            if self.0.uses.accounts.load(id).await?.open_generation().ok() != Some(generation) {
                return Err(Rejected::Stale { got: generation }.into());
            }
        }
        // Callers that arrive from now on wait for the commit.
        progress.send_replace(RefreshProgress::Running);
        Ok(())
    }
}
