//! The app, `relink-desktop`, and a `WebDriver` session for its window.

use std::{
    fs,
    ops::Deref,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use fantoccini::{ClientBuilder, Locator, wd::WindowHandle};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{process::Child, time::timeout};

use crate::{
    desktop::Desktop,
    page::Page,
    process,
    relink::{DEADLINE, POLL_INTERVAL},
};

/// The path of the program.
fn program() -> PathBuf {
    let default_path = || process::workspace().join("target/debug/relink-desktop");
    std::env::var_os("RELINK_DESKTOP_BIN").map_or_else(default_path, PathBuf::from)
}

/// The app with a window that is controlled by `WebDriver`.
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
    /// Starts it on a desktop with its window open.
    pub async fn start(desktop: &Desktop) -> Result<Self> {
        Self::start_with(desktop, &[]).await
    }

    /// Starts it with additional environment variables.
    pub async fn start_with(desktop: &Desktop, environment: &[(&str, String)]) -> Result<Self> {
        Self::start_by(desktop, desktop.command("WebKitWebDriver"), environment).await
    }

    /// Starts it where files are created with all permissions but these.
    pub async fn start_with_umask(desktop: &Desktop, umask: &str) -> Result<Self> {
        let mut command = desktop.command("sh");
        command.args(["-c", "umask \"$1\"; shift; exec WebKitWebDriver \"$@\"", "sh", umask]);
        Self::start_by(desktop, command, &[]).await
    }

    async fn start_by(desktop: &Desktop, mut command: Command, environment: &[(&str, String)]) -> Result<Self> {
        let port = free_port().await?;
        command.arg(format!("--port={port}"));
        command.env("TAURI_WEBVIEW_AUTOMATION", "true").env("RELINK_DATA_DIR", desktop.data_dir());
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.env("RELINK_LOG", "debug,hyper=info,reqwest=info,zbus=info,tracing=info");
        let log = fs::File::create(desktop.folder().join("app.log"))?;
        command.stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log));
        let driver = process::spawn(command)?;
        let capabilities = json!({ "webkitgtk:browserOptions": { "binary": program(), "args": [] } });
        let Value::Object(capabilities) = capabilities else { bail!("not an object") };
        let url = format!("http://127.0.0.1:{port}");
        let connect = async {
            loop {
                let mut builder = ClientBuilder::new(HttpConnector::new());
                match builder.capabilities(capabilities.clone()).connect(&url).await {
                    Ok(client) => return client,
                    // The driver doesn't report when it listens.
                    Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
                }
            }
        };
        let client = timeout(DEADLINE, connect).await.context("the window did not open")?;
        let found = fs::read_to_string(desktop.data_dir().join("engine.json"))?;
        let found: Value = serde_json::from_str(&found)?;
        let text = |name: &str| found[name].as_str().map(str::to_owned).context("not a string");
        let pid = found["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).context("no pid")?;
        let main = client.window().await?;
        // Null if another program has its port.
        let base_url = found["base_url"].as_str().unwrap_or_default().to_owned();
        Ok(Self { page: Page::new(client), main, base_url, token: text("token")?, pid, _driver: driver })
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a request to its API, which must succeed.
    pub async fn request(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("{}{path}", self.base_url);
        let response = reqwest::Client::new().request(method, url).bearer_auth(&self.token).json(&body).send().await?;
        let status = response.status();
        let text = response.text().await?;
        if !status.is_success() {
            bail!("{path}: {status} {text}");
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Creates a link token with this body, as a program does, and returns the URL of its magic link.
    pub async fn magic_link(&self, body: Value) -> Result<String> {
        let link = self.request(Method::POST, "/link-token", body).await?;
        Ok(format!("{}/connect-account?link_token={}", self.base_url, link["link_token"].as_str().context("no token")?))
    }

    /// All accounts.
    pub async fn accounts(&self) -> Result<Vec<Value>> {
        let all = self.request(Method::GET, "/relink/accounts", Value::Null).await?;
        Ok(all["result"].as_array().context("no accounts")?.clone())
    }

    /// Revokes all sign-ins at the Sandbox, and refreshes an account so that Relink notices.
    pub async fn revoke_at_sandbox(&self) -> Result<()> {
        self.request(Method::POST, "/relink/sandbox/control/revoke", json!({})).await?;
        let all = self.request(Method::GET, "/relink/accounts", Value::Null).await?;
        let id = all["result"][0]["id"].as_str().context("no account")?.to_owned();
        // The refresh fails, as intended.
        let refused = self.request(Method::POST, &format!("/relink/accounts/{id}/refresh"), Value::Null).await;
        ensure!(refused.is_err(), "the refresh succeeded despite the revocation");
        Ok(())
    }

    /// Switches to the window that was opened in addition to the main one, as soon as it exists.
    pub async fn other_window(&self) -> Result<()> {
        let find = async {
            loop {
                if let Some(other) = self.page.0.windows().await?.into_iter().find(|window| *window != self.main) {
                    return anyhow::Ok(self.page.0.switch_to_window(other).await?);
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, find).await.context("no window was opened")?
    }

    /// Switches back to the main window.
    pub async fn main_window(&self) -> Result<()> {
        Ok(self.page.0.switch_to_window(self.main.clone()).await?)
    }

    /// Makes the window record what Rust sends it: responses and events come through one map of callbacks.
    pub async fn record_messages(&self) -> Result<()> {
        let script = "
            const callbacks = window.__TAURI_INTERNALS__.callbacks, get = callbacks.get.bind(callbacks);
            window.recordedMessages = [];
            callbacks.get = (id) => {
                const callback = get(id);
                return callback && ((data) => (window.recordedMessages.push(JSON.stringify(data)), callback(data)));
            };";
        self.page.0.execute(script, Vec::new()).await?;
        Ok(())
    }

    /// Everything that was recorded.
    pub async fn recorded_messages(&self) -> Result<String> {
        let recorded_messages = self.page.0.execute("return window.recordedMessages.join('\\n')", Vec::new()).await?;
        recorded_messages.as_str().map(str::to_owned).context("no recorded messages")
    }

    /// Calls a command of the main window from the driven page. Returns the result or the refusal.
    pub async fn try_invoke(&self, command: &str) -> Result<String> {
        let script = "
            const [command, done] = arguments;
            const internals = window.__TAURI_INTERNALS__;
            if (!internals) { done('no IPC'); return; }
            internals.invoke(command).then(() => done('answered'), (why) => done(`refused: ${why}`));
        ";
        let response = self.page.0.execute_async(script, vec![command.into()]).await?;
        Ok(response.as_str().context("not a string")?.to_owned())
    }

    /// Waits until Relink has noticed that the desktop has a tray, or no longer has one.
    pub async fn wait_for_tray(&self, available: bool) -> Result<()> {
        let script = "
            const [done] = arguments;
            window.__TAURI_INTERNALS__.invoke('overview').then(({ tray }) => done(tray), (why) => done(`${why}`));
        ";
        let notices = async {
            while self.page.0.execute_async(script, Vec::new()).await? != Value::Bool(available) {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            anyhow::Ok(())
        };
        timeout(DEADLINE, notices)
            .await
            .with_context(|| format!("Relink did not notice: tray available = {available}"))?
    }

    /// Whether the checkbox with this label is checked.
    pub async fn is_checked(&self, label: &str) -> Result<bool> {
        let path = format!("//label[contains(normalize-space(.), \"{label}\")]//input");
        Ok(self.page.0.wait().at_most(DEADLINE).for_element(Locator::XPath(&path)).await?.is_selected().await?)
    }

    /// Sends SIGTERM, as at the end of a desktop session.
    pub fn terminate(&self) -> Result<()> {
        process::signal("TERM", self.pid)
    }

    pub fn runs(&self) -> bool {
        process::runs(self.pid)
    }

    pub async fn wait_for_exit(&self) -> Result<()> {
        let wait_for_exit = async {
            while self.runs() {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, wait_for_exit).await.context("the app does not exit")
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // An app that stays in the tray outlives the WebDriver session.
        let _ = process::signal("KILL", self.pid);
    }
}

/// The app without `WebDriver`, as a desktop starts it.
#[derive(Debug)]
pub struct Program {
    child: Child,
}

impl Program {
    pub fn start(desktop: &Desktop, arguments: &[&str]) -> Result<Self> {
        let mut command = desktop.command(&program().to_string_lossy());
        command.args(arguments);
        Self::spawn(desktop, command)
    }

    /// Starts it in a mount namespace where this library is hidden. Requires permission to create namespaces (root).
    pub fn start_without(desktop: &Desktop, library: &str) -> Result<Self> {
        // Replace the library with an empty file, which the loader treats as missing.
        let hidden = r#"set -e
            ldconfig -p | awk -v name="$1" '$1 == name { print $NF }' | while read -r file; do
              mount --bind /dev/null "$(realpath "$file")"
            done
            exec "$2""#;
        let mut command = desktop.command("unshare");
        command.args(["--mount", "sh", "-c", hidden, "sh", library]).arg(program());
        Self::spawn(desktop, command)
    }

    fn spawn(desktop: &Desktop, mut command: Command) -> Result<Self> {
        // The log helps to investigate a failed test.
        let log = fs::OpenOptions::new().create(true).append(true).open(desktop.folder().join("program.log"))?;
        command.env("RELINK_DATA_DIR", desktop.data_dir()).stdout(Stdio::null()).stderr(Stdio::from(log));
        Ok(Self { child: process::spawn(command)? })
    }

    /// Waits until it has a web page in memory.
    pub async fn has_a_page(&self) -> Result<()> {
        self.wait_for_page(true).await.context("the app never loaded a page")
    }

    /// Waits until it has no web page, visible or hidden.
    pub async fn has_no_page(&self) -> Result<()> {
        self.wait_for_page(false).await.context("the page is still in memory")
    }

    async fn wait_for_page(&self, wanted: bool) -> Result<()> {
        let pid = self.child.id().context("the program has exited")?;
        let wanted = async {
            while page_process(pid)?.is_some() != wanted {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            anyhow::Ok(())
        };
        timeout(DEADLINE, wanted).await?
    }

    /// Stops the process of its page as soon as it exists. Returns its ID.
    pub async fn freeze_page(&self) -> Result<u32> {
        let pid = self.child.id().context("the program has exited")?;
        let freezes = async {
            loop {
                if let Some(page) = page_process(pid)? {
                    process::signal("STOP", page)?;
                    return anyhow::Ok(page);
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, freezes).await.context("the app never loaded a page")?
    }

    /// Whether it exits by itself with success.
    pub async fn wait_for_exit(&mut self) -> Result<bool> {
        Ok(timeout(DEADLINE, self.child.wait()).await.context("the app does not exit")??.success())
    }

    /// Waits until its API responds.
    pub async fn wait_until_serving(&mut self, desktop: &Desktop) -> Result<()> {
        let wait_until_serving = async {
            while !desktop.data_dir().join("engine.json").exists() {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        timeout(DEADLINE, wait_until_serving).await.context("the API never responded")
    }

    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

/// The process of the page that this program shows.
fn page_process(program: u32) -> Result<Option<u32>> {
    let all = process::descendants(program)?;
    Ok(all.into_iter().find(|(_, name)| name.contains("WebKitWebProcess")).map(|(pid, _)| pid))
}

async fn free_port() -> Result<u16> {
    Ok(tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}
