//! The loopback HTTP surface: wire-compatible with Truto's public API, and the connect UI's pages.
//!
//! A handler decodes, calls one verb of the engine, and encodes. It reaches neither the store nor the keychain.
//!
//! Invariants:
//! - Loopback only, and only under its own name: a request for another `Host` is refused (DNS rebinding).
//! - No web page but our own gets an answer, apart from two pages that a browser is sent to: the connect UI and the callback.
//! - A Bearer token on every route but `/ping` and the connect UI's.

mod accounts;
mod catalogue;
mod connect;
mod discovery;
mod events;
mod guard;
mod links;
mod query;
mod reply;
mod return_test;
mod sandbox_runner;
mod server;
mod tokens;
mod ui;
mod webhooks;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use axum::{
    Router,
    http::{HeaderName, HeaderValue},
};
use relink_engine::Engine;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;

use discovery::Discovery;
pub use return_test::{ReturnTest, Walk};
pub use sandbox_runner::SandboxRunner;

/// Where Relink listens unless something else does already.
pub const PORT: u16 = 7417;
/// How many ports after [`PORT`] are tried.
const FURTHER_PORTS: u16 = 20;

/// How the surface is set up.
#[derive(Debug)]
pub struct ServeOptions {
    /// Where it listens. `None`: [`PORT`], or the next free one.
    pub listen: Option<SocketAddr>,
    /// Where the command line looks for it.
    pub data_dir: PathBuf,
}

/// Why the surface is not there.
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
    sandbox_runner: SandboxRunner,
    return_test: ReturnTest,
    base_url: Arc<str>,
    control_hash: [u8; 32],
}

/// The surface, while it serves.
#[derive(Debug)]
pub struct Serving {
    base_url: String,
    wanted_port_taken: bool,
    stopping: CancellationToken,
    server: JoinHandle<()>,
    sandbox_runner: SandboxRunner,
    return_test: ReturnTest,
    rehearsing: JoinHandle<()>,
    discovery: Discovery,
}

/// Serves until it is stopped.
pub async fn serve(engine: Engine, options: ServeOptions) -> Result<Serving, ServeError> {
    let (listener, wanted_port_taken) = listen(options.listen).await?;
    let address = listener
        .local_addr()
        .map_err(|source| ServeError::Listen { address: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)), source })?;
    let base_url = format!("http://{address}");
    engine.listens_on(address.port());

    let stopping = CancellationToken::new();
    let unless_served = stopping.clone().drop_guard();
    let sandbox_runner = SandboxRunner::default();
    let (tried, sandbox_was_tried) = oneshot::channel();
    let rehearsing = tokio::spawn(sandbox_runner::run(
        engine.clone(),
        sandbox_runner.clone(),
        options.data_dir.clone(),
        tried,
        stopping.clone(),
    ));
    // A Sandbox that can't start keeps nobody waiting: it is tried again later.
    let _ = sandbox_was_tried.await;
    engine.keep_alive().await?;

    let (token, control_hash) = discovery::fresh_token().ok_or(ServeError::Random)?;
    // The system queues whoever reads the file and comes before the next lines have run.
    let discovery = Discovery::write(&options.data_dir, &base_url, &token)
        .map_err(|(path, source)| ServeError::Discovery { path, source })?;
    unless_served.disarm();
    let return_test = ReturnTest::default();
    let surface = ApiState {
        engine,
        sandbox_runner: sandbox_runner.clone(),
        return_test: return_test.clone(),
        base_url: base_url.as_str().into(),
        control_hash,
    };
    let server = tokio::spawn(server::run(listener, router(surface), stopping.clone()));
    Ok(Serving { base_url, wanted_port_taken, stopping, server, sandbox_runner, return_test, rehearsing, discovery })
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

fn router(surface: ApiState) -> Router {
    let guarded = Router::new()
        .merge(accounts::routes())
        .merge(catalogue::routes())
        .merge(events::routes())
        .merge(links::routes())
        .merge(tokens::routes())
        .merge(webhooks::routes())
        .route_layer(axum::middleware::from_fn_with_state(surface.clone(), guard::bearer));
    Router::new()
        .route("/ping", axum::routing::get(reply::ping))
        .merge(guarded)
        .merge(connect::routes())
        .merge(return_test::routes())
        .fallback(reply::no_such_route)
        .method_not_allowed_fallback(reply::no_such_method)
        .layer(axum::extract::DefaultBodyLimit::max(server::LONGEST_BODY))
        .layer(axum::middleware::from_fn_with_state(surface.clone(), guard::same_machine))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(reply::panicked))
        .layer(header_unless_set("cache-control", "no-store"))
        .layer(header_unless_set("x-content-type-options", "nosniff"))
        .with_state(surface)
}

fn header_unless_set(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
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

    /// The test of a sign-in's way home.
    pub const fn return_test(&self) -> &ReturnTest {
        &self.return_test
    }

    /// Stops: what is under way gets a moment to end.
    pub async fn stop(self) {
        self.discovery.remove();
        self.stopping.cancel();
        for task in [self.server, self.rehearsing] {
            if task.await.is_err() {
                tracing::warn!("a part of the HTTP surface had stopped already");
            }
        }
    }
}
