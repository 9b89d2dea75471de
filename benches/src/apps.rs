//! The environment of the measurements: a separate desktop, a provider, and Relink with many accounts.

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

/// A large number of accounts for one user.
pub(crate) const ACCOUNTS: usize = 200;
const DEADLINE: std::time::Duration = relink_tests::relink::DEADLINE;

/// Connects this many accounts, with the program that has no window.
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

/// One of the two measured apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum App {
    Relink,
    Empty,
}

impl App {
    /// Starts the app, either in the tray only or with its window.
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

/// The path of a program that was built together with this one.
pub(crate) fn built(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    here.with_file_name(name)
}

/// Sends SIGTERM, as at the end of a desktop session.
pub(crate) async fn end(mut app: Child) -> Result<()> {
    let pid = app.id().context("the app has exited by itself")?;
    Command::new("kill").args(["-TERM", &pid.to_string()]).status()?;
    timeout(DEADLINE, app.wait()).await.context("the app does not exit")??;
    Ok(())
}

/// Monitors the bus for new tray icons.
#[derive(Debug)]
pub(crate) struct TrayMonitor {
    lines: Lines<BufReader<ChildStdout>>,
    _monitor: Child,
}

impl TrayMonitor {
    pub(crate) async fn listen(desktop: &Desktop) -> Result<Self> {
        let mut command = desktop.command("gdbus");
        command.args(["monitor", "--session", "--dest", "org.kde.StatusNotifierWatcher"]).stdout(Stdio::piped());
        let mut monitor = process::spawn(command)?;
        let out = monitor.stdout.take().context("no output")?;
        let mut tray_monitor = Self { lines: BufReader::new(out).lines(), _monitor: monitor };
        // After its second line, which names the owner, the monitor is listening.
        tray_monitor.wait_for_message("is owned by").await?;
        Ok(tray_monitor)
    }

    /// Waits for the next tray icon.
    pub(crate) async fn wait_for_icon(&mut self) -> Result<()> {
        self.wait_for_message("StatusNotifierItemRegistered").await
    }

    async fn wait_for_message(&mut self, text: &str) -> Result<()> {
        let received = async {
            while let Some(line) = self.lines.next_line().await? {
                if line.contains(text) {
                    return anyhow::Ok(());
                }
            }
            anyhow::bail!("the bus monitor has exited")
        };
        timeout(DEADLINE, received).await.with_context(|| format!("no bus message contained {text}"))?
    }
}
