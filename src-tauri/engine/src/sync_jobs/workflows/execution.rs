//! Taking the steps of a workflow's run.

use relink_contract::sync::NewSyncJobRun;
use relink_domain::{
    SyncJobCronTriggerId, Timestamp,
    caller::Caller,
    sync::{self, CronExpression, Step, StepConfig, StepResult, WorkflowRunStatus},
    truth::is_truthy,
};
use rusqlite::Transaction;
use serde_json::{Map, Value, json};

use super::{SyncJobs, view::View};
use crate::{
    crash::CrashPoint,
    error::{Error, Result},
    store::{
        self,
        documents::{self, CronTrigger, Document, Workflow},
        outbox,
        sync_jobs::{
            runs::{MadeByWorkflow, StoredRun},
            triggers as stored_triggers,
            workflows::{self, StoredWorkflowRun},
        },
    },
    sync_jobs::{Checked, NewRun, RunProblems, changes::Moment, new_run, triggers},
};

/// Why a step isn't taken.
enum Refused {
    /// In words. The run fails.
    Step(String),
    /// It can be tried again.
    Later(Box<Error>),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::Stopping | Error::Store(_) => Self::Later(Box::new(error)),
            other => Self::Step(other.to_string()),
        }
    }
}

impl From<store::StoreError> for Refused {
    fn from(error: store::StoreError) -> Self {
        Self::from(Error::from(error))
    }
}

impl From<RunProblems> for Refused {
    fn from(problems: RunProblems) -> Self {
        match problems {
            RunProblems::Other(error) => error.into(),
            RunProblems::Args(failures) => {
                let problems: Vec<_> = failures.into_iter().map(|failure| failure.message).collect();
                Self::Step(problems.join(" "))
            }
        }
    }
}

/// What a step makes.
enum Made {
    Nothing,
    Run(Box<StoredRun>),
    /// The document of a trigger, and when it fires.
    Trigger(Map<String, Value>, CronExpression),
}

impl SyncJobs {
    /// Takes the steps of all runs that aren't over.
    pub(super) async fn take_open_workflow_runs(&self) -> Result<()> {
        for run in self.0.uses.store.read(workflows::open).await? {
            self.take_steps(run).await?;
        }
        Ok(())
    }

    async fn take_steps(&self, mut run: StoredWorkflowRun) -> Result<()> {
        let (id, seq) = (run.workflow_id, run.event_seq);
        let read = move |c: &rusqlite::Connection| Ok((documents::get::<Workflow>(c, id)?, outbox::get(c, seq)?));
        let (workflow, event) = match self.0.uses.store.read(read).await? {
            (Some(workflow), Some(event)) => (workflow, event),
            (None, _) => return self.fail(run, "The workflow was deleted before this run was over.".to_owned()).await,
            (_, None) => return self.fail(run, "The event is no longer kept.".to_owned()).await,
        };
        let workflow = match sync::Workflow::load(&workflow.document) {
            Ok(workflow) => workflow,
            Err(error) => return self.fail(run, error.to_string()).await,
        };
        if run.status == WorkflowRunStatus::Created {
            let now = self.now();
            (run.status, run.started_at, run.updated_at) = (WorkflowRunStatus::Running, Some(now), now);
            if !self.update(run.clone()).await? {
                return Ok(());
            }
        }
        let mut view = self.view_of(&event).await?;
        for (at, step) in workflow.steps.iter().enumerate().skip(run.result.steps.len()) {
            view.see_steps(&run.result.steps);
            match self.take_step(&run, at, step, &view).await {
                Ok(Some(after)) => run = after,
                // It was deleted.
                Ok(None) => return Ok(()),
                Err(Refused::Later(error)) => return Err(*error),
                Err(Refused::Step(problem)) => {
                    run.result.steps.push(StepResult::failed(problem.clone()));
                    return self.fail(run, format!("{}: {problem}", step.place)).await;
                }
            }
        }
        let now = self.now();
        run.result.success = true;
        (run.status, run.finished_at, run.updated_at) = (WorkflowRunStatus::Completed, Some(now), now);
        self.update(run).await.map(drop)
    }

    async fn fail(&self, mut run: StoredWorkflowRun, error: String) -> Result<()> {
        tracing::warn!(run = %run.id, workflow = %run.workflow_id, "a workflow's run fails: {error}");
        run.fail(error, self.now());
        self.update(run).await.map(drop)
    }

    /// Returns whether the run is still there.
    async fn update(&self, run: StoredWorkflowRun) -> Result<bool> {
        Ok(self.0.uses.store.write(move |tx| workflows::update(tx, &run)).await?)
    }

    /// Takes a step. Gives the run with its result, in the transaction of which it is. None: the run was deleted.
    async fn take_step(
        &self,
        run: &StoredWorkflowRun,
        at: usize,
        step: &Step,
        view: &View,
    ) -> Result<Option<StoredWorkflowRun>, Refused> {
        let made = self.made_by(run, at, step, view).await?;
        let (moment, mut after) = (self.moment(), run.clone());
        after.updated_at = moment.now;
        let write = move |tx: &Transaction<'_>| {
            if workflows::get(tx, after.id)?.is_none() {
                return Ok(Ok(None));
            }
            let (result, planned) = match made {
                Made::Nothing => (StepResult::skipped(), None),
                Made::Run(new) => match new_run::admit(tx, moment, *new)? {
                    Ok(new) => (StepResult::made(json!({ "sync_job_run_id": new.id })), None),
                    Err(refused) => return Ok(Err(refused)),
                },
                Made::Trigger(document, cron) => match schedule(tx, moment, document, &cron)? {
                    Ok(planned) => {
                        let result = json!({ "sync_job_cron_trigger_id": planned.0 });
                        (StepResult::made(result), Some(planned))
                    }
                    Err(refused) => return Ok(Err(refused)),
                },
            };
            after.result.steps.push(result);
            workflows::update(tx, &after)?;
            Ok(Ok(Some((after, planned))))
        };
        let Some((after, planned)) = self.0.uses.store.write(write).await?? else { return Ok(None) };
        if let Some((trigger, at)) = planned {
            self.0.triggers.set(trigger, at);
        }
        self.0.changed.notify_one();
        CrashPoint::WorkflowStepped.here(&after.id).await;
        Ok(Some(after))
    }

    async fn made_by(&self, run: &StoredWorkflowRun, at: usize, step: &Step, view: &View) -> Result<Made, Refused> {
        let in_step = |what: &str, problem: String| Refused::Step(format!("{what}: {problem}"));
        if let Some(run_if) = &step.run_if {
            let found = self.evaluate(run_if, view).await?.map_err(|problem| in_step("run_if", problem))?;
            if !found.as_ref().is_some_and(is_truthy) {
                return Ok(Made::Nothing);
            }
        }
        let config = match &step.config {
            StepConfig::Expression(expression) => self.evaluate(expression, view).await?,
            StepConfig::Object(template) => view.fill(template).map(Some),
        };
        let mut config = match config {
            Ok(Some(Value::Object(config))) => config,
            Ok(_) => return Err(in_step("config", "it must give an object with sync_job_id.".to_owned())),
            Err(problem) => return Err(in_step("config", problem)),
        };
        // The account that the event is about, unless the step names another one.
        if let Some(account) = view.account
            && config.get(ACCOUNT).is_none_or(|named| named.is_null() || named == "")
        {
            config.insert(ACCOUNT.to_owned(), json!(account));
        }
        let Some(cron) = &step.cron else {
            let new: NewSyncJobRun = serde_json::from_value(Value::Object(config))
                .map_err(|error| in_step("config", format!("{error}.")))?;
            let workflow = MadeByWorkflow { run: run.id, chain: view.chain.clone() };
            let new = NewRun { workflow: Some(workflow), ..new.into() };
            let new = self.prepare_run(&Caller::Internal, new).await?;
            if !view.chain.admits(new.sync_job_id, new.account_id) {
                return Err(Refused::Step(REPEATED.to_owned()));
            }
            return Ok(Made::Run(Box::new(new)));
        };
        let mut document = config;
        document.insert(CRON.to_owned(), cron.to_string().into());
        document.insert(WORKFLOW.to_owned(), json!(run.workflow_id));
        document.insert(STEP.to_owned(), json!(at));
        document.retain(|_, value| !value.is_null());
        CronTrigger::check(&document).map_err(Error::from)?;
        Ok(Made::Trigger(document, cron.clone()))
    }
}

const ACCOUNT: &str = "integrated_account_id";
const CRON: &str = "cron_expression";
/// Members of a trigger's document that say which step made it.
const WORKFLOW: &str = "workflow_id";
const STEP: &str = "workflow_step";

const REPEATED: &str = "This sync job has run for this account already in the chain of runs that led to the event. \
                        Another run could start the workflow again and again, so there is none. Narrow the workflow with run_if.";

/// Adds and schedules the trigger of a step. If the step has made one for this job and account already, that one is changed instead.
fn schedule(
    tx: &Transaction<'_>,
    moment: Moment,
    document: Map<String, Value>,
    cron: &CronExpression,
) -> store::Result<Result<(SyncJobCronTriggerId, Timestamp)>> {
    let Some(next) = cron.next_after(moment.now) else { return Ok(Err(triggers::never_fires())) };
    let is_of_step = |row: &Document<CronTrigger>| {
        [WORKFLOW, STEP, "sync_job_id", ACCOUNT].iter().all(|key| row.document.get(*key) == document.get(*key))
    };
    let before = documents::all::<CronTrigger>(tx)?.into_iter().find(is_of_step);
    let mut row = before.clone().unwrap_or_else(|| Document::new(Map::new(), moment.now));
    (row.document, row.updated_at) = (document, moment.now);
    if let Err(refused) = CronTrigger::admit(tx, &row, before.as_ref().map(|before| &before.document))? {
        return Ok(Err(refused));
    }
    documents::put(tx, &row)?;
    // One that is scheduled already keeps its time.
    let planned = stored_triggers::planned(tx, row.id)?.unwrap_or(next);
    stored_triggers::schedule(tx, row.id, planned)?;
    Ok(Ok((row.id, planned)))
}
