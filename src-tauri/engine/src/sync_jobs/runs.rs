//! Runs, for programs and the person.

use relink_domain::{
    SyncJobId, SyncJobRunId,
    caller::Caller,
    sync::{RunChange, RunStatus},
};
use rusqlite::Transaction;

use super::{NewRun, RunProblems, SyncJobs, changes::Moment};
use crate::{
    error::{Error, Result},
    store::sync_jobs::{
        journal,
        log::{self, LogFilter, RunLogLine},
        runs::{self, RunFilter, StoredRun},
    },
    sync::lock,
};

const WHAT: &str = "run of a sync job";

/// How a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// `PATCH status: stopped`. One that is over can't be. It can be resumed.
    Patch,
    /// `DELETE`: the row stays, stopped, for good. One that is over stays as it is.
    Delete,
}

/// The runs that a list of jobs shows.
#[derive(Debug, Clone, Default)]
pub struct CurrentRuns {
    /// The last run of each job.
    pub last: Vec<StoredRun>,
    /// The runs that aren't over, oldest first.
    pub open: Vec<StoredRun>,
}

impl SyncJobs {
    /// Runs, oldest first.
    pub async fn runs(&self, _caller: &Caller, filter: RunFilter) -> Result<Vec<StoredRun>> {
        Ok(self.0.uses.store.read(move |c| runs::all(c, filter)).await?)
    }

    /// Runs of a job before a run, or the last ones, newest first.
    pub async fn latest_runs(
        &self,
        _caller: &Caller,
        job: SyncJobId,
        before: Option<SyncJobRunId>,
        limit: usize,
    ) -> Result<Vec<StoredRun>> {
        Ok(self.0.uses.store.read(move |c| runs::latest(c, job, before, limit)).await?)
    }

    /// The last run of each job, and all runs that aren't over.
    pub async fn current_runs(&self, _caller: &Caller) -> Result<CurrentRuns> {
        let read =
            |c: &rusqlite::Connection| Ok(CurrentRuns { last: runs::last_of_each_job(c)?, open: runs::open(c)? });
        Ok(self.0.uses.store.read(read).await?)
    }

    /// Makes a run with what another one was made with, and with the job's nodes as they are now, unless that run had its own.
    pub async fn run_again(&self, caller: &Caller, id: SyncJobRunId) -> Result<StoredRun, RunProblems> {
        let run = self.run(caller, id).await?;
        let spec = run.spec;
        let new = NewRun {
            sync_job_id: run.sync_job_id.to_string(),
            integrated_account_id: run.account_id.map(|id| id.to_string()),
            trigger: None,
            workflow: None,
            args: spec.args,
            version: spec.has_own_resources.then(|| spec.version.into()),
            resources: spec.has_own_resources.then_some(spec.resources),
            webhook_id: spec.webhook_id.map(|id| id.to_string()),
            datastore_id: spec.datastore_id,
            error_handling: Some(spec.error_handling.to_string()),
            on_needs_reauth: Some(spec.on_needs_reauth.to_string()),
            ignore_previous_run: spec.ignore_previous_run,
            force: spec.force,
            events_to_send: spec.events_to_send,
            mutex_key: spec.mutex_key,
            state_key: spec.state_key,
            meta: spec.meta,
        };
        self.start_run(caller, new).await
    }

    pub async fn run(&self, _caller: &Caller, id: SyncJobRunId) -> Result<StoredRun> {
        self.0.uses.store.read(move |c| runs::get(c, id)).await?.ok_or_else(|| Error::not_found(WHAT, &id))
    }

    /// Lines of the logs of runs, newest first.
    pub async fn run_log(&self, _caller: &Caller, filter: LogFilter) -> Result<Vec<RunLogLine>> {
        Ok(self.0.uses.store.read(move |c| log::lines(c, filter)).await?)
    }

    /// Stops a run, wherever it is.
    pub async fn stop(&self, caller: &Caller, id: SyncJobRunId, how: Stop) -> Result<StoredRun> {
        let (moment, by) = (self.moment(), caller.to_string());
        let change = match how {
            Stop::Patch => RunChange::Stop,
            Stop::Delete => RunChange::Delete,
        };
        let write = move |tx: &Transaction<'_>| {
            let Some(mut run) = runs::get(tx, id)? else { return Ok(Err(Error::not_found(WHAT, &id))) };
            let was_over = run.status.is_over();
            if let Err(refused) = moment.change(tx, &mut run, change)? {
                return Ok(Err(Error::conflict("run_is_over", refused.to_string())));
            }
            if !was_over {
                moment.log(tx, id, "info", &format!("Stopped by {by}."))?;
            }
            Ok(Ok(run))
        };
        let run = self.0.uses.store.write(write).await??;
        if let Some(work) = lock(&self.0.under_way).get(&id) {
            work.cancel();
        }
        self.0.changed.notify_one();
        match (how, self.0.files.load_full()) {
            (Stop::Delete, _) | (_, None) => self.close_files(id).await,
            // The batch in progress may come again when the run is resumed.
            (Stop::Patch, Some(files)) => files.rest(id).await,
        }
        tracing::info!(run = %id, ?caller, "a run was stopped");
        Ok(run)
    }

    /// Whether a run was stopped, and can be resumed.
    pub async fn can_resume(&self, _caller: &Caller, id: SyncJobRunId) -> Result<bool> {
        let read = move |c: &rusqlite::Connection| {
            let is_stopped = runs::get(c, id)?.is_some_and(|run| run.status == RunStatus::Stopped);
            Ok(is_stopped && journal::is_kept(c, id)?)
        };
        Ok(self.0.uses.store.read(read).await?)
    }

    /// Lets a run that was stopped by [`Stop::Patch`] go on where it was, with the nodes that it began with. Nothing happens to one that isn't
    /// over.
    pub async fn resume(&self, caller: &Caller, id: SyncJobRunId) -> Result<StoredRun> {
        let (moment, by) = (self.moment(), caller.to_string());
        let write = move |tx: &Transaction<'_>| {
            let Some(mut run) = runs::get(tx, id)? else { return Ok(Err(Error::not_found(WHAT, &id))) };
            let is_resumed = run.status == RunStatus::Stopped;
            if is_resumed && !journal::is_kept(tx, id)? {
                let message = "The run was deleted, and where it was isn't known any more. Start another one.";
                return Ok(Err(Error::conflict("run_is_over", message)));
            }
            if let Err(refused) = moment.change(tx, &mut run, RunChange::Resume)? {
                return Ok(Err(Error::conflict("run_is_over", refused.to_string())));
            }
            if is_resumed {
                moment.log(tx, id, "info", &format!("Resumed by {by}."))?;
            }
            Ok(Ok(run))
        };
        let run = self.0.uses.store.write(write).await??;
        self.0.changed.notify_one();
        tracing::info!(run = %id, ?caller, "a run is resumed");
        Ok(run)
    }

    pub(super) fn moment(&self) -> Moment {
        Moment { environment: self.0.uses.environment, now: self.now() }
    }
}
