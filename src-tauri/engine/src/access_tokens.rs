//! What callers sign with, in memory: access tokens, which are kept nowhere else, and copies of fixed credentials, which are
//! in the keychain.

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
    /// Whether it still works although it can't be refreshed any more until the person signs in again.
    pub needs_reauth: bool,
}

impl AccessToken {
    pub(crate) const fn new(token: Secret, lifetime: TokenLifetime) -> Self {
        Self { token, lifetime, needs_reauth: false }
    }
}

/// How finely the time of an account's or API token's last use is recorded.
pub(crate) const LAST_USE_RESOLUTION_MILLIS: i64 = 60 * 1000;

/// The accounts' access tokens. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccessTokens(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tokens: Mutex<HashMap<AccountId, AccessToken>>,
    fixed: Mutex<FixedCredentials>,
    last_use: Mutex<HashMap<AccountId, Timestamp>>,
}

/// Credentials that no refresh token stands behind. Whatever changes an account removes its entry, so an entry that a read
/// began with and that is still there shows that nothing has changed since.
#[derive(Debug, Default)]
struct FixedCredentials {
    entries: HashMap<AccountId, FixedCredential>,
    /// The number of reads so far.
    reads: u64,
}

#[derive(Debug)]
enum FixedCredential {
    /// By the read with this number, the latest one that has begun.
    BeingRead(u64),
    Known(AccessToken),
}

/// A read of an account's fixed credential, begun before anything of the account is read.
#[derive(Debug)]
pub(crate) struct FixedRead {
    tokens: AccessTokens,
    account: AccountId,
    number: u64,
}

impl FixedRead {
    /// Keeps what was read in memory, unless the account has changed since the read began.
    pub(crate) fn keep(self, token: AccessToken) {
        if let Some(entry) = lock(&self.tokens.0.fixed).entries.get_mut(&self.account)
            && matches!(entry, FixedCredential::BeingRead(number) if *number == self.number)
        {
            *entry = FixedCredential::Known(token);
        }
    }
}

impl Drop for FixedRead {
    fn drop(&mut self) {
        let mut fixed = lock(&self.tokens.0.fixed);
        if let Entry::Occupied(entry) = fixed.entries.entry(self.account)
            && matches!(entry.get(), FixedCredential::BeingRead(number) if *number == self.number)
        {
            entry.remove();
        }
    }
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

    /// The account's access token, which is dropped.
    pub(crate) fn take(&self, account: AccountId) -> Option<AccessToken> {
        lock(&self.0.tokens).remove(&account)
    }

    /// Drops the account's access token, because its sign-in was replaced.
    pub(crate) fn remove(&self, account: AccountId) {
        lock(&self.0.tokens).remove(&account);
        self.remove_fixed(account);
    }

    /// The account's fixed credential, if it was read since the account last changed.
    pub(crate) fn get_fixed(&self, account: AccountId) -> Option<AccessToken> {
        match lock(&self.0.fixed).entries.get(&account)? {
            FixedCredential::Known(token) => Some(token.clone()),
            FixedCredential::BeingRead(_) => None,
        }
    }

    /// Begins a read of the account's fixed credential. Begin it before the account itself is read.
    pub(crate) fn begin_fixed_read(&self, account: AccountId) -> FixedRead {
        let mut fixed = lock(&self.0.fixed);
        fixed.reads += 1;
        let number = fixed.reads;
        fixed.entries.insert(account, FixedCredential::BeingRead(number));
        FixedRead { tokens: self.clone(), account, number }
    }

    /// Drops the account's fixed credential, because the account has changed.
    pub(crate) fn remove_fixed(&self, account: AccountId) {
        lock(&self.0.fixed).entries.remove(&account);
    }

    /// Drops an access token that a provider refused, unless another one has replaced it already.
    pub(crate) fn remove_refused(&self, account: AccountId, refused: &Secret) {
        let mut tokens = lock(&self.0.tokens);
        if tokens.get(&account).is_some_and(|held| held.token == *refused) {
            tokens.remove(&account);
        }
    }

    /// The clock was set back: the tokens' lifetimes move with it.
    pub(crate) fn clock_set_back(&self, millis: i64) {
        for token in lock(&self.0.tokens).values_mut() {
            token.lifetime = token.lifetime.moved(-millis);
        }
        lock(&self.0.last_use).clear();
    }

    /// Drops all that is known of an account that was deleted.
    pub(crate) fn forget(&self, account: AccountId) {
        self.remove(account);
        lock(&self.0.last_use).remove(&account);
    }

    /// Records a use of the account. Returns whether to store it, which is once a minute.
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn account() -> AccountId {
        AccountId::from_uuid(Uuid::nil())
    }

    fn key(text: &str) -> AccessToken {
        AccessToken::new(Secret::new(text), TokenLifetime::new(NOW, None))
    }

    fn known(tokens: &AccessTokens) -> Option<String> {
        tokens.get_fixed(account()).map(|known| known.token.expose().to_owned())
    }

    #[test]
    fn a_fixed_credential_is_kept_until_its_account_changes() {
        let tokens = AccessTokens::default();
        tokens.begin_fixed_read(account()).keep(key("first"));
        assert_eq!(known(&tokens).as_deref(), Some("first"));
        tokens.remove_fixed(account());
        assert_eq!(known(&tokens), None);
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        type Change = fn(&AccessTokens);
        let changes: [Change; 3] = [
            |tokens| tokens.remove_fixed(account()),
            |tokens| tokens.remove(account()),
            |tokens| tokens.forget(account()),
        ];
        for change in changes {
            let tokens = AccessTokens::default();
            let before = tokens.begin_fixed_read(account());
            change(&tokens);
            before.keep(key("old"));
            assert_eq!(known(&tokens), None);
        }
    }

    #[test]
    fn what_was_read_before_a_change_is_not_taken_for_a_read_after_it() {
        let tokens = AccessTokens::default();
        let before = tokens.begin_fixed_read(account());
        tokens.remove_fixed(account());
        let after = tokens.begin_fixed_read(account());
        before.keep(key("old"));
        assert_eq!(known(&tokens), None);
        after.keep(key("new"));
        assert_eq!(known(&tokens).as_deref(), Some("new"));
    }

    #[test]
    fn a_read_that_found_nothing_leaves_nothing_behind() {
        let tokens = AccessTokens::default();
        drop(tokens.begin_fixed_read(account()));
        assert!(lock(&tokens.0.fixed).entries.is_empty());
    }

    #[test]
    fn a_clock_set_back_moves_the_tokens_lifetimes_with_it() {
        let tokens = AccessTokens::default();
        let lifetime = TokenLifetime::new(NOW, Some(NOW.plus_secs(3600)));
        tokens.insert(account(), AccessToken::new(Secret::new("at"), lifetime));
        let earlier = NOW.plus_secs(-86_400);
        assert!(tokens.get_fresh(account(), earlier).is_none(), "issued in the future");
        tokens.clock_set_back(86_400_000);
        assert!(tokens.get_fresh(account(), earlier).is_some());
        assert!(tokens.get_fresh(account(), earlier.plus_secs(3600)).is_none(), "it lives no longer than before");
    }
}
