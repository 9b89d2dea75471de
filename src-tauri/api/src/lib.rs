//! The loopback HTTP server: wire-compatible with Truto's public API, and the connect UI's pages.
//!
//! A handler decodes, calls one verb of the engine, and encodes. The types on the wire are those of `relink-contract`.
//! Handlers have no access to the store and the keychain.
//!
//! Invariants:
//! - It listens on loopback only, and refuses requests with another `Host` (DNS rebinding).
//! - It refuses requests from other web pages, except redirects to two pages: the connect UI and the callback.
//! - Every route requires a bearer token, except the connect UI's and those without user data: `/ping`, `/openapi.json`
//!   and `/docs`.
//! - Every route is in the OpenAPI document, and every one that requires a token declares the permission that its caller
//!   needs: [`openapi::Routes`] accepts no other.

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
#[cfg(test)]
mod permissions_tests;
mod permit;
mod query;
mod redirect_test;
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

use relink_domain::caller::Caller;
use relink_engine::Engine;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use discovery::Discovery;
use limits::Limits;
pub use redirect_test::{RedirectTest, RedirectTestUrls};
pub use sandbox_runner::SandboxRunner;
use server::Bounds;

/// The API's default port.
pub const PORT: u16 = 7417;
/// How many ports after [`PORT`] are tried.
const FURTHER_PORTS: u16 = 20;

/// The server's options.
#[derive(Debug)]
pub struct ServeOptions {
    /// The address to listen on. `None`: [`PORT`], or the next free one.
    pub listen: Option<SocketAddr>,
    /// The data folder, where the engine file is written for the command line.
    pub data_dir: PathBuf,
}

/// Why the server can't start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address isn't a loopback address.
    #[error("Relink listens only on this machine (127.0.0.1), not on {0}.")]
    NotLoopback(SocketAddr),
    /// Listening on the address failed.
    #[error(
        "Relink can't listen on {address}: {source}. Stop the program that uses it, or choose another port with --listen."
    )]
    Listen { address: SocketAddr, source: io::Error },
    /// The engine file, by which the command line finds the engine, can't be written.
    #[error("The file {} can't be written: {source}", .path.display())]
    Discovery { path: PathBuf, source: io::Error },
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] relink_engine::Error),
}

/// The state of all handlers.
#[derive(Clone)]
pub(crate) struct ApiState {
    engine: Engine,
    limits: Limits,
    sandbox_runner: SandboxRunner,
    redirect_test: RedirectTest,
    base_url: Arc<str>,
    openapi_json: &'static LazyLock<String>,
}

/// The OpenAPI document, indented for readability. Created at the first access.
static OPENAPI_JSON: LazyLock<String> = LazyLock::new(|| {
    // Texts, numbers and lists can always be serialized.
    openapi::document(router::guarded(), router::open()).to_pretty_json().unwrap_or_default()
});

/// A running server.
#[derive(Debug)]
pub struct Serving {
    base_url: String,
    wanted_port_taken: bool,
    stopping: CancellationToken,
    server: JoinHandle<()>,
    sandbox_runner: SandboxRunner,
    redirect_test: RedirectTest,
    sandbox: JoinHandle<()>,
    discovery: Discovery,
}

/// Starts the server.
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
    // If the Sandbox can't start, it is retried later, and the server's start doesn't wait for that.
    let _ = sandbox_was_tried.await;
    engine.keep_alive().await?;

    let token = engine.access().new_run_token(&Caller::Internal)?;
    // A client that connects before the next lines have run waits in the system's queue.
    let discovery = Discovery::write(&options.data_dir, &base_url, token)
        .map_err(|(path, source)| ServeError::Discovery { path, source })?;
    stop_unless_serving.disarm();
    let redirect_test = RedirectTest::default();
    let bounds = Bounds::of_this_process();
    let state = ApiState {
        engine,
        limits: Limits::new(bounds.all),
        sandbox_runner: sandbox_runner.clone(),
        redirect_test: redirect_test.clone(),
        base_url: base_url.as_str().into(),
        openapi_json: &OPENAPI_JSON,
    };
    let server = tokio::spawn(server::run(listener, router::router(state), stopping.clone(), bounds));
    Ok(Serving { base_url, wanted_port_taken, stopping, server, sandbox_runner, redirect_test, sandbox, discovery })
}

async fn listen(wanted: Option<SocketAddr>) -> Result<(TcpListener, bool), ServeError> {
    if let Some(address) = wanted {
        // The redirect URIs and the accepted `Host` are those of 127.0.0.1, so other loopback addresses wouldn't work.
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
    /// The base URL, without a trailing slash.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Whether [`PORT`] was taken, so that the server uses another one.
    pub const fn wanted_port_taken(&self) -> bool {
        self.wanted_port_taken
    }

    /// The Sandbox, while it is installed.
    pub const fn sandbox_runner(&self) -> &SandboxRunner {
        &self.sandbox_runner
    }

    /// The test of the sign-in redirect.
    pub const fn redirect_test(&self) -> &RedirectTest {
        &self.redirect_test
    }

    /// Stops the server. Waits briefly for requests in progress.
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
