//! Finding the Relink that runs with a data folder.

use std::{fs, io, net::SocketAddr, path::Path};

use relink_contract::data_folder::{ENGINE_FILE, EngineFile, LOCK_FILE};
use relink_engine::private_files;

use super::{ApiClient, Server};
use crate::exit::CliError;

impl ApiClient {
    /// Finds the Relink that runs with this data folder.
    ///
    /// The engine file outlives a killed process, and another program may then listen at its address. Only the lock, which
    /// the system releases, proves that the address belongs to Relink. So the lock is checked first; if it is free, nothing
    /// is sent.
    pub(crate) fn locate(data_dir: &Path) -> Result<Self, CliError> {
        let not_running = || CliError::not_running(data_dir);
        if !is_locked(data_dir)? {
            return Err(not_running());
        }
        let path = data_dir.join(ENGINE_FILE);
        let text = match private_files::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(not_running()),
            Err(error) => return Err(unusable(&error)),
        };
        let file: EngineFile = serde_json::from_str(&text).map_err(|_| not_running())?;
        #[cfg(unix)]
        if let Some(path) = &file.socket {
            return Ok(Self::new(Server::Socket(path.clone()), file, data_dir.to_owned()));
        }
        let address = file.base_url.as_ref().and_then(|url| url.strip_prefix("http://")?.parse::<SocketAddr>().ok());
        // The token must not leave this machine, nor reach a program of another user.
        let address = address.filter(|address| address.ip().is_loopback()).ok_or_else(not_running)?;
        if !relink_api::may_be_own_listener(address.port()) {
            return Err(CliError::new(format!(
                "A program of another user listens at {address}. Nothing was sent to it."
            )));
        }
        Ok(Self::new(Server::Tcp(address), file, data_dir.to_owned()))
    }
}

/// Whether a running Relink holds the data folder's lock. A shared lock is possible only while none does. A Relink that
/// starts at this moment tries again (`Store::open`).
fn is_locked(data_dir: &Path) -> Result<bool, CliError> {
    let lock = match private_files::open(&data_dir.join(LOCK_FILE)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(unusable(&error)),
    };
    match lock.try_lock_shared() {
        // Closing the file, at the end of this function, releases it.
        Ok(()) => Ok(false),
        Err(fs::TryLockError::WouldBlock) => Ok(true),
        Err(fs::TryLockError::Error(error)) => Err(unusable(&error)),
    }
}

fn unusable(error: &io::Error) -> CliError {
    CliError::new(format!("Can't tell whether Relink is running: {error}."))
}
