//! A wall clock of a test's own, which can be set while programs run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The clock. Programs see it when they are started with its environment; time that is measured stays as it is.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
    ahead: i64,
}

impl Clock {
    /// A clock that shows the true time, kept in a file of this folder.
    pub fn new(folder: &Path) -> Result<Self> {
        let clock = Self { library: library()?, file: folder.join("clock"), ahead: 0 };
        clock.set()?;
        Ok(clock)
    }

    /// What programs need in their environment to see it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // Both names: releases of the library differ in the one that they read.
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    /// Sets it forward, or back, by so many seconds from what it shows.
    pub fn jump(&mut self, secs: i64) -> Result<()> {
        self.ahead += secs;
        self.set()
    }

    fn set(&self) -> Result<()> {
        // Put in place at once: a program that reads a half-written file would see another time.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{:+}", self.ahead))?;
        Ok(fs::rename(new, &self.file)?)
    }
}

/// The library's file: each architecture has its own folder below `/usr/lib`. Its plain variant keeps what it reads in
/// buffers that threads share: every few thousand looks one of several threads sees another time.
fn library() -> Result<PathBuf> {
    fs::read_dir("/usr/lib")?
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists())
        .context("libfaketime is missing: install the Debian package faketime")
}
