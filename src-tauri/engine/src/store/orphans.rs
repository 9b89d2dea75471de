//! Orphans: keychain items without an owner, either not yet or no longer. They are deleted from the keychain as soon as
//! it is available.

use relink_domain::{EnvironmentIntegrationId, Timestamp};
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

/// Records that the item's tokens are still to be revoked, so that it is kept until then. For the item of an integration's
/// client: that the client is still needed for that, and the integration as it was.
pub fn set_revocation(tx: &Transaction<'_>, key: &str, revocation: &str) -> Result<()> {
    tx.execute("UPDATE orphan_item SET revocation = ?2 WHERE key = ?1", params![key, revocation])?;
    Ok(())
}

/// Records that nothing is to be revoked any more.
pub fn end_revocation(tx: &Transaction<'_>, key: &str) -> Result<()> {
    tx.execute("UPDATE orphan_item SET revocation = NULL WHERE key = ?1", [key])?;
    Ok(())
}

/// The revocations that are still to be done: the item's key, since when, and what `set_revocation` recorded.
pub fn revocations(connection: &Connection) -> Result<Vec<(String, Timestamp, String)>> {
    let query = "SELECT key, since, revocation FROM orphan_item WHERE revocation IS NOT NULL ORDER BY since";
    let mut statement = connection.prepare_cached(query)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, Timestamp::from_millis(row.get(1)?), row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether tokens of an integration's accounts are still to be revoked.
pub fn has_revocations(connection: &Connection, of: EnvironmentIntegrationId) -> Result<bool> {
    let query = "SELECT 1 FROM orphan_item WHERE key LIKE 'account/%' AND revocation ->> '$.integration' = ?1";
    Ok(connection.prepare_cached(query)?.exists([of.to_string()])?)
}

/// Whether the item can be deleted.
pub fn is_orphan(connection: &Connection, key: &str) -> Result<bool> {
    let query = "SELECT 1 FROM orphan_item WHERE key = ?1 AND revocation IS NULL";
    Ok(connection.prepare_cached(query)?.exists([key])?)
}

/// The keys of all orphans that can be deleted, oldest first.
pub fn list(connection: &Connection) -> Result<Vec<String>> {
    let mut statement =
        connection.prepare_cached("SELECT key FROM orphan_item WHERE revocation IS NULL ORDER BY since")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
