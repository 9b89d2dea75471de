//! What is measured on: a desktop of its own, a provider, Relink with many accounts.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use relink_tests::{desktop::Desktop, process, provider::Provider, relink::Relink};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
    time::timeout,
};

/// Accounts of somebody who has many.
pub(crate) const ACCOUNTS: usize = 200;
const DEADLINE: std::time::Duration = relink_tests::relink::DEADLINE;

/// Connects so many accounts, by the program without a window.
pub(crate) async fn connect_accounts(desktop: &Desktop, provider: &Provider) -> Result<()> {
    let relink = Relink::start(desktop).await?;
    provider.connect(&relink).await?;
    for number in 1..ACCOUNTS {
        let link = relink.magic_link(json!({ "tenant_id": format!("tenant-{number}") })).await?;
        let flow = provider.complete_link(&relink, &link).await?;
        ensure!(flow["phase"] == "succeeded", "account {number}: {flow}");
    }
    relink.stop().await
}

/// One of the two apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum App {
    Relink,
    Empty,
}

impl App {
    /// Starts it; in the tray alone, or with its window.
    pub(crate) fn start(self, desktop: &Desktop, with_window: bool) -> Result<Child> {
        let mut command = self.command(desktop, with_window);
        command.env("RELINK_DATA_DIR", desktop.data_dir()).stdout(Stdio::null()).stderr(Stdio::null());
        process::spawn(command)
    }

    fn command(self, desktop: &Desktop, with_window: bool) -> Command {
        let (name, argument) = match self {
            Self::Relink => ("relink-desktop", (!with_window).then_some("--hidden")),
            Self::Empty => ("empty-tray-app", with_window.then_some("--window")),
        };
        let mut command = desktop.command(&built(name).to_string_lossy());
        command.args(argument);
        command
    }
}

/// A program that was built with this one.
pub(crate) fn built(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    here.with_file_name(name)
}

/// Ends it as the end of a session does.
pub(crate) async fn end(mut app: Child) -> Result<()> {
    let pid = app.id().context("it has ended by itself")?;
    Command::new("kill").args(["-TERM", &pid.to_string()]).status()?;
    timeout(DEADLINE, app.wait()).await.context("it does not end")??;
    Ok(())
}

/// Hears when a tray icon was put up.
#[derive(Debug)]
pub(crate) struct TrayEar {
    lines: Lines<BufReader<ChildStdout>>,
    _monitor: Child,
}

impl TrayEar {
    pub(crate) async fn listen(desktop: &Desktop) -> Result<Self> {
        let mut command = desktop.command("gdbus");
        command.args(["monitor", "--session", "--dest", "org.kde.StatusNotifierWatcher"]).stdout(Stdio::piped());
        let mut monitor = process::spawn(command)?;
        let out = monitor.stdout.take().context("no output")?;
        let mut ear = Self { lines: BufReader::new(out).lines(), _monitor: monitor };
        // Its second line says whose name it is: it listens from then on.
        ear.receives("is owned by").await?;
        Ok(ear)
    }

    /// Waits until one more was put up.
    pub(crate) async fn put_up(&mut self) -> Result<()> {
        self.receives("StatusNotifierItemRegistered").await
    }

    async fn receives(&mut self, text: &str) -> Result<()> {
        let heard = async {
            while let Some(line) = self.lines.next_line().await? {
                if line.contains(text) {
                    return anyhow::Ok(());
                }
            }
            anyhow::bail!("the bus fell silent")
        };
        timeout(DEADLINE, heard).await.with_context(|| format!("never heard: {text}"))?
    }
}
