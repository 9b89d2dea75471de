//! API tokens. Only their hashes are stored.

use relink_domain::{
    ApiTokenId, Timestamp,
    caller::{Caller, TokenLevel},
    token_limits::TokenLimits,
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{Result, document, id};

/// An API token's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    pub id: ApiTokenId,
    pub name: String,
    pub level: TokenLevel,
    pub limits: TokenLimits,
    pub created_at: Timestamp,
    /// `None` if it never expires.
    pub expires_at: Option<Timestamp>,
    /// With a resolution of one minute.
    pub last_used_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, name, level, created_at, expires_at, last_used_at, limits";

fn token(row: &Row<'_>) -> rusqlite::Result<ApiToken> {
    Ok(ApiToken {
        id: id(row.get_ref(0)?.as_str()?)?,
        name: row.get(1)?,
        level: row.get_ref(2)?.as_str()?.parse().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(error))
        })?,
        created_at: Timestamp::from_millis(row.get(3)?),
        expires_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
        last_used_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
        limits: document(row.get_ref(6)?.as_str()?)?,
    })
}

pub fn insert(tx: &Transaction<'_>, hash: &[u8; 32], token: &ApiToken) -> Result<()> {
    tx.execute(
        "INSERT INTO api_token (id, name, hash, level, created_at, expires_at, limits)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            token.id.to_string(),
            token.name,
            hash,
            token.level.as_str(),
            token.created_at.as_millis(),
            token.expires_at.map(Timestamp::as_millis),
            serde_json::to_string(&token.limits)?
        ],
    )?;
    Ok(())
}

/// All hashes and records. They are few, and the API keeps them in memory because every request needs them.
pub fn all(connection: &Connection) -> Result<Vec<([u8; 32], ApiToken)>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS}, hash FROM api_token ORDER BY id"))?;
    let rows = statement.query_map([], |row| Ok((row.get(7)?, token(row)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn get(connection: &Connection, token_id: ApiTokenId) -> Result<Option<ApiToken>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM api_token WHERE id = ?1"))?
        .query_row([token_id.to_string()], token)
        .optional()?)
}

/// The id of the API token that a caller has, if it has one.
pub const fn id_of(caller: &Caller) -> Option<ApiTokenId> {
    match caller {
        Caller::ApiToken { id, .. } => Some(*id),
        Caller::Person
        | Caller::AccountToken { .. }
        | Caller::McpToken { .. }
        | Caller::Link { .. }
        | Caller::SyncJob { .. }
        | Caller::Internal => None,
    }
}

/// Whether the caller's API token still exists and hasn't expired; also true for a caller without one. What outlasts a
/// request is committed only then: the token may have ended since the request was accepted.
pub fn is_valid(connection: &Connection, caller: Option<ApiTokenId>, now: Timestamp) -> Result<bool> {
    let Some(token_id) = caller else { return Ok(true) };
    Ok(get(connection, token_id)?.is_some_and(|token| token.expires_at.is_none_or(|at| now < at)))
}

pub fn mark_used(tx: &Transaction<'_>, token_id: ApiTokenId, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE api_token SET last_used_at = ?2 WHERE id = ?1", params![token_id.to_string(), now.as_millis()])?;
    Ok(())
}

/// Revokes a token. Returns false if there is none.
pub fn delete(tx: &Transaction<'_>, token_id: ApiTokenId) -> Result<bool> {
    Ok(tx.execute("DELETE FROM api_token WHERE id = ?1", [token_id.to_string()])? > 0)
}
