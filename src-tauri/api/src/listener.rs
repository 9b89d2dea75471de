//! Where clients connect, and which user a connection is of.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

use crate::peer::{self, Peer};

/// Where connections are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    Port,
    Socket,
    /// `localhost:5173`.
    SecondListener,
}

/// What connections are accepted from: the TCP port or the Unix socket.
pub(crate) trait Listener: Send + Sync + 'static {
    /// A connection that no runtime watches yet.
    type Accepted: Send + 'static;
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    const ENTRANCE: Entrance;

    fn accept(&self) -> impl Future<Output = io::Result<Self::Accepted>> + Send;
    /// Prepares a new connection, which the current runtime watches from now on, and determines who opened it.
    fn open(accepted: Self::Accepted) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;
}

impl Listener for TcpListener {
    type Accepted = std::net::TcpStream;
    type Stream = TcpStream;
    const ENTRANCE: Entrance = Entrance::Port;

    async fn accept(&self) -> io::Result<Self::Accepted> {
        Self::accept(self).await?.0.into_std()
    }

    async fn open(accepted: Self::Accepted) -> io::Result<(TcpStream, Peer)> {
        let stream = TcpStream::from_std(accepted)?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("small responses may be late: {error}");
        }
        let peer = match (stream.peer_addr(), stream.local_addr()) {
            (Ok(peer), Ok(own)) => peer::of_tcp(peer, own).await,
            // It has ended already.
            _ => Peer::OtherUser,
        };
        Ok((stream, peer))
    }
}

#[cfg(unix)]
impl Listener for tokio::net::UnixListener {
    type Accepted = std::os::unix::net::UnixStream;
    type Stream = tokio::net::UnixStream;
    const ENTRANCE: Entrance = Entrance::Socket;

    async fn accept(&self) -> io::Result<Self::Accepted> {
        Self::accept(self).await?.0.into_std()
    }

    async fn open(accepted: Self::Accepted) -> io::Result<(Self::Stream, Peer)> {
        let stream = tokio::net::UnixStream::from_std(accepted)?;
        let peer = stream.peer_cred().map_or(Peer::OtherUser, |peer| peer::of_uid(peer.uid()));
        Ok((stream, peer))
    }
}
