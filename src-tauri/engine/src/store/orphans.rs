//! Orphans: keychain items without an owner, either not yet or no longer. They are deleted from the keychain as soon as
//! it is available.

use relink_domain::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::Result;

/// Records an item as an orphan.
pub fn note(tx: &Transaction<'_>, key: &str, now: Timestamp) -> Result<()> {
    tx.execute("INSERT OR IGNORE INTO orphan_item (key, since) VALUES (?1, ?2)", params![key, now.as_millis()])?;
    Ok(())
}

/// Removes the record, because the item now has an owner or was deleted.
pub fn claim(tx: &Transaction<'_>, key: &str) -> Result<()> {
    tx.execute("DELETE FROM orphan_item WHERE key = ?1", [key])?;
    Ok(())
}

pub fn is_orphan(connection: &Connection, key: &str) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM orphan_item WHERE key = ?1")?.exists([key])?)
}

/// The keys of all orphans, oldest first.
pub fn list(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT key FROM orphan_item ORDER BY since")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
