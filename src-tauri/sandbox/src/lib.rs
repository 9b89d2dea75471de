//! The Sandbox: a real OAuth 2.0 provider on loopback, for practice and fault injection.
//!
//! It is independent of Relink. A caller with the control key can expire tokens, revoke access, change the rotation of
//! refresh tokens, and make the next responses fail in the same ways as those of real providers.
//!
//! Invariants:
//! - It listens on loopback only, and refuses requests whose `Host` isn't its own address (DNS rebinding).
//! - Codes, tokens, keys and client secrets are kept as SHA-256 hashes, in memory as in the state file.

mod api;
mod authorize;
mod client_auth;
mod control;
mod extract;
mod faults;
mod grants;
mod inject_fault;
mod memory;
mod page;
mod provider;
mod records;
mod registry;
mod request_log;
mod reset;
mod scenario;
mod server;
mod settings;
mod state_file;
mod token;
mod twin;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use control::FaultRequest;
pub use faults::FaultKind;
pub use grants::Rotation;
pub use registry::{CLIENT_ID, PEOPLE, Person, SERVICE_CLIENT_ID};
pub use scenario::{Scenario, ScenarioError};
pub use settings::{Settings, SettingsChange};

use provider::Provider;

#[derive(Debug)]
pub struct Options {
    /// The loopback address to listen on. Port 0: any free port.
    pub listen: SocketAddr,
    /// The file that stores grants across restarts. `None`: they are lost.
    pub state: Option<PathBuf>,
    /// The key of the control routes.
    pub control_key: String,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the Sandbox listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    #[error("the Sandbox can't listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
}

#[derive(Debug)]
pub struct Sandbox;

/// A running Sandbox. It stops when [`Running::stop`] is called.
#[derive(Debug)]
pub struct Running {
    base_url: String,
    port: u16,
    stopping: CancellationToken,
    serving: JoinHandle<()>,
    provider: Arc<Provider>,
}

impl Sandbox {
    pub async fn start(options: Options) -> Result<Running, StartError> {
        Self::play(options, None).await
    }

    /// Plays the provider of a scenario. The controls are the same.
    pub async fn start_twin(options: Options, scenario: Scenario) -> Result<Running, StartError> {
        Self::play(options, Some(Arc::new(scenario))).await
    }

    async fn play(options: Options, scenario: Option<Arc<Scenario>>) -> Result<Running, StartError> {
        let address = options.listen;
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback(address));
        }
        let refused = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let bound = listener.local_addr().map_err(refused)?;
        let base_url = format!("http://{bound}");
        let provider = Arc::new(Provider::new(base_url.clone(), &options.control_key, options.state, scenario));
        let stopping = CancellationToken::new();
        let serving = tokio::spawn(server::run(listener, Arc::clone(&provider), stopping.clone()));
        Ok(Running { base_url, port: bound.port(), stopping, serving, provider })
    }
}

impl Running {
    /// The base URL without a trailing slash. It is the issuer (RFC 8414 §2).
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The records of a twin's collection, as a list gives them to a person: those that callers created first. `request`: the members
    /// of a request that the collection's templates name, such as `{"path": {"owner": "ada"}}`.
    pub fn records(&self, collection: &str, person: &Person, request: &Value) -> Option<Vec<Value>> {
        twin::records(&self.provider, collection, person, request)
    }

    /// Stops the Sandbox, and aborts requests in flight.
    pub async fn stop(self) {
        self.stopping.cancel();
        if self.serving.await.is_err() {
            tracing::warn!("the Sandbox had already stopped");
        }
        self.provider.save();
    }
}
