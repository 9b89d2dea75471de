//! Runs of sync jobs.

use std::thread;

use relink_contract::{
    log::LogEntry,
    sync::{NewSyncJobRun, SyncJob, SyncJobRun},
};
use relink_domain::{account::Verdict, sync::RunStatus};
use serde_json::Value;

use super::{POLL_INTERVAL, datastores, jobs};
use crate::{
    api_client::ApiClient,
    args::NewRun,
    commands::lookup::{find_account_id, is_complete_id},
    exit::CliError,
    output::{Output, relative_time},
    table::{Cell, Table, Tone},
};

pub(super) fn start(client: &ApiClient, new: NewRun, output: Output) -> Result<(), CliError> {
    let job = jobs::find(client, &new.job)?;
    let account = new.with.account.as_deref().map(|named| find_account_id(client, named)).transpose()?;
    let datastore = new.with.datastore.as_deref().map(|named| datastores::find_id(client, named)).transpose()?;
    let args = new.with.arguments();
    let request = NewSyncJobRun {
        sync_job_id: job.id.to_string(),
        integrated_account_id: account,
        args: Some(args),
        webhook_id: new.with.webhook,
        datastore_id: datastore,
        on_needs_reauth: new.with.on_needs_reauth.map(|what| what.as_str().to_owned()),
        ..NewSyncJobRun::default()
    };
    let run = client.start_sync_job_run(&request)?;
    if new.wait {
        return wait(client, run, output);
    }
    output.text(&run, |run| {
        format!("Started the run {}.\nTo see what it does: relink sync logs {} --follow", run.id, run.id)
    })
}

/// Shows each change of a run, until it is over. Fails if it did.
fn wait(client: &ApiClient, mut run: SyncJobRun, output: Output) -> Result<(), CliError> {
    let id = run.id.to_string();
    let mut shown = None;
    loop {
        let state = progress(&run);
        if shown.as_ref() != Some(&state) {
            let table = |runs: &[SyncJobRun]| runs.iter().map(progress_row).collect::<Table>().unaligned();
            output.entries(std::slice::from_ref(&run), table)?;
            shown = Some(state);
        }
        match run.status {
            RunStatus::Completed => return Ok(()),
            RunStatus::Failed => return Err(failure(client, &run)?),
            RunStatus::Stopped => return Err(CliError::new("The run was stopped before it had completed.")),
            RunStatus::Created | RunStatus::Running | RunStatus::RateLimited => {}
        }
        thread::sleep(POLL_INTERVAL);
        run = client.sync_job_run(&id)?;
    }
}

/// Why a run failed, and whether it takes a person.
fn failure(client: &ApiClient, run: &SyncJobRun) -> Result<CliError, CliError> {
    let id = run.id.to_string();
    let why = why_failed(client, &id)?;
    for account in accounts_of(run) {
        // What isn't there any more needs nobody.
        let needs_person = client.account(&account).is_ok_and(|row| row.verdict == Some(Verdict::NeedsPerson));
        if needs_person {
            return Ok(CliError::run_needs_reauthorization(&why, &account));
        }
    }
    Ok(CliError::run_failed(&why, &id))
}

/// The run's account, and those that its arguments may name.
fn accounts_of(run: &SyncJobRun) -> impl Iterator<Item = String> {
    let named = run.args.values().filter_map(Value::as_str);
    let named = named.filter(|text| is_complete_id(text)).map(str::to_owned);
    run.integrated_account_id.map(|id| id.to_string()).into_iter().chain(named)
}

/// The last error of its log.
fn why_failed(client: &ApiClient, id: &str) -> Result<String, CliError> {
    let lines = client.sync_job_run_log(id, None)?.result;
    let error = lines.into_iter().find_map(|entry| match entry {
        LogEntry::Run(line) if line.level == "error" => Some(line.message),
        _ => None,
    });
    Ok(error.unwrap_or_else(|| "its log doesn't say why.".to_owned()))
}

pub(super) fn list(client: &ApiClient, job: Option<&str>, limit: u32, output: Output) -> Result<(), CliError> {
    let job = job.map(|named| jobs::find(client, named)).transpose()?.map(|job| job.id.to_string());
    let runs = client.sync_job_runs(job.as_deref(), limit)?;
    let jobs = if output == Output::Text { client.sync_jobs()?.result } else { Vec::new() };
    let empty = "There are no runs. To start one: relink sync run JOB";
    output.list(&runs, |runs| runs.result.iter().map(|run| row(run, &jobs)).collect(), empty)
}

fn row(run: &SyncJobRun, jobs: &[SyncJob]) -> [Cell; 5] {
    let job = jobs.iter().find(|job| job.id == run.sync_job_id);
    let job = job.map_or_else(|| run.sync_job_id.to_string(), |job| job.label.clone());
    let since = run.finished_at.or(run.started_at).unwrap_or(run.created_at);
    [run.id.to_string().into(), job.into(), status(run), relative_time(Some(since)).into(), counts(run).into()]
}

pub(super) fn stop(client: &ApiClient, id: &str, output: Output) -> Result<(), CliError> {
    let stopped = client.change_sync_job_run(id, RunStatus::Stopped)?;
    output.text(&stopped, |_| format!("The run is stopped.\nTo let it go on where it was: relink sync resume {id}"))
}

pub(super) fn resume(client: &ApiClient, id: &str, output: Output) -> Result<(), CliError> {
    let resumed = client.change_sync_job_run(id, RunStatus::Created)?;
    output.text(&resumed, |_| format!("The run goes on as soon as nothing with its mutex runs.\nTo see what it does: relink sync logs {id} --follow"))
}

fn progress_row(run: &SyncJobRun) -> [Cell; 3] {
    [run.updated_at.to_string().into(), status(run), counts(run).into()]
}

/// What is shown of a run while it goes on.
fn progress(run: &SyncJobRun) -> (String, String) {
    (status_text(run), counts(run))
}

fn status(run: &SyncJobRun) -> Cell {
    let tone = match run.status {
        RunStatus::Completed => Tone::Good,
        RunStatus::Failed => Tone::Bad,
        RunStatus::RateLimited | RunStatus::Stopped => Tone::Warning,
        RunStatus::Created | RunStatus::Running if run.waits_for_integrated_account_id.is_some() => Tone::Warning,
        RunStatus::Created | RunStatus::Running => Tone::Plain,
    };
    Cell::new(&status_text(run), tone)
}

fn status_text(run: &SyncJobRun) -> String {
    match (run.status, run.waits_for_integrated_account_id, run.waits_until) {
        (RunStatus::Created | RunStatus::Running | RunStatus::RateLimited, Some(account), _) => {
            format!("waits until its account is reauthorized: relink reauthorize {account}")
        }
        (RunStatus::RateLimited, None, Some(until)) => format!("rate limited until {until}"),
        (RunStatus::RateLimited, None, None) => "rate limited".to_owned(),
        (status, ..) => status.to_string(),
    }
}

/// `ticketing/tickets list: 200 fetched, 200 persisted`
fn counts(run: &SyncJobRun) -> String {
    let of_resources = run.resource_stats.iter().map(|(resource, method, counts)| {
        let deleted = if counts.deleted > 0 { format!(", {} deleted", counts.deleted) } else { String::new() };
        format!("{resource} {method}: {} fetched, {} persisted{deleted}", counts.fetched, counts.persisted)
    });
    of_resources.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0190aaaa-0000-7000-8000-000000000001";

    fn run(change: &Value) -> SyncJobRun {
        let mut row = json!({
            "id": ID, "sync_job_id": ID, "integrated_account_id": null, "status": "running", "args": {},
            "resources": null, "webhook_id": null, "datastore_id": null, "error_handling": "ignore",
            "on_needs_reauth": "wait", "ignore_previous_run": false, "force": false, "events_to_send": null,
            "mutex_key": null, "state_key": ID, "version": 3, "meta": null, "resource_stats": {},
            "sync_job_cron_trigger_id": null, "waits_until": null, "waits_for_integrated_account_id": null,
            "started_at": null, "finished_at": null, "environment_id": ID,
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        });
        for (key, value) in change.as_object().expect("an object") {
            row[key] = value.clone();
        }
        serde_json::from_value(row).expect("a run")
    }

    #[test]
    fn a_runs_state_says_what_it_waits_for() {
        for (change, expected) in [
            (json!({}), "running".to_owned()),
            (json!({ "status": "rate_limited" }), "rate limited".to_owned()),
            (
                json!({ "status": "rate_limited", "waits_until": "2026-01-01T00:00:30Z" }),
                "rate limited until 2026-01-01T00:00:30.000Z".to_owned(),
            ),
            (
                json!({ "waits_for_integrated_account_id": ID }),
                format!("waits until its account is reauthorized: relink reauthorize {ID}"),
            ),
            (json!({ "status": "failed", "waits_for_integrated_account_id": null }), "failed".to_owned()),
        ] {
            assert_eq!(status_text(&run(&change)), expected, "{change}");
        }
    }

    #[test]
    fn progress_changes_with_the_counts() {
        let stats = |fetched: u64| json!({ "resource_stats": { "crm/contacts": { "list": { "fetched": fetched, "persisted": 5 } } } });
        assert_eq!(counts(&run(&stats(10))), "crm/contacts list: 10 fetched, 5 persisted");
        let tracked = json!({ "resource_stats": { "t": { "transform": { "persisted": 5, "deleted": 2 } } } });
        assert_eq!(counts(&run(&tracked)), "t transform: 0 fetched, 5 persisted, 2 deleted");
        assert_ne!(progress(&run(&stats(10))), progress(&run(&stats(11))));
        assert_eq!(counts(&run(&json!({}))), "");
    }
}
