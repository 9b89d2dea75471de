//! Waiting for a keychain that can't be used now.

use std::time::Duration;

use relink_domain::AccountId;
use uuid::Uuid;

use super::{Key, Keychain};

/// The minimum delay before a failed operation is retried.
const MIN_RETRY_DELAY: Duration = Duration::from_secs(2);

impl Keychain {
    /// A key that no item uses. Reading it only shows whether the keychain responds.
    pub(super) fn unused_key() -> Key {
        Key::Account(AccountId::from_uuid(Uuid::nil()))
    }

    /// Waits without a limit until the keychain responds.
    pub(crate) async fn opened(&self) {
        while self.get(&Self::unused_key()).await.is_err() {
            self.recovered().await;
        }
    }

    /// After the keychain refused a call: waits until it is available again, with a minimum delay. Some refusals say
    /// nothing about the keychain as a whole, so that it still counts as available.
    pub(crate) async fn recovered(&self) {
        tokio::time::sleep(MIN_RETRY_DELAY).await;
        self.available().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::keychain::{KeychainError, MemoryKeychain};

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_says_nothing_about_the_keychain_is_not_retried_at_once() {
        let backend = MemoryKeychain::default();
        backend.refuse(KeychainError::Other("out of order".into()));
        let began = Instant::now();
        Keychain::memory(backend).recovered().await;
        assert!(began.elapsed() >= MIN_RETRY_DELAY, "{:?}", began.elapsed());
    }
}
