//! The folder that the person allowed, and nothing outside of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::problem::Problem;

/// The end of the names of files that Relink keeps beside a destination.
pub(crate) const BESIDE: &str = ".relink";

#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub fn new(allowed: PathBuf) -> Self {
        Self(allowed)
    }

    /// Where a path of a [`FileDestination`](relink_domain::sync::FileDestination) leads, with the folders on the way. The allowed folder
    /// itself isn't created: an unconnected drive would be filled at the place where it is mounted.
    pub fn place(&self, path: &str) -> Result<PathBuf, Problem> {
        let mut place = self.0.canonicalize().map_err(|error| Problem::io(&self.0, &error))?;
        let mut names = path.split('/').peekable();
        while let Some(name) = names.next() {
            place.push(name);
            if names.peek().is_some() {
                ensure(&place)?;
            } else if name.starts_with('.') && name.ends_with(BESIDE) {
                return Err(Problem::invalid(
                    "destination_reserved",
                    format!(
                        "{path} is a name that Relink uses beside its files. Choose another one in the job's path."
                    ),
                ));
            } else {
                refuse_link(&place)?;
            }
        }
        Ok(place)
    }
}

/// Makes a folder for this user alone, or finds it.
pub(crate) fn ensure(folder: &Path) -> Result<(), Problem> {
    refuse_link(folder)?;
    match create_private_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        created => return created.map_err(|error| Problem::io(folder, &error)),
    }
    let metadata = fs::symlink_metadata(folder).map_err(|error| Problem::io(folder, &error))?;
    if metadata.is_dir() { Ok(()) } else { Err(not_a("folder", folder)) }
}

fn refuse_link(path: &Path) -> Result<(), Problem> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(Problem::invalid(
            "destination_outside",
            format!(
                "{} is a link, and could lead out of the folder that you allowed, so nothing was written. Replace it with a file or a folder, or allow the folder that it leads to.",
                path.display(),
            ),
        )),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Problem::io(path, &error)),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn not_a(wanted: &str, path: &Path) -> Problem {
    Problem::invalid(
        "destination_not_usable",
        format!(
            "{} isn't a {wanted}, so nothing was written. Move it away, or choose another path in the job.",
            path.display()
        ),
    )
}

/// Opens a file for reading and writing. A new one is for this user alone; one that is there keeps who may read it.
pub(crate) fn open_or_create(path: &Path) -> Result<fs::File, Problem> {
    let mut options = fs::File::options();
    options.read(true).write(true).create(true).truncate(false);
    restrict(&mut options);
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => return Err(not_a("file", path)),
        opened => opened.map_err(|error| Problem::io(path, &error))?,
    };
    let metadata = file.metadata().map_err(|error| Problem::io(path, &error))?;
    if metadata.is_file() { Ok(file) } else { Err(not_a("file", path)) }
}

/// Creates a file that isn't there yet, for this user alone.
pub(crate) fn create_new(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::File::options();
    options.write(true).create_new(true);
    restrict(&mut options);
    options.open(path)
}

/// Makes a new name in a folder, or the absence of one, survive a loss of power.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Which file it is, whatever its name: a file that was replaced is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    /// None: there is no file any more.
    pub fn at(path: &Path) -> Option<Self> {
        fs::symlink_metadata(path).ok().map(|metadata| Self::of(&metadata))
    }

    #[cfg(unix)]
    pub fn of(metadata: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(metadata.dev(), metadata.ino())
    }

    /// Windows doesn't let go of a file that is open.
    #[cfg(not(unix))]
    pub fn of(_: &fs::Metadata) -> Self {
        Self(0, 0)
    }
}

#[cfg(unix)]
fn restrict(options: &mut fs::OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::fs::OFlags;

    // Don't wait for the other end of a pipe.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits().cast_signed());
}

#[cfg(unix)]
fn create_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(folder)
}

/// The user's own folders are private on Windows by inheritance.
#[cfg(not(unix))]
fn restrict(_: &mut fs::OpenOptions) {}

#[cfg(not(unix))]
fn create_private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)
}
