//! `relink serve` under a supervisor: started without a reader of its output, stopped at any time, and killed.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use anyhow::{Context, Result, ensure};
use relink_tests::{
    fake_clock::Clock,
    process,
    relink::{DEADLINE, Relink, program},
    session::Session,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr},
    time::timeout,
};

use crate::command_line::Terminal;

/// A `relink serve` that was started without waiting until it is ready.
struct Started {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    data_dir: PathBuf,
}

impl Started {
    fn new(session: &Session, out: impl Into<Stdio>) -> Result<Self> {
        let data_dir = session.data_dir();
        let mut command = session.command(&program());
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data_dir);
        command.stdout(out).stderr(Stdio::piped());
        let mut child = process::spawn(command)?;
        let log = BufReader::new(child.stderr.take().context("no standard error")?).lines();
        Ok(Self { child, log, data_dir })
    }

    /// Waits until its log contains this text.
    async fn wait_for_log(&mut self, text: &str) -> Result<()> {
        let contains = async {
            while let Some(line) = self.log.next_line().await? {
                if line.contains(text) {
                    return Ok(());
                }
            }
            anyhow::bail!("the program exited without logging {text:?}")
        };
        timeout(DEADLINE, contains).await.with_context(|| format!("the log never contained {text:?}"))?
    }

    /// Sends SIGTERM. Returns the exit status.
    async fn stop(mut self) -> Result<ExitStatus> {
        let pid = self.child.id().context("the program has exited")?;
        let signalled = std::process::Command::new("kill").args(["-TERM", &pid.to_string()]).status()?;
        ensure!(signalled.success(), "the signal could not be sent");
        let log = async { while let Ok(Some(_)) = self.log.next_line().await {} };
        let (ended, ()) = timeout(DEADLINE, async { tokio::join!(self.child.wait(), log) }).await?;
        Ok(ended?)
    }
}

fn is_announced(data_dir: &Path) -> bool {
    data_dir.join("engine.json").exists()
}

#[tokio::test]
async fn stopping_during_start_ends_cleanly() -> Result<()> {
    let session = Session::start().await?;
    let mut started = Started::new(&session, Stdio::null())?;
    started.wait_for_log("starting").await?;
    let data_dir = started.data_dir.clone();
    let ended = started.stop().await?;
    assert!(ended.success(), "{ended}");
    assert!(!is_announced(&data_dir));
    Ok(())
}

#[tokio::test]
async fn serve_works_when_its_output_is_closed() -> Result<()> {
    let session = Session::start().await?;
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let mut started = Started::new(&session, writer)?;
    started.wait_for_log("could not be printed").await?;
    let mut status = session.command(&program());
    status.args(["status", "--data-dir"]).arg(&started.data_dir);
    let asked = tokio::process::Command::from(status).output().await?;
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));

    let data_dir = started.data_dir.clone();
    let ended = started.stop().await?;
    assert!(ended.success(), "{ended}");
    assert!(!is_announced(&data_dir));
    Ok(())
}

#[tokio::test]
async fn a_program_on_a_killed_engines_port_receives_no_token() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let (data_dir, address) = (relink.data_dir().to_owned(), relink.base_url().replace("http://", ""));
    relink.kill().await?;
    assert!(is_announced(&data_dir), "a killed program does not remove its file");
    let stranger = TcpListener::bind(&address)?;
    stranger.set_nonblocking(true)?;

    let mut command = session.command(&program());
    command.args(["integrations", "client", "github", "--id", "client", "--secret-stdin", "--data-dir"]).arg(&data_dir);
    let output = tokio::process::Command::from(command).output().await?;
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(stranger.accept().expect_err("no connection was made").kind(), std::io::ErrorKind::WouldBlock);

    // The next engine starts normally, and the command line finds it.
    let relink = Relink::start(&session).await?;
    assert_eq!(relink.cli(&session, &["status"]).await?.code, 0);
    relink.stop().await
}

#[tokio::test]
async fn sandbox_accounts_are_refreshed_after_a_restart_without_failures() -> Result<()> {
    let mut terminal = Terminal::new().await?;
    let ada = terminal.connected().await?;
    terminal.connected().await?;
    let before = terminal.relink.account_events().await?;
    terminal.relink.stop().await?;

    // A day later, both refreshes are due at the start, while the Sandbox is still starting.
    let mut clock = Clock::new(terminal.session.folder())?;
    clock.jump(24 * 60 * 60)?;
    terminal.relink = Relink::start_with(&terminal.session, &clock.environment()).await?;
    let token = terminal.line(&["token", &ada]).await?;
    assert_eq!(terminal.status(&terminal.sandbox("/api/me").await?, &token).await?, 200);
    // The other account is refreshed without a request.
    let (mut refreshed, mut after) = (0, 0);
    while refreshed < 2 {
        let path = format!("/relink/sandbox/control/log?after={after}&wait=20");
        let log = timeout(DEADLINE, terminal.relink.get(&path)).await.context("the account was not refreshed")??;
        for entry in log["entries"].as_array().context("no entries")? {
            after = entry["seq"].as_u64().context("not a number")?;
            if entry["grant_type"] == "refresh_token" {
                assert_eq!(entry["outcome"], "ok", "{entry}");
                refreshed += 1;
            }
        }
    }
    assert_eq!(terminal.relink.account_events().await?, before, "there was no event about a failure");
    terminal.relink.stop().await
}

#[tokio::test]
async fn a_proxy_in_the_environment_receives_nothing() -> Result<()> {
    let proxy = TcpListener::bind("127.0.0.1:0")?;
    proxy.set_nonblocking(true)?;
    let address = format!("http://{}", proxy.local_addr()?);
    let names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let terminal = Terminal::with(&names.map(|name| (name, address.clone()))).await?;

    let id = terminal.connected().await?;
    terminal.exits_with(0, &["refresh", &id]).await?;
    terminal.exits_with(0, &["check", &id]).await?;
    let token = terminal.line(&["token", &id]).await?;
    assert_eq!(terminal.status(&terminal.sandbox("/api/me").await?, &token).await?, 200);
    assert_eq!(proxy.accept().expect_err("no connection was made").kind(), std::io::ErrorKind::WouldBlock);
    terminal.relink.stop().await
}
