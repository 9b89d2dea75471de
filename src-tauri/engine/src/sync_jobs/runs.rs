//! Runs, for programs and the person.

use relink_domain::{SyncJobRunId, caller::Caller, sync::RunChange};
use rusqlite::Transaction;

use super::{SyncJobs, changes::Moment};
use crate::{
    error::{Error, Result},
    store::sync_jobs::{
        log::{self, LogFilter, RunLogLine},
        runs::{self, RunFilter, StoredRun},
    },
    sync::lock,
};

const WHAT: &str = "run of a sync job";

/// How a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// `PATCH status: stopped`. One that is over can't be.
    Patch,
    /// `DELETE`: the row stays, stopped. One that is over stays as it is.
    Delete,
}

impl SyncJobs {
    /// Runs, oldest first.
    pub async fn runs(&self, _caller: &Caller, filter: RunFilter) -> Result<Vec<StoredRun>> {
        Ok(self.0.uses.store.read(move |c| runs::all(c, filter)).await?)
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
        self.close_files(id).await;
        tracing::info!(run = %id, ?caller, "a run was stopped");
        Ok(run)
    }

    pub(super) fn moment(&self) -> Moment {
        Moment { environment: self.0.uses.environment, now: self.now() }
    }
}
