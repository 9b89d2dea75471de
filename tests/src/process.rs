//! Children that never outlive their test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use tokio::process::Child;

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// A command whose process is killed when the test's process ends, however that ends.
pub fn command(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command.stdin(Stdio::null());
    command
}

/// Starts a child that is killed when it is dropped.
pub fn spawn(command: Command) -> Result<Child> {
    let name = command.get_args().nth(3).unwrap_or_default().to_string_lossy().into_owned();
    tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{name} can't be started; make setup installs what the tests need"))
}

/// Sends a process a signal.
pub fn signal(name: &str, pid: u32) -> Result<()> {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status()?;
    ensure!(sent.success(), "{pid} is gone");
    Ok(())
}

/// Whether a process runs: one that has ended and that nobody has asked about yet doesn't.
pub fn runs(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z")
}

/// The programs that a process has started, and those that they have started, by name.
pub fn offspring(pid: u32) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(other) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if stat(other).is_some_and(|(state, parent)| parent == pid && state != "Z") {
            all.push(fs::read_to_string(format!("/proc/{other}/cmdline")).unwrap_or_default());
            all.extend(offspring(other)?);
        }
    }
    Ok(all)
}

/// A process's state and its parent (`proc_pid_stat(5)`).
fn stat(pid: u32) -> Option<(String, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything, in brackets.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
