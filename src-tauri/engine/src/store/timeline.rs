//! Timelines: one per account, and one for what is nobody's.

use relink_domain::{
    AccountId, Timestamp,
    account::{TimelineEvent, Tone},
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

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
    pub event: TimelineEvent,
}

/// What is nobody's is kept to so many: an address that anybody can open must not fill the disk.
const NEWEST_OF_NOBODY: usize = 100;

/// Adds an entry.
pub fn add(tx: &Transaction<'_>, account_id: Option<AccountId>, at: Timestamp, event: &TimelineEvent) -> Result<()> {
    tx.prepare_cached("INSERT INTO timeline (account_id, at, event) VALUES (?1, ?2, ?3)")?.execute(params![
        account_id.map(|id| id.to_string()),
        at.as_millis(),
        serde_json::to_string(event)?,
    ])?;
    if account_id.is_none() {
        tx.prepare_cached(
            "DELETE FROM timeline WHERE account_id IS NULL AND seq <=
               (SELECT seq FROM timeline WHERE account_id IS NULL ORDER BY seq DESC LIMIT 1 OFFSET ?1)",
        )?
        .execute([i64::try_from(NEWEST_OF_NOBODY).unwrap_or(i64::MAX)])?;
    }
    Ok(())
}

/// Where the next `limit` entries after that place end, if one of them is from before that time.
pub fn old(connection: &Connection, from: i64, before: Timestamp, limit: usize) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT max(seq) FROM (SELECT seq, at FROM timeline WHERE seq > ?1 ORDER BY seq LIMIT ?2) HAVING min(at) < ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(statement.query_row(params![from, limit, before.as_millis()], |row| row.get(0)).optional()?)
}

/// Removes what is older than that between two places (after `from`, up to `to`). An account keeps its newest entries, and
/// the one of its beginning.
pub fn prune(tx: &Transaction<'_>, from: i64, to: i64, before: Timestamp, newest: usize) -> Result<usize> {
    let newest = i64::try_from(newest).unwrap_or(i64::MAX);
    Ok(tx
        .prepare_cached(
            "DELETE FROM timeline WHERE seq > ?1 AND seq <= ?2 AND at < ?3
               AND (account_id IS NULL
                    OR account_id NOT IN (SELECT id FROM integrated_account)
                    OR (event ->> '$.kind' <> 'connected'
                        AND EXISTS (SELECT 1 FROM timeline n WHERE n.account_id = timeline.account_id
                                    AND n.seq > timeline.seq LIMIT 1 OFFSET ?4)))",
        )?
        .execute(params![from, to, before.as_millis(), newest - 1])?)
}
fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let account: Option<String> = row.get(1)?;
    Ok(Entry {
        seq: row.get(0)?,
        account_id: account.as_deref().map(id).transpose()?,
        at: Timestamp::from_millis(row.get(2)?),
        event: document(row.get_ref(3)?.as_str()?)?,
    })
}

const NEWEST_FIRST: &str = "SELECT seq, account_id, at, event FROM timeline
    WHERE (?1 IS NULL OR account_id = ?1) AND seq < ?2 ORDER BY seq DESC LIMIT ?3";

/// Entries, newest first, before that place: an account's, or everybody's.
pub fn list(
    connection: &Connection,
    account_id: Option<AccountId>,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(NEWEST_FIRST)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let account_id = account_id.map(|id| id.to_string());
    let rows = statement.query_map(params![account_id, before.unwrap_or(i64::MAX), limit], entry)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A page of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What is on it, newest first.
    pub entries: Vec<Entry>,
    /// Before which place the next one begins; `None` at the timeline's beginning.
    pub next: Option<i64>,
}

/// The same as a page, of entries that are not as they should be alone if `wrong` says so. At most `far` entries are looked
/// at: a page may come out empty though there are more.
pub fn page(
    connection: &Connection,
    account_id: Option<AccountId>,
    before: Option<i64>,
    wrong: bool,
    (limit, far): (usize, usize),
) -> Result<Page> {
    let mut statement = connection.prepare_cached(NEWEST_FIRST)?;
    let far = if wrong { far } else { limit };
    // One more than is looked at says whether there is more.
    let asked = i64::try_from(far.saturating_add(1)).unwrap_or(i64::MAX);
    let account_id = account_id.map(|id| id.to_string());
    let rows = statement.query_map(params![account_id, before.unwrap_or(i64::MAX), asked], entry)?;
    let mut page = Page { entries: Vec::new(), next: None };
    let mut last = None;
    for (at, entry) in rows.enumerate() {
        if at == far || page.entries.len() == limit {
            page.next = last;
            break;
        }
        let entry = entry?;
        last = Some(entry.seq);
        if !wrong || entry.event.tone() != Tone::Good {
            page.entries.push(entry);
        }
    }
    Ok(page)
}

/// What a person called an account that was deleted.
pub fn name_of_deleted(connection: &Connection, account_id: AccountId) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached(
            "SELECT event ->> '$.name' FROM timeline WHERE account_id = ?1 AND event ->> '$.kind' = 'deleted'
             ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([account_id.to_string()], |row| row.get(0))
        .optional()?)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::store::Store;

    const THEN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[tokio::test]
    async fn what_is_nobodys_never_fills_the_disk_and_leaves_accounts_theirs() {
        let store = Store::in_memory().expect("opens");
        let id = AccountId::from_uuid(Uuid::from_u128(1));
        let (nobodys, accounts) = store
            .write(move |tx| {
                timeline_of(tx, Some(id), 1)?;
                timeline_of(tx, None, 1000)?;
                Ok((list(tx, None, None, 5000)?.len() - 1, list(tx, Some(id), None, 5000)?.len()))
            })
            .await
            .expect("written");
        assert_eq!((nobodys, accounts), (NEWEST_OF_NOBODY, 1));
    }

    fn timeline_of(tx: &Transaction<'_>, id: Option<AccountId>, count: usize) -> Result<()> {
        (0..count).try_for_each(|_| add(tx, id, THEN, &TimelineEvent::Activated))
    }
}
