//! The app itself: `relink-desktop`, whose own window is driven as a person uses it.

use std::{fs, ops::Deref, path::PathBuf, process::Stdio};

use anyhow::{Context, Result, bail};
use fantoccini::{ClientBuilder, wd::WindowHandle};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{process::Child, time::timeout};

use crate::{
    desktop::Desktop,
    page::{LOOK, Page},
    process,
    relink::DEADLINE,
};

/// The program's file.
fn program() -> PathBuf {
    let built = || process::workspace().join("target/debug/relink-desktop");
    std::env::var_os("RELINK_DESKTOP_BIN").map_or_else(built, PathBuf::from)
}

/// The app, and its window.
#[derive(Debug)]
pub struct App {
    page: Page,
    main: WindowHandle,
    base_url: String,
    token: String,
    pid: u32,
    _driver: Child,
}

impl Deref for App {
    type Target = Page;

    fn deref(&self) -> &Page {
        &self.page
    }
}

impl App {
    /// Starts it on a desktop, with its window open.
    pub async fn start(desktop: &Desktop) -> Result<Self> {
        Self::start_with(desktop, &[]).await
    }

    /// Starts it with arguments.
    pub async fn start_with(desktop: &Desktop, arguments: &[&str]) -> Result<Self> {
        let port = free_port().await?;
        let mut command = desktop.command("WebKitWebDriver");
        command.arg(format!("--port={port}"));
        command.env("TAURI_WEBVIEW_AUTOMATION", "true").env("RELINK_DATA_DIR", data_dir(desktop));
        command.env("RELINK_LOG", "debug,hyper=info,reqwest=info,zbus=info,tracing=info");
        let log = fs::File::create(desktop.folder().join("app.log"))?;
        command.stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log));
        let driver = process::spawn(command)?;
        let wanted = json!({ "webkitgtk:browserOptions": { "binary": program(), "args": arguments } });
        let Value::Object(capabilities) = wanted else { bail!("an object") };
        let url = format!("http://127.0.0.1:{port}");
        let connect = async {
            loop {
                let mut builder = ClientBuilder::new(HttpConnector::new());
                match builder.capabilities(capabilities.clone()).connect(&url).await {
                    Ok(client) => return client,
                    // The driver says nowhere when it listens.
                    Err(_) => tokio::time::sleep(LOOK).await,
                }
            }
        };
        let client = timeout(DEADLINE, connect).await.context("the window did not open")?;
        let found = fs::read_to_string(data_dir(desktop).join("engine.json"))?;
        let found: Value = serde_json::from_str(&found)?;
        let text = |name: &str| found[name].as_str().map(str::to_owned).context("a text");
        let pid = found["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).context("a pid")?;
        let main = client.window().await?;
        Ok(Self { page: Page(client), main, base_url: text("base_url")?, token: text("token")?, pid, _driver: driver })
    }

    /// Where its API is.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Its process id.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Asks its API, which must say yes.
    pub async fn ask(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("{}{path}", self.base_url);
        let answer = reqwest::Client::new().request(method, url).bearer_auth(&self.token).json(&body).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{path}: {status} {text}");
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Goes to the window that was opened beside the main one, as soon as it is there.
    pub async fn other_window(&self) -> Result<()> {
        let find = async {
            loop {
                if let Some(other) = self.page.0.windows().await?.into_iter().find(|window| *window != self.main) {
                    return anyhow::Ok(self.page.0.switch_to_window(other).await?);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        timeout(DEADLINE, find).await.context("no window was opened")?
    }

    /// Goes back to the main window.
    pub async fn main_window(&self) -> Result<()> {
        Ok(self.page.0.switch_to_window(self.main.clone()).await?)
    }

    /// From now on the window keeps what it hears from Rust: answers and events come through one map of callbacks.
    pub async fn keeps_what_it_hears(&self) -> Result<()> {
        let script = "
            const callbacks = window.__TAURI_INTERNALS__.callbacks, get = callbacks.get.bind(callbacks);
            window.heard = [];
            callbacks.get = (id) => {
                const callback = get(id);
                return callback && ((data) => (window.heard.push(JSON.stringify(data)), callback(data)));
            };";
        self.page.0.execute(script, Vec::new()).await?;
        Ok(())
    }

    /// All that it has heard.
    pub async fn heard(&self) -> Result<String> {
        let heard = self.page.0.execute("return window.heard.join('\\n')", Vec::new()).await?;
        heard.as_str().map(str::to_owned).context("it keeps nothing")
    }

    /// SIGTERM, as at the end of the person's session.
    pub fn terminate(&self) -> Result<()> {
        std::process::Command::new("kill").args(["-TERM", &self.pid.to_string()]).status()?;
        Ok(())
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // An app that stays in the tray outlives its driver.
        let _ = std::process::Command::new("kill").args(["-KILL", &self.pid.to_string()]).status();
    }
}

/// The app without a driver: as the person's desktop starts it.
#[derive(Debug)]
pub struct Program {
    child: Child,
}

impl Program {
    /// Starts it.
    pub fn start(desktop: &Desktop, arguments: &[&str]) -> Result<Self> {
        let mut command = desktop.command(&program().to_string_lossy());
        command.args(arguments).env("RELINK_DATA_DIR", data_dir(desktop)).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { child: process::spawn(command)? })
    }

    /// Whether it ends by itself, and well.
    pub async fn ends(&mut self) -> Result<bool> {
        Ok(timeout(DEADLINE, self.child.wait()).await.context("it goes on")??.success())
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

/// The app's data folder on this desktop.
pub fn data_dir(desktop: &Desktop) -> PathBuf {
    desktop.folder().join("relink")
}

async fn free_port() -> Result<u16> {
    Ok(tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}
