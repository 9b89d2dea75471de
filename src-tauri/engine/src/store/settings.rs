//! Settings, and the id of this installation's environment.

use relink_domain::{EnvironmentId, Secret};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::Result;

const ENVIRONMENT_ID: &str = "environment_id";
const CURSOR_KEY: &str = "cursor_key";

pub fn get<T: DeserializeOwned>(connection: &Connection, name: &str) -> Result<Option<T>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM setting WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

pub fn set<T: Serialize>(tx: &Transaction<'_>, name: &str, value: &T) -> Result<()> {
    tx.execute(
        "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![name, serde_json::to_string(value)?],
    )?;
    Ok(())
}

/// The environment's id. The first start creates it.
pub fn ensure_environment(tx: &Transaction<'_>) -> Result<EnvironmentId> {
    if let Some(id) = get(tx, ENVIRONMENT_ID)? {
        return Ok(id);
    }
    let id = EnvironmentId::from_uuid(Uuid::now_v7());
    set(tx, ENVIRONMENT_ID, &id)?;
    Ok(id)
}

/// The text that the key of cursors is made of. The first start keeps `new`.
pub fn ensure_cursor_key(tx: &Transaction<'_>, new: &Secret) -> Result<Secret> {
    if let Some(text) = get::<String>(tx, CURSOR_KEY)? {
        return Ok(Secret::new(text));
    }
    set(tx, CURSOR_KEY, &new.expose())?;
    Ok(new.clone())
}
