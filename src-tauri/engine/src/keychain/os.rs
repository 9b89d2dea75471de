//! The system's keychain, through keyring-core.
//!
//! The store is built here, not by `keyring`'s `Entry`, which caches a failed start until the process exits.

use std::{collections::HashMap, sync::Arc};

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

use super::{
    KeychainError,
    backend::KeychainBackend,
    gate::{self, Gate},
    item::FOREIGN_CONTENT,
};

/// The service name of Relink's items, shown in the keychain's app.
const SERVICE: &str = "app.relink.desktop";

/// A connection to the keychain. It is dropped after an error, because its daemon may be gone.
pub(super) struct OsKeychain {
    gate: Gate,
    /// Built when it is first needed, because it negotiates a session.
    entries: Option<Arc<CredentialStore>>,
}

impl OsKeychain {
    pub(super) fn open() -> Result<Box<dyn KeychainBackend>, KeychainError> {
        Ok(Box::new(Self { gate: Gate::connect()?, entries: None }))
    }

    fn entry(&mut self, name: &str, label: Option<&str>) -> Result<Entry, KeychainError> {
        let entries = match &mut self.entries {
            Some(entries) => entries,
            none => none.insert(platform::store().map_err(explain)?),
        };
        entries.build(SERVICE, name, Some(&platform::modifiers(label))).map_err(explain)
    }
}

impl KeychainBackend for OsKeychain {
    fn access(&mut self) -> Result<(), KeychainError> {
        self.gate.check()
    }

    fn read(&mut self, name: &str) -> Result<Option<Zeroizing<String>>, KeychainError> {
        match self.entry(name, None)?.get_password() {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(explain(error)),
        }
    }

    fn write(&mut self, name: &str, label: &str, text: &str) -> Result<(), KeychainError> {
        let entry = self.entry(name, Some(label))?;
        entry.set_password(text).map_err(explain)?;
        // The credential is stored. An outdated label is no failure.
        if let Err(error) = platform::relabel(&entry, label) {
            tracing::debug!(item = name, code = explain(error).code(), "a keychain item keeps its old label");
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), KeychainError> {
        match self.entry(name, None)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(explain(error)),
        }
    }

    fn unlock(&mut self) -> Result<(), KeychainError> {
        self.gate.unlock()
    }
}

fn explain(error: Error) -> KeychainError {
    match error {
        Error::NoStorageAccess(cause) => gate::error_of(cause.as_ref()),
        Error::TooLong(..) => KeychainError::TooLong,
        Error::BadEncoding(mut bytes) | Error::BadDataFormat(mut bytes, _) => {
            zeroize::Zeroize::zeroize(&mut bytes);
            FOREIGN_CONTENT
        }
        Error::Ambiguous(_) => KeychainError::Damaged { what: "several items have its name" },
        // The text of these names the failure only. The variants that carry content are handled above.
        error => KeychainError::Other(error.to_string()),
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use super::{Arc, CredentialStore, Entry, Error, HashMap};
    use zbus_secret_service_keyring_store::{Store, cred::Specifier};

    pub(super) fn store() -> Result<Arc<CredentialStore>, Error> {
        Ok(Store::new()?)
    }

    pub(super) fn modifiers(label: Option<&str>) -> HashMap<&str, &str> {
        label.map(|label| ("label", label)).into_iter().collect()
    }

    /// Only if it differs, because gnome-keyring writes its whole file at each change.
    pub(super) fn relabel(entry: &Entry, label: &str) -> Result<(), Error> {
        match entry.as_any().downcast_ref::<Specifier>() {
            Some(item) if item.get_label()? != label => item.set_label(label),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(target_os = "macos")]
mod platform {
    use super::{Arc, CredentialStore, Entry, Error, HashMap};

    pub(super) fn store() -> Result<Arc<CredentialStore>, Error> {
        Ok(apple_native_keyring_store::keychain::Store::new()?)
    }

    pub(super) fn modifiers(_label: Option<&str>) -> HashMap<&str, &str> {
        HashMap::new()
    }

    /// The store shows the service as the label and can't set another.
    #[allow(clippy::unnecessary_wraps)]
    pub(super) fn relabel(_entry: &Entry, _label: &str) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(windows)]
mod platform {
    use super::{Arc, CredentialStore, Entry, Error, HashMap};

    pub(super) fn store() -> Result<Arc<CredentialStore>, Error> {
        Ok(windows_native_keyring_store::Store::new()?)
    }

    /// `Enterprise`, the default, would copy the credentials to the user's other machines.
    pub(super) fn modifiers(_label: Option<&str>) -> HashMap<&str, &str> {
        HashMap::from([("persistence", "Local")])
    }

    pub(super) fn relabel(entry: &Entry, label: &str) -> Result<(), Error> {
        match entry.get_attributes()?.get("comment") {
            Some(comment) if comment == label => Ok(()),
            _ => entry.update_attributes(&HashMap::from([("comment", label)])),
        }
    }
}
