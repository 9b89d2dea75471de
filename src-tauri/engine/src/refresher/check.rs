//! Checks: the integration's probe call with an account's own credentials.

use relink_contract::account::CheckOutcome;
use relink_domain::{
    AccountId, Secret,
    account::{Account, CallOutcome, Input},
    caller::Caller,
    failure::{Cause, Failure},
    provider_text::SecretFilter,
};

use super::Refresher;
use crate::{
    accounts::AccountView,
    error::Result,
    keychain::{Item, Key, KeychainError},
    provider::{Found, ProbeResult, probe},
};

#[derive(Debug)]
pub struct CheckReport {
    pub outcome: CheckOutcome,
    /// The account after the check.
    pub account: AccountView,
}

/// A probe call that was made for an account.
struct Probed {
    result: ProbeResult,
    /// The generation of the credential that the call used.
    generation: u64,
    /// The access token that the call used, if the account can be refreshed.
    renewable: Option<Secret>,
    filter: SecretFilter,
}

impl Refresher {
    /// Makes the integration's probe call. If the account can be refreshed, a 401 is followed by one refresh and one
    /// more attempt.
    pub async fn check(&self, caller: &Caller, id: AccountId) -> Result<CheckReport> {
        let accounts = &self.0.uses.accounts;
        accounts.require(caller, id).await?;
        let account = accounts.load(id).await?;
        accounts.provider_for(&account).await?;
        let mut probed = Box::pin(self.probe_account(caller, &account)).await?;
        if let (ProbeResult::Unauthorized { .. }, Some(refused)) = (&probed.result, &probed.renewable) {
            self.0.uses.tokens.remove_refused(id, refused);
            probed = Box::pin(self.probe_account(caller, &account)).await?;
            // A new token that is refused as well is dead, too: it is not handed out.
            if let (ProbeResult::Unauthorized { .. }, Some(refused)) = (&probed.result, &probed.renewable) {
                self.0.uses.tokens.remove_refused(id, refused);
            }
        }
        let (outcome, answer) = match probed.result {
            ProbeResult::Works(Some(Found { identity, .. })) if account.is_another(&identity) => {
                (CheckOutcome::AnotherIdentity, Some(CallOutcome::AcceptedAsAnother(identity)))
            }
            ProbeResult::Works(_) => (CheckOutcome::Accepted, Some(CallOutcome::Accepted)),
            ProbeResult::Unauthorized { status, said } => {
                (CheckOutcome::Unauthorized, Some(CallOutcome::Unauthorized { status, said }))
            }
            ProbeResult::Forbidden { said, needed } => {
                let missing_scopes = needed.missing(&account.profile.scopes, &probed.filter);
                (CheckOutcome::Forbidden, Some(CallOutcome::Forbidden { said, missing_scopes, method: None }))
            }
            ProbeResult::Inconclusive(failure) => {
                (CheckOutcome::Inconclusive, Some(CallOutcome::Inconclusive(failure)))
            }
            ProbeResult::NoProbe => (CheckOutcome::NoProbe, None),
        };
        if let Some(answer) = answer {
            self.call_answered(caller, id, probed.generation, answer).await?;
        }
        Ok(CheckReport { outcome, account: accounts.view_of(id).await? })
    }

    async fn probe_account(&self, caller: &Caller, account: &Account) -> Result<Probed> {
        let material = self.material(caller, account).await?;
        let result =
            probe(&self.0.uses.outbound, &material.provider, &material.credentials(), None, self.now()).await?;
        let filter = material.credentials().filter();
        Ok(Probed { result, generation: material.generation, renewable: material.renewable, filter })
    }

    /// A fresh access token and the generation of the credential that it came from.
    pub(super) async fn fresh_token_and_generation(&self, caller: &Caller, id: AccountId) -> Result<(Secret, u64)> {
        loop {
            let token = self.fresh_token(caller, id).await?.token;
            let generation = self.0.uses.accounts.load(id).await?.state.credential().generation();
            // A refresh puts its token into memory before it commits its generation, so a token that is still there is
            // not newer than the generation.
            if self.0.uses.tokens.get(id).is_some_and(|held| held.token == token) {
                return Ok((token, generation));
            }
        }
    }

    /// The keychain item of an account whose credential is never renewed. If the item was removed or can't be read, the
    /// account must be reauthorized.
    pub(super) async fn item_of(&self, caller: &Caller, account: &Account) -> Result<Item> {
        let (id, accounts) = (account.id(), &self.0.uses.accounts);
        // An item of a later generation was written by a reauthorization that isn't committed yet: it belongs to what the account
        // is after that, maybe at another address.
        if account.replacement.is_none()
            && let Ok(item) = self.read_item(id).await?
            && item.generation <= account.state.credential().generation()
        {
            return Ok(item);
        }
        let lock = accounts.lock_of(id);
        let _guard = lock.lock().await;
        let found = self.read_item(id).await?;
        // A reauthorization may have written the item meanwhile, or may not be finished.
        let none = Item::default();
        let account = accounts.reconcile(accounts.load(id).await?, found.as_ref().unwrap_or(&none)).await?;
        let failure = match found {
            Ok(item) => return Ok(item),
            Err(cause) => Failure::new(cause),
        };
        accounts.commit(caller, id, Input::CredentialGone { failure: failure.clone() }).await?;
        Err(self.failure_of(&account, failure))
    }

    /// An account's keychain item, or why it can't be used.
    async fn read_item(&self, id: AccountId) -> Result<Result<Item, Cause>> {
        match self.0.uses.keychain.get(&Key::Account(id)).await {
            Ok(item) => Ok(item.ok_or(Cause::CredentialMissing)),
            Err(KeychainError::Damaged { .. } | KeychainError::Newer { .. }) => Ok(Err(Cause::CredentialDamaged)),
            Err(error) => Err(error.into()),
        }
    }
}
