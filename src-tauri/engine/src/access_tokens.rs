//! What callers sign with, in memory: access tokens, which are kept nowhere else, and copies of fixed credentials, which are
//! in the keychain.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex},
};

use relink_domain::{
    AccountId, Secret, Timestamp,
    account::Account,
    schedule::{self, TokenLifetime},
};

use crate::{
    provider::{PreparedAccount, Standing, Unproven},
    sync::lock,
    until_changed::UntilChanged,
};

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
    /// Credentials that no refresh token stands behind.
    fixed: UntilChanged<AccessToken>,
    prepared: UntilChanged<Arc<PreparedAccount>>,
    last_use: Mutex<HashMap<AccountId, Timestamp>>,
    /// How the accounts that are called stand.
    standings: Mutex<HashMap<AccountId, Arc<Standing>>>,
    /// The accounts whose access token was dropped because a call was refused with it, until a call is accepted.
    refused: Mutex<HashMap<AccountId, Unproven>>,
    /// The latest access token of each account that a provider refused.
    latest_refused: Mutex<HashMap<AccountId, Secret>>,
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

    /// Whether this is the account's access token, and will outlive a call made now.
    pub(crate) fn is_fresh(&self, account: AccountId, token: &Secret, now: Timestamp) -> bool {
        lock(&self.0.tokens)
            .get(&account)
            .is_some_and(|held| held.token == *token && schedule::is_fresh(held.lifetime, now))
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
        lock(&self.0.refused).remove(&account);
        lock(&self.0.latest_refused).remove(&account);
        self.account_changed(account);
    }

    /// The accounts' fixed credentials, as they were read.
    pub(crate) fn fixed(&self) -> &UntilChanged<AccessToken> {
        &self.0.fixed
    }

    /// The accounts that are ready for calls.
    pub(crate) fn prepared(&self) -> &UntilChanged<Arc<PreparedAccount>> {
        &self.0.prepared
    }

    /// How an account stands that was just read.
    pub(crate) fn standing(&self, account: &Account) -> Arc<Standing> {
        let mut standings = lock(&self.0.standings);
        Arc::clone(standings.entry(account.id()).or_insert_with(|| Arc::new(Standing::of(account))))
    }

    /// Waits until a refusal of a call with the account is committed, if one was reported.
    pub(crate) async fn refusal_committed(&self, account: AccountId) {
        let standing = lock(&self.0.standings).get(&account).cloned();
        if let Some(standing) = standing {
            standing.refusal_committed().await;
        }
    }

    /// The account was committed like this.
    pub(crate) fn committed(&self, account: &Account) {
        if let Some(standing) = lock(&self.0.standings).get(&account.id()) {
            standing.update(account);
        }
        self.account_changed(account.id());
    }

    /// Drops what was made of the account, because it has changed.
    pub(crate) fn account_changed(&self, account: AccountId) {
        self.0.fixed.remove(account);
        self.0.prepared.remove(account);
    }

    /// Drops an access token that a provider refused, unless another one has replaced it already. Returns whether it did.
    pub(crate) fn remove_refused(&self, account: AccountId, refused: &Secret) -> bool {
        let mut tokens = lock(&self.0.tokens);
        let is_held = tokens.get(&account).is_some_and(|held| held.token == *refused);
        if is_held {
            tokens.remove(&account);
            lock(&self.0.latest_refused).insert(account, refused.clone());
        }
        is_held
    }

    /// Whether a provider refused this access token, the latest of the account that it did.
    pub(crate) fn was_refused(&self, account: AccountId, token: &Secret) -> bool {
        lock(&self.0.latest_refused).get(&account) == Some(token)
    }

    /// [`Self::remove_refused`], for a token that a call was refused with: the account's next one is to prove itself.
    pub(crate) fn renew_refused(&self, account: AccountId, refused: &Secret) {
        if self.remove_refused(account, refused) {
            lock(&self.0.refused).entry(account).or_default();
        }
    }

    /// Whether a call was refused, and none with a newer token has been accepted since.
    pub(crate) fn unproven(&self, account: AccountId) -> Option<Unproven> {
        lock(&self.0.refused).get(&account).cloned()
    }

    /// A call with a token that followed a refused one was accepted.
    pub(crate) fn accepted_after_refusal(&self, account: AccountId) {
        if let Some(unproven) = lock(&self.0.refused).remove(&account) {
            unproven.prove();
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
        lock(&self.0.standings).remove(&account);
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

    #[test]
    fn what_changes_an_account_drops_its_fixed_credential() {
        type Change = fn(&AccessTokens);
        let changes: [Change; 3] = [
            |tokens| tokens.account_changed(account()),
            |tokens| tokens.remove(account()),
            |tokens| tokens.forget(account()),
        ];
        for change in changes {
            let tokens = AccessTokens::default();
            tokens.fixed().begin(account()).keep(AccessToken::new(Secret::new("key"), TokenLifetime::new(NOW, None)));
            change(&tokens);
            assert!(tokens.fixed().get(account()).is_none());
        }
    }

    #[test]
    fn only_the_token_in_memory_is_fresh_and_only_for_its_time() {
        let tokens = AccessTokens::default();
        let lifetime = TokenLifetime::new(NOW, Some(NOW.plus_secs(3600)));
        let (held, replaced) = (Secret::new("at-2"), Secret::new("at-1"));
        assert!(!tokens.is_fresh(account(), &held, NOW), "there is none");
        tokens.insert(account(), AccessToken::new(held.clone(), lifetime));
        assert!(tokens.is_fresh(account(), &held, NOW));
        assert!(!tokens.is_fresh(account(), &replaced, NOW));
        assert!(!tokens.is_fresh(account(), &held, NOW.plus_secs(3600)));
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
