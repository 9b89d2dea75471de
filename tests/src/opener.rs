//! A program with the name of the system's opener (`xdg-open`), which opens nothing and writes its command line to a file.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::page;

#[derive(Debug)]
pub struct Opener {
    record: PathBuf,
}

impl Opener {
    /// Puts it into a folder, which is made if it isn't there. Programs that look there first in their `PATH` use it.
    pub fn install(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let (program, record) = (folder.join("xdg-open"), folder.join("opened"));
        let script = format!("#!/bin/sh\ncat /proc/$$/cmdline > '{0}.part'\nmv '{0}.part' '{0}'\n", record.display());
        fs::write(&program, script)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700))?;
        Ok(Self { record })
    }

    /// Waits until it is started, and gives its command line, as other users see it. The next call waits for the next start.
    pub async fn command_line(&self) -> Result<String> {
        let seen = page::until(|| fs::read_to_string(&self.record).ok()).await.context("nothing was opened")?;
        fs::remove_file(&self.record)?;
        Ok(seen)
    }

    /// Waits until it is started, and gives the address that it should open.
    pub async fn address(&self) -> Result<String> {
        address_in(&self.command_line().await?)
    }
}

/// The last argument of a command line.
pub fn address_in(command_line: &str) -> Result<String> {
    Ok(command_line.trim_end_matches('\0').rsplit('\0').next().context("no argument")?.to_owned())
}
