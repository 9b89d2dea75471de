//! Runs of sync jobs.

use relink_domain::{
    AccountId, SyncJobCronTriggerId, SyncJobId, SyncJobRunId, Timestamp, WebhookId, WorkflowRunId,
    sync::{
        Chain, Claim, ErrorHandling, EventFilter, OnNeedsReauth, OpenRun, ResourceStats, RunEvent, RunStatus, Wait,
    },
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::store::{Result, document, id, limit_clause};

/// What a run was made with. It never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// The nodes, as they were when the run was made.
    pub resources: Value,
    /// Whether the run has nodes of its own instead of its job's.
    pub has_own_resources: bool,
    pub version: u32,
    pub args: Map<String, Value>,
    pub error_handling: ErrorHandling,
    pub on_needs_reauth: OnNeedsReauth,
    pub ignore_previous_run: bool,
    pub force: bool,
    /// All, if it is left out.
    pub events_to_send: Option<Vec<String>>,
    /// Where the records of a flat job go, and the run's events.
    pub webhook_id: Option<WebhookId>,
    pub datastore_id: Option<String>,
    /// Filled.
    pub mutex_key: Option<String>,
    /// Filled. None: the job's state.
    pub state_key: Option<String>,
    /// `started_at` of the last completed run of this job and account (contract section 9.3).
    pub previous_run_date: Option<Timestamp>,
    /// What else a trigger or program gave, which is only shown.
    pub meta: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<MadeByWorkflow>,
}

/// The workflow that made a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeByWorkflow {
    pub run: WorkflowRunId,
    /// What led to it.
    pub chain: Chain,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    pub id: SyncJobRunId,
    pub sync_job_id: SyncJobId,
    pub account_id: Option<AccountId>,
    pub trigger_id: Option<SyncJobCronTriggerId>,
    pub status: RunStatus,
    pub spec: RunSpec,
    pub stats: ResourceStats,
    /// Until when it waits, because a provider or a destination asked for it, or the computer is offline.
    pub wait_until: Option<Timestamp>,
    /// The account that it waits for.
    pub waits_for_account: Option<AccountId>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl StoredRun {
    pub fn claim(&self) -> Claim {
        Claim {
            job: self.sync_job_id,
            mutex: self.spec.mutex_key.clone(),
            trigger: self.trigger_id,
            force: self.spec.force,
        }
    }

    /// Whether its `events_to_send` has an event.
    pub fn sends(&self, event: RunEvent) -> bool {
        let names = self.spec.events_to_send.as_ref();
        // What can't be read any more was checked when the run was made.
        EventFilter::parse(names.map(|names| names.iter().map(String::as_str))).unwrap_or_default().sends(event)
    }

    /// The webhook that gets the records of a flat job: its own, unless it doesn't send them.
    pub fn records_webhook(&self) -> Option<WebhookId> {
        self.spec.webhook_id.filter(|_| self.sends(RunEvent::Record))
    }

    /// The namespace of its state.
    pub fn state_key(&self) -> String {
        self.spec.state_key.clone().unwrap_or_else(|| self.sync_job_id.to_string())
    }

    /// The chain of what follows from it.
    pub fn chain(&self) -> Chain {
        let before = self.spec.workflow.as_ref().map(|made| made.chain.clone());
        before.unwrap_or_default().and(self.sync_job_id, self.account_id)
    }

    /// How it stands among the runs that aren't over.
    pub fn open(&self) -> OpenRun {
        let wait = match (self.waits_for_account, self.wait_until) {
            (Some(_), _) => Wait::ForPerson,
            (None, Some(at)) => Wait::Until(at),
            (None, None) => Wait::Nothing,
        };
        OpenRun { id: self.id, status: self.status, claim: self.claim(), wait }
    }
}

const COLUMNS: &str = "id, sync_job_id, account_id, trigger_id, status, spec, stats, wait_until, waits_for_account, \
                       started_at, finished_at, created_at, updated_at";

fn run(row: &Row<'_>) -> rusqlite::Result<StoredRun> {
    let time = |at: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_millis));
    Ok(StoredRun {
        id: id(row.get_ref(0)?.as_str()?)?,
        sync_job_id: id(row.get_ref(1)?.as_str()?)?,
        account_id: row.get_ref(2)?.as_str_or_null()?.map(id).transpose()?,
        trigger_id: row.get_ref(3)?.as_str_or_null()?.map(id).transpose()?,
        status: row.get_ref(4)?.as_str()?.parse().map_err(|_| rusqlite::Error::InvalidQuery)?,
        spec: document(row.get_ref(5)?.as_str()?)?,
        stats: document(row.get_ref(6)?.as_str()?)?,
        wait_until: time(7)?,
        waits_for_account: row.get_ref(8)?.as_str_or_null()?.map(id).transpose()?,
        started_at: time(9)?,
        finished_at: time(10)?,
        created_at: Timestamp::from_millis(row.get(11)?),
        updated_at: Timestamp::from_millis(row.get(12)?),
    })
}

/// Adds a run, or changes all of it but its spec.
pub fn put(tx: &Transaction<'_>, run: &StoredRun) -> Result<()> {
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    tx.prepare_cached(
        "INSERT INTO sync_job_run (id, sync_job_id, account_id, trigger_id, status, spec, stats, wait_until,
                                   waits_for_account, started_at, finished_at, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (id) DO UPDATE SET status = ?5, stats = ?7, wait_until = ?8, waits_for_account = ?9,
                                        started_at = ?10, finished_at = ?11, updated_at = ?13",
    )?
    .execute(params![
        run.id.to_string(),
        run.sync_job_id.to_string(),
        run.account_id.map(|id| id.to_string()),
        run.trigger_id.map(|id| id.to_string()),
        run.status.as_str(),
        serde_json::to_string(&run.spec)?,
        serde_json::to_string(&run.stats)?,
        millis(run.wait_until),
        run.waits_for_account.map(|id| id.to_string()),
        millis(run.started_at),
        millis(run.finished_at),
        run.created_at.as_millis(),
        run.updated_at.as_millis(),
    ])?;
    Ok(())
}

pub fn get(connection: &Connection, id: SyncJobRunId) -> Result<Option<StoredRun>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM sync_job_run WHERE id = ?1"))?
        .query_row([id.to_string()], run)
        .optional()?)
}

/// Adds counts to those of a run that isn't over. Returns whether there is one.
pub fn add_stats(tx: &Transaction<'_>, id: SyncJobRunId, added: &ResourceStats, now: Timestamp) -> Result<bool> {
    let id = id.to_string();
    let found = tx
        .prepare_cached(
            "SELECT stats FROM sync_job_run WHERE id = ?1 AND status IN ('created', 'running', 'rate_limited')",
        )?
        .query_row([&id], |row| document::<ResourceStats>(row.get_ref(0)?.as_str()?))
        .optional()?;
    let Some(mut stats) = found else { return Ok(false) };
    if !added.is_empty() {
        stats.merge(added);
        tx.prepare_cached("UPDATE sync_job_run SET stats = ?2, updated_at = ?3 WHERE id = ?1")?.execute(params![
            id,
            serde_json::to_string(&stats)?,
            now.as_millis()
        ])?;
    }
    Ok(true)
}

/// Which runs are listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunFilter {
    pub job: Option<SyncJobId>,
    pub account: Option<AccountId>,
}

/// Runs, oldest first.
pub fn all(connection: &Connection, filter: RunFilter) -> Result<Vec<StoredRun>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM sync_job_run
         WHERE (?1 IS NULL OR sync_job_id = ?1) AND (?2 IS NULL OR account_id = ?2) ORDER BY id"
    ))?;
    let ids = params![filter.job.map(|id| id.to_string()), filter.account.map(|id| id.to_string())];
    let rows = statement.query_map(ids, run)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Runs of a job before a run, or the last ones, newest first.
pub fn latest(
    connection: &Connection,
    job: SyncJobId,
    before: Option<SyncJobRunId>,
    limit: usize,
) -> Result<Vec<StoredRun>> {
    // The ids first: runs have their nodes with them, and would be sorted with those.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM sync_job_run WHERE id IN (
           SELECT id FROM sync_job_run WHERE sync_job_id = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3)
         ORDER BY id DESC"
    ))?;
    let before = before.map(|id| id.to_string());
    let rows = statement.query_map(params![job.to_string(), before, limit_clause(Some(limit))], run)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The last run of each job.
pub fn last_of_each_job(connection: &Connection) -> Result<Vec<StoredRun>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM sync_job_run WHERE id IN (SELECT max(id) FROM sync_job_run GROUP BY sync_job_id)"
    ))?;
    let rows = statement.query_map([], run)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The runs that aren't over, oldest first.
pub fn open(connection: &Connection) -> Result<Vec<StoredRun>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM sync_job_run WHERE status IN ('created', 'running', 'rate_limited')
         ORDER BY created_at, id"
    ))?;
    let rows = statement.query_map([], run)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether a trigger has a run that wasn't started yet.
pub fn waits_to_start(connection: &Connection, trigger: SyncJobCronTriggerId) -> Result<bool> {
    let mut statement = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM sync_job_run WHERE trigger_id = ? AND status = 'created')")?;
    Ok(statement.query_row([trigger.to_string()], |row| row.get(0))?)
}

/// When the last completed run of a job and account began.
pub fn last_completed(
    connection: &Connection,
    job: SyncJobId,
    account: Option<AccountId>,
) -> Result<Option<Timestamp>> {
    let mut statement = connection.prepare_cached(
        "SELECT max(started_at) FROM sync_job_run
         WHERE sync_job_id = ?1 AND account_id IS ?2 AND status = 'completed'",
    )?;
    let found: Option<i64> =
        statement.query_row(params![job.to_string(), account.map(|id| id.to_string())], |row| row.get(0))?;
    Ok(found.map(Timestamp::from_millis))
}

/// Removes up to `limit` runs that ended before a time, except for the last completed one of each job and account. Returns whether there
/// may be more.
pub fn prune(tx: &Transaction<'_>, before: Timestamp, limit: usize) -> Result<bool> {
    let removed = tx
        .prepare_cached(
            "DELETE FROM sync_job_run WHERE id IN (
               SELECT id FROM sync_job_run AS old WHERE finished_at < ?1
                 AND NOT (status = 'completed' AND started_at IS (
                   SELECT max(started_at) FROM sync_job_run AS other
                   WHERE other.sync_job_id = old.sync_job_id AND other.account_id IS old.account_id
                     AND other.status = 'completed'))
               LIMIT ?2)",
        )?
        .execute(params![before.as_millis(), crate::store::limit_clause(Some(limit))])?;
    Ok(removed == limit)
}
