//! Accounts, and the one function that commits a change of one.

use std::collections::HashMap;

use relink_domain::{
    AccountId, EnvironmentIntegrationId, Timestamp,
    account::{Account, Attempt, Credential, Due, Renewing, Transition},
    schedule::Jitter,
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{Result, document, id, integrations, outbox, settings, timeline};
use crate::wire;

/// An account that Relink has to do something for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueAccount {
    /// Which.
    pub id: AccountId,
    /// What, and when.
    pub due: Due,
}

/// Commits a step: the account, its timeline and the outbox, in the caller's transaction.
pub fn commit(tx: &Transaction<'_>, step: &Transition, now: Timestamp, jitter: Jitter) -> Result<()> {
    let account = &step.account;
    let due = account.due_by(now, jitter);
    let open = account.replacement.is_some()
        || matches!(
            account.state.credential(),
            Credential::Renewing(Renewing { attempt: Attempt::Refreshing { .. }, .. })
        );
    tx.prepare_cached(
        "INSERT INTO integrated_account
           (id, environment_integration_id, tenant_id, document, status, due_at, due_check, open, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO UPDATE SET document = excluded.document, status = excluded.status, due_at = excluded.due_at,
           due_check = excluded.due_check, open = excluded.open, updated_at = excluded.updated_at",
    )?
    .execute(params![
        account.id().to_string(),
        account.profile.environment_integration_id.to_string(),
        account.profile.tenant_id,
        serde_json::to_string(account)?,
        account.status().as_str(),
        due.map(|due| due.at().as_millis()),
        matches!(due, Some(Due::Check(_))),
        open,
        account.profile.created_at.as_millis(),
        account.profile.updated_at.as_millis(),
    ])?;
    for event in &step.timeline {
        timeline::add(tx, Some(account.id()), now, event)?;
    }
    if !step.events.is_empty() {
        let environment = settings::environment_id(tx)?;
        let installed = integrations::installed(tx, account.profile.environment_integration_id)?
            .ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let payload = wire::account(account, environment, &installed);
        for &event in &step.events {
            outbox::enqueue_event(tx, event, Some(&account.id().to_string()), &payload, now)?;
        }
    }
    Ok(())
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    document(row.get_ref(0)?.as_str()?)
}

/// One account.
pub fn get(connection: &Connection, account_id: AccountId) -> Result<Option<Account>> {
    Ok(connection
        .prepare_cached("SELECT document FROM integrated_account WHERE id = ?1")?
        .query_row([account_id.to_string()], account)
        .optional()?)
}

/// Which accounts to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this tenant.
    pub tenant_id: Option<String>,
    /// In one of these statuses; empty: in any.
    pub statuses: Vec<String>,
    /// Of the integration with this name.
    pub integration: Option<String>,
    /// Of this installed integration.
    pub environment_integration_id: Option<EnvironmentIntegrationId>,
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

/// A page of accounts, oldest first, after the one with this id.
pub fn list(connection: &Connection, filter: &Filter, after: Option<AccountId>, limit: usize) -> Result<Vec<Used>> {
    let mut statement = connection.prepare_cached(
        "SELECT document, last_used_at FROM integrated_account
         WHERE (?1 IS NULL OR tenant_id = ?1)
           AND (?2 = '[]' OR status IN (SELECT value FROM json_each(?2)))
           AND (?3 IS NULL OR document ->> '$.profile.integration' = ?3)
           AND (?4 IS NULL OR environment_integration_id = ?4)
           AND (?5 IS NULL OR id > ?5)
         ORDER BY id LIMIT ?6",
    )?;
    let rows = statement.query_map(
        params![
            filter.tenant_id,
            serde_json::to_string(&filter.statuses)?,
            filter.integration,
            filter.environment_integration_id.map(|id| id.to_string()),
            after.map(|id| id.to_string()),
            i64::try_from(limit).unwrap_or(i64::MAX),
        ],
        used,
    )?;
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

/// What a person calls an account that is there, and the installed integration that it belongs to.
pub fn name_of(connection: &Connection, account_id: AccountId) -> Result<Option<(String, EnvironmentIntegrationId)>> {
    Ok(connection
        .prepare_cached(
            "SELECT document ->> '$.profile.name', environment_integration_id FROM integrated_account WHERE id = ?1",
        )?
        .query_row([account_id.to_string()], |row| Ok((row.get(0)?, id(row.get_ref(1)?.as_str()?)?)))
        .optional()?)
}

/// Everything that is or will be due, soonest first.
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

/// Accounts with an open refresh or replacement: the crash recovery's work.
pub fn unfinished(connection: &Connection) -> Result<Vec<Account>> {
    let mut statement =
        connection.prepare_cached("SELECT document FROM integrated_account WHERE open = 1 ORDER BY id")?;
    let rows = statement.query_map([], account)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Accounts that work and were used since then.
pub fn used_since(connection: &Connection, since: Timestamp) -> Result<Vec<AccountId>> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM integrated_account WHERE last_used_at >= ?1 AND status = 'active'")?;
    let rows = statement.query_map([since.as_millis()], |row| id(row.get_ref(0)?.as_str()?))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that an account was used.
pub fn mark_used(tx: &Transaction<'_>, account_id: AccountId, now: Timestamp) -> Result<()> {
    tx.prepare_cached("UPDATE integrated_account SET last_used_at = ?2 WHERE id = ?1")?
        .execute(params![account_id.to_string(), now.as_millis()])?;
    Ok(())
}

/// Removes an account's row. Its timeline stays.
pub fn delete(tx: &Transaction<'_>, account_id: AccountId) -> Result<bool> {
    Ok(tx.execute("DELETE FROM integrated_account WHERE id = ?1", [account_id.to_string()])? > 0)
}
