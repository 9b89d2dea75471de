//! Workflows: they start runs of sync jobs when an event is sent (contract section 10.4).
//!
//! The loop follows the outbox. For each event, and each workflow that it can start, it decides once: the run of the workflow and the place up
//! to which events were looked at are one transaction. So an event starts a workflow exactly once, whenever the process ends. A run then takes
//! its steps, and what a step makes is one transaction with its result. Whatever isn't over when Relink starts goes on with the next step.

mod execution;
mod view;

use std::{collections::HashMap, time::Duration};

use relink_domain::{
    Timestamp, WorkflowId, WorkflowRunId,
    caller::Caller,
    sync::{self, JobError, WorkflowResult, WorkflowRunStatus},
    truth::is_truthy,
};
use rusqlite::Transaction;
use serde_json::{Map, Value};
use uuid::Uuid;

use self::view::View;
use super::{
    SyncJobs,
    documents::{Checked, require_known},
};
use crate::{
    crash::CrashPoint,
    error::{Error, Result},
    store::{
        self,
        documents::{self, Document, Workflow},
        outbox::{self, Event},
        sync_jobs::workflows::{self, StoredWorkflowRun},
    },
};

const RUN: &str = "run of a workflow";
/// After this time a failed look at the database is repeated.
const STORE_RETRY: Duration = Duration::from_secs(5);
/// Events that one transaction decides about.
const BATCH: usize = 100;

impl Checked for Workflow {
    fn check(document: &Map<String, Value>) -> Result<Vec<(String, String)>, JobError> {
        sync::Workflow::check(document)
    }

    fn admit(
        tx: &Transaction<'_>,
        row: &Document<Self>,
        _before: Option<&Map<String, Value>>,
    ) -> store::Result<Result<()>> {
        let workflow = match sync::Workflow::load(&row.document) {
            Ok(workflow) => workflow,
            Err(error) => return Ok(Err(error.into())),
        };
        for step in &workflow.steps {
            if let Err(unknown) = require_known(tx, &format!("{}.config.", step.place), |key| step.named(key))? {
                return Ok(Err(unknown));
            }
        }
        Ok(Ok(()))
    }

    /// Older events don't start it.
    fn written(tx: &Transaction<'_>, row: &Document<Self>, before: Option<&Map<String, Value>>) -> store::Result<()> {
        let is_same = before.is_some_and(|before| before.get("trigger_name") == row.document.get("trigger_name"));
        if is_same { Ok(()) } else { workflows::set_after(tx, row.id, outbox::latest(tx)?) }
    }
}

/// What is read at once.
struct Following {
    workflows: Vec<Document<Workflow>>,
    after: HashMap<WorkflowId, i64>,
    /// Those that can start one of them.
    events: Vec<Event>,
    /// All events up to this one are among them, or can't.
    scanned: i64,
}

pub(super) async fn run(jobs: SyncJobs) {
    // Without expressions no workflow gets anywhere.
    jobs.0.calls.installed().await;
    let mut latest = jobs.0.uses.store.outbox_seq();
    let mut scanned = 0;
    loop {
        latest.borrow_and_update();
        let (has_workflows, must_retry) = match jobs.follow_events(&mut scanned).await {
            Ok(has_workflows) => (has_workflows, false),
            Err(error) => {
                tracing::warn!(code = error.code(), "workflows can't go on, and are tried again: {error}");
                (false, true)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(STORE_RETRY), if must_retry => {}
            () = jobs.0.workflows_changed.notified() => {}
            sent = latest.changed(), if has_workflows => {
                // The store is closed.
                if sent.is_err() {
                    return;
                }
            }
        }
    }
}

impl SyncJobs {
    /// Takes the steps of all open runs, and starts workflows for all new events. Returns whether there are workflows.
    async fn follow_events(&self, scanned: &mut i64) -> Result<bool> {
        loop {
            self.take_open_workflow_runs().await?;
            let from = *scanned;
            let following = self.0.uses.store.read(move |c| following(c, from)).await?;
            self.start_workflows(&following).await?;
            *scanned = following.scanned;
            if following.events.is_empty() {
                return Ok(!following.workflows.is_empty());
            }
        }
    }

    async fn start_workflows(&self, following: &Following) -> Result<()> {
        let mut started = Vec::new();
        for event in &following.events {
            let view = self.view_of(event).await?;
            for workflow in &following.workflows {
                let is_older = following.after.get(&workflow.id).is_some_and(|after| event.seq <= *after);
                if is_older || trigger_of(workflow) != Some(event.kind.as_str()) {
                    continue;
                }
                started.extend(self.started_by(workflow, event, &view).await?);
            }
        }
        let Some(last) = following.events.last().map(|event| event.seq) else { return Ok(()) };
        CrashPoint::WorkflowDecided.here(&last).await;
        let write = move |tx: &Transaction<'_>| {
            for run in &started {
                // It may have been deleted meanwhile.
                if documents::get::<Workflow>(tx, run.workflow_id)?.is_some() {
                    workflows::add(tx, run)?;
                }
            }
            workflows::set_seen(tx, last)
        };
        self.0.uses.store.write(write).await?;
        CrashPoint::WorkflowStarted.here(&last).await;
        Ok(())
    }

    /// The run of a workflow that an event starts. None: its `run_if` isn't true.
    async fn started_by(
        &self,
        workflow: &Document<Workflow>,
        event: &Event,
        view: &View,
    ) -> Result<Option<StoredWorkflowRun>> {
        let now = self.now();
        let mut run = StoredWorkflowRun {
            id: WorkflowRunId::from_uuid(Uuid::now_v7()),
            workflow_id: workflow.id,
            event_seq: event.seq,
            event_id: event.id,
            event: event.kind.as_str().to_owned(),
            status: WorkflowRunStatus::Created,
            result: WorkflowResult::default(),
            started_at: None,
            finished_at: None,
            created_at: now,
            updated_at: now,
        };
        // One that can't be read any more fails when it runs.
        let run_if = sync::Workflow::load(&workflow.document).ok().and_then(|workflow| workflow.run_if);
        let Some(run_if) = run_if else { return Ok(Some(run)) };
        match self.evaluate(&run_if, view).await? {
            Ok(found) if found.as_ref().is_some_and(is_truthy) => Ok(Some(run)),
            Ok(_) => Ok(None),
            Err(problem) => {
                run.fail(format!("config.run_if: {problem}"), now);
                Ok(Some(run))
            }
        }
    }

    /// Evaluates an expression. The inner error is one of the expression.
    async fn evaluate(&self, expression: &str, view: &View) -> Result<Result<Option<Value>, String>> {
        let calls = self.0.calls.get().ok_or(Error::Stopping)?;
        let found = match view.input() {
            Ok(input) => calls.evaluate(expression, input).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        Ok(found.and_then(|found| match found {
            None => Ok(None),
            Some(found) => serde_json::from_str(found.get()).map(Some).map_err(|error| error.to_string()),
        }))
    }

    /// Runs of one workflow or of all, oldest first.
    pub async fn workflow_runs(
        &self,
        _caller: &Caller,
        workflow: Option<WorkflowId>,
    ) -> Result<Vec<StoredWorkflowRun>> {
        Ok(self.0.uses.store.read(move |c| workflows::all(c, workflow)).await?)
    }

    pub async fn workflow_run(&self, _caller: &Caller, id: WorkflowRunId) -> Result<StoredWorkflowRun> {
        self.0.uses.store.read(move |c| workflows::get(c, id)).await?.ok_or_else(|| Error::not_found(RUN, &id))
    }

    /// Removes a run of a workflow. If it isn't over, its next steps aren't taken.
    pub async fn delete_workflow_run(&self, caller: &Caller, id: WorkflowRunId) -> Result<()> {
        let was_there = self.0.uses.store.write(move |tx| workflows::delete(tx, id)).await?;
        if !was_there {
            return Err(Error::not_found(RUN, &id));
        }
        tracing::info!(%id, ?caller, "a {RUN} was deleted");
        Ok(())
    }
}

impl StoredWorkflowRun {
    fn fail(&mut self, error: String, now: Timestamp) {
        self.status = WorkflowRunStatus::Failed;
        self.result.error = Some(error);
        self.started_at.get_or_insert(now);
        (self.finished_at, self.updated_at) = (Some(now), now);
    }
}

fn trigger_of(workflow: &Document<Workflow>) -> Option<&str> {
    workflow.text("trigger_name")
}

fn following(c: &rusqlite::Connection, scanned: i64) -> store::Result<Following> {
    let workflows = documents::all::<Workflow>(c)?;
    let after: HashMap<_, _> = workflows::after(c)?.into_iter().collect();
    let latest = outbox::latest(c)?;
    if workflows.is_empty() {
        return Ok(Following { workflows, after, events: Vec::new(), scanned: latest });
    }
    let from = after.values().copied().min().unwrap_or_default().max(workflows::seen(c)?).max(scanned);
    let names: Vec<_> = workflows.iter().filter_map(trigger_of).collect();
    let events = outbox::named_after(c, from, &names, BATCH)?;
    let scanned = events.last().filter(|_| events.len() == BATCH).map_or(latest, |event| event.seq);
    Ok(Following { workflows, after, events, scanned })
}
