//! MCP servers of accounts. Of their tokens, only the hashes are stored.

use relink_domain::{AccountId, ApiTokenId, McpTokenId, Timestamp, mcp::McpConfig};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{Result, document, id};

/// An MCP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpToken {
    pub id: McpTokenId,
    pub account_id: AccountId,
    /// The name of the account's integration.
    pub integration: String,
    pub name: String,
    pub config: McpConfig,
    /// The API token that made it, and that it ends with. `None`: the person did.
    pub made_by: Option<ApiTokenId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// `None` if it never expires.
    pub expires_at: Option<Timestamp>,
}

impl McpToken {
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

const COLUMNS: &str = "id, account_id, integration, name, config, api_token_id, created_at, updated_at, expires_at";

fn token(row: &Row<'_>) -> rusqlite::Result<McpToken> {
    Ok(McpToken {
        id: id(row.get_ref(0)?.as_str()?)?,
        account_id: id(row.get_ref(1)?.as_str()?)?,
        integration: row.get(2)?,
        name: row.get(3)?,
        config: document(row.get_ref(4)?.as_str()?)?,
        made_by: row.get_ref(5)?.as_str_or_null()?.map(id).transpose()?,
        created_at: Timestamp::from_millis(row.get(6)?),
        updated_at: Timestamp::from_millis(row.get(7)?),
        expires_at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_millis),
    })
}

pub fn insert(tx: &Transaction<'_>, hash: &[u8; 32], token: &McpToken) -> Result<()> {
    tx.execute(
        "INSERT INTO mcp_token (id, account_id, integration, hash, name, config, api_token_id, created_at, updated_at,
         expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            token.id.to_string(),
            token.account_id.to_string(),
            token.integration,
            hash,
            token.name,
            serde_json::to_string(&token.config)?,
            token.made_by.map(|id| id.to_string()),
            token.created_at.as_millis(),
            token.updated_at.as_millis(),
            token.expires_at.map(Timestamp::as_millis),
        ],
    )?;
    Ok(())
}

/// All hashes and records. They are few, and the API keeps them in memory because every request of an agent needs them.
pub fn all(connection: &Connection) -> Result<Vec<([u8; 32], McpToken)>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS}, hash FROM mcp_token ORDER BY id"))?;
    let rows = statement.query_map([], |row| Ok((row.get(9)?, token(row)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Those of an account, the oldest first.
pub fn of_account(connection: &Connection, account: AccountId) -> Result<Vec<McpToken>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM mcp_token WHERE account_id = ?1 ORDER BY id"))?;
    let rows = statement.query_map([account.to_string()], token)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn get(connection: &Connection, token_id: McpTokenId) -> Result<Option<McpToken>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM mcp_token WHERE id = ?1"))?
        .query_row([token_id.to_string()], token)
        .optional()?)
}

/// Writes what can be changed.
pub fn update(tx: &Transaction<'_>, token: &McpToken) -> Result<()> {
    tx.execute(
        "UPDATE mcp_token SET name = ?2, config = ?3, updated_at = ?4, expires_at = ?5 WHERE id = ?1",
        params![
            token.id.to_string(),
            token.name,
            serde_json::to_string(&token.config)?,
            token.updated_at.as_millis(),
            token.expires_at.map(Timestamp::as_millis),
        ],
    )?;
    Ok(())
}

pub fn delete(tx: &Transaction<'_>, token_id: McpTokenId) -> Result<()> {
    tx.execute("DELETE FROM mcp_token WHERE id = ?1", [token_id.to_string()])?;
    Ok(())
}

/// Deletes those that have expired.
pub fn prune(tx: &Transaction<'_>, now: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM mcp_token WHERE expires_at <= ?1", [now.as_millis()])?;
    Ok(())
}
