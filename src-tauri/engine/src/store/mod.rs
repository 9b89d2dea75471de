//! The store: one SQLite database, one thread that writes, a few that read. A change is written whole or not at all.
//!
//! Invariants:
//! - No secret is in the database: link tokens and API tokens are stored as SHA-256 hashes, everything else that is secret
//!   is in the keychain.
//! - State, timeline and outbox change in one transaction ([`accounts::commit`]): only what was committed is announced.
//! - No async task waits for the disk: it waits for an answer on a channel. Locks that async tasks take are held for a few
//!   assignments in memory.
//! - A read that starts after a write was answered sees that write.

pub mod accounts;
pub mod api_tokens;
pub mod calls;
mod changes;
pub mod documentation;
pub mod documents;
pub mod filter;
mod folder;
pub mod integrations;
pub mod links;
pub mod mcp_tokens;
mod migrations;
pub mod orphans;
pub mod outbox;
#[cfg(test)]
mod query_plans;
mod readers;
pub mod settings;
pub mod sync_jobs;
pub mod timeline;
pub mod unified;
pub mod webhooks;
mod writer;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, ErrorCode, Transaction, ffi};
use tokio::sync::watch;

pub use changes::{ChangeSet, ChangedAccounts, Changes};
use readers::Readers;
use writer::{Durability, Writer};

/// Why the store can't be used. What SQLite itself says names tables, columns, statements and values. It is logged, and is
/// neither in the text nor among the sources.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("Another Relink is already running with the data folder {}. Use that one, or start this one with another --data-dir.", .0.display())]
    Busy(PathBuf),
    #[error("The database in {} was written by a newer Relink (its version is {found}, this Relink knows up to {known}). Nothing was changed. Update Relink.", .folder.display())]
    Newer { folder: PathBuf, found: i64, known: i64 },
    #[error("The data folder {} can't be used: {source}", .folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    /// At the start.
    #[error("The database {} can't be used: {}. {}", .file.display(), problem_of(.error), advice_for(.error))]
    Open { file: PathBuf, error: rusqlite::Error },
    #[error("Relink's database can't be used: {}", problem_of(.0))]
    Sqlite(rusqlite::Error),
    #[error("A record in Relink's database can't be read. Relink's log says why")]
    Document(serde_json::Error),
    /// The store's thread has ended.
    #[error("Relink is stopping")]
    Stopping,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!("the database: {error}");
        Self::Sqlite(error)
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        tracing::error!("a stored record: {error}");
        Self::Document(error)
    }
}

impl StoreError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Open { error, .. } | Self::Sqlite(error) => advice_for(error),
            Self::Document(_) | Self::Folder { .. } | Self::Busy(_) | Self::Newer { .. } | Self::Stopping => TRY_AGAIN,
        }
    }

    /// Names the database's file in an error of the start.
    fn at_start(self, file: &Path) -> Self {
        match self {
            Self::Sqlite(error) => Self::Open { file: file.to_owned(), error },
            other => other,
        }
    }
}

const TRY_AGAIN: &str = "Try again. If it happens again, Relink's log says more.";

fn problem_of(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::ReadOnly) => "its file can't be written",
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => "its file can't be opened",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "its file is damaged, or is no database",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another program is using it",
        Some(ErrorCode::SystemIoFailure) => "the disk reported an error",
        _ => "it reported an error, which is in Relink's log",
    }
}

fn advice_for(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "Make room on the disk, then try again.",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "Make sure that you can write to Relink's data folder and its files, then try again."
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "Restore it from a backup, or move it to another folder to start without accounts."
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "Close the other program, then try again.",
        _ => TRY_AGAIN,
    }
}

/// Result of a store operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The maximum number of waiting jobs of a thread; further callers wait.
const QUEUE_LENGTH: usize = 256;
/// The size of a connection's statement cache: more than there are different statements.
const STATEMENT_CACHE: usize = 128;

/// The store. Clones share the same database.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Writer,
    /// `None` for a database in memory, which only the writer's connection can read.
    readers: Option<Readers>,
}

/// An open data folder: the store and the lock that keeps other engines out.
#[derive(Debug)]
pub struct Opened {
    pub store: Store,
    /// Keep it as long as the engine runs.
    pub lock: fs::File,
}

impl Store {
    /// The database's file name.
    pub const FILE: &str = "relink.db";

    /// Opens the database of a data folder, and creates or migrates it if necessary.
    pub fn open(folder: &Path) -> Result<Opened> {
        let lock = folder::lock(folder)?;
        let path = folder.join(Self::FILE);
        let store = Self::open_database(folder, &path).map_err(|error| error.at_start(&path))?;
        Ok(Opened { store, lock })
    }

    fn open_database(folder: &Path, path: &Path) -> Result<Self> {
        let mut connection = Connection::open(path)?;
        // Before anything is written: switching the journal's mode writes too.
        migrations::refuse_newer(&connection, Some(folder))?;
        configure(&connection)?;
        migrations::run(&mut connection, Some(folder))?;
        Ok(Self { writer: Writer::start(connection)?, readers: Some(Readers::new(path)) })
    }

    #[cfg(test)]
    pub fn in_memory() -> Result<Self> {
        let mut connection = Connection::open_in_memory()?;
        configure(&connection)?;
        migrations::run(&mut connection, None)?;
        Ok(Self { writer: Writer::start(connection)?, readers: None })
    }

    /// Reads the last committed state, in parallel to the writer. All statements of one call see the same state.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match &self.readers {
            Some(readers) => readers.read(read).await,
            None => self.writer.alone(|connection| read(connection)).await,
        }
    }

    /// Writes all of it or nothing. Followers of the outbox and of changes are woken after the commit.
    pub async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write_then(write, |_| ()).await
    }

    /// [`Self::write`], followed by a change in memory: after the commit, in the order of the writes and before this returns,
    /// even if the caller was cancelled. A parallel read may see the commit earlier, and so may a later write, which can be
    /// part of the same transaction: a write decides by the database, not by what is in memory.
    pub async fn write_then<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T> {
        self.writer.write(Durability::Power, write, then).await
    }

    /// [`Self::write`] without waiting for the disk: a loss of power may undo it, the end of the process can't. For what can be done again.
    pub async fn write_unsynced<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.write(Durability::Process, write, |_| ()).await
    }

    /// Writes the write-ahead log back into the database, so that a copy of the one file is complete.
    pub async fn fold(&self) -> Result<()> {
        self.writer
            .alone(|connection| {
                let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
                if busy {
                    // A read is still in progress.
                    return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None).into());
                }
                Ok(())
            })
            .await
    }

    /// Subscribes to the changes of transactions.
    pub fn changes(&self) -> Changes {
        self.writer.publisher().subscribe()
    }

    /// The outbox's latest sequence number, and a wake-up whenever it grows.
    pub fn outbox_seq(&self) -> watch::Receiver<i64> {
        self.writer.outbox_seq().subscribe()
    }

    /// Sets whether the disk accepts writes, for tests.
    #[cfg(test)]
    pub(crate) async fn accept_writes(&self, accept: bool) -> Result<()> {
        self.writer.alone(move |connection| Ok(connection.pragma_update(None, "query_only", !accept)?)).await
    }
}

fn configure(connection: &Connection) -> Result<()> {
    // FULL: a committed intent must be on the disk before the old token is spent.
    // cache_size: at most 8 MB (it is given in KiB). With the default of 2 MB, thousands of refreshes at once spent a third of
    // the time of the writing thread on reading the same pages again.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;
         PRAGMA secure_delete = ON; PRAGMA cache_size = -8192;",
    )?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    Ok(())
}

/// The value of a LIMIT clause; none: no limit.
fn limit_clause(limit: Option<usize>) -> i64 {
    limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX))
}

/// Reads a column with a JSON document.
pub(crate) fn document<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))
}

/// Reads a column with an id.
pub(crate) fn id<T: std::str::FromStr<Err = uuid::Error>>(text: &str) -> rusqlite::Result<T> {
    text.parse().map_err(|error: uuid::Error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_a_newer_relink_is_refused_and_not_touched() {
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

    #[test]
    fn a_start_names_the_database_that_cannot_be_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(Store::FILE);
        fs::write(&path, "CREATE TABLE hidden_table".repeat(200)).expect("written");
        let refused = Store::open(folder.path()).expect_err("it isn't a database").to_string();
        assert!(refused.contains(&path.display().to_string()) && refused.contains("damaged"), "{refused}");
        assert!(!refused.contains("hidden") && !refused.contains("file is not a database"), "{refused}");
    }

    #[tokio::test]
    async fn a_failed_write_leaves_nothing_behind() {
        let store = Store::in_memory().expect("opens");
        let failed: Result<()> = store
            .write(|tx| {
                settings::set(tx, "a", &1)?;
                Err(StoreError::Stopping)
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(store.read(|c| settings::get::<i32>(c, "a")).await.expect("read"), None);
    }

    #[tokio::test]
    async fn after_a_stop_the_database_is_one_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = Store::open(folder.path()).expect("opens");
        open.store.write(|tx| settings::set(tx, "surface.shown", &1)).await.expect("written");
        // A connection that has only read doesn't prevent the log from being written back.
        open.store.read(|c| settings::get::<i32>(c, "surface.shown")).await.expect("read");
        let log = folder.path().join("relink.db-wal");
        let length = || fs::metadata(&log).expect("it is there").len();
        assert!(length() > 0);
        open.store.fold().await.expect("folded in");
        assert_eq!(length(), 0);
    }
}
