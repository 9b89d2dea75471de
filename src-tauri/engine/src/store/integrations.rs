//! The catalog of integrations, and those that are installed.

use relink_domain::{EnvironmentIntegrationId, IntegrationId, Timestamp, merge::merged_text, origins::Origins};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Result, document, id};

/// Name of the Sandbox. It runs only while the person has it installed.
pub const SANDBOX: &str = "sandbox";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Integration {
    pub id: IntegrationId,
    /// Unique.
    pub name: String,
    /// Whether it is built in.
    pub built_in: bool,
    pub version: i64,
    /// Version of the checker that accepted the definition.
    pub checker_version: i64,
    /// The definition, with its client secrets blanked and without `documentation`.
    pub document: Value,
    /// The rows of its documentation, oldest first. Nothing here writes them.
    #[serde(default)]
    pub documentation: Vec<Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Integration {
    /// Whether it is Relink's own Sandbox, which the Sandbox's controls act on.
    pub fn is_own_sandbox(&self) -> bool {
        self.built_in && self.name == SANDBOX
    }

    /// The category of the provider. It isn't part of the config, so no override changes it.
    pub fn category(&self) -> Option<String> {
        self.document.get("category").and_then(Value::as_str).map(str::to_owned)
    }

    pub fn is_beta(&self) -> bool {
        self.document.get("is_beta").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Who may install it: `deny`, `ask` (the default) or `allow`.
    pub fn sharing(&self) -> &str {
        self.document.get("sharing").and_then(Value::as_str).unwrap_or("ask")
    }

    /// What a person calls it, with an override merged over its config.
    pub(crate) fn label_with(&self, over: &Map<String, Value>) -> String {
        let outside = || self.document.get("label").and_then(Value::as_str);
        self.config_text(over, &["label"]).or_else(outside).unwrap_or(&self.name).to_owned()
    }

    /// Its color as CSS writes it, with an override merged over its config.
    pub(crate) fn color_with(&self, over: &Map<String, Value>) -> Option<String> {
        self.config_text(over, &["relink", "color"]).map(str::to_owned)
    }

    /// Read from the document, because it is shown even where the definition can't be loaded.
    fn config_text<'v>(&'v self, over: &'v Map<String, Value>, path: &[&str]) -> Option<&'v str> {
        merged_text(self.document.get("config")?.as_object()?, over, path)
    }
}

/// An integration that is installed in this environment. Serialized, it is what the store keeps of a removed one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Installed {
    pub id: EnvironmentIntegrationId,
    pub integration: Integration,
    /// Whether accounts can be connected with it.
    pub is_enabled: bool,
    /// Whether the connect UI offers it.
    pub show_in_catalog: bool,
    /// Merged over the integration's config.
    pub r#override: Map<String, Value>,
    /// The addresses that its client secret was given for. Set only by [`bind_client_secret`].
    pub client_secret_origins: Origins,
    /// Which secrets of the keychain's item are in force. Set only by [`put_secrets_in_force`].
    #[serde(default)]
    pub secrets_generation: u64,
    /// The rows of documentation of this installation, oldest first. Nothing here writes them.
    #[serde(default)]
    pub documentation: Vec<Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Installed {
    /// What a person calls it.
    pub fn label(&self) -> String {
        self.integration.label_with(&self.r#override)
    }

    /// Its color as CSS writes it.
    pub fn color(&self) -> Option<String> {
        self.integration.color_with(&self.r#override)
    }
}

const INTEGRATION: &str = "i.id, i.name, i.built_in, i.version, i.checker_version, i.document, i.created_at, i.updated_at,
     (SELECT json_group_array(json(document)) FROM (SELECT document FROM documentation WHERE entity_id = i.id ORDER BY id))";
const INSTALLED: &str = "e.id, e.is_enabled, e.show_in_catalog, e.override, e.created_at, e.updated_at, e.client_secret_origins, e.secrets_generation,
     (SELECT json_group_array(json(document)) FROM (SELECT document FROM documentation WHERE entity_id = e.id ORDER BY id))";
/// The place of the first column of [`INSTALLED`] after those of [`INTEGRATION`].
const FIRST_OF_INSTALLED: usize = 9;

fn integration(row: &Row<'_>) -> rusqlite::Result<Integration> {
    Ok(Integration {
        id: id(row.get_ref(0)?.as_str()?)?,
        name: row.get(1)?,
        built_in: row.get(2)?,
        version: row.get(3)?,
        checker_version: row.get(4)?,
        document: document(row.get_ref(5)?.as_str()?)?,
        created_at: Timestamp::from_millis(row.get(6)?),
        updated_at: Timestamp::from_millis(row.get(7)?),
        documentation: document(row.get_ref(8)?.as_str()?)?,
    })
}

fn installed_row(row: &Row<'_>) -> rusqlite::Result<Installed> {
    const FIRST: usize = FIRST_OF_INSTALLED;
    Ok(Installed {
        integration: integration(row)?,
        id: id(row.get_ref(FIRST)?.as_str()?)?,
        is_enabled: row.get(FIRST + 1)?,
        show_in_catalog: row.get(FIRST + 2)?,
        r#override: document(row.get_ref(FIRST + 3)?.as_str()?)?,
        created_at: Timestamp::from_millis(row.get(FIRST + 4)?),
        updated_at: Timestamp::from_millis(row.get(FIRST + 5)?),
        client_secret_origins: document(row.get_ref(FIRST + 6)?.as_str()?)?,
        secrets_generation: row.get::<_, i64>(FIRST + 7)?.cast_unsigned(),
        documentation: document(row.get_ref(FIRST + 8)?.as_str()?)?,
    })
}

pub fn new_id() -> IntegrationId {
    IntegrationId::from_uuid(Uuid::now_v7())
}

/// The ID to store a built-in integration with: the one it has, or else the wanted one, or else a new one. A wanted ID
/// that belongs to an integration of another name is not taken from it.
pub fn id_for(connection: &Connection, name: &str, wanted: Option<IntegrationId>) -> Result<IntegrationId> {
    if let Some(known) = named(connection, name)? {
        return Ok(known.id);
    }
    let mut is_taken = connection.prepare_cached("SELECT 1 FROM integration WHERE id = ?1")?;
    match wanted {
        Some(wanted) if !is_taken.exists([wanted.to_string()])? => Ok(wanted),
        _ => Ok(new_id()),
    }
}

/// Adds an integration or replaces the one with the same name.
pub fn put(tx: &Transaction<'_>, integration: &Integration) -> Result<()> {
    tx.execute(
        "INSERT INTO integration (id, name, built_in, version, checker_version, document, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (name) DO UPDATE SET built_in = excluded.built_in, version = version + 1,
           checker_version = excluded.checker_version, document = excluded.document, updated_at = excluded.updated_at",
        params![
            integration.id.to_string(),
            integration.name,
            integration.built_in,
            integration.version,
            integration.checker_version,
            serde_json::to_string(&integration.document)?,
            integration.created_at.as_millis(),
            integration.updated_at.as_millis()
        ],
    )?;
    Ok(())
}

/// All integrations by name.
pub fn catalog(connection: &Connection) -> Result<Vec<Integration>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {INTEGRATION} FROM integration i ORDER BY i.name"))?;
    let rows = statement.query_map([], integration)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn named(connection: &Connection, name: &str) -> Result<Option<Integration>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {INTEGRATION} FROM integration i WHERE i.name = ?1"))?
        .query_row([name], integration)
        .optional()?)
}

pub fn get(connection: &Connection, integration_id: IntegrationId) -> Result<Option<Integration>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {INTEGRATION} FROM integration i WHERE i.id = ?1"))?
        .query_row([integration_id.to_string()], integration)
        .optional()?)
}

/// Deletes an integration that isn't installed.
pub fn delete(tx: &Transaction<'_>, integration_id: IntegrationId) -> Result<()> {
    tx.execute("DELETE FROM integration WHERE id = ?1", [integration_id.to_string()])?;
    Ok(())
}

/// Installs an integration or changes its installation.
pub fn install(tx: &Transaction<'_>, installed: &Installed) -> Result<()> {
    tx.execute(
        "INSERT INTO environment_integration (id, integration_id, is_enabled, show_in_catalog, override, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (integration_id) DO UPDATE SET is_enabled = excluded.is_enabled,
           show_in_catalog = excluded.show_in_catalog, override = excluded.override, updated_at = excluded.updated_at",
        params![
            installed.id.to_string(),
            installed.integration.id.to_string(),
            installed.is_enabled,
            installed.show_in_catalog,
            serde_json::to_string(&installed.r#override)?,
            installed.created_at.as_millis(),
            installed.updated_at.as_millis()
        ],
    )?;
    Ok(())
}

pub fn installed(connection: &Connection, installed_id: EnvironmentIntegrationId) -> Result<Option<Installed>> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {INTEGRATION}, {INSTALLED} FROM environment_integration e JOIN integration i ON i.id = e.integration_id
             WHERE e.id = ?1"
        ))?
        .query_row([installed_id.to_string()], installed_row)
        .optional()?)
}

pub fn installed_named(connection: &Connection, name: &str) -> Result<Option<Installed>> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {INTEGRATION}, {INSTALLED} FROM environment_integration e JOIN integration i ON i.id = e.integration_id
             WHERE i.name = ?1"
        ))?
        .query_row([name], installed_row)
        .optional()?)
}

/// All installed integrations by name.
pub fn all_installed(connection: &Connection) -> Result<Vec<Installed>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {INTEGRATION}, {INSTALLED} FROM environment_integration e JOIN integration i ON i.id = e.integration_id
         ORDER BY i.name"
    ))?;
    let rows = statement.query_map([], installed_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Records the addresses that the client secret in the keychain was given for.
pub fn bind_client_secret(
    tx: &Transaction<'_>,
    installed_id: EnvironmentIntegrationId,
    origins: &Origins,
) -> Result<()> {
    tx.execute(
        "UPDATE environment_integration SET client_secret_origins = ?2 WHERE id = ?1",
        params![installed_id.to_string(), serde_json::to_string(origins)?],
    )?;
    Ok(())
}

/// Records that the secrets with this generation are in force from now on.
pub fn put_secrets_in_force(
    tx: &Transaction<'_>,
    installed_id: EnvironmentIntegrationId,
    generation: u64,
) -> Result<()> {
    tx.execute(
        "UPDATE environment_integration SET secrets_generation = ?2 WHERE id = ?1",
        params![installed_id.to_string(), generation.cast_signed()],
    )?;
    Ok(())
}

/// Uninstalls an integration. Its accounts must be gone.
pub fn uninstall(tx: &Transaction<'_>, installed_id: EnvironmentIntegrationId) -> Result<bool> {
    Ok(tx.execute("DELETE FROM environment_integration WHERE id = ?1", [installed_id.to_string()])? > 0)
}
