//! The logs of runs (`rapid_bridge` of `/log`, contract section 10.4).

use relink_domain::{AccountId, SyncJobId, SyncJobRunId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::store::{Result, id, limit_clause};

/// Lines of one run that are kept.
const MAX_LINES: i64 = 2000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLogLine {
    pub seq: i64,
    pub run_id: SyncJobRunId,
    pub sync_job_id: SyncJobId,
    /// The run's account, if it has one.
    pub account_id: Option<AccountId>,
    pub at: Timestamp,
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The node that it is about.
    pub node: Option<String>,
    pub message: String,
}

/// A line to be added.
#[derive(Debug, Clone)]
pub struct NewLine {
    pub level: &'static str,
    pub node: Option<String>,
    pub message: String,
}

/// Adds a line. Of a run that has too many, the oldest goes.
pub fn add(tx: &Transaction<'_>, run: SyncJobRunId, line: &NewLine, now: Timestamp) -> Result<()> {
    tx.prepare_cached("INSERT INTO sync_run_log (run_id, at, level, node, message) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![run.to_string(), now.as_millis(), line.level, line.node, line.message])?;
    tx.prepare_cached(
        "DELETE FROM sync_run_log WHERE run_id = ?1 AND seq <= (
           SELECT seq FROM sync_run_log WHERE run_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute(params![run.to_string(), MAX_LINES])?;
    Ok(())
}

/// The message of the last line.
pub fn last(connection: &Connection, run: SyncJobRunId) -> Result<Option<String>> {
    let mut statement =
        connection.prepare_cached("SELECT message FROM sync_run_log WHERE run_id = ?1 ORDER BY seq DESC LIMIT 1")?;
    Ok(statement.query_row([run.to_string()], |row| row.get(0)).optional()?)
}

/// Which lines are read.
#[derive(Debug, Clone, Copy)]
pub struct LogFilter {
    /// None: those of all runs.
    pub run: Option<SyncJobRunId>,
    /// Lines before this one.
    pub before: Option<i64>,
    /// Lines between these times.
    pub between: Option<(Timestamp, Timestamp)>,
    pub limit: usize,
}

/// Lines, newest first.
pub fn lines(connection: &Connection, filter: LogFilter) -> Result<Vec<RunLogLine>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, run_id, sync_job_id, account_id, at, level, node, message
         FROM sync_run_log JOIN sync_job_run ON sync_job_run.id = run_id
         WHERE (?1 IS NULL OR run_id = ?1) AND (?2 IS NULL OR seq < ?2) AND (?3 IS NULL OR at > ?3 AND at < ?4)
         ORDER BY seq DESC LIMIT ?5",
    )?;
    let (after, before) = filter.between.map(|(after, before)| (after.as_millis(), before.as_millis())).unzip();
    let run = filter.run.map(|id| id.to_string());
    let chosen = params![run, filter.before, after, before, limit_clause(Some(filter.limit))];
    let rows = statement.query_map(chosen, |row| {
        Ok(RunLogLine {
            seq: row.get(0)?,
            run_id: id(row.get_ref(1)?.as_str()?)?,
            sync_job_id: id(row.get_ref(2)?.as_str()?)?,
            account_id: row.get_ref(3)?.as_str_or_null()?.map(id).transpose()?,
            at: Timestamp::from_millis(row.get(4)?),
            level: row.get(5)?,
            node: row.get(6)?,
            message: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
