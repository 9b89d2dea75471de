//! The local API's port.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::{Error, Result};

/// The local API's port. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct ApiAddress(Arc<watch::Sender<Option<u16>>>);

impl Default for ApiAddress {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl ApiAddress {
    pub(crate) fn set_port(&self, port: u16) {
        self.0.send_replace(Some(port));
    }

    /// The port. Before the API listens, this is an error: the engine isn't running.
    pub(crate) fn port(&self) -> Result<u16> {
        (*self.0.borrow()).ok_or(Error::Stopping)
    }
}
