//! Runs of workflows, and which events were looked at for them (contract section 10.4).

use relink_domain::{
    EventId, Timestamp, WorkflowId, WorkflowRunId,
    sync::{WorkflowResult, WorkflowRunStatus},
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::store::{Result, document, id, limit_clause, settings};

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredWorkflowRun {
    pub id: WorkflowRunId,
    pub workflow_id: WorkflowId,
    /// The event that started it.
    pub event_seq: i64,
    pub event_id: EventId,
    /// Its name.
    pub event: String,
    pub status: WorkflowRunStatus,
    pub result: WorkflowResult,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const COLUMNS: &str =
    "id, workflow_id, event_seq, event_id, event, status, result, started_at, finished_at, created_at, updated_at";

fn run(row: &Row<'_>) -> rusqlite::Result<StoredWorkflowRun> {
    let time = |at: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_millis));
    Ok(StoredWorkflowRun {
        id: id(row.get_ref(0)?.as_str()?)?,
        workflow_id: id(row.get_ref(1)?.as_str()?)?,
        event_seq: row.get(2)?,
        event_id: id(row.get_ref(3)?.as_str()?)?,
        event: row.get(4)?,
        status: row.get_ref(5)?.as_str()?.parse().map_err(|_| rusqlite::Error::InvalidQuery)?,
        result: document(row.get_ref(6)?.as_str()?)?,
        started_at: time(7)?,
        finished_at: time(8)?,
        created_at: Timestamp::from_millis(row.get(9)?),
        updated_at: Timestamp::from_millis(row.get(10)?),
    })
}

/// Adds a run, unless the workflow has one for this event.
pub fn add(tx: &Transaction<'_>, run: &StoredWorkflowRun) -> Result<()> {
    tx.prepare_cached(&format!(
        "INSERT INTO workflow_run ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (workflow_id, event_seq) DO NOTHING"
    ))?
    .execute(params![
        run.id.to_string(),
        run.workflow_id.to_string(),
        run.event_seq,
        run.event_id.to_string(),
        run.event,
        run.status.as_str(),
        serde_json::to_string(&run.result)?,
        run.started_at.map(Timestamp::as_millis),
        run.finished_at.map(Timestamp::as_millis),
        run.created_at.as_millis(),
        run.updated_at.as_millis(),
    ])?;
    Ok(())
}

/// Changes what becomes of a run. Returns whether it is there and isn't over.
pub fn update(tx: &Transaction<'_>, run: &StoredWorkflowRun) -> Result<bool> {
    let changed = tx
        .prepare_cached(
            "UPDATE workflow_run SET status = ?2, result = ?3, started_at = ?4, finished_at = ?5, updated_at = ?6
             WHERE id = ?1 AND status IN ('created', 'running')",
        )?
        .execute(params![
            run.id.to_string(),
            run.status.as_str(),
            serde_json::to_string(&run.result)?,
            run.started_at.map(Timestamp::as_millis),
            run.finished_at.map(Timestamp::as_millis),
            run.updated_at.as_millis(),
        ])?;
    Ok(changed > 0)
}

pub fn get(connection: &Connection, id: WorkflowRunId) -> Result<Option<StoredWorkflowRun>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM workflow_run WHERE id = ?1"))?
        .query_row([id.to_string()], run)
        .optional()?)
}

/// Runs of one workflow or of all, oldest first.
pub fn all(connection: &Connection, workflow: Option<WorkflowId>) -> Result<Vec<StoredWorkflowRun>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM workflow_run WHERE ?1 IS NULL OR workflow_id = ?1 ORDER BY id"
    ))?;
    let rows = statement.query_map([workflow.map(|id| id.to_string())], run)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The runs that aren't over, in the order of their events.
pub fn open(connection: &Connection) -> Result<Vec<StoredWorkflowRun>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM workflow_run WHERE status IN ('created', 'running') ORDER BY event_seq, id"
    ))?;
    let rows = statement.query_map([], run)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Removes a run. Returns whether there was one.
pub fn delete(tx: &Transaction<'_>, id: WorkflowRunId) -> Result<bool> {
    Ok(tx.prepare_cached("DELETE FROM workflow_run WHERE id = ?1")?.execute([id.to_string()])? > 0)
}

/// Removes up to `limit` runs that ended before a time. Returns whether there may be more.
pub fn prune(tx: &Transaction<'_>, before: Timestamp, limit: usize) -> Result<bool> {
    let removed = tx
        .prepare_cached(
            "DELETE FROM workflow_run WHERE id IN (SELECT id FROM workflow_run WHERE finished_at < ?1 LIMIT ?2)",
        )?
        .execute(params![before.as_millis(), limit_clause(Some(limit))])?;
    Ok(removed == limit)
}

/// Events up to this one don't start a workflow, because they are older than it.
pub fn set_after(tx: &Transaction<'_>, workflow: WorkflowId, seq: i64) -> Result<()> {
    tx.prepare_cached("UPDATE workflow SET after_seq = ?2 WHERE id = ?1")?
        .execute(params![workflow.to_string(), seq])?;
    Ok(())
}

/// See [`set_after`].
pub fn after(connection: &Connection) -> Result<Vec<(WorkflowId, i64)>> {
    let mut statement = connection.prepare_cached("SELECT id, after_seq FROM workflow")?;
    let rows = statement.query_map([], |row| Ok((id(row.get_ref(0)?.as_str()?)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

const SEEN: &str = "workflows.seen";

/// The last event that was looked at for all workflows.
pub fn seen(connection: &Connection) -> Result<i64> {
    Ok(settings::get(connection, SEEN)?.unwrap_or_default())
}

pub fn set_seen(tx: &Transaction<'_>, seq: i64) -> Result<()> {
    settings::set(tx, SEEN, &seq)
}
