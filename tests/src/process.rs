//! Children that never outlive their test.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
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
