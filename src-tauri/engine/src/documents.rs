//! What surfaces keep for themselves: the window's preferences, what the person has been shown.

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;

use crate::{
    Engine,
    error::Result,
    store::{ChangeCounters, settings},
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

    /// Wakes whoever shows something that is kept here, after it has changed, and says what. A surface's own documents are
    /// not among it: whoever keeps one knows.
    pub fn changes(&self) -> watch::Receiver<ChangeCounters> {
        self.0.store.written()
    }
}
