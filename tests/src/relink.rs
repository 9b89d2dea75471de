//! The program itself: `relink serve`, and its command line.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Method};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Child,
    sync::watch,
    time::timeout,
};

use crate::{process, session::Session};

/// The maximum time that a test waits for anything. Only a failing test waits this long.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// How often something is looked at while a test waits for a change.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The path of the program.
pub fn program() -> String {
    let built = || process::workspace().join("target/debug/relink").to_string_lossy().into_owned();
    std::env::var("RELINK_BIN").unwrap_or_else(|_| built())
}

/// A running `relink serve`.
#[derive(Debug)]
pub struct Relink {
    base_url: String,
    token: String,
    data_dir: PathBuf,
    child: Child,
    log: watch::Receiver<String>,
    client: Client,
}

/// The output and exit code of a command.
#[derive(Debug)]
pub struct Printed {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Relink {
    /// Starts it with the session's data folder.
    pub async fn start(session: &Session) -> Result<Self> {
        Self::start_with(session, &[]).await
    }

    /// Starts it in a session of its own, with the Sandbox installed.
    pub async fn start_with_sandbox() -> Result<(Session, Self)> {
        let session = Session::start().await?;
        let relink = Self::start(&session).await?;
        relink.post("/relink/integrations/sandbox/install", Value::Null).await?;
        Ok((session, relink))
    }

    pub async fn account_count(&self) -> Result<usize> {
        Ok(self.get("/relink/accounts").await?["result"].as_array().map_or(0, Vec::len))
    }

    /// Starts it with additional environment variables.
    pub async fn start_with(session: &Session, environment: &[(&str, String)]) -> Result<Self> {
        let data_dir = session.data_dir();
        let mut command = session.command(&program());
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data_dir);
        command
            .env("RELINK_LOG", "debug,hyper=info,reqwest=info")
            .envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process::spawn(command)?;
        let log = follow(child.stderr.take().context("no standard error")?, session.folder().join("relink.log"));
        let mut out = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let line = timeout(DEADLINE, out.next_line()).await.context("relink serve did not get ready")??;
        let Some(line) = line else { bail!("relink serve has exited: {}", *log.borrow()) };
        let ready: Value = serde_json::from_str(&line)?;
        let found: Value = serde_json::from_str(&fs::read_to_string(data_dir.join("engine.json"))?)?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("not a string");
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Each request acts as a separate program, so don't reuse connections, which the server may be closing.
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0).build()?;
        Ok(Self { base_url: text(&ready["base_url"])?, token: text(&found["token"])?, data_dir, child, log, client })
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The token of this run, from `engine.json`.
    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Its log so far.
    pub fn logged(&self) -> String {
        self.log.borrow().clone()
    }

    /// Sends a request to the API. Returns the status and body, whatever they are.
    pub async fn try_request(&self, method: Method, path: &str, body: Value) -> Result<(u16, Value)> {
        self.try_request_with(&self.token, method, path, body).await
    }

    /// Sends a request with this token, as a program does.
    pub async fn try_request_with(&self, token: &str, method: Method, path: &str, body: Value) -> Result<(u16, Value)> {
        let mut request = self.client.request(method, format!("{}{path}", self.base_url)).bearer_auth(token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok((status, serde_json::from_str(&response.text().await?).unwrap_or(Value::Null)))
    }

    /// The status of a request with this token.
    pub async fn status_with_token(&self, token: &str) -> Result<u16> {
        let request = self.client.get(format!("{}/integrated-account", self.base_url)).bearer_auth(token);
        Ok(request.send().await?.status().as_u16())
    }

    /// Sends a request to the API, which must succeed.
    pub async fn request(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let (status, response) = self.try_request(method, path, body).await?;
        ensure!((200..300).contains(&status), "{path}: {status} {response}");
        Ok(response)
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.request(Method::GET, path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.request(Method::POST, path, body).await
    }

    /// Creates a link token with this body, and returns the URL of its magic link.
    pub async fn magic_link(&self, body: Value) -> Result<String> {
        let link = self.post("/link-token", body).await?;
        Ok(format!("{}/connect-account?link_token={}", self.base_url, link["link_token"].as_str().context("no token")?))
    }

    /// Whether a magic link is still valid.
    pub async fn link_is_good(&self, link: &str) -> Result<bool> {
        let token = link_token(link)?;
        let request = self.client.get(format!("{}/connect-account/session", self.base_url));
        let status = request.header("x-relink-link-token", token).send().await?.status().as_u16();
        ensure!(status == 200 || status == 404, "unexpected status of a link: {status}");
        Ok(status == 200)
    }

    /// Waits for an event of this kind after that sequence number, and returns it.
    pub async fn event(&self, kind: &str, after: i64) -> Result<Value> {
        timeout(DEADLINE, async {
            let mut after = after;
            loop {
                let response = self.get(&format!("/relink/events?after={after}&wait=20")).await?;
                let events = response["result"].as_array().cloned().unwrap_or_default();
                if let Some(found) = events.iter().find(|event| event["event"] == kind) {
                    return Ok(found.clone());
                }
                after = events.last().and_then(|event| event["seq"].as_i64()).unwrap_or(after);
            }
        })
        .await
        .with_context(|| format!("no {kind} event arrived"))?
    }

    /// Waits until what is at this path is so, for changes without an event. Returns it.
    pub async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
        timeout(DEADLINE, async {
            loop {
                let found = self.get(path).await?;
                if is_so(&found) {
                    return Ok(found);
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        })
        .await
        .with_context(|| format!("{path} never became as expected"))?
    }

    /// The names of all account events so far, without their prefix.
    pub async fn account_events(&self) -> Result<Vec<String>> {
        let response = self.get("/relink/events").await?;
        let names = response["result"].as_array().cloned().unwrap_or_default();
        Ok(names
            .iter()
            .filter_map(|event| event["event"].as_str()?.strip_prefix("integrated_account:").map(str::to_owned))
            .collect())
    }

    /// Waits until its log contains a text.
    pub async fn logs(&self, text: &str) -> Result<()> {
        let mut log = self.log.clone();
        timeout(DEADLINE, log.wait_for(|log| log.contains(text)))
            .await
            .with_context(|| format!("the log never contained {text}"))?
            .map(drop)
            .context("the program has exited")
    }

    /// Builds a command of the command line, without starting it.
    pub fn command(&self, session: &Session, arguments: &[&str]) -> Command {
        let mut command = session.command(&program());
        command.args(arguments).env("RELINK_DATA_DIR", &self.data_dir);
        command
    }

    /// Runs a command of the command line.
    pub async fn cli(&self, session: &Session, arguments: &[&str]) -> Result<Printed> {
        self.cli_with_input(session, arguments, "").await
    }

    /// Runs a command with this standard input.
    pub async fn cli_with_input(&self, session: &Session, arguments: &[&str], input: &str) -> Result<Printed> {
        self.cli_with_input_after(session, arguments, input, async {}).await
    }

    /// Runs a command, which gets this standard input once something has happened.
    pub async fn cli_with_input_after(
        &self,
        session: &Session,
        arguments: &[&str],
        input: &str,
        before: impl Future<Output = ()>,
    ) -> Result<Printed> {
        let mut command = self.command(session, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process::spawn(command)?;
        before.await;
        child.stdin.take().context("no standard input")?.write_all(input.as_bytes()).await?;
        let output = child.wait_with_output().await?;
        Ok(Printed {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Kills it with SIGKILL. Returns its whole log.
    pub async fn kill(mut self) -> Result<String> {
        self.child.kill().await?;
        // The task that follows the log ends after the last line.
        while self.log.changed().await.is_ok() {}
        Ok(self.logged())
    }

    /// Stops it with SIGTERM, and expects a clean exit.
    pub async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().context("the program has exited")?;
        let status = std::process::Command::new("kill").args(["-TERM", &pid.to_string()]).status()?;
        ensure!(status.success(), "the signal could not be sent");
        let ended = timeout(DEADLINE, self.child.wait()).await.context("the program did not stop")??;
        ensure!(ended.success(), "the program exited with {ended}: {}", self.logged());
        Ok(())
    }
}

/// The token of a magic link.
pub fn link_token(link: &str) -> Result<&str> {
    let token = link.split("link_token=").nth(1).context("no link")?;
    Ok(token.split('&').next().unwrap_or(token))
}

/// Follows the log, and writes it to a file at the end.
fn follow(stderr: tokio::process::ChildStderr, file: PathBuf) -> watch::Receiver<String> {
    let (sender, receiver) = watch::channel(String::new());
    tokio::spawn(async move {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            sender.send_modify(|log| {
                log.push_str(&line);
                log.push('\n');
            });
        }
        // The log helps to investigate a failed test.
        let _ = fs::write(file, &*sender.borrow());
    });
    receiver
}
