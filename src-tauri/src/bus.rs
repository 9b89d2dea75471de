//! Connections to the D-Bus session bus whose calls time out, so that a desktop service that hangs blocks nothing for long.

use std::time::Duration;

use zbus::blocking::{Connection, connection::Builder};

/// How long a service may take to respond to a call.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn connect() -> zbus::Result<Connection> {
    connect_with_timeout(CALL_TIMEOUT)
}

/// Opens a new connection with this timeout for each call.
pub(crate) fn connect_with_timeout(timeout: Duration) -> zbus::Result<Connection> {
    Builder::session()?.method_timeout(timeout).build()
}
