//! Accounts, and the one function that commits an account's next state.

use std::collections::HashMap;

use relink_domain::{
    AccountId, EnvironmentIntegrationId, Timestamp,
    account::{Account, Attempt, Credential, Due, Renewing, Transition},
    caller::Caller,
    event::EventKind,
    origins::Origins,
    schedule::Jitter,
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};
use serde::Serialize;

use super::{
    Result, document,
    filter::{AccountOrder, AccountPlace, Filter},
    id, limit_clause,
    outbox::{self, Payload},
    timeline::{self, NewEntry},
};

/// An account that Relink has to do something for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueAccount {
    pub id: AccountId,
    pub due: Due,
}

/// A change of an account, serialized before the transaction that commits it.
#[derive(Debug)]
pub struct Change {
    id: String,
    environment_integration_id: String,
    tenant_id: String,
    document: String,
    status: &'static str,
    due_at: Option<i64>,
    due_check: bool,
    open: bool,
    created_at: i64,
    updated_at: i64,
    sandbox_since: Option<i64>,
    timeline: Vec<NewEntry>,
    events: Vec<EventKind>,
    payload: Payload,
    at: Timestamp,
}

impl Change {
    /// What a step changes. `payload` is what its events carry.
    pub fn of(
        step: &Transition,
        caller: &Caller,
        payload: Option<&impl Serialize>,
        now: Timestamp,
        jitter: Jitter,
    ) -> Result<Self> {
        let account = &step.account;
        let due = account.due_by(now, jitter);
        let open = account.replacement.is_some()
            || matches!(
                account.state.credential(),
                Credential::Renewing(Renewing { attempt: Attempt::Refreshing { .. }, .. })
            );
        Ok(Self {
            id: account.id().to_string(),
            environment_integration_id: account.profile.environment_integration_id.to_string(),
            tenant_id: account.profile.tenant_id.clone(),
            document: serde_json::to_string(account)?,
            status: account.status().as_str(),
            due_at: due.map(|due| due.at().as_millis()),
            due_check: matches!(due, Some(Due::Check(_))),
            open,
            created_at: account.profile.created_at.as_millis(),
            updated_at: account.profile.updated_at.as_millis(),
            sandbox_since: account.profile.sandbox_since().map(Timestamp::as_millis),
            timeline: step
                .timeline
                .iter()
                .map(|event| NewEntry::of(Some(account.id()), now, event, Some(caller)))
                .collect::<Result<_>>()?,
            events: step.events.clone(),
            payload: Payload::of(&payload)?,
            at: now,
        })
    }
}

/// An account and its document as it is stored.
#[derive(Debug)]
pub struct Stored {
    pub account: Account,
    pub document: String,
}

/// An account with its stored document, for whoever is about to change it.
pub fn get_stored(connection: &Connection, account_id: AccountId) -> Result<Option<Stored>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT document FROM integrated_account WHERE id = ?1")?
        .query_row([account_id.to_string()], |row| row.get(0))
        .optional()?;
    text.map(|text| Ok(Stored { account: serde_json::from_str(&text)?, document: text })).transpose()
}

/// Whether the account still is what was read.
pub fn is_current(tx: &Transaction<'_>, account_id: AccountId, document: &str) -> Result<bool> {
    Ok(tx
        .prepare_cached("SELECT 1 FROM integrated_account WHERE id = ?1 AND document = ?2")?
        .exists(params![account_id.to_string(), document])?)
}

/// Commits a change: the account, its timeline and the outbox, in the caller's transaction.
pub fn commit(tx: &Transaction<'_>, change: &Change) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO integrated_account
           (id, environment_integration_id, tenant_id, document, status, due_at, due_check, open, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO UPDATE SET document = excluded.document, status = excluded.status, due_at = excluded.due_at,
           due_check = excluded.due_check, open = excluded.open, updated_at = excluded.updated_at",
    )?
    .execute(params![
        change.id,
        change.environment_integration_id,
        change.tenant_id,
        change.document,
        change.status,
        change.due_at,
        change.due_check,
        change.open,
        change.created_at,
        change.updated_at,
    ])?;
    // Apart from the statement above, which would write the indexes of both each time.
    tx.prepare_cached("UPDATE integrated_account SET tenant_id = ?2 WHERE id = ?1 AND tenant_id <> ?2")?
        .execute([&change.id, &change.tenant_id])?;
    tx.prepare_cached("UPDATE integrated_account SET sandbox_since = ?2 WHERE id = ?1 AND sandbox_since IS NOT ?2")?
        .execute(params![change.id, change.sandbox_since])?;
    for entry in &change.timeline {
        timeline::add(tx, entry)?;
    }
    for &event in &change.events {
        outbox::enqueue_event(tx, event, Some(&change.id), &change.payload, change.at)?;
    }
    Ok(())
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    document(row.get_ref(0)?.as_str()?)
}

pub fn get(connection: &Connection, account_id: AccountId) -> Result<Option<Account>> {
    Ok(connection
        .prepare_cached("SELECT document FROM integrated_account WHERE id = ?1")?
        .query_row([account_id.to_string()], account)
        .optional()?)
}

/// An account and when it was last used.
pub type Used = (Account, Option<Timestamp>);

fn used(row: &Row<'_>) -> rusqlite::Result<Used> {
    Ok((account(row)?, row.get::<_, Option<i64>>(1)?.map(Timestamp::from_millis)))
}

/// One account, and when it was last used.
pub fn get_used(connection: &Connection, account_id: AccountId) -> Result<Option<Used>> {
    Ok(connection
        .prepare_cached("SELECT document, last_used_at FROM integrated_account WHERE id = ?1")?
        .query_row([account_id.to_string()], used)
        .optional()?)
}

/// Accounts in this order: at most `limit`, after the place `after`.
pub fn list(
    connection: &Connection,
    filter: &Filter,
    order: AccountOrder,
    after: Option<AccountPlace>,
    limit: Option<usize>,
) -> Result<Vec<Used>> {
    // Each combination of filters is a statement of its own: in one for all, SQLite could use no index.
    let (mut conditions, mut values) = filter.conditions();
    if let Some(after) = after {
        let (condition, place) = order.after(after);
        conditions.push(condition.to_owned());
        values.extend(place);
    } else {
        conditions.extend(order.every_place().map(str::to_owned));
    }
    let filtered = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    values.push(limit_clause(limit).into());
    let mut statement = connection.prepare_cached(&format!(
        "SELECT document, last_used_at FROM integrated_account {filtered} ORDER BY {} LIMIT ?",
        order.sql()
    ))?;
    let rows = statement.query_map(params_from_iter(values), used)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The accounts of an installed integration that are bound to none of these sets of addresses, or that are marked because
/// they were: those that may have to be marked or restored.
pub fn to_compare(connection: &Connection, of: EnvironmentIntegrationId, bound: &[Origins]) -> Result<Vec<AccountId>> {
    let bound = serde_json::to_string(bound)?;
    let mut statement = connection.prepare_cached(
        "SELECT id FROM integrated_account WHERE environment_integration_id = ?1
         AND (document ->> '$.state.state' = 'moved' OR document ->> '$.state.before.state' = 'moved'
              OR coalesce(document ->> '$.profile.origins', '{}') NOT IN (SELECT value FROM json_each(?2)))",
    )?;
    let rows = statement.query_map(params![of.to_string(), bound], |row| id(row.get_ref(0)?.as_str()?))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The accounts of an installed integration whose context has this scalar under this key, oldest first.
pub fn with_context_value(
    connection: &Connection,
    of: EnvironmentIntegrationId,
    key: &str,
    value: &str,
    limit: usize,
) -> Result<Vec<AccountId>> {
    // A key may have any characters, which a path could not have; and a number is compared as it is written.
    let mut statement = connection.prepare_cached(
        "SELECT id FROM integrated_account WHERE environment_integration_id = ?1 AND EXISTS
           (SELECT 1 FROM json_each(document, '$.profile.context') entry WHERE entry.key = ?2
            AND ((entry.type = 'text' AND entry.atom = ?3) OR (entry.type IN ('integer', 'real') AND entry.atom || '' = ?3)
                 OR (entry.type IN ('true', 'false') AND entry.type = ?3)))
         ORDER BY id LIMIT ?4",
    )?;
    let rows = statement.query_map(params![of.to_string(), key, value, limit_clause(Some(limit))], |row| {
        id(row.get_ref(0)?.as_str()?)
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many accounts are in each status, by its stored name.
pub fn status_counts(connection: &Connection) -> Result<HashMap<String, u32>> {
    let mut statement = connection.prepare_cached("SELECT status, accounts FROM account_count WHERE accounts > 0")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many accounts each installed integration has.
pub fn counts(connection: &Connection) -> Result<HashMap<EnvironmentIntegrationId, u32>> {
    let mut statement = connection.prepare_cached(
        "SELECT environment_integration_id, count(*) FROM integrated_account GROUP BY environment_integration_id",
    )?;
    let rows = statement.query_map([], |row| Ok((id(row.get_ref(0)?.as_str()?)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An account's display name and its installed integration; `None` if the account is gone.
pub fn name_of(connection: &Connection, account_id: AccountId) -> Result<Option<(String, EnvironmentIntegrationId)>> {
    Ok(connection
        .prepare_cached(
            "SELECT document ->> '$.profile.name', environment_integration_id FROM integrated_account WHERE id = ?1",
        )?
        .query_row([account_id.to_string()], |row| Ok((row.get(0)?, id(row.get_ref(1)?.as_str()?)?)))
        .optional()?)
}

/// What names an account, and what tokens may be limited to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    pub integration: String,
}

/// All accounts with their names.
pub fn names(connection: &Connection) -> Result<Vec<(AccountId, Named)>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, document ->> '$.profile.name', document ->> '$.profile.integration' FROM integrated_account ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok((id(row.get_ref(0)?.as_str()?)?, Named { name: row.get(1)?, integration: row.get(2)? }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn ids(connection: &Connection) -> Result<Vec<AccountId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM integrated_account ORDER BY id")?;
    let rows = statement.query_map([], |row| id(row.get_ref(0)?.as_str()?))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// All accounts that are or will be due, soonest first.
pub fn due(connection: &Connection) -> Result<Vec<DueAccount>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, due_at, due_check FROM integrated_account WHERE due_at IS NOT NULL ORDER BY due_at",
    )?;
    let rows = statement.query_map([], |row| {
        let at = Timestamp::from_millis(row.get(1)?);
        let due = if row.get(2)? { Due::Check(at) } else { Due::Refresh(at) };
        Ok(DueAccount { id: id(row.get_ref(0)?.as_str()?)?, due })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Accounts with an open refresh or replacement, which recovery finishes after a crash.
pub fn unfinished(connection: &Connection) -> Result<Vec<Account>> {
    let mut statement =
        connection.prepare_cached("SELECT document FROM integrated_account WHERE open = 1 ORDER BY id")?;
    let rows = statement.query_map([], account)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Active accounts that were used since then.
pub fn used_since(connection: &Connection, since: Timestamp) -> Result<Vec<AccountId>> {
    // The plus keeps SQLite from the index of statuses: most accounts are active, and few were used lately.
    let mut statement = connection
        .prepare_cached("SELECT id FROM integrated_account WHERE last_used_at >= ?1 AND +status = 'active'")?;
    let rows = statement.query_map([since.as_millis()], |row| id(row.get_ref(0)?.as_str()?))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn mark_used(tx: &Transaction<'_>, account_id: AccountId, now: Timestamp) -> Result<()> {
    tx.prepare_cached("UPDATE integrated_account SET last_used_at = ?2 WHERE id = ?1")?
        .execute(params![account_id.to_string(), now.as_millis()])?;
    Ok(())
}

/// Stores an account of an earlier version in this version's form. It is no change of the account: everything else goes
/// through [`commit`].
pub fn rewrite(tx: &Transaction<'_>, account: &Account) -> Result<()> {
    tx.prepare_cached("UPDATE integrated_account SET document = ?2 WHERE id = ?1")?
        .execute(params![account.id().to_string(), serde_json::to_string(account)?])?;
    Ok(())
}

/// Removes an account's row. Its timeline stays.
pub fn delete(tx: &Transaction<'_>, account_id: AccountId) -> Result<bool> {
    Ok(tx.execute("DELETE FROM integrated_account WHERE id = ?1", [account_id.to_string()])? > 0)
}
