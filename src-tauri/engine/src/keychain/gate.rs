//! Whether the system's keychain is open, asked without raising a prompt; and the prompt, where a person wants it.
//!
//! On Linux the keyring store itself unlocks whatever it finds locked: it blocks on a prompt, for minutes if nobody is
//! there. So the Secret Service's default collection is asked for its `Locked` property first, over a connection of its own.

#[cfg(target_os = "linux")]
pub(super) use linux::{Gate, error_of};
#[cfg(not(target_os = "linux"))]
pub(super) use other::{Gate, error_of};

#[cfg(target_os = "linux")]
mod linux {
    use secret_service::{
        EncryptionType, Error,
        blocking::{Collection, SecretService},
    };

    use crate::keychain::KeychainError;

    /// The Secret Service's default collection.
    pub(in crate::keychain) struct Gate(SecretService<'static>);

    impl Gate {
        /// Connects to the session bus. No secret travels over this connection, so it needs no encryption.
        pub(in crate::keychain) fn connect() -> Result<Self, KeychainError> {
            SecretService::connect(EncryptionType::Plain).map(Self).map_err(|error| absent(&error))
        }

        /// Whether items can be read and written now.
        pub(in crate::keychain) fn check(&self) -> Result<(), KeychainError> {
            match self.collection()? {
                None => Err(KeychainError::Absent {
                    reason: "no default keyring has been made yet; unlocking offers to make one".to_owned(),
                }),
                Some(collection) if collection.is_locked().map_err(|error| error_of(&error))? => {
                    Err(KeychainError::Locked)
                }
                Some(_) => Ok(()),
            }
        }

        /// Prompts the person to unlock the collection, or to choose a password for a first one.
        pub(in crate::keychain) fn unlock(&self) -> Result<(), KeychainError> {
            match self.collection()? {
                Some(collection) => collection.unlock(),
                None => self.0.create_collection("Default keyring", "default").map(drop),
            }
            .map_err(|error| error_of(&error))?;
            self.check()
        }

        fn collection(&self) -> Result<Option<Collection<'_>>, KeychainError> {
            match self.0.get_default_collection() {
                Ok(collection) => Ok(Some(collection)),
                Err(Error::NoResult) => Ok(None),
                Err(error) => Err(error_of(&error)),
            }
        }
    }

    /// What an error of the Secret Service means, from whichever library it comes.
    pub(in crate::keychain) fn error_of(error: &(dyn std::error::Error + 'static)) -> KeychainError {
        match error.downcast_ref::<Error>() {
            Some(Error::Locked) => KeychainError::Locked,
            Some(Error::Prompt) => KeychainError::Denied,
            Some(Error::Unavailable) => absent(error),
            _ => KeychainError::Other(error.to_string()),
        }
    }

    fn absent(error: &dyn std::error::Error) -> KeychainError {
        KeychainError::Absent { reason: format!("no Secret Service answers on the session bus ({error})") }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use crate::keychain::KeychainError;

    /// macOS and Windows say nothing beforehand: macOS prompts by itself, Windows is open while the person is signed in.
    pub(in crate::keychain) struct Gate;

    #[allow(clippy::unnecessary_wraps, clippy::unused_self)] // the shape of the gate that there is on Linux
    impl Gate {
        pub(in crate::keychain) fn connect() -> Result<Self, KeychainError> {
            Ok(Self)
        }

        pub(in crate::keychain) fn check(&self) -> Result<(), KeychainError> {
            Ok(())
        }

        pub(in crate::keychain) fn unlock(&self) -> Result<(), KeychainError> {
            Ok(())
        }
    }

    /// The stores report here that a keychain is missing or not available.
    pub(in crate::keychain) fn error_of(error: &(dyn std::error::Error + 'static)) -> KeychainError {
        KeychainError::Absent { reason: error.to_string() }
    }
}
