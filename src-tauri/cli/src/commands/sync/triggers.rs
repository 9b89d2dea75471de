//! Triggers of sync jobs.

use relink_contract::sync::{SyncJob, SyncJobCronTrigger};

use crate::{
    api_client::ApiClient,
    exit::CliError,
    output::{Output, relative_time},
    table::{Cell, Tone},
};

pub(super) fn list(client: &ApiClient, output: Output) -> Result<(), CliError> {
    let triggers = client.sync_job_triggers()?;
    let jobs = if output == Output::Text { client.sync_jobs()?.result } else { Vec::new() };
    let empty = "There are no triggers. To add one: POST /sync-job-cron-trigger (docs/sync-jobs.md)";
    output.list(&triggers, |triggers| triggers.result.iter().map(|trigger| row(trigger, &jobs)).collect(), empty)
}

fn row(trigger: &SyncJobCronTrigger, jobs: &[SyncJob]) -> [Cell; 4] {
    let job = jobs.iter().find(|job| job.id == trigger.sync_job_id).map(|job| job.label.clone());
    let next = match trigger.next_run_at {
        Some(at) => Cell::new(&relative_time(Some(at)), Tone::Good),
        None => Cell::new("not scheduled", Tone::Warning),
    };
    [trigger.id.to_string().into(), job.unwrap_or_default().into(), trigger.cron_expression.as_str().into(), next]
}

pub(super) fn schedule(client: &ApiClient, id: &str, output: Output) -> Result<(), CliError> {
    output.text(&client.schedule_sync_job_trigger(id)?, |_| {
        "The trigger is scheduled. To see when it starts its next run: relink sync triggers".to_owned()
    })
}
