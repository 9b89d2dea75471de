//! A private wall clock for one test, which can be set while programs run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// A fake wall clock. Programs that are started with its environment use it. The monotonic clock isn't affected.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
    ahead: i64,
}

impl Clock {
    /// Creates a clock that shows the real time. Its state is a file in this folder.
    pub fn new(folder: &Path) -> Result<Self> {
        let clock = Self { library: library()?, file: folder.join("clock"), ahead: 0 };
        clock.set()?;
        Ok(clock)
    }

    /// The environment variables that make a program use this clock.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // Set both names, because releases of the library differ in which one they read.
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    /// Moves the clock forward by this many seconds, or back if negative.
    pub fn jump(&mut self, secs: i64) -> Result<()> {
        self.ahead += secs;
        self.set()
    }

    fn set(&self) -> Result<()> {
        // Rename atomically: a program that reads a half-written file would see a wrong time.
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{:+}", self.ahead))?;
        Ok(fs::rename(new, &self.file)?)
    }
}

/// The path of the library; each architecture has its own folder in `/usr/lib`. The single-threaded variant isn't used:
/// it shares buffers between threads, so that every few thousand calls one of them reads a wrong time.
fn library() -> Result<PathBuf> {
    fs::read_dir("/usr/lib")?
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists())
        .context("libfaketime is missing: install the Debian package faketime")
}
