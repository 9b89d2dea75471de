//! Documents that the user interfaces store: the window's preferences, the notifications that were shown.

use relink_domain::caller::Caller;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::Result,
    store::{Store, settings},
};

/// Stores documents by name. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Documents(Store);

/// The setting of a document. The prefix separates it from the engine's own settings.
fn setting_of(name: &str) -> String {
    format!("surface.{name}")
}

impl Documents {
    pub(crate) const fn new(store: Store) -> Self {
        Self(store)
    }

    /// A document; `None` if it was never stored.
    pub async fn get<T: DeserializeOwned + Send + 'static>(&self, _caller: &Caller, name: &str) -> Result<Option<T>> {
        let setting = setting_of(name);
        Ok(self.0.read(move |c| settings::get(c, &setting)).await?)
    }

    /// Stores a document. It must not contain a secret.
    pub async fn set<T: Serialize + Send + 'static>(&self, caller: &Caller, name: &str, document: T) -> Result<()> {
        let setting = setting_of(name);
        self.0.write(move |tx| settings::set(tx, &setting, &document)).await?;
        tracing::debug!(document = name, ?caller, "stored");
        Ok(())
    }
}
