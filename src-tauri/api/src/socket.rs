//! The Unix socket in the data folder, which serves the same API. Only its user can connect to it, so programs can use it
//! without trusting whoever has the TCP port.

use std::{fs, io, os::unix::fs::FileTypeExt as _, os::unix::fs::PermissionsExt as _, path::Path, path::PathBuf};

use relink_contract::data_folder::SOCKET_FILE;
use tokio::net::UnixListener;

/// Listens on the socket. Without one, for example because its path is too long for the system, Relink runs on.
pub(crate) fn listen(data_dir: &Path) -> Option<(UnixListener, PathBuf)> {
    match bind(data_dir) {
        Ok(bound) => Some(bound),
        Err(error) => {
            tracing::warn!("there is no {SOCKET_FILE} in the data folder: {error}");
            None
        }
    }
}

fn bind(data_dir: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let path = std::path::absolute(data_dir)?.join(SOCKET_FILE);
    match fs::symlink_metadata(&path) {
        // A killed engine left it behind: this one holds the data folder's lock.
        Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(&path)?,
        Ok(_) => return Err(io::Error::other("something else has this name; move it away")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(&path)?;
    // Until this line another user could connect if they can enter the folder. Each peer is checked as well.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok((listener, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_its_users_alone_and_replaces_only_a_socket() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(SOCKET_FILE);
        // Dropping a listener leaves the file, as a kill does.
        drop(bind(folder.path()).expect("bound"));
        let (_listener, bound) = bind(folder.path()).expect("bound again");
        assert_eq!(bound, path);
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);

        fs::remove_file(&path).expect("removed");
        fs::write(&path, "precious").expect("written");
        assert!(listen(folder.path()).is_none());
        assert_eq!(fs::read_to_string(&path).expect("read"), "precious");
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_for_a_socket_is_no_obstacle() {
        let folder = tempfile::tempdir().expect("a folder");
        let long = folder.path().join("x".repeat(120));
        fs::create_dir(&long).expect("a folder");
        assert!(listen(&long).is_none());
    }
}
