//! The loopback HTTP server: wire-compatible with Truto's public API, and the connect UI's pages.
//!
//! A handler decodes, calls one verb of the engine, and encodes. What goes over the wire are types of `relink-contract`; a
//! handler reaches neither the store nor the keychain.
//!
//! Invariants:
//! - Loopback only, and only under its own name: a request for another `Host` is refused (DNS rebinding).
//! - No web page but our own gets an answer, apart from two pages that a browser is sent to: the connect UI and the callback.
//! - A Bearer token on every route, apart from the connect UI's and those that give nothing away: `/ping`, `/openapi.json`
//!   and `/docs`.
//! - Every route is in the OpenAPI document: [`openapi::Routes`] takes no other.

mod accounts;
mod body;
mod connect;
mod discovery;
mod docs;
mod error;
mod events;
mod guard;
mod integrations;
mod limits;
mod links;
mod openapi;
#[cfg(test)]
mod openapi_tests;
mod path;
mod query;
mod return_test;
mod router;
mod sandbox;
mod sandbox_runner;
mod server;
mod status;
mod tokens;
mod ui;
mod webhooks;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use relink_engine::Engine;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use discovery::Discovery;
use limits::Limits;
pub use return_test::{ReturnTest, ReturnTestUrls};
pub use sandbox_runner::SandboxRunner;

/// Where Relink listens unless something else does already.
pub const PORT: u16 = 7417;
/// How many ports after [`PORT`] are tried.
const FURTHER_PORTS: u16 = 20;

/// How the server is set up.
#[derive(Debug)]
pub struct ServeOptions {
    /// Where it listens. `None`: [`PORT`], or the next free one.
    pub listen: Option<SocketAddr>,
    /// The data folder, where the command line finds out where it listens.
    pub data_dir: PathBuf,
}

/// Why it can't serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Not this machine's own address.
    #[error("Relink listens only on this machine (127.0.0.1), not on {0}.")]
    NotLoopback(SocketAddr),
    /// The address can't be listened on.
    #[error(
        "Relink can't listen on {address}: {source}. Stop the program that uses it, or choose another port with --listen."
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The file by which the command line finds the engine can't be written.
    #[error("The file {} can't be written: {source}", .path.display())]
    Discovery {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system has no randomness to give.
    #[error("The system's random number generator failed.")]
    Random,
    /// The engine can't begin.
    #[error(transparent)]
    Engine(#[from] relink_engine::Error),
}

/// What all handlers share.
#[derive(Clone)]
pub(crate) struct ApiState {
    engine: Engine,
    limits: Limits,
    sandbox_runner: SandboxRunner,
    return_test: ReturnTest,
    base_url: Arc<str>,
    control_hash: [u8; 32],
    openapi_json: &'static LazyLock<String>,
}

/// The OpenAPI document, indented so that a person can read it. Made when it is first asked for.
static OPENAPI_JSON: LazyLock<String> = LazyLock::new(|| {
    // Texts, numbers and lists can always be written.
    openapi::document(router::guarded(), router::open()).to_pretty_json().unwrap_or_default()
});

/// The server, while it serves.
#[derive(Debug)]
pub struct Serving {
    base_url: String,
    wanted_port_taken: bool,
    stopping: CancellationToken,
    server: JoinHandle<()>,
    sandbox_runner: SandboxRunner,
    return_test: ReturnTest,
    sandbox: JoinHandle<()>,
    discovery: Discovery,
}

/// Serves until it is stopped.
pub async fn serve(engine: Engine, options: ServeOptions) -> Result<Serving, ServeError> {
    let (listener, wanted_port_taken) = listen(options.listen).await?;
    let address = listener
        .local_addr()
        .map_err(|source| ServeError::Listen { address: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)), source })?;
    let base_url = format!("http://{address}");
    engine.set_api_port(address.port());

    let stopping = CancellationToken::new();
    let stop_unless_serving = stopping.clone().drop_guard();
    let sandbox_runner = SandboxRunner::default();
    let (tried, sandbox_was_tried) = oneshot::channel();
    let sandbox = tokio::spawn(sandbox_runner::run(
        engine.clone(),
        sandbox_runner.clone(),
        options.data_dir.clone(),
        tried,
        stopping.clone(),
    ));
    // A Sandbox that can't start is tried again later; the start doesn't wait for that.
    let _ = sandbox_was_tried.await;
    engine.keep_alive().await?;

    let (token, control_hash) = discovery::fresh_token().ok_or(ServeError::Random)?;
    // Who reads the file and connects before the next lines have run waits in the system's queue.
    let discovery = Discovery::write(&options.data_dir, &base_url, &token)
        .map_err(|(path, source)| ServeError::Discovery { path, source })?;
    stop_unless_serving.disarm();
    let return_test = ReturnTest::default();
    let state = ApiState {
        engine,
        limits: Limits::default(),
        sandbox_runner: sandbox_runner.clone(),
        return_test: return_test.clone(),
        base_url: base_url.as_str().into(),
        control_hash,
        openapi_json: &OPENAPI_JSON,
    };
    let server = tokio::spawn(server::run(listener, router::router(state), stopping.clone()));
    Ok(Serving { base_url, wanted_port_taken, stopping, server, sandbox_runner, return_test, sandbox, discovery })
}

async fn listen(wanted: Option<SocketAddr>) -> Result<(TcpListener, bool), ServeError> {
    if let Some(address) = wanted {
        // The redirect URIs and the host that is answered to are 127.0.0.1's; another loopback address would fit neither.
        if address.ip() != Ipv4Addr::LOCALHOST {
            return Err(ServeError::NotLoopback(address));
        }
        let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
        return Ok((listener, false));
    }
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let first = match TcpListener::bind(at(PORT)).await {
        Ok(listener) => return Ok((listener, false)),
        Err(source) => ServeError::Listen { address: at(PORT), source },
    };
    for port in PORT + 1..=PORT + FURTHER_PORTS {
        if let Ok(listener) = TcpListener::bind(at(port)).await {
            tracing::warn!("port {PORT} is taken; listening on {port} instead");
            return Ok((listener, true));
        }
    }
    Err(first)
}

impl Serving {
    /// Where it is, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Whether [`PORT`] was taken, so that another one serves.
    pub const fn wanted_port_taken(&self) -> bool {
        self.wanted_port_taken
    }

    /// The Sandbox, while it is installed.
    pub const fn sandbox_runner(&self) -> &SandboxRunner {
        &self.sandbox_runner
    }

    /// The test of how a sign-in returns to the app.
    pub const fn return_test(&self) -> &ReturnTest {
        &self.return_test
    }

    /// Stops. What is under way gets a moment to end.
    pub async fn stop(self) {
        self.discovery.remove();
        self.stopping.cancel();
        for task in [self.server, self.sandbox] {
            if task.await.is_err() {
                tracing::warn!("a part of the HTTP server had stopped already");
            }
        }
    }
}
