//! Orphans: keychain items that belong to nothing, yet or any more. They are swept when the keychain can be written.

use relink_domain::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::Result;

/// Notes a keychain item that belongs to nothing.
pub fn note(tx: &Transaction<'_>, key: &str, now: Timestamp) -> Result<()> {
    tx.execute("INSERT OR IGNORE INTO orphan_item (key, since) VALUES (?1, ?2)", params![key, now.as_millis()])?;
    Ok(())
}

/// The keychain item belongs to something, or is gone.
pub fn claim(tx: &Transaction<'_>, key: &str) -> Result<()> {
    tx.execute("DELETE FROM orphan_item WHERE key = ?1", [key])?;
    Ok(())
}

/// Whether a keychain item belongs to nothing.
pub fn is_orphan(connection: &Connection, key: &str) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM orphan_item WHERE key = ?1")?.exists([key])?)
}

/// Keychain items that belong to nothing.
pub fn list(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT key FROM orphan_item ORDER BY since")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
