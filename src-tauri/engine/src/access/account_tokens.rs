//! Tokens for one account (contract section 0.1). They are in memory alone: they end after 15 minutes, so a restart that forgets them
//! costs their programs no more than that does.

use std::collections::HashMap;

use relink_domain::{
    AccountId, Secret, Timestamp,
    caller::{AccountGrant, Caller},
    permission::Permission,
};

use super::Access;
use crate::{
    error::{Error, Result},
    random::{hash_of, random_uuid},
    store::api_tokens,
};

/// In characters.
pub(super) const LENGTH: usize = 36;
const VALID_SECS: i64 = 15 * 60;
/// So many are valid at a time.
const MAX_TOKENS: usize = 10_000;

/// The callers of account tokens, by the tokens' hashes.
#[derive(Debug, Default)]
pub(super) struct AccountTokens(HashMap<[u8; 32], Caller>);

impl AccountTokens {
    /// The caller, whose token may have ended meanwhile. A hash takes no time that says how much of it was right.
    fn get(&self, token: &str) -> Option<Caller> {
        // The id of an account looks the same, and is in the URL of every call.
        if self.0.is_empty() { None } else { self.0.get(&hash_of(token)).cloned() }
    }

    pub(super) fn forget(&mut self, account: AccountId) {
        self.0.retain(|_, of| of.own_account() != Some(account));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn keep(&mut self, hash: [u8; 32], made: Caller, now: Timestamp) -> Result<()> {
        self.0.retain(|_, other| !matches!(other, Caller::AccountToken { grant, .. } if grant.expires_at <= now));
        if self.0.len() >= MAX_TOKENS {
            let message = format!("There are {MAX_TOKENS} account tokens already. Each ends after 15 minutes.");
            return Err(Error::conflict("too_many_account_tokens", message));
        }
        self.0.insert(hash, made);
        Ok(())
    }
}

impl Access {
    /// The caller that an account token authenticates.
    pub(super) fn account_of(&self, token: &str) -> Option<Caller> {
        let found = self.0.uses.of_accounts.account_tokens().get(token);
        found.filter(|caller| self.is_still_valid(caller))
    }

    /// Creates a token for one account of the integration with this name. It is a UUID, as Truto's, is valid for 15 minutes and no
    /// longer than the caller's own token, and may change the account if the caller may.
    pub fn create_account_token(&self, caller: &Caller, account_id: AccountId, integration: &str) -> Result<Secret> {
        caller.require_account(account_id, integration)?;
        let now = self.0.uses.clock.now();
        let grant = AccountGrant {
            made_by: api_tokens::id_of(caller),
            expires_at: now.plus_secs(VALID_SECS),
            may_change: caller.may(Permission::ChangeAccounts),
        };
        let token = random_uuid()?;
        let made = Caller::AccountToken { account_id, grant: grant.into() };
        self.0.uses.of_accounts.account_tokens().keep(hash_of(token.expose()), made, now)?;
        Ok(token)
    }
}
