//! Link tokens. Only their hashes are stored.

use relink_domain::{
    LinkTokenId, Timestamp,
    link::{LinkOptions, LinkToken, Purpose},
};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::{Result, document, id};

#[derive(Serialize, Deserialize)]
struct Document {
    purpose: Purpose,
    // `wishes`: the name in Relink 0.1.
    #[serde(alias = "wishes")]
    options: LinkOptions,
}

pub fn insert(tx: &Transaction<'_>, hash: &[u8; 32], token: &LinkToken) -> Result<()> {
    let account = match token.purpose {
        Purpose::Reauthorize { account_id } => Some(account_id.to_string()),
        Purpose::Connect { .. } => None,
    };
    let document = Document { purpose: token.purpose.clone(), options: token.options.clone() };
    tx.execute(
        "INSERT INTO link_token (id, hash, account_id, document, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![token.id.to_string(), hash, account, serde_json::to_string(&document)?, token.created_at.as_millis()],
    )?;
    Ok(())
}

pub fn find(connection: &Connection, hash: &[u8; 32]) -> Result<Option<LinkToken>> {
    Ok(connection
        .prepare_cached("SELECT id, document, created_at, used_at FROM link_token WHERE hash = ?1")?
        .query_row([hash], |row| {
            let Document { purpose, options } = document(row.get_ref(1)?.as_str()?)?;
            Ok(LinkToken {
                id: id(row.get_ref(0)?.as_str()?)?,
                purpose,
                options,
                created_at: Timestamp::from_millis(row.get(2)?),
                used_at: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_millis),
            })
        })
        .optional()?)
}

/// Marks a link token as used. Returns false if it was already used.
pub fn use_up(tx: &Transaction<'_>, token: LinkTokenId, now: Timestamp) -> Result<bool> {
    let used = tx.execute(
        "UPDATE link_token SET used_at = ?2 WHERE id = ?1 AND used_at IS NULL",
        params![token.to_string(), now.as_millis()],
    )?;
    Ok(used == 1)
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
