//! Unified models, those that are installed, and their mappings (contract section 8.1).

use relink_domain::{EnvironmentUnifiedModelId, Timestamp, UnifiedMappingId, UnifiedModelId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Result, document, id};

/// A unified model.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredModel {
    pub id: UnifiedModelId,
    pub name: String,
    pub built_in: bool,
    pub version: i64,
    /// What is written of it, without its name.
    pub document: Map<String, Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A model that is installed in this environment.
#[derive(Debug, Clone, PartialEq)]
pub struct InstalledModel {
    pub id: EnvironmentUnifiedModelId,
    pub model: StoredModel,
    /// Merged over the model's document, where that is shown.
    pub r#override: Map<String, Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Whose mappings: the base's or the environment's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappingOwner {
    Base(UnifiedModelId),
    Environment(EnvironmentUnifiedModelId),
}

impl MappingOwner {
    fn id(self) -> String {
        match self {
            Self::Base(id) => id.to_string(),
            Self::Environment(id) => id.to_string(),
        }
    }
}

/// Which of the two tables of mappings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappingLayer {
    Base,
    Environment,
}

impl MappingLayer {
    /// The table, and its column of the owner.
    const fn table(self) -> (&'static str, &'static str) {
        match self {
            Self::Base => ("unified_mapping", "unified_model_id"),
            Self::Environment => ("environment_unified_mapping", "environment_unified_model_id"),
        }
    }

    const fn of(owner: MappingOwner) -> Self {
        match owner {
            MappingOwner::Base(_) => Self::Base,
            MappingOwner::Environment(_) => Self::Environment,
        }
    }
}

/// A row of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct MappingRow {
    pub id: UnifiedMappingId,
    pub owner: MappingOwner,
    pub of: MappedMethod,
    pub config: Map<String, Value>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The method of an integration that a row maps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MappedMethod {
    pub integration_name: String,
    pub resource_name: String,
    pub method_name: String,
}

const MODEL: &str = "m.id, m.name, m.built_in, m.version, m.document, m.created_at, m.updated_at";
const INSTALLED: &str = "e.id, e.override, e.created_at, e.updated_at";
/// The place of the first column of [`INSTALLED`] after those of [`MODEL`].
const FIRST_OF_INSTALLED: usize = 7;

fn model_row(row: &Row<'_>) -> rusqlite::Result<StoredModel> {
    Ok(StoredModel {
        id: id(row.get_ref(0)?.as_str()?)?,
        name: row.get(1)?,
        built_in: row.get(2)?,
        version: row.get(3)?,
        document: document(row.get_ref(4)?.as_str()?)?,
        created_at: Timestamp::from_millis(row.get(5)?),
        updated_at: Timestamp::from_millis(row.get(6)?),
    })
}

fn installed_row(row: &Row<'_>) -> rusqlite::Result<InstalledModel> {
    const FIRST: usize = FIRST_OF_INSTALLED;
    Ok(InstalledModel {
        model: model_row(row)?,
        id: id(row.get_ref(FIRST)?.as_str()?)?,
        r#override: document(row.get_ref(FIRST + 1)?.as_str()?)?,
        created_at: Timestamp::from_millis(row.get(FIRST + 2)?),
        updated_at: Timestamp::from_millis(row.get(FIRST + 3)?),
    })
}

/// All models by name.
pub fn models(connection: &Connection) -> Result<Vec<StoredModel>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {MODEL} FROM unified_model m ORDER BY m.name"))?;
    let rows = statement.query_map([], model_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn model(connection: &Connection, model_id: UnifiedModelId) -> Result<Option<StoredModel>> {
    let sql = format!("SELECT {MODEL} FROM unified_model m WHERE m.id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([model_id.to_string()], model_row).optional()?)
}

pub fn model_named(connection: &Connection, name: &str) -> Result<Option<StoredModel>> {
    let sql = format!("SELECT {MODEL} FROM unified_model m WHERE m.name = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([name], model_row).optional()?)
}

/// Adds a model or changes it.
pub fn put_model(tx: &Transaction<'_>, model: &StoredModel) -> Result<()> {
    tx.execute(
        "INSERT INTO unified_model (id, name, built_in, version, document, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, built_in = excluded.built_in, version = excluded.version,
           document = excluded.document, updated_at = excluded.updated_at",
        params![
            model.id.to_string(),
            model.name,
            model.built_in,
            model.version,
            serde_json::to_string(&model.document)?,
            model.created_at.as_millis(),
            model.updated_at.as_millis()
        ],
    )?;
    Ok(())
}

/// Deletes a model, with its mappings and where it is installed.
pub fn delete_model(tx: &Transaction<'_>, model_id: UnifiedModelId) -> Result<()> {
    tx.execute("DELETE FROM unified_model WHERE id = ?1", [model_id.to_string()])?;
    Ok(())
}

/// All installed models by name.
pub fn installed_models(connection: &Connection) -> Result<Vec<InstalledModel>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {MODEL}, {INSTALLED} FROM environment_unified_model e JOIN unified_model m ON m.id = e.unified_model_id
         ORDER BY m.name"
    ))?;
    let rows = statement.query_map([], installed_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn installed_model(
    connection: &Connection,
    installed_id: EnvironmentUnifiedModelId,
) -> Result<Option<InstalledModel>> {
    let sql = format!(
        "SELECT {MODEL}, {INSTALLED} FROM environment_unified_model e JOIN unified_model m ON m.id = e.unified_model_id
         WHERE e.id = ?1"
    );
    Ok(connection.prepare_cached(&sql)?.query_row([installed_id.to_string()], installed_row).optional()?)
}

pub fn installation_of(connection: &Connection, model_id: UnifiedModelId) -> Result<Option<InstalledModel>> {
    let sql = format!(
        "SELECT {MODEL}, {INSTALLED} FROM environment_unified_model e JOIN unified_model m ON m.id = e.unified_model_id
         WHERE e.unified_model_id = ?1"
    );
    Ok(connection.prepare_cached(&sql)?.query_row([model_id.to_string()], installed_row).optional()?)
}

/// Installs a model or changes its installation.
pub fn put_installed(tx: &Transaction<'_>, installed: &InstalledModel) -> Result<()> {
    tx.execute(
        "INSERT INTO environment_unified_model (id, unified_model_id, override, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE SET override = excluded.override, updated_at = excluded.updated_at",
        params![
            installed.id.to_string(),
            installed.model.id.to_string(),
            serde_json::to_string(&installed.r#override)?,
            installed.created_at.as_millis(),
            installed.updated_at.as_millis()
        ],
    )?;
    Ok(())
}

/// Uninstalls a model, with the environment's mappings of it.
pub fn uninstall(tx: &Transaction<'_>, installed_id: EnvironmentUnifiedModelId) -> Result<()> {
    tx.execute("DELETE FROM environment_unified_model WHERE id = ?1", [installed_id.to_string()])?;
    Ok(())
}

fn mapping_row(layer: MappingLayer) -> impl Fn(&Row<'_>) -> rusqlite::Result<MappingRow> {
    move |row| {
        let owner = row.get_ref(1)?.as_str()?;
        Ok(MappingRow {
            id: id(row.get_ref(0)?.as_str()?)?,
            owner: match layer {
                MappingLayer::Base => MappingOwner::Base(id(owner)?),
                MappingLayer::Environment => MappingOwner::Environment(id(owner)?),
            },
            of: MappedMethod { integration_name: row.get(2)?, resource_name: row.get(3)?, method_name: row.get(4)? },
            config: document(row.get_ref(5)?.as_str()?)?,
            version: row.get(6)?,
            created_at: Timestamp::from_millis(row.get(7)?),
            updated_at: Timestamp::from_millis(row.get(8)?),
        })
    }
}

fn select_mappings(layer: MappingLayer, condition: &str) -> String {
    let (table, owner) = layer.table();
    format!(
        "SELECT id, {owner}, integration_name, resource_name, method_name, config, version, created_at, updated_at
         FROM {table} {condition}"
    )
}

/// All mappings of a layer.
pub fn mappings(connection: &Connection, layer: MappingLayer) -> Result<Vec<MappingRow>> {
    let mut statement = connection.prepare_cached(&select_mappings(layer, "ORDER BY id"))?;
    let rows = statement.query_map([], mapping_row(layer))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn mapping(connection: &Connection, layer: MappingLayer, row_id: UnifiedMappingId) -> Result<Option<MappingRow>> {
    let sql = select_mappings(layer, "WHERE id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([row_id.to_string()], mapping_row(layer)).optional()?)
}

/// The mapping of a method, if its owner has one.
pub fn mapping_of(connection: &Connection, owner: MappingOwner, of: &MappedMethod) -> Result<Option<MappingRow>> {
    let layer = MappingLayer::of(owner);
    let (_, column) = layer.table();
    let condition =
        format!("WHERE {column} = ?1 AND integration_name = ?2 AND resource_name = ?3 AND method_name = ?4");
    let values = params![owner.id(), of.integration_name, of.resource_name, of.method_name];
    let sql = select_mappings(layer, &condition);
    Ok(connection.prepare_cached(&sql)?.query_row(values, mapping_row(layer)).optional()?)
}

pub fn new_mapping_id() -> UnifiedMappingId {
    UnifiedMappingId::from_uuid(Uuid::now_v7())
}

/// Adds a mapping or changes it.
pub fn put_mapping(tx: &Transaction<'_>, row: &MappingRow) -> Result<()> {
    let (table, owner) = MappingLayer::of(row.owner).table();
    tx.execute(
        &format!(
            "INSERT INTO {table} (id, {owner}, integration_name, resource_name, method_name, config, version, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (id) DO UPDATE SET integration_name = excluded.integration_name,
               resource_name = excluded.resource_name, method_name = excluded.method_name, config = excluded.config,
               version = excluded.version, updated_at = excluded.updated_at"
        ),
        params![
            row.id.to_string(),
            row.owner.id(),
            row.of.integration_name,
            row.of.resource_name,
            row.of.method_name,
            serde_json::to_string(&row.config)?,
            row.version,
            row.created_at.as_millis(),
            row.updated_at.as_millis()
        ],
    )?;
    Ok(())
}

pub fn delete_mapping(tx: &Transaction<'_>, layer: MappingLayer, row_id: UnifiedMappingId) -> Result<()> {
    let (table, _) = layer.table();
    tx.execute(&format!("DELETE FROM {table} WHERE id = ?1"), [row_id.to_string()])?;
    Ok(())
}
