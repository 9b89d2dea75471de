//! What runs remember (contract section 9.1, `sync-job-run-state`).

use relink_domain::{SyncJobRunId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::Value;

use crate::store::{Result, document, id};

/// A cell of a state.
#[derive(Debug, Clone, PartialEq)]
pub struct StateCell {
    /// Whose state it is part of: the `state_key` of runs, or the id of a job.
    pub state_key: String,
    pub key: String,
    pub value: Value,
    /// The run that wrote it last, if one did.
    pub run_id: Option<SyncJobRunId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const COLUMNS: &str = "state_key, key, value, run_id, created_at, updated_at";

fn cell(row: &Row<'_>) -> rusqlite::Result<StateCell> {
    Ok(StateCell {
        state_key: row.get(0)?,
        key: row.get(1)?,
        value: document(row.get_ref(2)?.as_str()?)?,
        run_id: row.get_ref(3)?.as_str_or_null()?.map(id).transpose()?,
        created_at: Timestamp::from_millis(row.get(4)?),
        updated_at: Timestamp::from_millis(row.get(5)?),
    })
}

pub fn of(connection: &Connection, state_key: &str) -> Result<Vec<StateCell>> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM sync_job_run_state WHERE state_key = ?1 ORDER BY key"))?;
    let rows = statement.query_map([state_key], cell)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn get(connection: &Connection, state_key: &str, key: &str) -> Result<Option<StateCell>> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM sync_job_run_state WHERE state_key = ?1 AND key = ?2"))?;
    Ok(statement.query_row([state_key, key], cell).optional()?)
}

/// Adds a cell, or changes it.
pub fn put(
    tx: &Transaction<'_>,
    (state_key, key): (&str, &str),
    value: &Value,
    run: Option<SyncJobRunId>,
    now: Timestamp,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO sync_job_run_state (state_key, key, value, run_id, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)
         ON CONFLICT (state_key, key) DO UPDATE SET value = ?3, run_id = ?4, updated_at = ?5",
    )?
    .execute(params![
        state_key,
        key,
        serde_json::to_string(value)?,
        run.map(|id| id.to_string()),
        now.as_millis()
    ])?;
    Ok(())
}

pub fn delete(tx: &Transaction<'_>, state_key: &str, key: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM sync_job_run_state WHERE state_key = ?1 AND key = ?2")?.execute([state_key, key])?;
    Ok(())
}
