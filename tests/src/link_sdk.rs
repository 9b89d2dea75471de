//! An app of another origin that connects accounts with Truto's Link SDK, unmodified.

use std::fs::File;

use anyhow::{Context, Result};
use axum::{
    Router,
    http::header::{CONTENT_TYPE, REFERRER_POLICY},
    response::IntoResponse,
    routing::get,
};
use serde_json::Value;
use tokio::{fs, net::TcpListener, task::JoinHandle};

use crate::{browser::Browser, process};

/// The page. It lists every message that reaches it, so that a test sees how many there were. `call` of its URL is the function of the
/// SDK, and `options` are its options.
const PAGE: &str = r#"<!doctype html><title>An app</title>
<button id="connect">Connect</button> <pre id="result"></pre> <pre id="messages"></pre>
<script type="module">
  import authenticate, { rapidForm } from "/sdk.js";
  const asked = new URLSearchParams(location.search);
  const show = (id, value) => (document.getElementById(id).textContent += JSON.stringify(value) + "\n");
  addEventListener("message", ({ origin, data }) => show("messages", { origin, data }));
  document.getElementById("connect").onclick = () => {
    const call = { authenticate, rapidForm }[asked.get("call")];
    call(asked.get("token"), JSON.parse(asked.get("options")))?.then(
      (resolved) => show("result", { resolved }),
      (rejected) => show("result", { rejected: typeof rejected === "string" ? rejected : { ...rejected } }),
    );
  };
</script>"#;

/// Where a link's `redirect_uri` leads.
const DONE: &str = "<!doctype html><title>An app</title><h1>Back in the app</h1>";

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
        let done = || async { ([(CONTENT_TYPE, "text/html")], DONE).into_response() };
        let router = Router::new().route("/", get(page)).route("/sdk.js", get(script)).route("/done", get(done));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { base_url, server })
    }

    /// Its page, for a link token and these options of the SDK.
    pub fn page(&self, token: &str, options: &Value) -> Result<String> {
        self.page_that_calls("authenticate", token, options)
    }

    /// Its page for the form of an account.
    pub fn form_page(&self, account_token: &str, options: &Value) -> Result<String> {
        self.page_that_calls("rapidForm", account_token, options)
    }

    fn page_that_calls(&self, call: &str, token: &str, options: &Value) -> Result<String> {
        let parameters = [("call", call), ("token", token), ("options", &options.to_string())];
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

/// What the app's page got: the messages.
pub async fn messages(browser: &Browser) -> Result<Vec<Value>> {
    lines(browser, "messages").await
}

/// What the app's page got: the results of the Link SDK.
pub async fn results(browser: &Browser) -> Result<Vec<Value>> {
    lines(browser, "result").await
}

async fn lines(browser: &Browser, id: &str) -> Result<Vec<Value>> {
    let text = browser.evaluate(&format!("return document.getElementById('{id}').textContent;")).await?;
    text.lines().map(|line| serde_json::from_str(line).context("not JSON")).collect()
}

/// The one port from which the SDK accepts an iframe's messages, 5173: the tests that use it run one after the other.
pub fn port_5173() -> Result<File> {
    let file = File::create(std::env::temp_dir().join("relink-tests-port-5173.lock"))?;
    file.lock()?;
    Ok(file)
}
