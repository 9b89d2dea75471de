//! Where the local API listens, once it does.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::{Error, Result};

/// The local API's port. A clone is a handle on the same one.
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

    /// The port. Before the API listens, whoever needs it finds the engine not running.
    pub(crate) fn port(&self) -> Result<u16> {
        (*self.0.borrow()).ok_or(Error::Stopping)
    }
}
