//! The schema, with a file for each version. A released version is never edited; each change is a new version.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::{Result, StoreError};
use crate::private_files;

/// Each entry takes the database from its index to the next version.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
    include_str!("schema/9.sql"),
    include_str!("schema/10.sql"),
    include_str!("schema/11.sql"),
    include_str!("schema/12.sql"),
    include_str!("schema/13.sql"),
    include_str!("schema/14.sql"),
    include_str!("schema/15.sql"),
    include_str!("schema/16.sql"),
    include_str!("schema/17.sql"),
    include_str!("schema/18.sql"),
    include_str!("schema/19.sql"),
    include_str!("schema/20.sql"),
];

/// Refuses a database of a newer Relink, without changing it. Otherwise returns the database's version and the newest.
pub(super) fn refuse_newer(connection: &Connection, folder: Option<&Path>) -> Result<(i64, i64)> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { folder: folder.map(Path::to_owned).unwrap_or_default(), found, known });
    }
    Ok((found, known))
}

/// Migrates the database to the newest version in one transaction, after backing it up.
pub(super) fn run(connection: &mut Connection, folder: Option<&Path>) -> Result<()> {
    let (found, known) = refuse_newer(connection, folder)?;
    if found == known {
        return Ok(());
    }
    if let (Some(folder), true) = (folder, found > 0) {
        back_up(connection, folder, found)?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// Copies the database to `relink.db.version-N.bak`, completely or not at all.
fn back_up(connection: &Connection, folder: &Path, version: i64) -> Result<()> {
    let copy = folder.join(format!("{}.version-{version}.bak", super::Store::FILE));
    let unfinished = copy.with_extension("bak.part");
    let refused = |source| StoreError::Folder { folder: folder.to_owned(), source };
    // SQLite accepts an empty file, and doesn't change its mode.
    private_files::replace_with_empty(&unfinished).map_err(refused)?;
    connection.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()])?;
    std::fs::rename(&unfinished, &copy).map_err(refused)
}

#[cfg(test)]
#[path = "migrations_tests.rs"]
mod tests;
