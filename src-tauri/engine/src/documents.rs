//! What surfaces keep for themselves: the window's preferences, what the person has been shown.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Engine,
    error::Result,
    store::{Changes, settings},
};

/// Sets the surfaces' documents apart from the engine's own settings.
fn name_of(name: &str) -> String {
    format!("surface.{name}")
}

impl Engine {
    /// A document of a surface's own; `None` before it is first kept.
    pub async fn document<T: DeserializeOwned + Send + 'static>(&self, name: &str) -> Result<Option<T>> {
        let name = name_of(name);
        Ok(self.0.store.read(move |c| settings::get(c, &name)).await?)
    }

    /// Keeps a document of a surface's own. Never a secret.
    pub async fn keep_document<T: Serialize + Send + 'static>(&self, name: &str, document: T) -> Result<()> {
        let name = name_of(name);
        Ok(self.0.store.write(move |tx| settings::set(tx, &name, &document)).await?)
    }

    /// What committed transactions change from now on. The documents of this module are not reported: whoever writes one
    /// knows.
    pub fn changes(&self) -> Changes {
        self.0.store.changes()
    }
}
