//! Link tokens. Only their hashes are stored.

use relink_domain::{
    AccountId, ApiTokenId, LinkTokenId, Timestamp,
    link::{LinkError, LinkOptions, LinkPurpose, LinkToken},
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::{Result, document, id};

#[derive(Serialize, Deserialize)]
struct Document {
    purpose: LinkPurpose,
    // `wishes`: the name in Relink 0.1.
    #[serde(alias = "wishes")]
    options: LinkOptions,
    /// When what created it ends, as was known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends_at: Option<Timestamp>,
}

/// `creator`: the API token that created it, if one did.
pub fn insert(tx: &Transaction<'_>, hash: &[u8; 32], token: &LinkToken, creator: Option<ApiTokenId>) -> Result<()> {
    let account = token.purpose.account().map(|id| id.to_string());
    let (purpose, options) = (token.purpose.clone(), token.options.clone());
    let document = Document { purpose, options, ends_at: token.token_ends_at };
    tx.execute(
        "INSERT INTO link_token (id, hash, account_id, document, created_at, api_token_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            token.id.to_string(),
            hash,
            account,
            serde_json::to_string(&document)?,
            token.created_at.as_millis(),
            creator.map(|id| id.to_string()),
        ],
    )?;
    Ok(())
}

/// The fifth column is 0 if the API token that created the link was revoked.
const LINK: &str = "SELECT l.id, l.document, l.created_at, l.used_at,
         CASE WHEN l.api_token_id IS NULL THEN NULL WHEN t.id IS NULL THEN 0 ELSE t.expires_at END,
         l.revoked_at, l.api_token_id IS NOT NULL, t.name
     FROM link_token l LEFT JOIN api_token t ON t.id = l.api_token_id";

fn link(row: &Row<'_>) -> rusqlite::Result<LinkToken> {
    let Document { purpose, options, ends_at } = document(row.get_ref(1)?.as_str()?)?;
    let creator_ends_at = row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis);
    Ok(LinkToken {
        id: id(row.get_ref(0)?.as_str()?)?,
        purpose,
        options,
        created_at: Timestamp::from_millis(row.get(2)?),
        used_at: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_millis),
        token_ends_at: creator_ends_at.into_iter().chain(ends_at).min(),
        revoked_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
    })
}

/// Who created a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creator {
    Person,
    /// A program, with the name of its API token, or `None` if that was revoked.
    Program(Option<String>),
}

fn creator(row: &Row<'_>) -> rusqlite::Result<Creator> {
    Ok(if row.get(6)? { Creator::Program(row.get(7)?) } else { Creator::Person })
}

/// All links, the newest first.
pub fn all(connection: &Connection) -> Result<Vec<(LinkToken, Creator)>> {
    let mut statement = connection.prepare_cached(&format!("{LINK} ORDER BY l.created_at DESC, l.id DESC"))?;
    let rows = statement.query_map([], |row| Ok((link(row)?, creator(row)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Who created this link.
pub fn creator_of(connection: &Connection, token: LinkTokenId) -> Result<Option<Creator>> {
    let mut statement = connection.prepare_cached(&format!("{LINK} WHERE l.id = ?1"))?;
    Ok(statement.query_row([token.to_string()], creator).optional()?)
}

/// Revokes the links to an account's form that the person made and nobody has used, except those that end with an account token.
pub fn revoke_forms(tx: &Transaction<'_>, account: AccountId, now: Timestamp) -> Result<()> {
    let open = "l.api_token_id IS NULL AND l.used_at IS NULL AND l.revoked_at IS NULL";
    let mut statement = tx.prepare_cached(&format!("{LINK} WHERE l.account_id = ?1 AND {open}"))?;
    let links = statement.query_map([account.to_string()], link)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let is_form = |link: &&LinkToken| matches!(link.purpose, LinkPurpose::PostConnectForm { .. });
    for link in links.iter().filter(is_form).filter(|link| link.token_ends_at.is_none()) {
        revoke(tx, link.id, now)?;
    }
    Ok(())
}

/// Revokes a link. Returns whether there is such a link.
pub fn revoke(tx: &Transaction<'_>, token: LinkTokenId, now: Timestamp) -> Result<bool> {
    let changed = tx.execute(
        "UPDATE link_token SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1",
        params![token.to_string(), now.as_millis()],
    )?;
    Ok(changed > 0)
}

pub fn find(connection: &Connection, hash: &[u8; 32]) -> Result<Option<LinkToken>> {
    Ok(connection.prepare_cached(&format!("{LINK} WHERE l.hash = ?1"))?.query_row([hash], link).optional()?)
}

pub fn get(connection: &Connection, token: LinkTokenId) -> Result<Option<LinkToken>> {
    let mut statement = connection.prepare_cached(&format!("{LINK} WHERE l.id = ?1"))?;
    Ok(statement.query_row([token.to_string()], link).optional()?)
}

/// Marks a link token as used, if it may still be used. It may have been used, or the API token that created it may have
/// ended, since its flow began.
pub fn use_up(tx: &Transaction<'_>, token: LinkTokenId, now: Timestamp) -> Result<Result<(), LinkError>> {
    let usable = get(tx, token)?.ok_or(LinkError::Unknown).and_then(|link| match link.usable(now) {
        // A sign-in that began in time may be completed.
        Err(LinkError::Expired) => Ok(()),
        usable => usable,
    });
    if usable.is_ok() {
        tx.execute("UPDATE link_token SET used_at = ?2 WHERE id = ?1", params![token.to_string(), now.as_millis()])?;
    }
    Ok(usable)
}

/// Marks a link token as unused, because what used it was not completed.
pub fn give_back(tx: &Transaction<'_>, token: LinkTokenId) -> Result<()> {
    tx.execute("UPDATE link_token SET used_at = NULL WHERE id = ?1", [token.to_string()])?;
    Ok(())
}

/// Deletes the records that were created before then.
pub fn forget_before(tx: &Transaction<'_>, created_before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM link_token WHERE created_at < ?1", [created_before.as_millis()])?;
    Ok(())
}
