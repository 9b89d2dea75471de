//! The store: one SQLite database, one thread that owns it, one transaction per change.
//!
//! Invariants:
//! - No secret is ever in here: tokens that callers show (link tokens, API tokens) are kept as SHA-256 hashes, everything
//!   else that is secret is in the keychain.
//! - State, timeline and outbox change in the same transaction ([`accounts::commit`]); nothing is told that wasn't committed.
//! - Nothing on the async runtime waits for the disk: callers wait for an answer on a channel.

pub mod accounts;
pub mod api_tokens;
mod changes;
pub mod integrations;
pub mod links;
mod migrations;
pub mod orphans;
pub mod outbox;
pub mod settings;
pub mod timeline;
pub mod webhooks;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

pub use changes::{ChangeSet, ChangedAccounts, Changes, MAX_CHANGED_ACCOUNTS};
use changes::{Publisher, Recorder};

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another Relink has this folder.
    #[error("Another Relink is already running with the data folder {}. Use that one, or start this one with another --data-dir.", .0.display())]
    Busy(PathBuf),
    /// A newer Relink wrote the database.
    #[error("The database in {} was written by a newer Relink (its version is {found}, this Relink knows up to {known}). Nothing was changed. Update Relink.", .folder.display())]
    Newer {
        /// The data folder.
        folder: PathBuf,
        /// The database's version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The folder or a file in it can't be used.
    #[error("The data folder {} can't be used: {source}", .folder.display())]
    Folder {
        /// The data folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("The database refused: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored document isn't what it should be.
    #[error("A stored record can't be read: {0}")]
    Document(#[from] serde_json::Error),
    /// The thread is gone: Relink is stopping.
    #[error("Relink is stopping")]
    Stopping,
}

/// Result of a store operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Jobs that may wait; more callers than this wait for a place.
const QUEUE: usize = 256;

/// A handle on the store's thread.
#[derive(Debug, Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    outbox_seq: watch::Sender<i64>,
    recorder: Recorder,
    publisher: Arc<Publisher>,
}

/// An open data folder: the store and the lock that keeps other engines out.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Held for as long as the engine lives; the OS releases it whatever happens to the process.
    pub lock: fs::File,
}

/// The file whose lock says that an engine runs. The command line looks at it too.
const LOCK: &str = "relink.lock";
/// The file by which the command line finds the engine that runs; the API writes it.
const DISCOVERY: &str = "engine.json";
/// How often, and how long apart, the lock is tried while somebody only looks at it.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(2);

/// Takes the lock for an engine. The command line looks whether one runs by sharing the lock for a moment, which is no
/// engine: it lets go at once. An engine doesn't share, and shows at the first try.
fn take(lock: &fs::File, pause: impl Fn()) -> Result<(), fs::TryLockError> {
    for _ in 0..TRIES {
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

impl Store {
    /// The database's file name.
    pub const FILE: &str = "relink.db";

    /// Opens the database of a data folder, making or migrating it as needed.
    pub fn open(folder: &Path) -> Result<Opened> {
        let refused = |source| StoreError::Folder { folder: folder.to_owned(), source };
        make_private(folder).map_err(refused)?;
        let lock =
            fs::File::options().create(true).truncate(false).write(true).open(folder.join(LOCK)).map_err(refused)?;
        match take(&lock, || thread::sleep(PAUSE)) {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(StoreError::Busy(folder.to_owned())),
            Err(fs::TryLockError::Error(source)) => return Err(refused(source)),
        }
        // An engine that was killed left it behind. Whoever listens at its address now is a stranger, and whoever reads
        // it until this engine has written its own would take them for this engine, because the lock is held.
        match fs::remove_file(folder.join(DISCOVERY)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(refused(source)),
            Ok(()) | Err(_) => {}
        }
        let path = folder.join(Self::FILE);
        let mut connection = Connection::open(&path)?;
        // Before anything is written, were it only the journal's mode.
        migrations::refuse_newer(&connection, Some(folder))?;
        configure(&connection)?;
        migrations::run(&mut connection, Some(folder))?;
        private_file(&path).map_err(refused)?;
        Ok(Opened { store: Self::run(connection)?, lock })
    }

    /// A store that lives in memory.
    pub fn in_memory() -> Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        configure(&connection)?;
        migrations::run(&mut connection, None)?;
        Self::run(connection)
    }

    fn run(mut connection: Connection) -> Result<Self> {
        let latest = outbox::latest(&connection)?;
        let recorder = Recorder::install(&connection)?;
        let (jobs, mut waiting) = mpsc::channel::<Job>(QUEUE);
        thread::Builder::new()
            .name("store".into())
            .spawn(move || {
                while let Some(job) = waiting.blocking_recv() {
                    job(&mut connection);
                }
            })
            .map_err(|source| StoreError::Folder { folder: PathBuf::new(), source })?;
        Ok(Self { jobs, outbox_seq: watch::Sender::new(latest), recorder, publisher: Arc::new(Publisher::new()) })
    }

    async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // The caller may have gone; what was to be written is written all the same.
            let _ = answer.send(job(connection));
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Stopping)?;
        answered.await.map_err(|_| StoreError::Stopping)?
    }

    /// Reads.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.ask(|connection| read(connection)).await
    }

    /// Writes in one transaction: all of it or nothing. Whoever follows the outbox is woken after the commit.
    pub async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write_then(write, |_| ()).await
    }

    /// [`Self::write`], and what follows from it in memory: after the commit, before the next one, and also when the caller
    /// has gone away.
    pub async fn write_then<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T> {
        let (outbox_seq, recorder, publisher) =
            (self.outbox_seq.clone(), self.recorder.clone(), Arc::clone(&self.publisher));
        self.ask(move |connection| {
            // Drop what a transaction recorded that was rolled back.
            recorder.take();
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = write(&transaction)?;
            let latest = outbox::latest(&transaction)?;
            transaction.commit()?;
            then(&value);
            outbox_seq.send_if_modified(|known| std::mem::replace(known, latest) != latest);
            publisher.publish(&recorder.take());
            Ok(value)
        })
        .await
    }

    /// Folds the write-ahead log into the database, so that the one file is whole for whoever copies it.
    pub async fn fold(&self) -> Result<()> {
        self.ask(|connection| Ok(connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?)).await
    }

    /// What transactions change from now on.
    pub fn changes(&self) -> Changes {
        self.publisher.subscribe()
    }

    /// The outbox's latest sequence number, and a wake-up whenever it grows.
    pub fn outbox_seq(&self) -> watch::Receiver<i64> {
        self.outbox_seq.subscribe()
    }
}

fn configure(connection: &Connection) -> Result<()> {
    // FULL: a committed intent must be on the disk before the old token is spent.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;
         PRAGMA secure_delete = ON;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Makes the folder, for its user alone.
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Leaves a file to its user alone.
fn private_file(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Reads a column that holds one of our documents.
pub(crate) fn document<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))
}

/// Reads a column that holds an id.
pub(crate) fn id<T: std::str::FromStr<Err = uuid::Error>>(text: &str) -> rusqlite::Result<T> {
    text.parse().map_err(|error: uuid::Error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_engine_in_the_same_folder_is_refused_with_words() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Store::open(folder.path()).expect("the first opens");
        let second = Store::open(folder.path()).expect_err("the second is refused");
        assert!(second.to_string().starts_with("Another Relink is already running"), "{second}");
        drop(first);
        Store::open(folder.path()).expect("free again");
    }

    /// The lock's file, as the command line opens it.
    fn looking(folder: &Path) -> fs::File {
        fs::File::open(folder.join(LOCK)).expect("there")
    }

    #[tokio::test]
    async fn whoever_only_looks_whether_an_engine_runs_keeps_none_from_starting() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(Store::open(folder.path()).expect("opens"));
        let (looks, starts) = (looking(folder.path()), looking(folder.path()));
        looks.try_lock_shared().expect("no engine runs");
        take(&starts, || looks.unlock().expect("let go")).expect("it starts");
    }

    #[tokio::test]
    async fn what_a_killed_engine_left_behind_leads_nobody_astray_while_the_next_one_starts() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(DISCOVERY), "{}").expect("written");
        let _open = Store::open(folder.path()).expect("opens");
        assert!(!folder.path().join(DISCOVERY).exists());
    }

    #[tokio::test]
    async fn a_database_of_a_newer_relink_is_refused_and_not_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(Store::FILE);
        let made = Connection::open(&path).and_then(|c| {
            c.execute_batch(
                "CREATE TABLE from_the_future (x); INSERT INTO from_the_future VALUES (1); PRAGMA user_version = 999",
            )
        });
        made.expect("made");
        let before = fs::read(&path).expect("read");
        let refused = Store::open(folder.path()).expect_err("refused");
        assert!(matches!(refused, StoreError::Newer { found: 999, .. }), "{refused}");
        assert!(fs::read(&path).expect("read") == before, "the file was touched");
    }

    #[tokio::test]
    async fn a_failed_write_leaves_nothing_behind() {
        let store = Store::in_memory().expect("opens");
        let failed: Result<()> = store
            .write(|tx| {
                tx.execute("INSERT INTO setting (name, value) VALUES ('a', '1')", [])?;
                Err(StoreError::Stopping)
            })
            .await;
        assert!(failed.is_err());
        let left: i64 = store
            .read(|c| Ok(c.query_row("SELECT count(*) FROM setting WHERE name = 'a'", [], |r| r.get(0))?))
            .await
            .expect("read");
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn after_a_stop_the_database_is_one_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = Store::open(folder.path()).expect("opens");
        open.store.write(|tx| settings::set(tx, "surface.shown", &1)).await.expect("written");
        let log = folder.path().join("relink.db-wal");
        let length = || fs::metadata(&log).expect("there").len();
        assert!(length() > 0);
        open.store.fold().await.expect("folded in");
        assert_eq!(length(), 0);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_folder_and_its_database_belong_to_their_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let _open = Store::open(&data).expect("opens");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&data.join(Store::FILE))), (0o700, 0o600));
    }
}
