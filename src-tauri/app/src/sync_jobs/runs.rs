//! Runs of sync jobs, as the window shows and starts them.

use relink_contract::window::{
    ErrorView, FieldProblem, StartedSyncRun, SyncInputs, SyncLive, SyncLog, SyncLogLine, SyncRunEntry, SyncRunView,
};
use relink_domain::{
    SyncJobId, SyncJobRunId,
    caller::Caller,
    sync::{Form, Graph, RunStatus},
};
use relink_engine::{Error, LogFilter, NewRun, RunLogLine, RunProblems, Stop, StoredRun, SyncJob};
use serde_json::{Map, Value};

use super::{
    graph::{counts, destinations, graph_view},
    names::{Names, label_of},
};
use crate::{App, Result, count, error::internal_error, error_view};

const RUNS_PER_PAGE: usize = 25;
const LINES_PER_PAGE: usize = 200;
/// As many lines are looked through for those of a node: a log has no more.
const MAX_LINES: usize = 2000;

pub(super) fn entry(run: &StoredRun, names: &Names) -> SyncRunEntry {
    let (mut fetched, mut persisted) = (0, 0);
    for (_, _, counts) in run.stats.iter() {
        fetched += counts.fetched;
        persisted += counts.persisted;
    }
    SyncRunEntry {
        id: run.id,
        status: run.status,
        account: run.account_id.or(account_arg(&run.spec.args)).map(|id| names.account(id)),
        is_triggered: run.trigger_id.is_some(),
        created_at: run.created_at,
        started_at: run.started_at,
        finished_at: run.finished_at,
        waits_until: run.wait_until,
        waits_for: run.waits_for_account.map(|id| names.account(id)),
        fetched,
        persisted,
    }
}

/// The accounts that a run is shown with.
pub(super) fn accounts_of(run: &StoredRun) -> impl Iterator<Item = relink_domain::AccountId> {
    run.account_id.into_iter().chain(account_arg(&run.spec.args)).chain(run.waits_for_account)
}

/// A run's account is often an argument.
fn account_arg(args: &Map<String, Value>) -> Option<relink_domain::AccountId> {
    args.get("integrated_account_id")?.as_str()?.parse().ok()
}

fn line(line: RunLogLine) -> SyncLogLine {
    let RunLogLine { seq, at, level, node, message, .. } = line;
    SyncLogLine { seq, at, level, node, message }
}

pub(super) fn json_of(args: &Map<String, Value>) -> String {
    if args.is_empty() { String::new() } else { serde_json::to_string_pretty(args).unwrap_or_default() }
}

/// The arguments of a form.
pub(super) fn args_of(inputs: &SyncInputs) -> Result<Map<String, Value>> {
    serde_json::from_str(&inputs.args).map_err(|_| internal_error("The arguments can’t be read."))
}

impl App {
    /// Runs of a job, newest first.
    pub async fn sync_runs(&self, id: SyncJobId, before: Option<SyncJobRunId>) -> Result<Vec<SyncRunEntry>> {
        let found = self.0.engine.sync_jobs().latest_runs(&Caller::Person, id, before, RUNS_PER_PAGE).await;
        let found = found.map_err(error_view)?;
        let names = self.names(found.iter().flat_map(accounts_of)).await?;
        Ok(found.iter().map(|run| entry(run, &names)).collect())
    }

    pub async fn start_sync_run(&self, id: SyncJobId, inputs: SyncInputs) -> Result<StartedSyncRun> {
        let new = NewRun {
            sync_job_id: id.to_string(),
            integrated_account_id: inputs.integrated_account_id.map(|id| id.to_string()),
            args: args_of(&inputs)?,
            webhook_id: inputs.webhook_id.map(|id| id.to_string()),
            datastore_id: inputs.datastore_id.map(|id| id.to_string()),
            on_needs_reauth: Some(inputs.on_needs_reauth.to_string()),
            ..NewRun::default()
        };
        started(Box::pin(self.0.engine.sync_jobs().start_run(&Caller::Person, new)).await)
    }

    /// Starts a run with what another one was started with.
    pub async fn repeat_sync_run(&self, id: SyncJobRunId) -> Result<StartedSyncRun> {
        started(Box::pin(self.0.engine.sync_jobs().run_again(&Caller::Person, id)).await)
    }

    pub async fn stop_sync_run(&self, id: SyncJobRunId) -> Result<()> {
        self.0.engine.sync_jobs().stop(&Caller::Person, id, Stop::Patch).await.map(drop).map_err(error_view)
    }

    pub async fn resume_sync_run(&self, id: SyncJobRunId) -> Result<()> {
        self.0.engine.sync_jobs().resume(&Caller::Person, id).await.map(drop).map_err(error_view)
    }

    pub async fn sync_run(&self, id: SyncJobRunId) -> Result<SyncRunView> {
        let jobs = self.0.engine.sync_jobs();
        let run = jobs.run(&Caller::Person, id).await.map_err(error_view)?;
        let names = self.names(accounts_of(&run)).await?;
        let job = match jobs.get::<SyncJob>(&Caller::Person, run.sync_job_id).await {
            Ok(row) => Some(label_of(&row)),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error_view(error)),
        };
        let reason = if run.status == RunStatus::Failed {
            self.lines(id, None, MAX_LINES).await?.into_iter().find(|line| line.level == "error").map(line)
        } else {
            None
        };
        let waits_for_run = run.status == RunStatus::Created && {
            let open = jobs.current_runs(&Caller::Person).await.map_err(error_view)?.open;
            let claim = run.claim();
            open.iter().any(|other| {
                other.id != run.id && other.status != RunStatus::Created && !claim.may_start_beside(&other.claim())
            })
        };
        let can_resume = jobs.can_resume(&Caller::Person, id).await.map_err(error_view)?;
        let graph = Graph::load(&run.spec.resources, Form::of_runtime(run.spec.version)).ok();
        let live = jobs.live_runs(&Caller::Person).borrow().get(&id).cloned();
        let place = |name: &str| graph.as_ref()?.nodes().iter().position(|node| node.name == name);
        let live =
            live.map(|live| SyncLive { node: live.node.as_deref().and_then(place), waiting: count(live.waiting) });
        let folder = self.sync_folder().await?;
        let to = |graph: &Graph| destinations(graph, &run, folder.as_deref(), &names);
        Ok(SyncRunView {
            run: entry(&run, &names),
            job: run.sync_job_id,
            job_label: job,
            counts: graph.as_ref().map(|graph| counts(graph, &run.stats)).unwrap_or_default(),
            destinations: graph.as_ref().map(to).unwrap_or_default(),
            graph: graph.as_ref().map(|graph| graph_view(graph, &run.spec.resources, None, Some(&run))),
            live,
            reason,
            webhook: run.spec.webhook_id.and_then(|id| names.webhook(id)),
            datastore: run.spec.datastore_id.as_deref().and_then(|id| names.datastore(id)),
            args: json_of(&run.spec.args),
            on_needs_reauth: run.spec.on_needs_reauth,
            error_handling: run.spec.error_handling,
            waits_for_run,
            can_resume,
        })
    }

    async fn lines(&self, run: SyncJobRunId, before: Option<i64>, limit: usize) -> Result<Vec<RunLogLine>> {
        let filter = LogFilter { run: Some(run), before, between: None, limit };
        self.0.engine.sync_jobs().run_log(&Caller::Person, filter).await.map_err(error_view)
    }

    pub async fn sync_run_log(&self, id: SyncJobRunId, node: Option<String>, before: Option<i64>) -> Result<SyncLog> {
        let most = if node.is_some() { MAX_LINES } else { LINES_PER_PAGE + 1 };
        let found = self.lines(id, before, most).await?;
        let is_wanted = |line: &RunLogLine| node.is_none() || line.node == node;
        let mut lines: Vec<_> = found.into_iter().filter(is_wanted).take(LINES_PER_PAGE + 1).map(line).collect();
        let has_more = lines.len() > LINES_PER_PAGE;
        lines.truncate(LINES_PER_PAGE);
        let next = lines.last().map(|line| line.seq).filter(|_| has_more);
        Ok(SyncLog { lines, next })
    }
}

fn started(made: std::result::Result<StoredRun, RunProblems>) -> Result<StartedSyncRun> {
    match made {
        Ok(run) => Ok(StartedSyncRun { run: Some(run.id), problems: Vec::new() }),
        Err(RunProblems::Args(failures)) => {
            let problem = |it: relink_domain::sync::ArgFailure| FieldProblem { field: it.path, problem: it.message };
            Ok(StartedSyncRun { run: None, problems: failures.into_iter().map(problem).collect() })
        }
        Err(RunProblems::Other(error)) => {
            let problem = field_problem(error)?;
            Ok(StartedSyncRun { run: None, problems: vec![problem] })
        }
    }
}

/// An error at a field of the form, or one of the whole.
pub(super) fn field_problem(error: Error) -> std::result::Result<FieldProblem, ErrorView> {
    match error {
        Error::Invalid { field: Some(field), message, .. } => Ok(FieldProblem { field, problem: message }),
        error => Err(error_view(error)),
    }
}
