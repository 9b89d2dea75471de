//! An app of another origin that connects accounts with Truto's Link SDK, unmodified, in its pop-up mode.

use anyhow::{Context, Result};
use axum::{
    Router,
    http::header::{CONTENT_TYPE, REFERRER_POLICY},
    response::IntoResponse,
    routing::get,
};
use tokio::{fs, net::TcpListener, task::JoinHandle};

use crate::process;

/// The page. It lists every message that reaches it, so that a test sees how many there were.
const PAGE: &str = r#"<!doctype html><title>An app</title>
<button id="connect">Connect</button> <pre id="result"></pre> <pre id="messages"></pre>
<script type="module">
  import authenticate from "/sdk.js";
  const asked = new URLSearchParams(location.search);
  const show = (id, value) => (document.getElementById(id).textContent += JSON.stringify(value) + "\n");
  addEventListener("message", ({ origin, data }) => show("messages", { origin, data }));
  document.getElementById("connect").onclick = () => {
    const options = { baseUrl: asked.get("base"), iframe: false, integration: asked.get("integration") };
    authenticate(asked.get("token"), options).then(
      (resolved) => show("result", { resolved }),
      (rejected) => show("result", { rejected: typeof rejected === "string" ? rejected : { ...rejected } }),
    );
  };
</script>"#;

#[derive(Debug)]
pub struct App {
    base_url: String,
    server: JoinHandle<()>,
}

impl App {
    pub async fn start() -> Result<Self> {
        Self::start_with_referrer_policy("strict-origin-when-cross-origin").await
    }

    /// Starts it with a page that has this referrer policy.
    pub async fn start_with_referrer_policy(policy: &'static str) -> Result<Self> {
        let file = process::workspace().join("tests/node_modules/@truto/truto-link-sdk/dist/main.js");
        let sdk = fs::read_to_string(&file).await.context("npm's modules in tests/ are missing; run make setup")?;
        let page =
            move || async move { ([(CONTENT_TYPE, "text/html"), (REFERRER_POLICY, policy)], PAGE).into_response() };
        let script = move || {
            let sdk = sdk.clone();
            async move { ([(CONTENT_TYPE, "text/javascript")], sdk).into_response() }
        };
        let router = Router::new().route("/", get(page)).route("/sdk.js", get(script));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { base_url, server })
    }

    /// Its page, for a link of the Relink at `base`.
    pub fn page(&self, base: &str, token: &str, integration: &str) -> Result<String> {
        let parameters = [("base", base), ("token", token), ("integration", integration)];
        Ok(url::Url::parse_with_params(&self.base_url, parameters)?.into())
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.server.abort();
    }
}
