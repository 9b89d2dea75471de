//! The session's bus, with a deadline: none of the desktop's services holds anybody up for longer.

use std::time::Duration;

use zbus::blocking::{Connection, connection::Builder};

/// How long a service may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A connection of its own.
pub(crate) fn connect() -> zbus::Result<Connection> {
    connect_for(PATIENCE)
}

/// One whose services have this long.
pub(crate) fn connect_for(patience: Duration) -> zbus::Result<Connection> {
    Builder::session()?.method_timeout(patience).build()
}
