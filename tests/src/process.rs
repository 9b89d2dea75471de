//! Child processes that never outlive their test.

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

/// The folder of what was built and installed.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// A command whose process is killed when the test's process exits, for whatever reason.
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
        .with_context(|| format!("cannot start {name}; make setup installs what the tests need"))
}

/// Sends a process a signal.
pub fn signal(name: &str, pid: u32) -> Result<()> {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status()?;
    ensure!(sent.success(), "cannot send {name} to process {pid}");
    Ok(())
}

/// Whether a process is running. A zombie (exited, but not yet waited for) isn't.
pub fn runs(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z")
}

/// All descendants of a process, with their names.
pub fn descendants(pid: u32) -> Result<Vec<(u32, String)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(other) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if stat(other).is_some_and(|(state, parent)| parent == pid && state != "Z") {
            all.push((other, fs::read_to_string(format!("/proc/{other}/cmdline")).unwrap_or_default()));
            all.extend(descendants(other)?);
        }
    }
    Ok(all)
}

/// The state and the parent of a process (`proc_pid_stat(5)`).
fn stat(pid: u32) -> Option<(String, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses before these fields may contain any character.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
