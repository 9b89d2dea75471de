//! How the command line finds the running engine: a file in the data folder that only its user can read.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use relink_contract::{
    WireSecret,
    data_folder::{ENGINE_FILE, EngineFile},
};
use relink_domain::Secret;

/// The file, which exists while the engine runs.
#[derive(Debug)]
pub(crate) struct Discovery(PathBuf);

impl Discovery {
    pub(crate) fn write(folder: &Path, base_url: &str, token: Secret) -> Result<Self, (PathBuf, io::Error)> {
        let path = folder.join(ENGINE_FILE);
        let content = EngineFile {
            base_url: base_url.to_owned(),
            token: WireSecret::from(token),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        match replace(folder, &path, &content) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err((path, error)),
        }
    }

    /// Removes the file when the engine stops.
    pub(crate) fn remove(&self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!("{} is gone already: {error}", self.0.display());
        }
    }
}

/// Writes the file atomically. Only the user can ever read the temporary file.
fn replace(folder: &Path, path: &Path, content: &EngineFile) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(ENGINE_FILE).tempfile_in(folder)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_file_is_readable_by_its_user_alone_and_removed_at_the_end() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(ENGINE_FILE);
        fs::write(&path, "left behind by a crash").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("readable by everybody");
        let discovery = Discovery::write(folder.path(), "http://127.0.0.1:1", Secret::new("token")).expect("written");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let written: EngineFile = serde_json::from_slice(&fs::read(&path).expect("there")).expect("JSON");
        assert_eq!((written.base_url.as_str(), written.token.expose()), ("http://127.0.0.1:1", "token"));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "no temporary file stays");
        discovery.remove();
        assert!(!path.exists());
    }
}
