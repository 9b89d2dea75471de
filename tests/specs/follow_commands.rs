//! Commands that keep printing new entries: `relink events` and `relink sandbox log --follow`.

use std::{
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use relink_tests::{
    process,
    relink::{DEADLINE, Relink, program},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
    time::timeout,
};

use crate::command_line::{Terminal, assert_fields, text};

const EVENT: &str = "seq id event payload created_at";
const REFUSED: &str = "integrated_account:authentication_error";

/// A running command that keeps printing, and the reader of its output.
struct Follower {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Follower {
    fn start(terminal: &Terminal, arguments: &[&str]) -> Result<Self> {
        // Background jobs may ignore SIGINT, and child processes inherit that.
        let mut command = terminal.session.command("env");
        command.arg("--default-signal=INT").arg(program()).args(arguments);
        command.env("RELINK_DATA_DIR", terminal.relink.data_dir()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process::spawn(command)?;
        let lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        Ok(Self { child, lines })
    }

    /// The next line.
    async fn line(&mut self) -> Result<String> {
        let line = timeout(DEADLINE, self.lines.next_line()).await.context("no line was printed")??;
        line.context("the command has exited")
    }

    /// The next line that contains this text. Skips other lines.
    async fn line_containing(&mut self, part: &str) -> Result<String> {
        loop {
            let line = self.line().await?;
            if line.contains(part) {
                return Ok(line);
            }
        }
    }

    /// Sends SIGINT (Ctrl+C), and asserts that the command is terminated by it without an error message.
    async fn interrupt(self) -> Result<()> {
        process::signal("INT", self.child.id().context("the command has exited")?)?;
        let (status, stderr) = wait_for_exit(self.child).await?;
        assert_eq!((status.signal(), stderr.as_str()), (Some(2), ""), "{status}");
        Ok(())
    }

    /// Closes the reader, as `head` does, and asserts that the command exits with success at its next line.
    async fn close_reader(self, next: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
        let Self { child, lines } = self;
        drop(lines);
        next().await?;
        let (status, stderr) = wait_for_exit(child).await?;
        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{status}");
        Ok(())
    }
}

/// Waits for the exit. Returns the exit status and the standard error output.
async fn wait_for_exit(mut child: Child) -> Result<(ExitStatus, String)> {
    let mut stderr = String::new();
    let mut err = child.stderr.take().context("no standard error")?;
    timeout(DEADLINE, err.read_to_string(&mut stderr)).await.context("the command does not exit")??;
    Ok((child.wait().await?, stderr))
}

/// Connects an account and revokes its access, so that each refresh fails and causes an event.
async fn account_with_revoked_access(terminal: &Terminal) -> Result<String> {
    let id = terminal.connected().await?;
    terminal.exits_with(0, &["sandbox", "revoke"]).await?;
    terminal.exits_with(4, &["refresh", &id]).await?;
    Ok(id)
}

fn event(line: &str) -> Result<Value> {
    let event = serde_json::from_str(line)?;
    assert_fields(EVENT, &event);
    Ok(event)
}

#[tokio::test]
async fn following_the_sandbox_log_ends_on_interrupt_or_a_closed_pipe() -> Result<()> {
    let terminal = Terminal::new().await?;
    let id = terminal.connected().await?;
    let mut as_json = Follower::start(&terminal, &["sandbox", "log", "--follow", "--json"])?;
    let mut plain = Follower::start(&terminal, &["sandbox", "log", "--follow"])?;
    // First the entries from before the command started.
    as_json.line_containing("authorization_code").await?;
    plain.line_containing("authorization_code").await?;

    for _ in 0..2 {
        terminal.exits_with(0, &["refresh", &id]).await?;
        let seen: Value = serde_json::from_str(&as_json.line_containing("refresh_token").await?)?;
        assert_fields("seq at endpoint grant_type outcome subject", &seen);
        assert_eq!((text(&seen, "outcome")?.as_str(), text(&seen, "subject")?.as_str()), ("ok", "sandbox-ada"));
        let line = plain.line_containing("refresh_token").await?;
        assert!(line.contains(" ok ") && line.ends_with("sandbox-ada"), "{line}");
    }

    as_json.interrupt().await?;
    plain.close_reader(async || terminal.exits_with(0, &["refresh", &id]).await.map(drop)).await?;
    terminal.relink.stop().await
}

#[tokio::test]
async fn events_are_followed_from_now_on_or_from_a_given_position() -> Result<()> {
    let terminal = Terminal::new().await?;
    let id = account_with_revoked_access(&terminal).await?;
    let before = terminal.lines(EVENT, &["events", "--once"]).await?;
    let seq = before.last().context("no events")?["seq"].as_i64().context("not a number")?;

    // By default, the command prints only events that happen after its start.
    let mut from_now = Follower::start(&terminal, &["events", "--json"])?;
    let first = loop {
        terminal.exits_with(4, &["refresh", &id]).await?;
        if let Ok(line) = timeout(Duration::from_millis(500), from_now.line()).await {
            break event(&line?)?;
        }
    };
    assert!(first["seq"].as_i64() > Some(seq), "{first}");
    assert_eq!((text(&first, "event")?.as_str(), first["payload"]["id"].as_str()), (REFUSED, Some(id.as_str())));

    // With a position, it prints all events since then, and then new ones.
    let created = before.first().context("no events")?["seq"].to_string();
    let mut from_position = Follower::start(&terminal, &["events", "--after", &created])?;
    let working = from_position.line_containing("integrated_account:active").await?;
    assert!(working.ends_with(&format!("  integrated_account:active  {id}")), "{working}");
    from_position.line_containing(&text(&first, "created_at")?).await?;
    terminal.exits_with(4, &["refresh", &id]).await?;
    let created_at = text(&event(&from_now.line_containing(REFUSED).await?)?, "created_at")?;
    let line = from_position.line_containing(&created_at).await?;
    assert_eq!(line, format!("{created_at}  {REFUSED}  {id}"));

    from_now.interrupt().await?;
    from_position.close_reader(async || terminal.exits_with(4, &["refresh", &id]).await.map(drop)).await?;
    terminal.relink.stop().await
}

#[tokio::test]
async fn a_follower_learns_that_relink_ended_and_resumes_from_its_position() -> Result<()> {
    let mut terminal = Terminal::new().await?;
    let id = account_with_revoked_access(&terminal).await?;
    for is_killed in [false, true] {
        let before =
            terminal.lines(EVENT, &["events", "--once"]).await?.last().context("no events")?["seq"].to_string();
        let mut follower = Follower::start(&terminal, &["events", "--json", "--after", &before])?;
        terminal.exits_with(4, &["refresh", &id]).await?;
        let last = event(&follower.line_containing(REFUSED).await?)?["seq"].to_string();

        if is_killed {
            terminal.relink.kill().await?;
        } else {
            terminal.relink.stop().await?;
        }
        let (status, stderr) = wait_for_exit(follower.child).await?;
        assert_eq!(status.code(), Some(3), "{stderr}");
        assert!(stderr.contains("relink serve"), "the message says what to do: {stderr}");

        terminal.relink = Relink::start(&terminal.session).await?;
        terminal.exits_with(4, &["refresh", &id]).await?;
        let missed = terminal.lines(EVENT, &["events", "--once", "--after", &last]).await?;
        // The Sandbox may have a new port, which also causes an event.
        let of_account: Vec<_> = missed.iter().filter(|event| event["payload"]["id"] == id.as_str()).collect();
        ensure!(of_account.len() == 1 && of_account[0]["event"] == REFUSED, "{missed:?}");
    }
    terminal.relink.stop().await
}
