//! What can go wrong with the keychain, in words for a person.

use std::time::Duration;

/// Why the keychain did not do what it was asked. No variant ever holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeychainError {
    /// The service is there, the collection is locked, and nobody was asked to unlock it.
    #[error("The keychain is locked.")]
    Locked,
    /// There is no service, or it has no collection to keep anything in.
    #[error("No keychain is available to store credentials: {reason}.")]
    Absent {
        /// What is missing.
        reason: String,
    },
    /// The deadline passed. A write may still land; its item is refused until that is settled.
    #[error("The keychain didn't respond within {} seconds.", after.as_secs_f32())]
    Slow {
        /// How long was waited.
        after: Duration,
    },
    /// The person dismissed the keychain's prompt.
    #[error("Access to the keychain was denied: its prompt was dismissed.")]
    Denied,
    /// More than this system's keychain can hold.
    #[error("The credential is too long for this system's keychain.")]
    TooLong,
    /// The item is not one that Relink wrote, or a part of it is gone.
    #[error("The keychain item can't be used: {what}.")]
    Damaged {
        /// What is wrong with it, without quoting it.
        what: &'static str,
    },
    /// The item is in a format that this version does not know. It is never overwritten.
    #[error("The keychain item was created by a newer version of Relink (format {version}). Update Relink to use it.")]
    Newer {
        /// The format's number.
        version: u64,
    },
    /// Anything else, as the system put it.
    #[error("The keychain failed: {0}.")]
    Other(String),
}

impl KeychainError {
    /// The name that code matches on.
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

    /// Whether waiting for [`KeychainState::Available`](super::KeychainState::Available) and asking again can help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Locked | Self::Absent { .. } | Self::Slow { .. } => true,
            Self::Denied | Self::TooLong | Self::Damaged { .. } | Self::Newer { .. } | Self::Other(_) => false,
        }
    }

    /// Whether a connection to the keychain that gave this error is to be made anew before it is used again.
    pub(super) fn spends_connection(&self) -> bool {
        match self {
            Self::Absent { .. } | Self::Slow { .. } | Self::Other(_) => true,
            Self::Locked | Self::Denied | Self::TooLong | Self::Damaged { .. } | Self::Newer { .. } => false,
        }
    }
}
