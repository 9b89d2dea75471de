//! Timelines: one for each account, and one for what belongs to no account.

use std::ops::ControlFlow;

use relink_domain::{
    AccountId, Timestamp,
    account::{TimelineEvent, Tone},
    caller::Caller,
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{Result, document, id, limit_clause};

/// An entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the order of all entries.
    pub seq: i64,
    /// `None`: it belongs to no account.
    pub account_id: Option<AccountId>,
    pub at: Timestamp,
    pub event: TimelineEvent,
    /// Who did it; `None` where Relink acted by itself, or where nobody is known.
    pub caller: Option<Caller>,
}

/// Entries that belong to no account are limited, because anybody who opens a callback's address adds one.
const MAX_WITHOUT_ACCOUNT: usize = 100;

/// An entry to add, serialized before the transaction that adds it.
#[derive(Debug)]
pub struct NewEntry {
    account_id: Option<String>,
    at: i64,
    event: String,
    /// `None` where Relink acts by itself.
    caller: Option<String>,
}

impl NewEntry {
    /// `caller`: who did it.
    pub fn of(
        account_id: Option<AccountId>,
        at: Timestamp,
        event: &TimelineEvent,
        caller: Option<&Caller>,
    ) -> Result<Self> {
        let caller = caller.filter(|caller| **caller != Caller::Internal);
        Ok(Self {
            account_id: account_id.map(|id| id.to_string()),
            at: at.as_millis(),
            event: serde_json::to_string(event)?,
            caller: caller.map(serde_json::to_string).transpose()?,
        })
    }
}

pub fn add(tx: &Transaction<'_>, entry: &NewEntry) -> Result<()> {
    let NewEntry { account_id, at, event, caller } = entry;
    tx.prepare_cached("INSERT INTO timeline (account_id, at, event, caller) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![account_id, at, event, caller])?;
    if account_id.is_none() {
        tx.prepare_cached(
            "DELETE FROM timeline WHERE account_id IS NULL AND seq <=
               (SELECT seq FROM timeline WHERE account_id IS NULL ORDER BY seq DESC LIMIT 1 OFFSET ?1)",
        )?
        .execute([limit_clause(Some(MAX_WITHOUT_ACCOUNT))])?;
    }
    Ok(())
}

/// The place of the last of the next `limit` entries after `from`, if one of them is older than `before`.
pub fn old(connection: &Connection, from: i64, before: Timestamp, limit: usize) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT max(seq) FROM (SELECT seq, at FROM timeline WHERE seq > ?1 ORDER BY seq LIMIT ?2) HAVING min(at) < ?3",
    )?;
    Ok(statement
        .query_row(params![from, limit_clause(Some(limit)), before.as_millis()], |row| row.get(0))
        .optional()?)
}

/// Removes what is older than `before` after the place `from` and up to `to`. An account keeps its newest entries and the
/// one that says how it was connected.
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
        caller: row.get::<_, Option<String>>(4)?.as_deref().map(document).transpose()?,
    })
}

const OF_ACCOUNT: &str = "SELECT seq, account_id, at, event, caller FROM timeline
    WHERE account_id = ?3 AND seq < ?1 ORDER BY seq DESC LIMIT ?2";
const OF_ALL: &str =
    "SELECT seq, account_id, at, event, caller FROM timeline WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";

/// Calls `each` for an account's entries or for all, newest first, from the one before the place `before`, until it breaks
/// or `limit` entries were read.
fn newest_first(
    connection: &Connection,
    account_id: Option<AccountId>,
    before: Option<i64>,
    limit: Option<usize>,
    mut each: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<()> {
    let (before, limit) = (before.unwrap_or(i64::MAX), limit_clause(limit));
    let account_id = account_id.map(|id| id.to_string());
    let mut statement = connection.prepare_cached(account_id.as_ref().map_or(OF_ALL, |_| OF_ACCOUNT))?;
    let mut rows = match &account_id {
        Some(account_id) => statement.query(params![before, limit, account_id])?,
        None => statement.query(params![before, limit])?,
    };
    while let Some(row) = rows.next()? {
        if each(entry(row)?).is_break() {
            break;
        }
    }
    Ok(())
}

/// Entries of an account or of all, newest first, before the place `before`.
pub fn list(
    connection: &Connection,
    account_id: Option<AccountId>,
    before: Option<i64>,
    limit: Option<usize>,
) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    newest_first(connection, account_id, before, limit, |entry| {
        entries.push(entry);
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

/// A page of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// The next page lists what is before this place; `None` at the timeline's beginning.
    pub next: Option<i64>,
}

/// A page of at most `limit` entries; with `problems_only`, of those that aren't good news. Of these it looks through at most
/// `max_read` entries, so the page may be empty though there are more.
pub fn page(
    connection: &Connection,
    account_id: Option<AccountId>,
    before: Option<i64>,
    problems_only: bool,
    (limit, max_read): (usize, usize),
) -> Result<Page> {
    let max_read = if problems_only { max_read } else { limit };
    let mut page = Page { entries: Vec::new(), next: None };
    let (mut read, mut last) = (0, None);
    // One more than the page needs shows whether there is a next page.
    newest_first(connection, account_id, before, Some(max_read.saturating_add(1)), |entry| {
        if read == max_read || page.entries.len() == limit {
            page.next = last;
            return ControlFlow::Break(());
        }
        read += 1;
        last = Some(entry.seq);
        if !problems_only || entry.event.tone() != Tone::Good {
            page.entries.push(entry);
        }
        ControlFlow::Continue(())
    })?;
    Ok(page)
}

/// When the newest entry was added.
pub fn latest_time(connection: &Connection) -> Result<Option<Timestamp>> {
    let mut statement = connection.prepare_cached("SELECT at FROM timeline ORDER BY seq DESC LIMIT 1")?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?.map(Timestamp::from_millis))
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
    async fn entries_without_an_account_are_limited_and_those_of_accounts_are_not() {
        let store = Store::in_memory().expect("opens");
        let id = AccountId::from_uuid(Uuid::from_u128(1));
        let (all, of_account) = store
            .write(move |tx| {
                add_entries(tx, Some(id), 1)?;
                add_entries(tx, None, 1000)?;
                Ok((list(tx, None, None, None)?.len(), list(tx, Some(id), None, None)?.len()))
            })
            .await
            .expect("written");
        assert_eq!((all - of_account, of_account), (MAX_WITHOUT_ACCOUNT, 1));
    }

    fn add_entries(tx: &Transaction<'_>, id: Option<AccountId>, count: usize) -> Result<()> {
        let entry = NewEntry::of(id, THEN, &TimelineEvent::Activated, None)?;
        (0..count).try_for_each(|_| add(tx, &entry))
    }
}
