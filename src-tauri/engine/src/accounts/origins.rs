//! Accounts and the addresses that their credentials may be sent to.

use std::future;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use relink_domain::{
    AccountId,
    account::{Account, Input},
    caller::Caller,
    failure::Cause,
};

use super::Accounts;
use crate::{
    error::{Error, Result},
    provider::{BoundProvider, Provider},
    store::accounts,
};

/// How many accounts are marked or restored at a time.
const MAX_FOLLOWING: usize = 64;

impl Accounts {
    /// The account's provider, for requests with its credentials: **every** such request gets its provider here. If one of
    /// its addresses isn't the one any more that the credentials were given for, the account is marked and nothing is sent.
    pub(crate) async fn provider_for(&self, account: &Account) -> Result<BoundProvider> {
        let bound = self.0.uses.providers.bound_to(account);
        if is_move(&bound) && !account.has_moved() {
            Box::pin(self.follow_origins(account.id())).await?;
        }
        bound
    }

    /// Refuses to hand out the credentials of an account whose integration names another address than they were given for.
    /// A definition that can't be used is no obstacle here.
    pub(crate) async fn refuse_if_moved(&self, account: &Account) -> Result<()> {
        let bound = self.provider_for(account).await;
        if is_move(&bound) { bound.map(drop) } else { Ok(()) }
    }

    /// Marks or restores the accounts of this provider whose addresses changed, before anything else happens for them.
    pub(crate) async fn follow_provider(&self, provider: &Provider) -> Result<()> {
        let bound: Vec<_> = provider
            .definition
            .methods()
            .into_iter()
            .map(|method| provider.origins(method, &serde_json::Map::new()))
            .collect();
        let id = provider.id();
        let to_compare = self.0.uses.store.read(move |c| accounts::to_compare(c, id, &bound)).await?;
        // Together, because commits that wait at the same time share a transaction.
        let followed = stream::iter(to_compare).map(|account| Box::pin(self.follow_origins(account)));
        followed.buffer_unordered(MAX_FOLLOWING).try_for_each(|()| future::ready(Ok(()))).await
    }

    /// Marks or restores an account, by the addresses of its integration and of its own override.
    pub(super) async fn follow_origins(&self, id: AccountId) -> Result<()> {
        let account = match self.load(id).await {
            Err(Error::NotFound { .. }) => return Ok(()),
            loaded => loaded?,
        };
        let provider = self.0.uses.providers.of(&account)?;
        let current = provider.origins(account.method(), &account.profile.context);
        let input = Input::FollowOrigins { current, accepted: provider.moved_from().to_vec() };
        let now = self.0.uses.clock.now();
        let step = account.apply(input.clone(), now, relink_domain::schedule::Jitter::NONE)?;
        if !step.timeline.is_empty() {
            match self.commit(&Caller::Internal, id, input).await {
                // It was deleted meanwhile.
                Err(Error::NotFound { .. }) => return Ok(()),
                committed => committed?,
            };
            tracing::info!(account = %id, moved = step.account.has_moved(), "followed its provider's addresses");
        }
        Ok(())
    }
}

fn is_move(bound: &Result<BoundProvider>) -> bool {
    matches!(bound, Err(Error::Provider { failure, .. }) if failure.cause == Cause::OriginChanged)
}

#[cfg(test)]
#[path = "origins_tests.rs"]
mod tests;
