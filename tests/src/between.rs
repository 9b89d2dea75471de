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
pub struct Between {
    client: Client,
    to: String,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Between {
    /// Creates a proxy in front of this provider.
    pub(crate) fn new(provider: &Provider) -> Self {
        Self { client: Client::new(), to: provider.base_url().to_owned(), heard: Arc::default() }
    }

    /// The router that serves it.
    pub(crate) fn router(self) -> Router {
        Router::new().fallback(pass_on).with_state(self)
    }

    /// All values of this form field in the requests so far.
    fn fields(&self, name: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let fields = heard.iter().flat_map(|body| form_urlencoded::parse(body));
        fields.filter(|(field, _)| field == name).map(|(_, value)| value.into_owned()).collect()
    }
}

async fn pass_on(State(between): State<Between>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let url = format!("{}{}", between.to, parts.uri);
    let Ok(body) = to_bytes(body, 1024 * 1024).await else { return StatusCode::BAD_REQUEST.into_response() };
    between.heard.lock().unwrap_or_else(PoisonError::into_inner).push(body.to_vec());
    let mut headers = parts.headers;
    headers.remove("host");
    match between.client.request(parts.method, url).headers(headers).body(body).send().await {
        Ok(answer) => {
            (answer.status(), answer.headers().clone(), Body::from_stream(answer.bytes_stream())).into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// A running proxy of a provider's token endpoint. It stops at the end of the test.
#[derive(Debug)]
pub struct Overheard {
    definition: String,
    between: Between,
    server: JoinHandle<()>,
}

impl Overheard {
    /// Starts a proxy for this provider.
    pub async fn start(provider: &Provider) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let token_host = format!("\"tokenHost\": \"http://{}", listener.local_addr()?);
        let definition =
            provider.definition().replace(&format!("\"tokenHost\": \"{}", provider.base_url()), &token_host);
        let between = Between::new(provider);
        let router = between.clone().router();
        let server = tokio::spawn(async move {
            // The server stops at the end of the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { definition, between, server })
    }

    /// The provider's integration definition, with the proxy as its token endpoint.
    pub fn definition(&self) -> &str {
        &self.definition
    }

    /// The PKCE verifiers that were sent (RFC 7636 §4.5).
    pub fn verifiers(&self) -> Vec<String> {
        self.between.fields("code_verifier")
    }
}

impl Drop for Overheard {
    fn drop(&mut self) {
        self.server.abort();
    }
}
