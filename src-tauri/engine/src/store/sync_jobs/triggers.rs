//! When triggers fire, and why one couldn't make its run. Their documents are in [`documents`](crate::store::documents).

use relink_domain::{SyncJobCronTriggerId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::{Result, id};

/// Why a trigger couldn't make its last run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerError {
    /// A UUID v7, for its place among the runs that triggers made.
    pub id: Uuid,
    /// What happened and what to do, for people.
    pub message: String,
    pub at: Timestamp,
}

/// When a trigger fires next. None: it isn't scheduled.
pub fn planned(connection: &Connection, id: SyncJobCronTriggerId) -> Result<Option<Timestamp>> {
    let mut statement = connection.prepare_cached("SELECT planned_at FROM sync_job_cron_trigger WHERE id = ?1")?;
    let planned: Option<Option<i64>> = statement.query_row([id.to_string()], |row| row.get(0)).optional()?;
    Ok(planned.flatten().map(Timestamp::from_millis))
}

/// The triggers that are scheduled, and when they fire next.
pub fn all_planned(connection: &Connection) -> Result<Vec<(SyncJobCronTriggerId, Timestamp)>> {
    let mut statement = connection
        .prepare_cached("SELECT id, planned_at FROM sync_job_cron_trigger WHERE planned_at IS NOT NULL ORDER BY id")?;
    let rows = statement.query_map([], |row| Ok((trigger_id(row)?, Timestamp::from_millis(row.get(1)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The triggers whose last run couldn't be made, and why.
pub fn errors(connection: &Connection) -> Result<Vec<(SyncJobCronTriggerId, TriggerError)>> {
    let mut statement = connection
        .prepare_cached("SELECT id, last_error FROM sync_job_cron_trigger WHERE last_error IS NOT NULL ORDER BY id")?;
    let rows = statement.query_map([], |row| Ok((trigger_id(row)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (id, error) = row?;
        Ok((id, serde_json::from_str(&error)?))
    })
    .collect()
}

/// Schedules a trigger. What went wrong before is over.
pub fn schedule(tx: &Transaction<'_>, id: SyncJobCronTriggerId, at: Timestamp) -> Result<()> {
    set_planned(tx, id, Some(at))?;
    set_error(tx, id, None)
}

/// When it fires next. None: not before it is scheduled again.
pub fn set_planned(tx: &Transaction<'_>, id: SyncJobCronTriggerId, at: Option<Timestamp>) -> Result<()> {
    tx.prepare_cached("UPDATE sync_job_cron_trigger SET planned_at = ?2 WHERE id = ?1")?
        .execute(params![id.to_string(), at.map(Timestamp::as_millis)])?;
    Ok(())
}

/// Why its last run couldn't be made. None: it was.
pub fn set_error(tx: &Transaction<'_>, id: SyncJobCronTriggerId, error: Option<&TriggerError>) -> Result<()> {
    let error = error.map(serde_json::to_string).transpose()?;
    tx.prepare_cached("UPDATE sync_job_cron_trigger SET last_error = ?2 WHERE id = ?1")?
        .execute(params![id.to_string(), error])?;
    Ok(())
}

fn trigger_id(row: &Row<'_>) -> rusqlite::Result<SyncJobCronTriggerId> {
    id(row.get_ref(0)?.as_str()?)
}
