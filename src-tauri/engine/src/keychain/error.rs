//! Errors of the keychain, with sentences to show.

use std::time::Duration;

/// Why a call failed. No variant contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeychainError {
    /// It is locked, and no prompt was raised.
    #[error("The keychain is locked.")]
    Locked,
    /// There is no keychain service, or it has no collection.
    #[error("No keychain is available to store credentials: {reason}.")]
    Absent {
        /// What is missing.
        reason: String,
    },
    /// The deadline passed. A write may still be carried out; until that is known, calls for its item are refused.
    #[error("The keychain didn't respond within {} seconds.", after.as_secs_f32())]
    Slow { after: Duration },
    /// The user dismissed the keychain's prompt.
    #[error("Access to the keychain was denied: its prompt was dismissed.")]
    Denied,
    #[error("The credential is too long for this system's keychain.")]
    TooLong,
    /// Relink did not write the item, or a part of it is missing.
    #[error("The keychain item can't be used: {what}.")]
    Damaged {
        /// What is wrong, without the content.
        what: &'static str,
    },
    /// A newer version of Relink wrote the item. It is never overwritten.
    #[error("The keychain item was created by a newer version of Relink (format {version}). Update Relink to use it.")]
    Newer { version: u64 },
    /// Any other error, with the system's message.
    #[error("The keychain failed: {0}.")]
    Other(String),
}

impl KeychainError {
    /// A stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked => "keychain_locked",
            Self::Absent { .. } => "keychain_absent",
            Self::Slow { .. } => "keychain_slow",
            Self::Denied => "keychain_denied",
            Self::TooLong => "keychain_too_long",
            Self::Damaged { .. } => "keychain_item_damaged",
            Self::Newer { .. } => "keychain_item_newer",
            Self::Other(_) => "keychain_failed",
        }
    }

    /// Whether a retry can help once the state is [`KeychainState::Available`](super::KeychainState::Available).
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Locked | Self::Absent { .. } | Self::Slow { .. } => true,
            Self::Denied | Self::TooLong | Self::Damaged { .. } | Self::Newer { .. } | Self::Other(_) => false,
        }
    }

    /// Whether the connection that gave this error must not be used again.
    pub(super) fn invalidates_connection(&self) -> bool {
        match self {
            Self::Absent { .. } | Self::Slow { .. } | Self::Other(_) => true,
            Self::Locked | Self::Denied | Self::TooLong | Self::Damaged { .. } | Self::Newer { .. } => false,
        }
    }
}
