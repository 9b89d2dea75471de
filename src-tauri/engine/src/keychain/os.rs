//! The system's keychain, through keyring-core.
//!
//! The store is built here and not by `keyring`'s own `Entry`, which remembers a failed start for the process's whole life.

use std::{collections::HashMap, sync::Arc};

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

use super::{
    KeychainError,
    backend::KeychainBackend,
    gate::{self, Gate},
    item::NOT_OURS,
};

/// Under which a person finds Relink's items in the keychain's own app.
const SERVICE: &str = "app.relink.desktop";

/// A connection to the keychain; given up after an error, since it may outlive the daemon it was made to.
pub(super) struct OsKeychain {
    gate: Gate,
    /// Made when it is first needed: it negotiates a session of its own.
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
        // The credential is safe by now; an outdated label is no reason to call that failed.
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
            NOT_OURS
        }
        Error::Ambiguous(_) => KeychainError::Damaged { what: "several items have its name" },
        // Its text names the failure only; the variants that carry content are above.
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

    /// Only if it differs: each change makes gnome-keyring write its whole file anew.
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

    /// The store shows the service as the name and has no other.
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

    /// `Enterprise`, the default, would roam: what is kept belongs to this machine.
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
