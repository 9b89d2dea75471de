//! The Sandbox runs while its integration is installed, and only then.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use axum::{
    body::Body,
    extract::Request,
    http::Method,
    response::{IntoResponse, Response},
};
use relink_engine::{Engine, SANDBOX};
use relink_sandbox::{Options, Running, Sandbox, StartError};
use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{discovery, reply::Failed, server};

/// Where the Sandbox listens unless something else does already.
const PORT: u16 = 7418;
/// How many ports after [`PORT`] are tried.
const FURTHER_PORTS: u16 = 20;
/// A start that failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Whoever installs or uninstalls the Sandbox is answered when it has followed, or after this.
const FOLLOWS: Duration = Duration::from_secs(5);

/// The Sandbox as the other routes, and the desktop app, see it.
#[derive(Debug, Clone)]
pub struct SandboxRunner(watch::Sender<Option<Stage>>);

impl Default for SandboxRunner {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

#[derive(Debug, Clone)]
struct Stage {
    base_url: String,
    control_key: String,
    client: reqwest::Client,
}

impl SandboxRunner {
    /// Where the Sandbox is, while it runs.
    pub fn base_url(&self) -> Option<String> {
        self.0.borrow().as_ref().map(|stage| stage.base_url.clone())
    }

    /// Returns when the Sandbox runs, or doesn't any more, as it should. One that can't start keeps nobody waiting.
    pub async fn follows(&self, runs: bool) {
        let mut stage = self.0.subscribe();
        if tokio::time::timeout(FOLLOWS, stage.wait_for(|stage| stage.is_some() == runs)).await.is_err() {
            tracing::warn!("the Sandbox has not followed yet");
        }
    }

    /// Passes a request for a control on, with the key that only this process has.
    pub(crate) async fn control(&self, request: Request) -> Result<Response, Failed> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
        let path = path.strip_prefix("/relink/sandbox").unwrap_or(path);
        let body = axum::body::to_bytes(body, server::LONGEST_BODY)
            .await
            .map_err(|_| Failed::bad_request("body_unreadable", "The body couldn't be read."))?;
        let answer = self.send(parts.method, path, body).await?;
        let status = answer.status();
        let kind = answer.headers().get("content-type").cloned();
        let body = answer.bytes().await.map_err(|_| Unheard::Silent)?;
        let mut response = (status, Body::from(body)).into_response();
        if let Some(kind) = kind {
            response.headers_mut().insert("content-type", kind);
        }
        Ok(response)
    }

    async fn send(&self, method: Method, path: &str, body: bytes::Bytes) -> Result<reqwest::Response, Unheard> {
        let stage = self.0.borrow().clone().ok_or(Unheard::NotInstalled)?;
        let body = if body.is_empty() { bytes::Bytes::from_static(b"{}") } else { body };
        let request = stage
            .client
            .request(method, format!("{}{path}", stage.base_url))
            .bearer_auth(&stage.control_key)
            .header("content-type", "application/json")
            .body(body);
        request.send().await.map_err(|_| Unheard::Silent)
    }

    /// Asks the Sandbox for one of its controls (`/control/…`), in this process. The answer's body; in words, why not.
    pub async fn rehearse(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let method = method.parse().map_err(|_| format!("{method} is no method"))?;
        let answer = self.send(method, path, body.to_string().into()).await.map_err(|unheard| unheard.to_string())?;
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() { Ok(value) } else { Err(value["message"].as_str().unwrap_or("It refused.").to_owned()) }
    }
}

/// Why the Sandbox was not asked.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    #[error("The Sandbox isn't installed. Install it in the app under Integrations, or with: relink sandbox start")]
    NotInstalled,
    #[error("The Sandbox isn't responding.")]
    Silent,
}

impl From<Unheard> for Failed {
    fn from(unheard: Unheard) -> Self {
        match unheard {
            Unheard::NotInstalled => Self::not_found("sandbox_not_installed", &unheard.to_string()),
            Unheard::Silent => Self::unavailable("sandbox_not_running", &unheard.to_string()),
        }
    }
}

/// Starts and stops the Sandbox as its integration is installed and uninstalled. Says when the first start, if one was
/// wanted, has been tried.
pub(crate) async fn run(
    engine: Engine,
    sandbox_runner: SandboxRunner,
    data_dir: PathBuf,
    tried: oneshot::Sender<()>,
    stopping: CancellationToken,
) {
    let mut tried = Some(tried);
    let mut installed = engine.installed_changes();
    let mut running: Option<Running> = None;
    loop {
        installed.borrow_and_update();
        let wanted = engine.is_installed(SANDBOX).await.unwrap_or(false);
        if wanted && running.is_none() {
            running = begin(&engine, &sandbox_runner, &data_dir).await;
        } else if !wanted && let Some(sandbox) = running.take() {
            sandbox.stop().await;
            sandbox_runner.0.send_replace(None);
        }
        if let Some(tried) = tried.take() {
            // Whoever waited may have been stopped.
            let _ = tried.send(());
        }
        let retry = wanted && running.is_none();
        tokio::select! {
            () = stopping.cancelled() => break,
            changed = installed.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(AGAIN), if retry => {}
        }
    }
    if let Some(sandbox) = running {
        sandbox.stop().await;
    }
}

async fn begin(engine: &Engine, sandbox_runner: &SandboxRunner, data_dir: &std::path::Path) -> Option<Running> {
    let (control_key, _) = discovery::fresh_token()?;
    let sandbox = match start(data_dir, &control_key).await {
        Ok(sandbox) => sandbox,
        Err(error) => {
            tracing::warn!("the Sandbox did not start: {error}");
            return None;
        }
    };
    if let Err(error) = engine.sandbox_at(sandbox.base_url()).await {
        tracing::warn!("the Sandbox's address could not be set: {error}");
        sandbox.stop().await;
        return None;
    }
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().ok()?;
    let stage = Stage { base_url: sandbox.base_url().to_owned(), control_key, client };
    tracing::info!(base_url = stage.base_url, "the Sandbox is ready");
    sandbox_runner.0.send_replace(Some(stage));
    Some(sandbox)
}

async fn start(data_dir: &std::path::Path, control_key: &str) -> Result<Running, StartError> {
    let options = |port| Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        state: Some(data_dir.join("sandbox.json")),
        control_key: control_key.to_owned(),
    };
    for port in PORT..=PORT + FURTHER_PORTS {
        if let Ok(sandbox) = Sandbox::start(options(port)).await {
            return Ok(sandbox);
        }
    }
    Sandbox::start(options(0)).await
}
