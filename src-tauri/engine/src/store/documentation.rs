//! Rows of documentation (contract section 4.1).

use relink_domain::{DocumentationId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Result, document, id};

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntityType {
    Integration,
    EnvironmentIntegration,
}

impl EntityType {
    const ALL: [Self; 2] = [Self::Integration, Self::EnvironmentIntegration];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integration => "integration",
            Self::EnvironmentIntegration => "environment_integration",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documentation {
    pub id: DocumentationId,
    pub entity_type: EntityType,
    /// The id of an integration, or of an installed one.
    pub entity_id: String,
    /// Its type and content, and the resource and method that it is about.
    pub document: Map<String, Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const COLUMNS: &str = "id, entity_type, entity_id, document, created_at, updated_at";

fn documentation(row: &Row<'_>) -> rusqlite::Result<Documentation> {
    let entity_type: String = row.get(1)?;
    Ok(Documentation {
        id: id(row.get_ref(0)?.as_str()?)?,
        entity_type: EntityType::named(&entity_type).unwrap_or(EntityType::Integration),
        entity_id: row.get(2)?,
        document: document(row.get_ref(3)?.as_str()?)?,
        created_at: Timestamp::from_millis(row.get(4)?),
        updated_at: Timestamp::from_millis(row.get(5)?),
    })
}

pub fn new_id() -> DocumentationId {
    DocumentationId::from_uuid(Uuid::now_v7())
}

/// Adds a row or changes it.
pub fn put(tx: &Transaction<'_>, row: &Documentation) -> Result<()> {
    tx.execute(
        "INSERT INTO documentation (id, entity_type, entity_id, document, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at",
        params![
            row.id.to_string(),
            row.entity_type.as_str(),
            row.entity_id,
            serde_json::to_string(&row.document)?,
            row.created_at.as_millis(),
            row.updated_at.as_millis()
        ],
    )?;
    Ok(())
}

pub fn get(connection: &Connection, row_id: DocumentationId) -> Result<Option<Documentation>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM documentation WHERE id = ?1"))?
        .query_row([row_id.to_string()], documentation)
        .optional()?)
}

/// The rows about something, oldest first.
pub fn of_entity(connection: &Connection, entity_id: &str) -> Result<Vec<Documentation>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM documentation WHERE entity_id = ?1 ORDER BY id"))?;
    let rows = statement.query_map([entity_id], documentation)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn delete(tx: &Transaction<'_>, row_id: DocumentationId) -> Result<()> {
    tx.execute("DELETE FROM documentation WHERE id = ?1", [row_id.to_string()])?;
    Ok(())
}

/// Deletes the rows about something.
pub fn delete_of(tx: &Transaction<'_>, entity_id: &str) -> Result<()> {
    tx.execute("DELETE FROM documentation WHERE entity_id = ?1", [entity_id])?;
    Ok(())
}
