//! How programs find the running engine: a file in the data folder for the command line, with the run's token, and a file in
//! the user's runtime folder for all programs, without one. Only their user can read them.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use relink_contract::{
    WireSecret,
    data_folder::{ENGINE_FILE, EngineFile, RUNTIME_FILE, RUNTIME_FOLDER, RuntimeFile},
};
use relink_domain::Secret;
use relink_engine::private_files;
use serde::Serialize;

use crate::port::PortState;

/// The files, which exist while the engine runs.
#[derive(Debug)]
pub(crate) struct Discovery {
    data_dir: PathBuf,
    runtime: Option<RuntimeFolder>,
    socket: Option<PathBuf>,
    token: Secret,
    is_removed: Mutex<bool>,
}

/// Relink's folder in the user's runtime folder. The first of several engines has it.
#[derive(Debug)]
struct RuntimeFolder {
    path: PathBuf,
    _lock: fs::File,
}

impl Discovery {
    /// `runtime_dir`: the user's runtime folder (`$XDG_RUNTIME_DIR`), if there is one.
    pub(crate) fn new(data_dir: PathBuf, runtime_dir: Option<&Path>, socket: Option<PathBuf>, token: Secret) -> Self {
        let runtime = runtime_dir.and_then(|folder| match RuntimeFolder::take(folder) {
            Ok(folder) => folder,
            Err(error) => {
                tracing::warn!("programs can't find Relink by {RUNTIME_FOLDER}/{RUNTIME_FILE}: {error}");
                None
            }
        });
        Self { data_dir, runtime, socket, token, is_removed: Mutex::default() }
    }

    /// Writes the files. An error names the file. Does nothing after [`Self::remove`].
    pub(crate) fn write(&self, state: &PortState) -> Result<(), (PathBuf, io::Error)> {
        let is_removed = self.is_removed.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_removed {
            return Ok(());
        }
        let base_url = state.problem.is_none().then(|| state.base_url.to_string());
        let socket = self.socket.as_ref().and_then(|path| path.to_str()).map(str::to_owned);
        let (pid, version) = (std::process::id(), env!("CARGO_PKG_VERSION").to_owned());
        if let Some(runtime) = &self.runtime {
            let (base_url, socket, version) = (base_url.clone(), socket.clone(), version.clone());
            replace(&runtime.path, RUNTIME_FILE, &RuntimeFile { base_url, socket, pid, version })?;
        }
        let port_problem = state.problem.as_ref().map(ToString::to_string);
        let token = WireSecret::from(self.token.clone());
        replace(&self.data_dir, ENGINE_FILE, &EngineFile { base_url, port_problem, socket, token, pid, version })
    }

    /// Removes the files when the engine stops.
    pub(crate) fn remove(&self) {
        *self.is_removed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let runtime = self.runtime.as_ref().map(|runtime| runtime.path.join(RUNTIME_FILE));
        for file in [Some(self.data_dir.join(ENGINE_FILE)), runtime, self.socket.clone()].into_iter().flatten() {
            if let Err(error) = fs::remove_file(&file) {
                tracing::debug!("{} is gone already: {error}", file.display());
            }
        }
    }
}

impl RuntimeFolder {
    /// `None` if another engine has it.
    fn take(runtime_dir: &Path) -> io::Result<Option<Self>> {
        if !runtime_dir.is_absolute() || !runtime_dir.is_dir() {
            return Err(io::Error::other("XDG_RUNTIME_DIR is not the absolute path of a folder"));
        }
        // A program that was started with su may still have the other user's.
        private_files::ensure_folder(runtime_dir)?;
        let path = runtime_dir.join(RUNTIME_FOLDER);
        private_files::ensure_folder(&path)?;
        let lock = private_files::open_or_create(&path.join("api.lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { path, _lock: lock })),
            Err(fs::TryLockError::WouldBlock) => {
                tracing::info!("{} is about another Relink", path.join(RUNTIME_FILE).display());
                Ok(None)
            }
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Writes a file atomically. Only the user can ever read the temporary file.
fn replace(folder: &Path, name: &str, content: &impl Serialize) -> Result<(), (PathBuf, io::Error)> {
    let path = folder.join(name);
    let written = || {
        let mut file = tempfile::Builder::new().prefix(name).tempfile_in(folder)?;
        file.write_all(&serde_json::to_vec(content)?)?;
        file.persist(&path)?;
        Ok(())
    };
    written().map_err(|error| (path.clone(), error))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{bind::PortProblem, port::ApiPort};

    fn discovery(data: &Path, runtime: &Path) -> Discovery {
        let socket = Some(data.join("api.sock"));
        Discovery::new(data.to_owned(), Some(runtime), socket, Secret::new("canary-token"))
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    fn entries(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_files_are_readable_by_their_user_alone_and_removed_at_the_end() {
        let (data, runtime) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let (engine_file, folder) = (data.path().join(ENGINE_FILE), runtime.path().join(RUNTIME_FOLDER));
        fs::write(&engine_file, "left behind by a crash").expect("written");
        fs::set_permissions(&engine_file, fs::Permissions::from_mode(0o666)).expect("readable by everybody");
        let discovery = discovery(data.path(), runtime.path());
        discovery.write(&ApiPort::new(7417, None).state()).expect("written");
        let runtime_file = folder.join(RUNTIME_FILE);
        assert_eq!((mode(&engine_file), mode(&runtime_file), mode(&folder)), (0o600, 0o600, 0o700));

        let engine: EngineFile = serde_json::from_slice(&fs::read(&engine_file).expect("there")).expect("JSON");
        let text = fs::read_to_string(&runtime_file).expect("there");
        let found: RuntimeFile = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (engine.base_url.as_deref(), engine.token.expose()),
            (Some("http://127.0.0.1:7417"), "canary-token")
        );
        assert_eq!((found.base_url, found.socket), (engine.base_url, engine.socket));
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(entries(data.path()), [ENGINE_FILE], "no temporary file stays");

        discovery.remove();
        assert!(!engine_file.exists() && !runtime_file.exists());
        discovery.write(&ApiPort::new(7417, None).state()).expect("nothing to do");
        assert!(!engine_file.exists(), "nothing is written after the end");
    }

    #[test]
    fn without_the_port_no_file_names_a_base_url() {
        let (data, runtime) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let discovery = discovery(data.path(), runtime.path());
        let taken = ApiPort::new(7417, Some(PortProblem::OtherUser(7417)));
        discovery.write(&taken.state()).expect("written");
        for file in [data.path().join(ENGINE_FILE), runtime.path().join(RUNTIME_FOLDER).join(RUNTIME_FILE)] {
            let text = fs::read_to_string(&file).expect("there");
            assert!(text.contains(r#""base_url":null"#) && text.contains("api.sock"), "{text}");
        }
    }

    #[test]
    fn the_first_of_several_engines_has_the_runtime_file() {
        let (first, second) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let runtime = tempfile::tempdir().expect("a folder");
        let state = |port| ApiPort::new(port, None).state();
        let one = discovery(first.path(), runtime.path());
        one.write(&state(1)).expect("written");
        let other = discovery(second.path(), runtime.path());
        other.write(&state(2)).expect("written");
        other.remove();
        let text = fs::read_to_string(runtime.path().join("relink/api.json")).expect("there");
        assert!(text.contains("127.0.0.1:1\""), "{text}");
    }

    #[test]
    fn a_runtime_folder_that_others_can_write_to_is_not_used() {
        let (data, runtime) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let folder = runtime.path().join(RUNTIME_FOLDER);
        fs::create_dir(&folder).expect("a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("set");
        let discovery = discovery(data.path(), runtime.path());
        discovery.write(&ApiPort::new(7417, None).state()).expect("written");
        assert!(entries(&folder).is_empty() && data.path().join(ENGINE_FILE).exists());
    }
}
