//! The logs of runs in Truto's `/log`: `rapid_bridge` and `sync_job_cron_trigger` (contract section 10.4).

use relink_contract::{
    List,
    call::LogType,
    log::{LogEntry, RunLogEntry, TriggerLogEntry},
};
use relink_domain::{SyncJobRunId, Timestamp, caller::Caller, permission::Permission};
use relink_engine::{CronTrigger, Error, LogFilter, RunFilter};

use super::rows;
use crate::{ApiState, error::ApiError, query::invalid};

/// As many lines are read at a time while a filter is applied.
const READ_AT_ONCE: usize = 1000;

/// Which entries a request asks for.
pub(crate) struct Wanted<'a> {
    /// Later than this time.
    pub(crate) after: Timestamp,
    /// Earlier than this time.
    pub(crate) before: Timestamp,
    pub(crate) limit: usize,
    pub(crate) cursor: Option<&'a str>,
    /// `log_type_filter[sync_job_run_id]`, if it is an equality: other runs aren't read.
    pub(crate) run: Option<&'a str>,
    pub(crate) matches: &'a (dyn Fn(&LogEntry) -> bool + Send + Sync),
}

/// The lines of runs' logs, newest first.
pub(crate) async fn lines(api: &ApiState, caller: &Caller, wanted: &Wanted<'_>) -> Result<List<LogEntry>, ApiError> {
    allow(caller)?;
    let limit = wanted.limit;
    let parsed = |cursor: &str| cursor.parse().map_err(|_| invalid("This next_cursor isn't valid."));
    let mut before: Option<i64> = wanted.cursor.map(parsed).transpose()?;
    let Ok(run) = wanted.run.map(str::parse::<SyncJobRunId>).transpose() else {
        return Ok(List { result: Vec::new(), next_cursor: None, limit });
    };
    let mut result: Vec<LogEntry> = Vec::new();
    loop {
        let between = Some((wanted.after, wanted.before));
        let filter = LogFilter { run, before, between, limit: READ_AT_ONCE };
        let read = api.engine.sync_jobs().run_log(caller, filter).await?;
        let is_last = read.len() < READ_AT_ONCE;
        for line in read {
            before = Some(line.seq);
            let entry = LogEntry::Run(RunLogEntry {
                id: line.seq.to_string(),
                log_type: LogType::RapidBridge,
                created_at: line.at,
                environment_id: api.engine.environment_id(),
                sync_job_id: line.sync_job_id,
                sync_job_run_id: line.run_id,
                integrated_account_id: line.account_id,
                level: line.level,
                node: line.node,
                message: line.message,
            });
            if !(wanted.matches)(&entry) {
                continue;
            }
            if result.len() == limit {
                let next_cursor = result.last().map(|entry| entry.id().to_owned());
                return Ok(List { result, next_cursor, limit });
            }
            result.push(entry);
        }
        if is_last {
            return Ok(List { result, next_cursor: None, limit });
        }
    }
}

/// The runs that triggers made and the last ones that they couldn't make, newest first.
pub(crate) async fn firings(api: &ApiState, caller: &Caller, wanted: &Wanted<'_>) -> Result<List<LogEntry>, ApiError> {
    allow(caller)?;
    let environment = api.engine.environment_id();
    let jobs = api.engine.sync_jobs();
    let runs = jobs.runs(caller, RunFilter::default()).await?;
    let errors = jobs.trigger_errors(caller).await?;
    let triggers = jobs.all::<CronTrigger>(caller).await?;
    // Ids of runs and errors grow with their times.
    let is_asked_for = |id: &str, at: Timestamp| {
        at > wanted.after && at < wanted.before && wanted.cursor.is_none_or(|cursor| id < cursor)
    };
    let failed = triggers.iter().filter_map(|row| {
        let (_, error) = errors.iter().find(|(id, _)| *id == row.id)?;
        TriggerLogEntry::of_error(error.id.to_string(), &rows::trigger(environment, &[], &errors, row)?)
    });
    let made = runs.iter().filter_map(|run| TriggerLogEntry::of_run(&run.row(environment)));
    let mut entries: Vec<_> = made.chain(failed).filter(|it| is_asked_for(&it.id, it.created_at)).collect();
    entries.sort_unstable_by(|one, other| other.id.cmp(&one.id));
    let entries = entries.into_iter().map(LogEntry::Trigger);
    let mut result: Vec<_> = entries.filter(|entry| (wanted.matches)(entry)).take(wanted.limit + 1).collect();
    let has_more = result.len() > wanted.limit;
    result.truncate(wanted.limit);
    let next_cursor = result.last().filter(|_| has_more).map(|entry| entry.id().to_owned());
    Ok(List { result, next_cursor, limit: wanted.limit })
}

/// Who may read calls may not read runs, if its token is limited to some accounts.
fn allow(caller: &Caller) -> Result<(), ApiError> {
    caller.require(Permission::ReadSyncJobs).map_err(|refusal| Error::from(refusal).into())
}
