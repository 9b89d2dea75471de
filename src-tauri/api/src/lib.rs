//! The loopback HTTP server: wire-compatible with Truto's public API, and the connect UI's pages.
//!
//! A handler decodes, calls one verb of the engine, and encodes. The types on the wire are those of `relink-contract`.
//! Handlers have no access to the store and the keychain.
//!
//! Invariants:
//! - It listens on a Unix socket and one loopback port, refuses other users, and on the port requests with another `Host`
//!   (DNS rebinding).
//! - It refuses requests from other web pages, except redirects to two pages: the connect UI and the callback.
//! - Every route requires a bearer token, except the connect UI's, providers' webhooks, which are signed, and those without user data:
//!   `/ping`, `/openapi.json` and `/docs`.
//! - Every route is in the OpenAPI document, and every one that requires a token declares the permission that its caller
//!   needs: [`openapi::Routes`] accepts no other.

mod absent;
mod account_changes;
mod accounts;
mod batch;
mod bind;
mod body;
mod bulk_delete;
mod call_error;
mod call_log;
mod call_waits;
mod calls;
mod catalog;
mod connect;
mod connection_threads;
mod custom;
mod deliveries;
mod discovery;
mod docs;
mod documentation;
mod environment;
mod error;
mod events;
mod expressions;
mod guard;
mod header_timer;
mod idempotency;
mod imports;
mod inbound;
mod installations;
mod integrations;
mod limits;
mod links;
mod listener;
mod listing;
mod local_calls;
mod mcp;
mod method_calls;
mod openapi;
#[cfg(test)]
mod openapi_tests;
mod organization;
mod path;
mod peer;
#[cfg(test)]
mod permissions_tests;
mod permit;
mod port;
mod proxy;
mod query;
mod reached;
mod recording;
mod redirect_test;
mod router;
mod run_calls;
mod sandbox;
mod sandbox_accounts;
mod sandbox_runner;
mod second_listener;
mod server;
#[cfg(unix)]
mod socket;
mod status;
mod steps;
mod sync;
mod tokens;
mod tools;
mod ui;
mod unified;
mod unified_models;
mod upgrade;
mod via;
mod waiting;
mod watched;
mod webhooks;
mod whole_answer;
mod withdrawn;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use relink_calls::{Calls, Upstream};
use relink_contract::link::LinkSettings;
use relink_domain::caller::Caller;
use relink_engine::{Engine, RunCalls};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

pub use bind::PortProblem;
pub use call_waits::CallWaits;
use calls::EngineAccounts;
use connection_threads::ConnectionThreads;
use discovery::Discovery;
use expressions::Jsonata;
use idempotency::Idempotency;
use limits::Limits;
pub use local_calls::{CallProblem, LocalCall, LocalCalls, LocalResponse};
pub use peer::may_be_own_listener;
pub use port::{ApiPort, PORT, PortState};
pub use redirect_test::{RedirectTest, RedirectTestUrls};
pub use relink_unified::{MappingFailed, Sample};
use router::Guarded;
use run_calls::CallsOfRuns;
pub use sandbox_runner::SandboxRunner;
pub use second_listener::SecondListener;
use server::Bounds;
use steps::Steps;
pub use unified::{MappingTrial, TrialFailure};

/// The server's options.
#[derive(Debug)]
pub struct ServeOptions {
    /// The address to listen on. `None`: [`PORT`].
    pub listen: Option<SocketAddr>,
    /// Whether Relink runs without the port while another program uses it. Otherwise that is an error.
    pub runs_without_port: bool,
    /// Whether the connect UI is also at `localhost:5173`, whatever the setting says.
    pub also_listen: bool,
    /// The data folder, where the engine file is written for the command line.
    pub data_dir: PathBuf,
    /// The user's runtime folder, where programs find Relink.
    pub runtime_dir: Option<PathBuf>,
}

/// The user's runtime folder (XDG Base Directory Specification), if the session has one.
pub fn runtime_dir() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Why the server can't start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address isn't a loopback address.
    #[error("Relink listens only on this machine (127.0.0.1), not on {0}.")]
    NotLoopback(SocketAddr),
    /// The port is taken, or the system refuses it.
    #[error("{0} Free the port, or choose another one with --listen 127.0.0.1:PORT.")]
    Port(PortProblem),
    /// The engine file, by which the command line finds the engine, can't be written.
    #[error("The file {} can't be written: {source}", .path.display())]
    Discovery { path: PathBuf, source: io::Error },
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] relink_engine::Error),
}

/// The state of all handlers. Each layer of the router has a clone of its own, made anew for each request, so a clone is one
/// pointer.
#[derive(Clone)]
pub(crate) struct ApiState(Arc<Parts>);

impl Deref for ApiState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl From<Parts> for ApiState {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

/// What handlers use.
pub(crate) struct Parts {
    engine: Engine,
    limits: Limits,
    sandbox_runner: SandboxRunner,
    redirect_test: RedirectTest,
    calls: Calls<EngineAccounts>,
    expressions: Jsonata,
    /// For webhooks of providers that aren't verified.
    expressions_of_unverified: Jsonata,
    /// For mappings that are being written.
    expressions_of_editors: Jsonata,
    idempotency: Idempotency,
    port: ApiPort,
    link_settings: watch::Receiver<LinkSettings>,
    /// Cancelled when the server stops.
    stopping: CancellationToken,
    openapi_json: &'static LazyLock<String>,
}

/// The OpenAPI document, indented for readability. Created at the first access.
static OPENAPI_JSON: LazyLock<String> = LazyLock::new(|| {
    // Texts, numbers and lists can always be serialized.
    openapi::document(router::guarded().merge(via::routes()).merge(router::methods()), router::open())
        .to_pretty_json()
        .unwrap_or_default()
});

/// A running server.
#[derive(Debug)]
pub struct Serving {
    port: ApiPort,
    stopping: CancellationToken,
    /// The servers and the Sandbox.
    tasks: JoinSet<()>,
    threads: ConnectionThreads,
    sandbox_runner: SandboxRunner,
    redirect_test: RedirectTest,
    local_calls: LocalCalls,
    /// Makes the requests of steps for as long as this lives.
    _steps: Arc<Steps>,
    /// Makes the calls of sync jobs, likewise.
    _calls_of_runs: Arc<dyn RunCalls>,
    discovery: Arc<Discovery>,
}

/// Starts the server.
pub async fn serve(engine: Engine, options: ServeOptions) -> Result<Serving, ServeError> {
    let ServeOptions { listen, runs_without_port, also_listen, data_dir, runtime_dir } = options;
    let address = listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
    // The redirect URIs and the accepted `Host` are those of 127.0.0.1, so other loopback addresses wouldn't work.
    if address.ip() != Ipv4Addr::LOCALHOST {
        return Err(ServeError::NotLoopback(address));
    }
    let (listener, port) = match bind::bind(address).await {
        Ok((listener, port)) => (Some(listener), ApiPort::new(port, None)),
        Err(problem) if runs_without_port => {
            tracing::warn!("{problem} Until it is free, the API and the connect pages are off");
            (None, ApiPort::new(address.port(), Some(problem)))
        }
        Err(problem) => return Err(ServeError::Port(problem)),
    };
    let port = port.with_second_listener(SecondListener::new(also_listen));
    set_engine_port(&engine, &port.state());

    let stopping = CancellationToken::new();
    let stop_unless_serving = stopping.clone().drop_guard();
    let mut tasks = JoinSet::new();
    let sandbox_runner = SandboxRunner::default();
    let (tried, sandbox_was_tried) = oneshot::channel();
    let (sandbox_engine, sandbox_handle) = (engine.clone(), sandbox_runner.clone());
    tasks.spawn(sandbox_runner::run(sandbox_engine, sandbox_handle, data_dir.clone(), tried, stopping.clone()));
    // If the Sandbox can't start, it is retried later, and the server's start doesn't wait for that.
    let _ = sandbox_was_tried.await;
    engine.keep_alive().await?;

    let token = engine.access().new_run_token(&Caller::Internal)?;
    let redirect_test = RedirectTest::default();
    let bounds = Bounds::of_this_process();
    let state = ApiState::from(Parts {
        engine: engine.clone(),
        limits: Limits::new(bounds.all),
        sandbox_runner: sandbox_runner.clone(),
        redirect_test: redirect_test.clone(),
        calls: Calls::new(EngineAccounts(engine.clone()), Upstream::on_this_runtime()),
        expressions: Jsonata::default(),
        expressions_of_unverified: Jsonata::of_unverified(),
        expressions_of_editors: Jsonata::of_editors(),
        idempotency: Idempotency::default(),
        port: port.clone(),
        link_settings: engine.connections().link_settings_changes(&Caller::Internal),
        stopping: stopping.clone(),
        openapi_json: &OPENAPI_JSON,
    });
    let steps = Steps::install(state.clone());
    let calls_of_runs = CallsOfRuns::install(state.clone());
    let link_settings = state.link_settings.clone();
    let local_calls = LocalCalls::new(state.clone());
    let service = Guarded::new(state);
    let threads = ConnectionThreads::start();
    let socket = serve_on_socket(&mut tasks, &data_dir, &threads, &service, &stopping);
    let second_listener = port.second_listener().clone();
    tasks.spawn(second_listener.run(link_settings, threads.clone(), service.clone(), stopping.clone()));
    let discovery = Arc::new(Discovery::new(data_dir, runtime_dir.as_deref(), socket, token));
    // A client that connects before the next lines have run waits in the system's queue.
    discovery.write(&port.state()).map_err(|(path, source)| ServeError::Discovery { path, source })?;
    stop_unless_serving.disarm();
    let (waiting, found) = (port.clone(), Arc::clone(&discovery));
    let (stop, threads_of_port) = (stopping.clone(), threads.clone());
    tasks.spawn(async move {
        let wait = waiting.wait_until_free(|state| {
            set_engine_port(&engine, state);
            if let Err((path, error)) = found.write(state) {
                tracing::error!("the file {} can't be written: {error}", path.display());
            }
        });
        let listener = match listener {
            Some(listener) => Some(listener),
            None => stop.run_until_cancelled(wait).await,
        };
        if let Some(listener) = listener {
            server::run(listener, threads_of_port, service, stop, bounds).await;
        }
    });
    Ok(Serving {
        port,
        stopping,
        tasks,
        threads,
        sandbox_runner,
        redirect_test,
        local_calls,
        _steps: steps,
        _calls_of_runs: calls_of_runs,
        discovery,
    })
}

fn set_engine_port(engine: &Engine, state: &PortState) {
    if state.problem.is_none() {
        engine.set_api_port(state.port);
    } else {
        engine.set_api_port_taken(state.port);
    }
}

/// Serves on the Unix socket as well. Returns its path.
#[cfg(unix)]
fn serve_on_socket(
    tasks: &mut JoinSet<()>,
    data_dir: &Path,
    threads: &ConnectionThreads,
    service: &impl server::Answers,
    stopping: &CancellationToken,
) -> Option<PathBuf> {
    let (listener, path) = socket::listen(data_dir)?;
    let (threads, service) = (threads.clone(), service.clone());
    tasks.spawn(server::run(listener, threads, service, stopping.clone(), Bounds::of_few_clients()));
    Some(path)
}

#[cfg(not(unix))]
fn serve_on_socket(
    _: &mut JoinSet<()>,
    _: &Path,
    _: &ConnectionThreads,
    _: &impl server::Answers,
    _: &CancellationToken,
) -> Option<PathBuf> {
    None
}

impl Serving {
    /// The API's port.
    pub const fn port(&self) -> &ApiPort {
        &self.port
    }

    /// The base URL, without a trailing slash.
    pub fn base_url(&self) -> Arc<str> {
        self.port.base_url()
    }

    /// The Sandbox, while it is installed.
    pub const fn sandbox_runner(&self) -> &SandboxRunner {
        &self.sandbox_runner
    }

    /// Calls that this process makes for the person.
    pub const fn local_calls(&self) -> &LocalCalls {
        &self.local_calls
    }

    /// The test of the sign-in redirect.
    pub const fn redirect_test(&self) -> &RedirectTest {
        &self.redirect_test
    }

    /// Stops the server, which waits briefly for requests in progress, and then the engine. The server's threads end last: refreshes in
    /// flight may use connections that were made there, and a response that is cut off may have had a new refresh token.
    pub async fn stop(self, engine: &Engine) {
        self.discovery.remove();
        self.stopping.cancel();
        let mut tasks = self.tasks;
        while let Some(ended) = tasks.join_next().await {
            if ended.is_err() {
                tracing::warn!("a part of the HTTP server had stopped already");
            }
        }
        engine.stop().await;
        drop(self.threads);
    }
}
