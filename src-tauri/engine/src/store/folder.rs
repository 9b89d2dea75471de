//! The data folder: its files, which are private, and the lock that keeps other engines out.

use std::{fs, path::Path, thread, time::Duration};

use relink_contract::data_folder::{ENGINE_FILE, LOCK_FILE};

use super::{Result, Store, StoreError};
use crate::private_files;

/// How often, and with what delay, the lock is tried while the command line holds it.
const LOCK_TRIES: u32 = 100;
const LOCK_RETRY_DELAY: Duration = Duration::from_millis(2);

/// Creates the folder and its files, accessible only to their user, and locks it. The OS releases the lock when the process
/// exits, however it does.
pub(super) fn lock(folder: &Path) -> Result<fs::File> {
    let refused = |source| StoreError::Folder { folder: folder.to_owned(), source };
    private_files::ensure_folder(folder).map_err(refused)?;
    let lock = private_files::open_or_create(&folder.join(LOCK_FILE)).map_err(refused)?;
    match take(&lock, || thread::sleep(LOCK_RETRY_DELAY)) {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(StoreError::Busy(folder.to_owned())),
        Err(fs::TryLockError::Error(source)) => return Err(refused(source)),
    }
    // A killed engine leaves its file behind. Another program may listen at its address now, and because the lock is
    // held, the command line would mistake it for this engine until this engine has written its own file.
    private_files::remove(&folder.join(ENGINE_FILE)).map_err(refused)?;
    // SQLite follows links, and creates its other files with the mode of the database. The lock is held, so no other thread of
    // this process has the database open: closing it would release the locks of that one (fcntl(2)).
    let database = folder.join(Store::FILE);
    private_files::open_or_create(&database).map_err(refused)?;
    for beside in private_files::beside_database(&database) {
        private_files::make_private_if_exists(&beside).map_err(refused)?;
    }
    Ok(lock)
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
    fn only_its_user_can_read_the_folder_and_every_file_of_it() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let open = Store::open(&data).expect("opens");
        assert_eq!(mode(&data), 0o700);
        let names = || fs::read_dir(&data).expect("a folder").map(|entry| entry.expect("an entry").path());
        assert!(names().count() >= 4, "lock, database, write-ahead log and its index");
        for path in names() {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            // As an earlier version left it.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
        }
        drop(open);
        let _open = Store::open(&data).expect("opens");
        for path in names() {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_in_place_of_files_are_refused_or_removed_and_their_targets_stay() {
        let database = Path::new(Store::FILE);
        let mut names = vec![LOCK_FILE.into(), Store::FILE.into(), ENGINE_FILE.into()];
        names.extend(private_files::beside_database(database));
        for name in names {
            let folder = tempfile::tempdir().expect("a folder");
            let target = folder.path().join("target");
            fs::write(&target, "precious").expect("written");
            std::os::unix::fs::symlink(&target, folder.path().join(&name)).expect("a link");
            let opened = Store::open(folder.path());
            assert_eq!(opened.is_ok(), name == Path::new(ENGINE_FILE), "{}", name.display());
            assert_eq!(fs::read_to_string(&target).expect("read"), "precious", "{}", name.display());
        }
    }
}
