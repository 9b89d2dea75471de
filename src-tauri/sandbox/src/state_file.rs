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

/// Reads the file. A damaged one is renamed, and the Sandbox starts empty. So it does if there is no regular file: a pipe would
/// block it, and a link may lead anywhere. Writing replaces them.
pub(crate) fn read(path: &Path) -> Option<Stored> {
    if !fs::symlink_metadata(path).ok()?.is_file() {
        tracing::warn!("{} is not a regular file; the Sandbox starts empty", path.display());
        return None;
    }
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

/// Writes the file whole or not at all. A temporary file is its user's alone from its first moment.
pub(crate) fn write(path: &Path, settings: &Settings, grants: &Grants) -> io::Result<()> {
    let text = serde_json::to_vec(&StoredRef { settings, grants })?;
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(path))?;
    file.write_all(&text)?;
    file.persist(path)?;
    Ok(())
}
