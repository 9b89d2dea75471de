//! The files of the data folder: regular files of this user, which only this user can read.
//!
//! Another user, or a mistake, may have put something else there: a pipe would block whoever opens it, a link would make Relink
//! read or change another file. So such a file is refused before anything is read from it or written to it.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

/// Opens an existing file for reading.
pub fn open(path: &Path) -> io::Result<fs::File> {
    open_with(path, fs::File::options().read(true))
}

/// Reads an existing file.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Opens a file for reading and writing, and creates it if it doesn't exist. Makes it private if it isn't.
pub fn open_or_create(path: &Path) -> io::Result<fs::File> {
    let file = open_with(path, fs::File::options().read(true).write(true).create(true).truncate(false))?;
    make_private(&file)?;
    Ok(file)
}

/// Makes a file private, if it exists.
pub(crate) fn make_private_if_exists(path: &Path) -> io::Result<()> {
    match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => make_private(&opened?),
    }
}

/// Creates an empty file in place of whatever has this name. Only a folder stays, which is an error.
pub(crate) fn replace_with_empty(path: &Path) -> io::Result<()> {
    remove(path)?;
    open_with(path, fs::File::options().write(true).create_new(true)).map(drop)
}

/// Removes a file, if it exists.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(named(path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn open_with(path: &Path, options: &mut fs::OpenOptions) -> io::Result<fs::File> {
    platform::restrict(options);
    let file = options.open(path).map_err(|error| platform::explain(path, error))?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(not_a_file(path));
    }
    if !platform::is_own(&metadata) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} belongs to another user", path.display()),
        ));
    }
    Ok(file)
}

/// Creates a folder that only its user can use. An existing one stays as it is, and is refused if other users can write to it:
/// they could replace its files.
pub fn ensure_folder(folder: &Path) -> io::Result<()> {
    platform::create_private_folder(folder)?;
    let metadata = fs::metadata(folder)?;
    if !platform::is_own(&metadata) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    platform::refuse_if_others_can_write(folder, &metadata)
}

fn not_a_file(path: &Path) -> io::Error {
    let message = format!("{} is not a regular file; move it away", path.display());
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The files that SQLite keeps beside a database.
pub(crate) fn beside_database(path: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

#[cfg(unix)]
use platform::make_private;

#[cfg(unix)]
mod platform {
    use std::{
        fs, io,
        os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
        path::Path,
    };

    use rustix::{fs::OFlags, io::Errno, process::geteuid};

    const PRIVATE_FILE: u32 = 0o600;
    const PRIVATE_FOLDER: u32 = 0o700;
    const WRITABLE_BY_OTHERS: u32 = 0o022;

    /// Follow no link, and don't wait for the other end of a pipe.
    pub(super) fn restrict(options: &mut fs::OpenOptions) {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.mode(PRIVATE_FILE).custom_flags(flags.bits().cast_signed());
    }

    pub(super) fn explain(path: &Path, error: io::Error) -> io::Error {
        match Errno::from_io_error(&error) {
            // A link; a socket or a device without a driver; a folder.
            Some(Errno::LOOP | Errno::NXIO | Errno::ISDIR) => super::not_a_file(path),
            _ if error.kind() == io::ErrorKind::NotFound => error,
            _ => super::named(path, &error),
        }
    }

    pub(super) fn is_own(metadata: &fs::Metadata) -> bool {
        metadata.uid() == geteuid().as_raw()
    }

    pub(super) fn make_private(file: &fs::File) -> io::Result<()> {
        if file.metadata()?.mode() & 0o777 == PRIVATE_FILE {
            return Ok(());
        }
        file.set_permissions(fs::Permissions::from_mode(PRIVATE_FILE))
    }

    pub(super) fn create_private_folder(folder: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(folder)
    }

    pub(super) fn refuse_if_others_can_write(folder: &Path, metadata: &fs::Metadata) -> io::Result<()> {
        if metadata.mode() & WRITABLE_BY_OTHERS == 0 {
            return Ok(());
        }
        let message = format!("other users can write to it. To change that, run: chmod go-w '{}'", folder.display());
        Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
    }
}

/// The user's own folders are private on Windows by inheritance.
#[cfg(not(unix))]
mod platform {
    use std::{fs, io, path::Path};

    pub(super) fn restrict(_: &mut fs::OpenOptions) {}

    pub(super) fn explain(_: &Path, error: io::Error) -> io::Error {
        error
    }

    pub(super) fn is_own(_: &fs::Metadata) -> bool {
        true
    }

    pub(super) fn create_private_folder(folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    pub(super) fn refuse_if_others_can_write(_: &Path, _: &fs::Metadata) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(not(unix))]
fn make_private(_: &fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
#[path = "private_files_tests.rs"]
mod tests;
