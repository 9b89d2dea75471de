//! Triggers of sync jobs.

use relink_contract::sync::{SyncJob, SyncJobCronTrigger, SyncJobCronTriggerDocument};
use serde_json::Value;

use super::{datastores, jobs};
use crate::{
    api_client::ApiClient,
    args::NewTrigger,
    commands::lookup::find_account_id,
    exit::CliError,
    output::{Output, relative_time},
    table::{Cell, Tone},
};

pub(super) fn list(client: &ApiClient, output: Output) -> Result<(), CliError> {
    let triggers = client.sync_job_triggers()?;
    let jobs = if output == Output::Text { client.sync_jobs()?.result } else { Vec::new() };
    let empty = "There are no triggers. To add one: relink sync add-trigger JOB \"0 * * * *\"";
    output.list(&triggers, |triggers| triggers.result.iter().map(|trigger| row(trigger, &jobs)).collect(), empty)
}

fn row(trigger: &SyncJobCronTrigger, jobs: &[SyncJob]) -> [Cell; 5] {
    let job = jobs.iter().find(|job| job.id == trigger.sync_job_id).map(|job| job.label.clone());
    let next = match trigger.next_run_at {
        Some(at) => Cell::new(&relative_time(Some(at)), Tone::Good),
        None => Cell::new("not scheduled", Tone::Warning),
    };
    let error = trigger
        .last_error
        .as_ref()
        .map_or_else(String::new, |error| format!("made no run {}: {}", relative_time(Some(error.at)), error.message));
    [
        trigger.id.to_string().into(),
        job.unwrap_or_default().into(),
        trigger.cron_expression.as_str().into(),
        next,
        Cell::new(&error, Tone::Bad),
    ]
}

/// Adds a trigger and schedules it.
pub(super) fn add(client: &ApiClient, new: NewTrigger, output: Output) -> Result<(), CliError> {
    let job = jobs::find(client, &new.job)?;
    let account = new.with.account.as_deref().map(|named| find_account_id(client, named)).transpose()?;
    let datastore = new.with.datastore.as_deref().map(|named| datastores::find_id(client, named)).transpose()?;
    let args = new.with.arguments();
    let trigger = client.create_sync_job_trigger(&SyncJobCronTriggerDocument {
        sync_job_id: Some(job.id.to_string().into()),
        integrated_account_id: account.map(Value::String),
        cron_expression: Some(new.cron_expression.into()),
        args: Some(args.into()),
        webhook_id: new.with.webhook.map(Value::String),
        datastore_id: datastore.map(Value::String),
        on_needs_reauth: new.with.on_needs_reauth.map(|what| what.as_str().into()),
        ..SyncJobCronTriggerDocument::default()
    })?;
    let id = trigger.id.to_string();
    client.schedule_sync_job_trigger(&id)?;
    output.text(&client.sync_job_trigger(&id)?, |trigger| {
        let next = trigger.next_run_at.map(|at| format!(" Its next run starts {}.", relative_time(Some(at))));
        format!(
            "{} is scheduled.{}\nTo remove the trigger: relink sync remove-trigger {id}",
            job.label,
            next.unwrap_or_default()
        )
    })
}

pub(super) fn remove(client: &ApiClient, id: &str, output: Output) -> Result<(), CliError> {
    output.text(&client.delete_sync_job_trigger(id)?, |_| "Removed the trigger.".to_owned())
}

pub(super) fn schedule(client: &ApiClient, id: &str, output: Output) -> Result<(), CliError> {
    output.text(&client.schedule_sync_job_trigger(id)?, |_| {
        "The trigger is scheduled. To see when it starts its next run: relink sync triggers".to_owned()
    })
}
