//! The file that stores settings and grants across restarts. It contains hashes, never tokens.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{grants::Grants, settings::Settings};

#[derive(Deserialize)]
pub(crate) struct Stored {
    pub(crate) settings: Settings,
    pub(crate) grants: Grants,
}

#[derive(Serialize)]
struct StoredRef<'a> {
    settings: &'a Settings,
    grants: &'a Grants,
}

/// Reads the file. A damaged one is renamed, and the Sandbox starts empty.
pub(crate) fn read(path: &Path) -> Option<Stored> {
    let text = fs::read_to_string(path).ok()?;
    match serde_json::from_str(&text) {
        Ok(stored) => Some(stored),
        Err(error) => {
            let aside = path.with_extension("broken");
            tracing::warn!("the Sandbox's state in {} can't be read ({error}); it is set aside", path.display());
            if let Err(error) = fs::rename(path, &aside) {
                tracing::warn!("it can't even be set aside: {error}");
            }
            None
        }
    }
}

/// Writes the file atomically, readable only by its user.
pub(crate) fn write(path: &Path, settings: &Settings, grants: &Grants) -> io::Result<()> {
    let text = serde_json::to_string(&StoredRef { settings, grants })?;
    let part = path.with_extension("part");
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&part)?;
    file.write_all(text.as_bytes())?;
    drop(file);
    fs::rename(part, path)
}
