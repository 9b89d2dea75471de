//! Runs the Sandbox while its integration is installed.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use axum::{
    body::Body,
    extract::Request,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use relink_domain::caller::Caller;
use relink_engine::{Engine, SANDBOX};
use relink_sandbox::{Options, Running, Sandbox, StartError};
use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{body, error::ApiError};

/// The Sandbox's port, unless it is taken.
const PORT: u16 = 7418;
/// How many ports after [`PORT`] are tried.
const FURTHER_PORTS: u16 = 20;
/// The delay before a failed start is retried.
const RETRY_DELAY: Duration = Duration::from_secs(5);
/// How long installing or uninstalling the Sandbox waits for its start or stop.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(5);

/// A handle to the Sandbox, for the other routes and the desktop app.
#[derive(Debug, Clone)]
pub struct SandboxRunner(watch::Sender<Option<Connection>>);

impl Default for SandboxRunner {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

#[derive(Debug, Clone)]
struct Connection {
    base_url: String,
    control_key: String,
    client: reqwest::Client,
}

impl SandboxRunner {
    /// The Sandbox's base URL, while it runs.
    pub fn base_url(&self) -> Option<String> {
        self.0.borrow().as_ref().map(|connection| connection.base_url.clone())
    }

    /// Waits until the Sandbox has started or stopped, but not for long if it can't start.
    pub async fn follows(&self, runs: bool) {
        let mut connection = self.0.subscribe();
        let followed = connection.wait_for(|connection| connection.is_some() == runs);
        if tokio::time::timeout(FOLLOW_TIMEOUT, followed).await.is_err() {
            tracing::warn!("the Sandbox has not started or stopped in time");
        }
    }

    /// Forwards a request to a control, with the key that only this process has.
    pub(crate) async fn control(&self, request: Request) -> Result<Response, ApiError> {
        let method = request.method().clone();
        let path = request.uri().path_and_query().map_or("", |path| path.as_str());
        let path = path.strip_prefix("/relink/sandbox").unwrap_or(path).to_owned();
        let response = self.send(method, &path, body::read(request, &()).await?).await?;
        let status = response.status();
        let content_type = response.headers().get(header::CONTENT_TYPE).cloned();
        let body = response.bytes().await.map_err(|_| Unreachable::Silent)?;
        if !status.is_success() {
            let refusal: Value = serde_json::from_slice(&body).unwrap_or_default();
            let message = match (refusal["message"].as_str(), status) {
                (Some(message), _) => message,
                (None, StatusCode::METHOD_NOT_ALLOWED) => "This control of the Sandbox doesn't support this method.",
                (None, _) => "The Sandbox has no such control.",
            };
            return Err(ApiError::new(status, "sandbox_refused", message));
        }
        let mut passed_on = (status, Body::from(body)).into_response();
        if let Some(content_type) = content_type {
            passed_on.headers_mut().insert(header::CONTENT_TYPE, content_type);
        }
        Ok(passed_on)
    }

    async fn send(&self, method: Method, path: &str, body: bytes::Bytes) -> Result<reqwest::Response, Unreachable> {
        let connection = self.0.borrow().clone().ok_or(Unreachable::NotInstalled)?;
        let body = if body.is_empty() { bytes::Bytes::from_static(b"{}") } else { body };
        let request = connection
            .client
            .request(method, format!("{}{path}", connection.base_url))
            .bearer_auth(&connection.control_key)
            .header("content-type", "application/json")
            .body(body);
        request.send().await.map_err(|_| Unreachable::Silent)
    }

    /// Calls a control of the Sandbox (`/control/…`) from this process. Returns the response's body, or an error message.
    pub async fn call_control(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let method = method.parse().map_err(|_| format!("{method} is no method"))?;
        let response = self.send(method, path, body.to_string().into()).await.map_err(|error| error.to_string())?;
        let (status, text) = (response.status(), response.text().await.unwrap_or_default());
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() { Ok(value) } else { Err(value["message"].as_str().unwrap_or("It refused.").to_owned()) }
    }
}

/// Why the Sandbox didn't respond.
#[derive(Debug, thiserror::Error)]
enum Unreachable {
    #[error("The Sandbox isn't installed. Install it in the app under Integrations, or with: relink sandbox start")]
    NotInstalled,
    #[error("The Sandbox isn't responding.")]
    Silent,
}

impl From<Unreachable> for ApiError {
    fn from(error: Unreachable) -> Self {
        let (status, code) = match error {
            Unreachable::NotInstalled => (StatusCode::NOT_FOUND, "sandbox_not_installed"),
            Unreachable::Silent => (StatusCode::SERVICE_UNAVAILABLE, "sandbox_not_running"),
        };
        Self::new(status, code, &error.to_string())
    }
}

/// Starts and stops the Sandbox when its integration is installed and uninstalled. Sends on `tried` after the first attempt
/// to start it, or at once if it isn't installed.
pub(crate) async fn run(
    engine: Engine,
    sandbox_runner: SandboxRunner,
    data_dir: PathBuf,
    tried: oneshot::Sender<()>,
    stopping: CancellationToken,
) {
    let mut tried = Some(tried);
    let mut installed = engine.catalog().changes(&Caller::Internal);
    let mut running: Option<Running> = None;
    loop {
        installed.borrow_and_update();
        let wanted = engine.catalog().is_installed(&Caller::Internal, SANDBOX);
        if wanted && running.is_none() {
            running = start(&engine, &sandbox_runner, &data_dir).await;
        } else if !wanted && let Some(sandbox) = running.take() {
            sandbox.stop().await;
            sandbox_runner.0.send_replace(None);
        }
        if let Some(tried) = tried.take() {
            // The receiver may have been dropped.
            let _ = tried.send(());
        }
        let retry = wanted && running.is_none();
        tokio::select! {
            () = stopping.cancelled() => break,
            changed = installed.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(RETRY_DELAY), if retry => {}
        }
    }
    if let Some(sandbox) = running {
        sandbox.stop().await;
    }
}

async fn start(engine: &Engine, sandbox_runner: &SandboxRunner, data_dir: &std::path::Path) -> Option<Running> {
    let control_key = match relink_engine::random_token() {
        Ok(key) => key.expose().to_owned(),
        Err(error) => {
            tracing::warn!("the Sandbox did not start: {error}");
            return None;
        }
    };
    let sandbox = match listen(data_dir, &control_key).await {
        Ok(sandbox) => sandbox,
        Err(error) => {
            tracing::warn!("the Sandbox did not start: {error}");
            return None;
        }
    };
    if let Err(error) = engine.catalog().set_sandbox_address(&Caller::Internal, sandbox.base_url()).await {
        tracing::warn!("the Sandbox's address could not be set: {error}");
        sandbox.stop().await;
        return None;
    }
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().ok()?;
    let connection = Connection { base_url: sandbox.base_url().to_owned(), control_key, client };
    tracing::info!(base_url = connection.base_url, "the Sandbox is ready");
    sandbox_runner.0.send_replace(Some(connection));
    Some(sandbox)
}

async fn listen(data_dir: &std::path::Path, control_key: &str) -> Result<Running, StartError> {
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
