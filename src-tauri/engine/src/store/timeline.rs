//! Timelines: one per account, and one for what is nobody's.

use relink_domain::{AccountId, Timestamp, account::Moment};
use rusqlite::{Connection, Transaction, params};

use super::{Result, document, id};

/// An entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub seq: i64,
    /// Whose it is.
    pub account_id: Option<AccountId>,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub moment: Moment,
}

/// Adds an entry.
pub fn add(tx: &Transaction<'_>, account_id: Option<AccountId>, at: Timestamp, moment: &Moment) -> Result<()> {
    tx.prepare_cached("INSERT INTO timeline (account_id, at, moment) VALUES (?1, ?2, ?3)")?.execute(params![
        account_id.map(|id| id.to_string()),
        at.as_millis(),
        serde_json::to_string(moment)?,
    ])?;
    Ok(())
}

/// Entries, newest first, before that place: an account's, or everybody's.
pub fn list(
    connection: &Connection,
    account_id: Option<AccountId>,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, account_id, at, moment FROM timeline
         WHERE (?1 IS NULL OR account_id = ?1) AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(
        params![
            account_id.map(|id| id.to_string()),
            before.unwrap_or(i64::MAX),
            i64::try_from(limit).unwrap_or(i64::MAX)
        ],
        |row| {
            let account: Option<String> = row.get(1)?;
            Ok(Entry {
                seq: row.get(0)?,
                account_id: account.as_deref().map(id).transpose()?,
                at: Timestamp::from_millis(row.get(2)?),
                moment: document(row.get_ref(3)?.as_str()?)?,
            })
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}
