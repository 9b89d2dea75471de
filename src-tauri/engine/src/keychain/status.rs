//! The keychain's status, for display.

use super::Keychain;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeychainStatus {
    /// `available`, or the error's [code](super::KeychainError::code).
    pub state: &'static str,
    /// Why it can't be used, in a sentence.
    pub message: Option<String>,
}

impl KeychainStatus {
    const AVAILABLE: &'static str = "available";

    pub fn is_available(&self) -> bool {
        self.state == Self::AVAILABLE
    }
}

impl Keychain {
    /// Reads an item that doesn't exist, to find out whether the keychain responds.
    pub async fn status(&self) -> KeychainStatus {
        match self.get(&Self::unused_key()).await {
            Ok(_) => KeychainStatus { state: KeychainStatus::AVAILABLE, message: None },
            Err(error) => KeychainStatus { state: error.code(), message: Some(error.to_string()) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::{KeychainError, MemoryKeychain};

    #[tokio::test]
    async fn a_status_is_available_or_an_error_with_its_sentence() {
        let backend = MemoryKeychain::default();
        let keychain = Keychain::memory(backend.clone());
        let available = keychain.status().await;
        assert!(available.is_available(), "{available:?}");
        assert_eq!(available, KeychainStatus { state: "available", message: None });

        backend.refuse(KeychainError::Locked);
        let locked = keychain.status().await;
        assert!(!locked.is_available(), "{locked:?}");
        let message = Some("The keychain is locked.".to_owned());
        assert_eq!(locked, KeychainStatus { state: "keychain_locked", message });
    }
}
