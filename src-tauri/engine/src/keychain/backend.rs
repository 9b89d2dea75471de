//! The interface of a keychain.

use zeroize::Zeroizing;

use super::KeychainError;

/// A keychain, called on one thread at a time. Only [`unlock`](Self::unlock) prompts, as far as the system allows that.
pub(super) trait KeychainBackend {
    /// Succeeds if items can be read and written now. Never prompts.
    fn access(&mut self) -> Result<(), KeychainError>;
    fn read(&mut self, name: &str) -> Result<Option<Zeroizing<String>>, KeychainError>;
    /// Stores a text under a name. The label is shown to the user.
    fn write(&mut self, name: &str, label: &str, text: &str) -> Result<(), KeychainError>;
    /// Removes an entry, if there is one.
    fn remove(&mut self, name: &str) -> Result<(), KeychainError>;
    /// Prompts the user to unlock the keychain, and waits for the result.
    fn unlock(&mut self) -> Result<(), KeychainError>;
}
