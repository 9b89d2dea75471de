//! How the command line finds the running engine: a file in the data folder that only its user can read.

use std::{
    fmt::Write as _,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::json;
use sha2::{Digest, Sha256};

/// The file, as long as the engine runs.
#[derive(Debug)]
pub(crate) struct Discovery(PathBuf);

/// The file's name.
const FILE: &str = "engine.json";

/// A control token for this run, and its hash.
pub(crate) fn fresh_token() -> Option<(String, [u8; 32])> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).ok()?;
    let mut token = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String can't fail.
        let _ = write!(token, "{byte:02x}");
    }
    let hash = Sha256::digest(token.as_bytes()).into();
    Some((token, hash))
}

impl Discovery {
    /// Writes the file, whole or not at all.
    pub(crate) fn write(folder: &Path, base_url: &str, token: &str) -> Result<Self, (PathBuf, io::Error)> {
        let path = folder.join(FILE);
        let text = json!({
            "base_url": base_url,
            "token": token,
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
        })
        .to_string();
        match replace(&path, &text) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err((path, error)),
        }
    }

    /// The engine stops.
    pub(crate) fn remove(&self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!("{} is gone already: {error}", self.0.display());
        }
    }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let part = path.with_extension("json.part");
    // What an interrupted start left behind keeps its own permissions: the file is made anew.
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.create_new(true).write(true);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_users_alone_and_goes_with_the_engine() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let left_behind = folder.path().join("engine.json.part");
        fs::write(&left_behind, "half").expect("written");
        fs::set_permissions(&left_behind, fs::Permissions::from_mode(0o666)).expect("open to all");
        let discovery = Discovery::write(folder.path(), "http://127.0.0.1:1", "token").expect("written");
        let path = folder.path().join(FILE);
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        discovery.remove();
        assert!(!path.exists());
    }
}
