//! Triggers of sync jobs: runs by the clock.

use relink_contract::window::{CronPreview, FieldProblem, SyncInputs, SyncTrigger, SyncTriggerError};
use relink_domain::{
    SyncJobCronTriggerId, SyncJobId,
    caller::Caller,
    sync::{CronExpression, Job, JobError, OnNeedsReauth, cron_of},
};
use relink_engine::{CronTrigger, Document, SyncJob};
use serde_json::{Map, Value, json};

use super::{
    names::text_of,
    runs::{args_of, field_problem, json_of},
};
use crate::{App, Result, error_view};

/// The next times that are shown of an expression.
const UPCOMING: usize = 5;

impl App {
    pub(super) async fn triggers_of(&self, job: SyncJobId) -> Result<Vec<SyncTrigger>> {
        let jobs = self.0.engine.sync_jobs();
        let planned = jobs.planned(&Caller::Person).await.map_err(error_view)?;
        let errors = jobs.trigger_errors(&Caller::Person).await.map_err(error_view)?;
        let all = jobs.all::<CronTrigger>(&Caller::Person).await.map_err(error_view)?;
        let own: Vec<_> = all.into_iter().filter(|row| row.text("sync_job_id") == Some(&job.to_string())).collect();
        let account_of = |row: &Document<CronTrigger>| text_of(row, "integrated_account_id")?.parse().ok();
        let names = self.names(own.iter().filter_map(account_of)).await?;
        let now = self.0.engine.now();
        let view = |row: Document<CronTrigger>| {
            let next_run_at = planned.iter().find(|(id, _)| *id == row.id).map(|(_, at)| *at);
            let cron: Option<CronExpression> = cron_of(&row.document).ok();
            let upcoming = cron.as_ref().filter(|_| next_run_at.is_some()).map(|cron| cron.upcoming(now, UPCOMING));
            SyncTrigger {
                id: row.id,
                cron_expression: text_of(&row, "cron_expression").unwrap_or_default(),
                words: cron.map(|cron| cron.words()).unwrap_or_default(),
                next_run_at,
                upcoming: upcoming.unwrap_or_default(),
                account: account_of(&row).map(|id| names.account(id)),
                webhook: text_of(&row, "webhook_id").and_then(|id| names.webhook(id.parse().ok()?)),
                datastore: text_of(&row, "datastore_id").and_then(|id| names.datastore(&id)),
                last_error: errors
                    .iter()
                    .find(|(id, _)| *id == row.id)
                    .map(|(_, error)| SyncTriggerError { message: error.message.clone(), at: error.at }),
                args: row.document.get("args").and_then(Value::as_object).map(json_of).unwrap_or_default(),
                on_needs_reauth: text_of(&row, "on_needs_reauth")
                    .and_then(|word| word.parse().ok())
                    .unwrap_or(OnNeedsReauth::Fail),
            }
        };
        Ok(own.into_iter().map(view).collect())
    }

    #[expect(clippy::unused_async, reason = "commands are asynchronous")]
    pub async fn check_cron(&self, expression: String) -> Result<CronPreview> {
        let document = Map::from_iter([("cron_expression".to_owned(), Value::String(expression))]);
        Ok(match cron_of(&document) {
            Ok(cron) => CronPreview {
                problem: None,
                words: cron.words(),
                upcoming: cron.upcoming(self.0.engine.now(), UPCOMING),
            },
            Err(JobError { problem, .. }) => {
                CronPreview { problem: Some(problem), words: String::new(), upcoming: Vec::new() }
            }
        })
    }

    /// Adds a trigger and schedules it. Returns what is wrong, if there is none then.
    pub async fn add_sync_trigger(
        &self,
        id: SyncJobId,
        expression: String,
        inputs: SyncInputs,
    ) -> Result<Vec<FieldProblem>> {
        let jobs = self.0.engine.sync_jobs();
        let row = jobs.get::<SyncJob>(&Caller::Person, id).await.map_err(error_view)?;
        let args = args_of(&inputs)?;
        // A trigger whose runs would all be refused is of no use.
        let failures = Job::load(&row.document).map(|job| job.args.check(&args)).unwrap_or_default();
        if !failures.is_empty() {
            let problem = |it: relink_domain::sync::ArgFailure| FieldProblem { field: it.path, problem: it.message };
            return Ok(failures.into_iter().map(problem).collect());
        }
        let document = json!({
            "sync_job_id": id,
            "cron_expression": expression,
            "args": args,
            "integrated_account_id": inputs.integrated_account_id,
            "webhook_id": inputs.webhook_id,
            "datastore_id": inputs.datastore_id,
            "on_needs_reauth": inputs.on_needs_reauth,
        });
        let document = document.as_object().cloned().unwrap_or_default();
        match jobs.add::<CronTrigger>(&Caller::Person, document).await {
            Ok(added) => {
                jobs.schedule(&Caller::Person, added.id).await.map_err(error_view)?;
                Ok(Vec::new())
            }
            Err(error) => field_problem(error).map(|problem| vec![problem]),
        }
    }

    pub async fn schedule_sync_trigger(&self, id: SyncJobCronTriggerId) -> Result<()> {
        self.0.engine.sync_jobs().schedule(&Caller::Person, id).await.map(drop).map_err(error_view)
    }

    pub async fn delete_sync_trigger(&self, id: SyncJobCronTriggerId) -> Result<()> {
        self.0.engine.sync_jobs().delete::<CronTrigger>(&Caller::Person, id).await.map_err(error_view)
    }
}
