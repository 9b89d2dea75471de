//! An SQLite file: a table for each resource, a column for each field of its records.
//!
//! A batch is one transaction, which also writes the batch's id into `relink_batches`. The file is in WAL mode while it is open, so that
//! nobody who reads it waits; afterwards it is one file again.

mod gone;
mod name;
mod schema;
mod table;

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    time::Duration,
};

use relink_domain::{SyncJobRunId, sync::FileDestination};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params};

use self::table::{Prepared, Table};
use crate::{
    Origin,
    batch::Batch,
    folder::{self, Identity},
    origin::{self, DELETED_AT, Gone},
    problem::Problem,
    record::{self, Field},
};

/// How long a write waits for another program before the run does.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a file of Relink has besides the records: the batches that could come again, and the columns that aren't named as their fields.
const BOOKKEEPING: &str = "
    CREATE TABLE IF NOT EXISTS relink_batches (
        id TEXT PRIMARY KEY NOT NULL, run TEXT NOT NULL, digest INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS relink_columns (
        \"table\" TEXT NOT NULL, field TEXT NOT NULL, \"column\" TEXT NOT NULL, PRIMARY KEY (\"table\", field)
    ) WITHOUT ROWID;
";

pub(crate) struct Sqlite {
    path: PathBuf,
    connection: Connection,
    identity: Identity,
    /// Of the last batch, with what else it depends on.
    table: Option<(TableOf, Table)>,
}

#[derive(PartialEq)]
struct TableOf {
    name: String,
    key: Option<String>,
    /// SQLite counts the changes of the schema.
    schema: i64,
}

impl Sqlite {
    pub fn open(path: &Path) -> Result<Self, Problem> {
        // So that it is private, and no link.
        let file = folder::open_or_create(path)?;
        let identity = Identity::of(&file.metadata().map_err(|error| Problem::io(path, &error))?);
        drop(file);
        let connection = connect(path).map_err(|error| problem(path, &error))?;
        Ok(Self { path: path.to_owned(), connection, identity, table: None })
    }

    /// Returns when the batch is committed. After an error nothing of it is in the file.
    pub fn write(&mut self, batch: &Batch, destination: &FileDestination) -> Result<(), Problem> {
        let name = table_of(destination, &batch.resource);
        let fail = |error: &rusqlite::Error| problem(&self.path, error);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| fail(&error))?;
        let is_new = transaction
            .prepare_cached(
                "INSERT INTO relink_batches (id, run, digest) VALUES (?, ?, ?)
                 ON CONFLICT (id) DO UPDATE SET digest = excluded.digest WHERE digest <> excluded.digest",
            )
            .and_then(|mut insert| {
                insert.execute(params![batch.id.to_string(), batch.run.to_string(), batch.digest().cast_signed()])
            })
            .map_err(|error| fail(&error))?;
        if is_new == 0 {
            return Ok(());
        }
        let schema = schema_version(&transaction).map_err(|error| fail(&error))?;
        let of = TableOf { name, key: destination.key.clone(), schema };
        let mut table = match self.table.take() {
            Some((known, table)) if known == of => table,
            _ => Table::load(&transaction, &of.name, of.key.as_deref()).map_err(|failure| failure.at(&self.path))?,
        };
        insert(&transaction, &mut table, batch).map_err(|failure| failure.at(&self.path))?;
        let schema = schema_version(&transaction).map_err(|error| fail(&error))?;
        transaction.commit().map_err(|error| fail(&error))?;
        self.table = Some((TableOf { schema, ..of }, table));
        Ok(())
    }

    /// Marks or removes rows, in one transaction, and gives their number.
    pub fn delete(&mut self, destination: &FileDestination, resource: &str, gone: &Gone) -> Result<u64, Problem> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = transaction.map_err(|error| problem(&self.path, &error))?;
        let table = table_of(destination, resource);
        let deleted = gone::delete(&transaction, &table, gone).map_err(|failure| failure.at(&self.path))?;
        transaction.commit().map_err(|error| problem(&self.path, &error))?;
        Ok(deleted)
    }

    /// Whether the path still leads to this file.
    pub fn is_current(&self) -> bool {
        Identity::at(&self.path) == Some(self.identity)
    }

    pub fn forget(&mut self, run: SyncJobRunId) -> Result<(), Problem> {
        self.connection
            .execute("DELETE FROM relink_batches WHERE run = ?", [run.to_string()])
            .map(drop)
            .map_err(|error| problem(&self.path, &error))
    }

    /// Makes it one file again, unless another program has it open: then it stays in WAL mode, which every SQLite reads.
    pub fn close(self) -> Result<(), Problem> {
        let _ = self.connection.busy_timeout(Duration::ZERO);
        let _ = set_journal_mode(&self.connection, "DELETE");
        self.connection.close().map_err(|(_, error)| problem(&self.path, &error))
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    set_journal_mode(&connection, "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.execute_batch(BOOKKEEPING)?;
    Ok(connection)
}

/// It answers with the mode that is in force.
fn set_journal_mode(connection: &Connection, mode: &str) -> rusqlite::Result<String> {
    connection.pragma_update_and_check(None, "journal_mode", mode, |row| row.get(0))
}

fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA schema_version")?.query_row([], |row| row.get(0))
}

fn insert(connection: &Connection, table: &mut Table, batch: &Batch) -> Result<(), Failure> {
    let origin = batch.origin.as_ref().map(Origin::fields);
    let mut fields: Vec<Field<'_>> = Vec::new();
    let mut records = batch.records().peekable();
    while let Some(record) = records.peek() {
        fields_of(record, origin.as_ref(), &mut fields)?;
        table.fit(connection, &fields)?;
        // As long as records fit into the table as it is, the statement is the same.
        let mut statement = Prepared::new(connection, table)?;
        while let Some(record) = records.peek() {
            fields_of(record, origin.as_ref(), &mut fields)?;
            if !statement.insert(&fields)? {
                break;
            }
            records.next();
        }
    }
    Ok(())
}

/// The fields of a record, and those of its origin, which stand for themselves alone.
fn fields_of<'a>(
    record: &'a str,
    origin: Option<&'a [(&'static str, String); 5]>,
    fields: &mut Vec<Field<'a>>,
) -> Result<(), Problem> {
    record::split(record, fields)?;
    if let Some(origin) = origin {
        fields.retain(|(name, _)| name != DELETED_AT && !origin::is_field(name));
        fields.extend(origin.iter().map(|(column, json)| (Cow::Borrowed(*column), json.as_str())));
    }
    Ok(())
}

fn table_of(destination: &FileDestination, resource: &str) -> String {
    destination.table.clone().unwrap_or_else(|| name::of_resource(resource))
}

/// An error of SQLite, for which the file's path is still to be added, or one that is said already.
#[derive(Debug)]
enum Failure {
    Sqlite(rusqlite::Error),
    Said(Problem),
}

impl Failure {
    fn at(self, path: &Path) -> Problem {
        match self {
            Self::Sqlite(error) => problem(path, &error),
            Self::Said(problem) => problem,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Said(problem)
    }
}

fn problem(path: &Path, error: &rusqlite::Error) -> Problem {
    let shown = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Problem::Busy,
        Some(ErrorCode::DiskFull) => Problem::disk_full(&shown),
        Some(ErrorCode::NotADatabase) => Problem::invalid(
            "destination_not_usable",
            format!(
                "{shown} isn't an SQLite database, so nothing was written. Move it away, or choose another path in the job."
            ),
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Problem::system(
            "destination_read_only",
            format!(
                "{shown} can't be written ({error}). The batch isn't in it. Allow yourself to write to it and to its folder, or choose another folder, and start the run again."
            ),
        ),
        Some(ErrorCode::DatabaseCorrupt) => Problem::system(
            "destination_damaged",
            format!(
                "{shown} is damaged ({error}), so nothing more is written to it. Move it away or restore it, then start the run again."
            ),
        ),
        _ => Problem::system(
            "destination_failed",
            format!("SQLite can't write to {shown}: {error}. The batch isn't in it."),
        ),
    }
}
