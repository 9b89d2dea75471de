//! Working on one run.

use std::time::Duration;

use relink_domain::{
    SyncJobRunId,
    account::Status,
    sync::{Form, Graph, RunChange},
};
use relink_sync::{Outcome, Progress, RecordError, Run, Runner, Wait};
use rusqlite::Transaction;
use serde_json::json;

use super::{SyncJobs, changes::line_of, host::RunHost};
use crate::{
    error::Result,
    store::{
        accounts,
        sync_jobs::{log, runs},
    },
};

/// After this time a run goes on whose journal couldn't be used.
const JOURNAL_RETRY: Duration = Duration::from_secs(5);
/// So long a run waits before it looks again whether the provider can be reached.
const OFFLINE_SECS: i64 = 10;
/// So long a run waits after a 401 of an account that doesn't need its person.
const UNCLEAR_SECS: i64 = 30;

impl SyncJobs {
    /// Works on a run until it is over or has to wait. Whatever fails is tried again.
    pub(super) async fn execute(&self, id: SyncJobRunId) {
        if let Err(error) = Box::pin(self.try_execute(id)).await {
            tracing::warn!(run = %id, code = error.code(), "a run is interrupted: {error}");
            tokio::time::sleep(JOURNAL_RETRY).await;
        }
    }

    async fn try_execute(&self, id: SyncJobRunId) -> Result<()> {
        let moment = self.moment();
        let begin = move |tx: &Transaction<'_>| {
            let Some(mut run) = runs::get(tx, id)? else { return Ok(None) };
            run.wait_until = None;
            let begun = moment.change(tx, &mut run, RunChange::Start)?;
            let goes_on = match begun {
                Ok(()) => moment.change(tx, &mut run, RunChange::Continue)?,
                over => over,
            };
            Ok(goes_on.ok().map(|()| run))
        };
        let Some(run) = self.0.uses.store.write(begin).await? else { return Ok(()) };
        let graph = match Graph::load(&run.spec.resources, Form::of_runtime(run.spec.version)) {
            Ok(graph) => graph,
            Err(error) => {
                let node = error.node.clone().unwrap_or_default();
                let error = json!({ "statusCode": 400, "error": "Bad Request", "message": error.to_string() });
                return self.finish(id, Outcome::Failed(RecordError { node, resource: String::new(), error })).await;
            }
        };
        let Some(calls) = self.0.calls.get() else { return Ok(()) };
        let shown = Run {
            id,
            row: run.seen(self.0.uses.environment),
            args: run.spec.args.clone(),
            account: run.account_id.map(|id| id.to_string()),
            previous_run_date: run.spec.previous_run_date.map(|at| at.to_string()),
            error_handling: run.spec.error_handling,
            on_needs_reauth: run.spec.on_needs_reauth,
        };
        let host = RunHost::new(self, &run, calls);
        let mut runner = Runner::new(&shown, &graph, &host);
        loop {
            match runner.step().await {
                Ok(Progress::More) => {}
                Ok(Progress::Waits(wait)) => return self.wait(id, wait, host.take_lines()).await,
                Ok(Progress::Finished(outcome)) => return self.finish(id, outcome).await,
                Err(error) => {
                    tracing::warn!(run = %id, "a run is interrupted: {error}");
                    tokio::time::sleep(JOURNAL_RETRY).await;
                    return Ok(());
                }
            }
        }
    }

    /// A run goes on later.
    async fn wait(&self, id: SyncJobRunId, wait: Wait, lines: Vec<log::NewLine>) -> Result<()> {
        let moment = self.moment();
        let write = move |tx: &Transaction<'_>| {
            let Some(mut run) = runs::get(tx, id)?.filter(|run| !run.status.is_over()) else { return Ok(()) };
            let after = |seconds: u64| moment.now.plus_secs(i64::try_from(seconds).unwrap_or(i64::MAX).max(1));
            let (change, line) = match &wait {
                Wait::RateLimited { node, seconds, error } => {
                    run.wait_until = Some(after(*seconds));
                    let resource = format!("The provider limits calls. The run goes on in {seconds} s");
                    let error = RecordError { node: node.clone(), resource, error: error.clone() };
                    (Some(RunChange::LimitRate), line_of("info", &error))
                }
                Wait::Offline { node, error } => {
                    run.wait_until = Some(moment.now.plus_secs(OFFLINE_SECS));
                    let resource = "This computer is offline. The run goes on when it is online again".to_owned();
                    let error = RecordError { node: node.clone(), resource, error: error.clone() };
                    (None, line_of("info", &error))
                }
                Wait::Destination { node, seconds } => {
                    run.wait_until = Some(after(*seconds));
                    let message = format!("The destination asks for a wait. The run goes on in {seconds} s.");
                    (None, log::NewLine { level: "info", node: Some(node.clone()), message })
                }
                Wait::NeedsReauth { node, account, error } => {
                    let account = account.parse().ok();
                    let known = account.map(|id| accounts::get(tx, id)).transpose()?.flatten();
                    match known.filter(|account| account.status() == Status::NeedsReauth) {
                        Some(_) => run.waits_for_account = account,
                        None => run.wait_until = Some(moment.now.plus_secs(UNCLEAR_SECS)),
                    }
                    let resource = "The run waits until the account is reauthorized".to_owned();
                    let error = RecordError { node: node.clone(), resource, error: error.clone() };
                    (None, line_of("warn", &error))
                }
            };
            // Offline is said once, however often the run looks again.
            let is_offline = matches!(wait, Wait::Offline { .. });
            if !is_offline || log::last(tx, id)?.is_none_or(|last| last != line.message) {
                for line in lines.iter().chain([&line]) {
                    log::add(tx, id, line, moment.now)?;
                }
            }
            match change {
                // It isn't over.
                Some(change) => {
                    let _ = moment.change(tx, &mut run, change)?;
                }
                None => runs::put(tx, &run)?,
            }
            Ok(())
        };
        Ok(self.0.uses.store.write(write).await?)
    }

    /// None of its batches comes again.
    pub(super) async fn close_files(&self, id: SyncJobRunId) {
        if let Some(files) = self.0.files.load_full() {
            files.finish(id).await;
        }
    }

    async fn finish(&self, id: SyncJobRunId, outcome: Outcome) -> Result<()> {
        let moment = self.moment();
        let write = move |tx: &Transaction<'_>| {
            let Some(mut run) = runs::get(tx, id)? else { return Ok(()) };
            let change = match &outcome {
                Outcome::Completed => RunChange::Complete,
                Outcome::Failed(error) => {
                    log::add(tx, id, &line_of("error", error), moment.now)?;
                    RunChange::Fail
                }
            };
            // It may have been stopped meanwhile.
            let _ = moment.change(tx, &mut run, change)?;
            Ok(())
        };
        self.0.uses.store.write(write).await?;
        tracing::info!(run = %id, "a run is over");
        self.close_files(id).await;
        Ok(())
    }
}
