//! The Sandbox: a real OAuth 2.0 provider on loopback, for practice and fault injection.
//!
//! It stands alone: it knows nothing of Relink. Whoever holds the control key can expire tokens, revoke access, change the
//! rotation of refresh tokens, and make the next answers fail in the ways that real providers do.
//!
//! Invariants:
//! - It listens on loopback only, and answers only requests that name its own address (DNS rebinding).
//! - Codes, tokens, keys and client secrets are kept as SHA-256 hashes, in memory as in the state file.

mod api;
mod asked;
mod authorize;
mod control;
mod faults;
mod grants;
mod journal;
mod page;
mod provider;
mod server;
mod spoil;
mod state_file;
mod token;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use control::{FaultRequest, Settings, SettingsChange};
pub use faults::FaultKind;
pub use grants::Rotation;
pub use provider::{CLIENT_ID, PEOPLE, Person, SERVICE_CLIENT_ID};

use provider::Provider;

/// How the Sandbox is started.
#[derive(Debug)]
pub struct Options {
    /// Where it listens. Port 0: any free one.
    pub listen: SocketAddr,
    /// Where its grants survive a restart. `None`: nowhere.
    pub state: Option<PathBuf>,
    /// Whoever holds it may use the control routes.
    pub control_key: String,
}

/// Why the Sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Not a loopback address.
    #[error("the Sandbox listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    /// The address can't be listened on.
    #[error("the Sandbox can't listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// The Sandbox.
#[derive(Debug)]
pub struct Sandbox;

/// A Sandbox that runs.
#[derive(Debug)]
pub struct Running {
    base_url: String,
    port: u16,
    stopping: CancellationToken,
    serving: JoinHandle<()>,
    provider: Arc<Provider>,
}

impl Sandbox {
    /// Starts a Sandbox.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        let address = options.listen;
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback(address));
        }
        let refused = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let bound = listener.local_addr().map_err(refused)?;
        let base_url = format!("http://{bound}");
        let provider = Arc::new(Provider::new(base_url.clone(), &options.control_key, options.state));
        let stopping = CancellationToken::new();
        let serving = tokio::spawn(server::run(listener, Arc::clone(&provider), stopping.clone()));
        Ok(Running { base_url, port: bound.port(), stopping, serving, provider })
    }
}

impl Running {
    /// Where it is, without a slash at the end. It is the issuer (RFC 8414 §2).
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The port that it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Stops: requests under way are cut off.
    pub async fn stop(self) {
        self.stopping.cancel();
        if self.serving.await.is_err() {
            tracing::warn!("the Sandbox had stopped already");
        }
        self.provider.save();
    }
}
