//! Access tokens in memory, where they are kept and nowhere else.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex},
};

use relink_domain::{
    AccountId, Secret, Timestamp,
    schedule::{self, TokenLifetime},
};

use crate::sync::lock;

/// An access token and its lifetime.
#[derive(Debug, Clone)]
pub struct AccessToken {
    pub token: Secret,
    pub lifetime: TokenLifetime,
}

/// How finely the time of an account's or API token's last use is recorded.
pub(crate) const LAST_USE_RESOLUTION_MILLIS: i64 = 60 * 1000;

/// The accounts' access tokens. A clone is a handle on the same ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccessTokens(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tokens: Mutex<HashMap<AccountId, AccessToken>>,
    last_use: Mutex<HashMap<AccountId, Timestamp>>,
}

impl AccessTokens {
    /// The account's access token, fresh or not.
    pub(crate) fn get(&self, account: AccountId) -> Option<AccessToken> {
        lock(&self.0.tokens).get(&account).cloned()
    }

    /// The account's access token if it will outlive a call made now.
    pub(crate) fn get_fresh(&self, account: AccountId, now: Timestamp) -> Option<AccessToken> {
        self.get(account).filter(|held| schedule::is_fresh(held.lifetime, now))
    }

    pub(crate) fn insert(&self, account: AccountId, token: AccessToken) {
        lock(&self.0.tokens).insert(account, token);
    }

    /// Drops the account's access token, because its sign-in was replaced.
    pub(crate) fn remove(&self, account: AccountId) {
        lock(&self.0.tokens).remove(&account);
    }

    /// Drops an access token that a provider refused, unless another one has replaced it already.
    pub(crate) fn remove_refused(&self, account: AccountId, refused: &Secret) {
        let mut tokens = lock(&self.0.tokens);
        if tokens.get(&account).is_some_and(|held| held.token == *refused) {
            tokens.remove(&account);
        }
    }

    /// Drops all that is known of an account that was deleted.
    pub(crate) fn forget(&self, account: AccountId) {
        self.remove(account);
        lock(&self.0.last_use).remove(&account);
    }

    /// Records a use of the account. Whether it is worth storing: once a minute.
    pub(crate) fn record_use(&self, account: AccountId, now: Timestamp) -> bool {
        match lock(&self.0.last_use).entry(account) {
            Entry::Occupied(last) if now.millis_since(*last.get()).abs() < LAST_USE_RESOLUTION_MILLIS => false,
            entry => {
                entry.insert_entry(now);
                true
            }
        }
    }
}
