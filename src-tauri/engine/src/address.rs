//! The local API's port, and whether the API has it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::{Error, Result};

/// The local API's port. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct ApiAddress(Arc<watch::Sender<Option<Port>>>);

#[derive(Debug, Clone, Copy)]
struct Port {
    number: u16,
    /// Whether another program listens there.
    is_taken: bool,
}

impl Default for ApiAddress {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl ApiAddress {
    pub(crate) fn set_port(&self, port: u16) {
        self.0.send_replace(Some(Port { number: port, is_taken: false }));
    }

    pub(crate) fn set_taken_port(&self, port: u16) {
        self.0.send_replace(Some(Port { number: port, is_taken: true }));
    }

    /// Whether a redirect to the port would reach another program.
    pub(crate) fn is_taken(&self) -> bool {
        self.0.borrow().is_some_and(|port| port.is_taken)
    }

    /// The port. Before the API listens, this is an error: the engine isn't running.
    pub(crate) fn port(&self) -> Result<u16> {
        self.0.borrow().map(|port| port.number).ok_or(Error::Stopping)
    }
}
