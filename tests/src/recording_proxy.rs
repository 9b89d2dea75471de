//! A proxy between Relink and a provider that records the requests.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use reqwest::Client;
use tokio::{net::TcpListener, task::JoinHandle};
use url::form_urlencoded;

use crate::provider::Provider;

/// A proxy that forwards each request and records its body.
#[derive(Debug, Clone)]
pub struct RecordingProxy {
    client: Client,
    to: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl RecordingProxy {
    /// Creates a proxy in front of this provider.
    pub(crate) fn new(provider: &Provider) -> Self {
        Self { client: Client::new(), to: provider.base_url().to_owned(), bodies: Arc::default() }
    }

    /// The router that serves it.
    pub(crate) fn router(self) -> Router {
        Router::new().fallback(forward).with_state(self)
    }

    /// All values of this form field in the requests so far.
    fn fields(&self, name: &str) -> Vec<String> {
        let bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        let fields = bodies.iter().flat_map(|body| form_urlencoded::parse(body));
        fields.filter(|(field, _)| field == name).map(|(_, value)| value.into_owned()).collect()
    }
}

async fn forward(State(proxy): State<RecordingProxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let url = format!("{}{}", proxy.to, parts.uri);
    let Ok(body) = to_bytes(body, 1024 * 1024).await else { return StatusCode::BAD_REQUEST.into_response() };
    proxy.bodies.lock().unwrap_or_else(PoisonError::into_inner).push(body.to_vec());
    let mut headers = parts.headers;
    headers.remove("host");
    match proxy.client.request(parts.method, url).headers(headers).body(body).send().await {
        Ok(response) => {
            (response.status(), response.headers().clone(), Body::from_stream(response.bytes_stream())).into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// A running proxy of a provider's token endpoint. It stops at the end of the test.
#[derive(Debug)]
pub struct ProxiedProvider {
    definition: String,
    proxy: RecordingProxy,
    server: JoinHandle<()>,
}

impl ProxiedProvider {
    /// Starts a proxy for this provider.
    pub async fn start(provider: &Provider) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let token_host = format!("\"tokenHost\": \"http://{}", listener.local_addr()?);
        let definition =
            provider.definition().replace(&format!("\"tokenHost\": \"{}", provider.base_url()), &token_host);
        let proxy = RecordingProxy::new(provider);
        let router = proxy.clone().router();
        let server = tokio::spawn(async move {
            // The server stops at the end of the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { definition, proxy, server })
    }

    /// The provider's integration definition, with the proxy as its token endpoint.
    pub fn definition(&self) -> &str {
        &self.definition
    }

    /// The PKCE verifiers that were sent (RFC 7636 §4.5).
    pub fn verifiers(&self) -> Vec<String> {
        self.proxy.fields("code_verifier")
    }
}

impl Drop for ProxiedProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}
