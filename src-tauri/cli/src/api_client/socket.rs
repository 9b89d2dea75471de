//! The connection to the engine's Unix socket.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
};

use ureq::{
    Error,
    unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport},
};

/// Connects to the socket at this path, if a program of this user listens there.
#[derive(Debug)]
pub(super) struct SocketConnector(pub(super) String);

impl<In: Transport> Connector<In> for SocketConnector {
    type Out = SocketTransport;

    fn connect(&self, details: &ConnectionDetails, _: Option<In>) -> Result<Option<SocketTransport>, Error> {
        let stream = UnixStream::connect(&self.0)?;
        refuse_another_user(&stream)?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(SocketTransport { stream, buffers }))
    }
}

/// The token must not reach a program of another user.
#[cfg(target_os = "linux")]
fn refuse_another_user(stream: &UnixStream) -> io::Result<()> {
    let uid = rustix::net::sockopt::socket_peercred(stream)?.uid;
    if uid.is_root() || uid == rustix::process::geteuid() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "a program of another user listens on Relink's socket"))
}

/// The socket is in a folder that only its user can write to.
#[cfg(not(target_os = "linux"))]
fn refuse_another_user(_: &UnixStream) -> io::Result<()> {
    Ok(())
}

#[derive(Debug)]
pub(super) struct SocketTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl Transport for SocketTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        self.stream.set_write_timeout(duration(timeout))?;
        self.stream.write_all(&self.buffers.output()[..amount]).map_err(|error| timed_out(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        self.stream.set_read_timeout(duration(timeout))?;
        let amount = loop {
            match self.stream.read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|error| timed_out(error, timeout))?,
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    /// It is never used for a second request.
    fn is_open(&mut self) -> bool {
        false
    }
}

fn duration(timeout: NextTimeout) -> Option<std::time::Duration> {
    timeout.not_zero().map(|after| *after)
}

fn timed_out(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}
