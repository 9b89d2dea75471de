//! The data folder: who may read it, and the lock that keeps other engines out.

use std::{fs, io, path::Path, thread, time::Duration};

use relink_contract::data_folder::{ENGINE_FILE, LOCK_FILE};

use super::{Result, StoreError};

/// How often, and with what delay, the lock is tried while the command line holds it.
const LOCK_TRIES: u32 = 100;
const LOCK_RETRY_DELAY: Duration = Duration::from_millis(2);

/// Creates the folder, accessible only to its user, and locks it. The OS releases the lock when the process exits, however it does.
pub(super) fn lock(folder: &Path) -> Result<fs::File> {
    let refused = |source| StoreError::Folder { folder: folder.to_owned(), source };
    make_private_folder(folder).map_err(refused)?;
    let lock =
        fs::File::options().create(true).truncate(false).write(true).open(folder.join(LOCK_FILE)).map_err(refused)?;
    match take(&lock, || thread::sleep(LOCK_RETRY_DELAY)) {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(StoreError::Busy(folder.to_owned())),
        Err(fs::TryLockError::Error(source)) => return Err(refused(source)),
    }
    // A killed engine leaves its file behind. Another program may listen at its address now, and because the lock is
    // held, the command line would mistake it for this engine until this engine has written its own file.
    match fs::remove_file(folder.join(ENGINE_FILE)) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(refused(source)),
        Ok(()) | Err(_) => Ok(lock),
    }
}

/// Takes the lock for an engine. The command line shares the lock briefly to check whether an engine is running; an engine
/// never shares it. So a lock that can be shared is tried again, and any other is held by an engine.
fn take(lock: &fs::File, pause: impl Fn()) -> Result<(), fs::TryLockError> {
    for _ in 0..LOCK_TRIES {
        match lock.try_lock() {
            Err(fs::TryLockError::WouldBlock) => {}
            taken => return taken,
        }
        lock.try_lock_shared()?;
        lock.unlock().map_err(fs::TryLockError::Error)?;
        pause();
    }
    Err(fs::TryLockError::WouldBlock)
}

fn make_private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Lets only the file's user read it.
pub(super) fn make_private_file(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn a_second_engine_in_the_same_folder_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Store::open(folder.path()).expect("the first opens");
        let second = Store::open(folder.path()).expect_err("the second is refused");
        assert!(second.to_string().starts_with("Another Relink is already running"), "{second}");
        drop(first);
        Store::open(folder.path()).expect("the lock is free again");
    }

    #[test]
    fn a_command_that_checks_the_lock_does_not_prevent_an_engines_start() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(Store::open(folder.path()).expect("opens"));
        let open = || fs::File::open(folder.path().join(LOCK_FILE)).expect("it is there");
        let (command_line, engine) = (open(), open());
        command_line.try_lock_shared().expect("no engine runs");
        take(&engine, || command_line.unlock().expect("unlocked")).expect("the engine starts");
    }

    #[test]
    fn the_file_of_a_killed_engine_is_removed_before_the_next_one_starts() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(ENGINE_FILE), "{}").expect("written");
        let _open = Store::open(folder.path()).expect("opens");
        assert!(!folder.path().join(ENGINE_FILE).exists());
    }

    #[cfg(unix)]
    #[test]
    fn only_its_user_can_read_the_folder_and_the_database() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let _open = Store::open(&data).expect("opens");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&data.join(Store::FILE))), (0o700, 0o600));
    }
}
