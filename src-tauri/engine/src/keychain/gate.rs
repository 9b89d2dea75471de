//! Checks without a prompt whether the system's keychain is unlocked, and shows the prompt on request.
//!
//! On Linux the keyring store unlocks a locked collection, and blocks on the prompt. So the `Locked` property of the
//! Secret Service's default collection is read first, over a separate connection.

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

    /// A connection to the Secret Service.
    pub(in crate::keychain) struct Gate(SecretService<'static>);

    impl Gate {
        /// Connects without encryption, because no secret travels over this connection.
        pub(in crate::keychain) fn connect() -> Result<Self, KeychainError> {
            SecretService::connect(EncryptionType::Plain).map(Self).map_err(|error| absent(&error))
        }

        /// Succeeds if items can be read and written now.
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

        /// Prompts the user to unlock the default collection, or to choose a password for a first one.
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

    /// Translates an error of the Secret Service.
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

    /// macOS and Windows have nothing to check: macOS prompts by itself, and Windows' Credential Manager is unlocked
    /// while the user is logged in.
    pub(in crate::keychain) struct Gate;

    #[allow(clippy::unnecessary_wraps, clippy::unused_self)] // the same interface as on Linux
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

    /// On these systems this error means that the keychain is missing or unavailable.
    pub(in crate::keychain) fn error_of(error: &(dyn std::error::Error + 'static)) -> KeychainError {
        KeychainError::Absent { reason: error.to_string() }
    }
}
