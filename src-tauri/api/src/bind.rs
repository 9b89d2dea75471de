//! Listening on a TCP port, and why that fails.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

use crate::peer;

/// Why Relink doesn't listen on a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortProblem {
    #[error("Port {0} is used by a program of another user.")]
    OtherUser(u16),
    #[error("Port {0} is used by another program.")]
    Taken(u16),
    #[error("Relink can't listen on port {port}: {reason}.")]
    Refused { port: u16, reason: String },
}

impl PortProblem {
    fn new(port: u16, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse if !peer::may_be_own_listener(port) => Self::OtherUser(port),
            io::ErrorKind::AddrInUse => Self::Taken(port),
            _ => Self::Refused { port, reason: error.to_string() },
        }
    }
}

/// Listens on this address. Also returns the port, which the system chooses if it is 0.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, u16), PortProblem> {
    let listen = async {
        let listener = TcpListener::bind(address).await?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    };
    listen.await.map_err(|error| PortProblem::new(address.port(), &error))
}
