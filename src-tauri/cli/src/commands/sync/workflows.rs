//! Workflows.

use std::path::Path;

use relink_contract::workflow::{Workflow, WorkflowDocument, WorkflowRun};
use relink_domain::{sync::WorkflowRunStatus, yaml};
use serde_json::Value;

use crate::{
    api_client::ApiClient,
    args::Workflows,
    commands::{
        input::read_file,
        lookup::{self, Listed},
    },
    exit::CliError,
    output::{Output, relative_time},
    table::{Cell, Tone},
};

pub(super) fn run(client: &ApiClient, command: Workflows, output: Output) -> Result<(), CliError> {
    match command {
        Workflows::List => {
            let empty = "There are no workflows. To add one: relink sync workflows add FILE";
            output.list(&client.workflows()?, |workflows| workflows.result.iter().map(row).collect(), empty)
        }
        Workflows::Show { workflow } => output.text(&find(client, &workflow)?, describe),
        Workflows::Add { file } => output.text(&client.create_workflow(&read(&file)?)?, |added| {
            format!("Added the workflow {}. It is started by {}.", added.id, added.trigger_name)
        }),
        Workflows::Remove { workflow } => {
            let id = find(client, &workflow)?.id.to_string();
            output.text(&client.delete_workflow(&id)?, |_| "Removed the workflow.".to_owned())
        }
        Workflows::Runs { workflow, limit } => {
            let id = workflow.map(|named| find(client, &named)).transpose()?.map(|found| found.id.to_string());
            let empty = "No event has started a workflow yet.";
            let runs = client.workflow_runs(id.as_deref(), limit)?;
            output.list(&runs, |runs| runs.result.iter().map(run_row).collect(), empty)
        }
    }
}

impl Listed for Workflow {
    const ONE: &str = "workflow";
    const SEVERAL: &str = "workflows";
    const LIST: &str = "relink sync workflows list";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> &str {
        self.label.as_deref().unwrap_or_default()
    }

    fn description(&self) -> String {
        format!("{}  {}  {}", self.id, self.trigger_name, self.name())
    }
}

fn find(client: &ApiClient, named: &str) -> Result<Workflow, CliError> {
    if lookup::is_complete_id(named) {
        return client.workflow(named);
    }
    lookup::choose(client.workflows()?.result, named)
}

fn read(file: &Path) -> Result<WorkflowDocument, CliError> {
    let wrong = |problem: String| CliError::new(format!("{} has no workflow: {problem}.", file.display()));
    let document = yaml::read(&read_file(file)?).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_value(document).map_err(|error| wrong(error.to_string()))
}

fn steps(workflow: &Workflow) -> &[Value] {
    workflow.config.get("steps").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn row(workflow: &Workflow) -> [Cell; 4] {
    let steps = steps(workflow).len().to_string();
    let label = workflow.label.clone().unwrap_or_default();
    [workflow.id.to_string().into(), label.into(), workflow.trigger_name.as_str().into(), steps.into()]
}

fn describe(workflow: &Workflow) -> String {
    let text = |value: &Value| -> String { value.as_str().map_or_else(|| value.to_string(), str::to_owned) };
    let mut lines = Vec::new();
    lines.extend(workflow.label.clone());
    lines.push(format!("ID       {}", workflow.id));
    lines.push(format!("Event    {}", workflow.trigger_name));
    lines.extend(workflow.config.get("run_if").map(|run_if| format!("Run if   {}", text(run_if))));
    for step in steps(workflow) {
        lines.push(format!("  run_sync_job  {}", step.get("config").map(text).unwrap_or_default()));
        lines.extend(step.get("run_if").map(|run_if| format!("    run if    {}", text(run_if))));
        lines.extend(step.get("cron_expression").map(|cron| format!("    schedule  {}", text(cron))));
    }
    lines.join("\n")
}

fn run_row(run: &WorkflowRun) -> [Cell; 5] {
    let tone = match run.status {
        WorkflowRunStatus::Completed => Tone::Good,
        WorkflowRunStatus::Failed => Tone::Bad,
        WorkflowRunStatus::Created | WorkflowRunStatus::Running => Tone::Plain,
    };
    let outcome = run.result.error.clone().unwrap_or_else(|| made(run));
    [
        run.id.to_string().into(),
        run.event.as_str().into(),
        Cell::new(run.status.as_str(), tone),
        relative_time(Some(run.created_at)).into(),
        outcome.into(),
    ]
}

/// What its steps made.
fn made(run: &WorkflowRun) -> String {
    let made = run.result.steps.iter().map(|step| {
        let id = |key: &str| step.result.as_ref()?.get(key)?.as_str();
        match (id("sync_job_run_id"), id("sync_job_cron_trigger_id")) {
            (Some(run), _) => format!("run {run}"),
            (None, Some(trigger)) => format!("trigger {trigger}"),
            (None, None) => "skipped".to_owned(),
        }
    });
    made.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0190aaaa-0000-7000-8000-000000000001";
    const AT: &str = "2026-01-01T00:00:00Z";

    #[test]
    fn a_workflow_is_described_with_its_steps() {
        let workflow: Workflow = serde_json::from_value(json!({
            "id": ID, "label": "First sync", "environment_id": ID, "trigger_name": "integrated_account:active",
            "config": { "run_if": "integration.name = 'crm'", "steps": [
                { "config": { "sync_job_id": "7" }, "cron_expression": "0 * * * *" },
                { "config": "{ 'sync_job_id': id }", "run_if": "true" },
            ] },
            "created_at": AT, "updated_at": AT,
        }))
        .expect("a workflow");
        assert_eq!(
            describe(&workflow),
            format!(
                "First sync\nID       {ID}\nEvent    integrated_account:active\nRun if   integration.name = 'crm'\n  \
                 run_sync_job  {{\"sync_job_id\":\"7\"}}\n    schedule  0 * * * *\n  \
                 run_sync_job  {{ 'sync_job_id': id }}\n    run if    true"
            )
        );
    }

    #[test]
    fn a_run_is_listed_with_what_its_steps_made() {
        let step =
            |result: Value| json!({ "type": "run", "action": "run_sync_job", "success": true, "result": result });
        let run: WorkflowRun = serde_json::from_value(json!({
            "id": ID, "workflow_id": ID, "status": "completed", "event_id": ID, "event": "integrated_account:active",
            "result": { "success": true, "steps": [
                step(json!({ "sync_job_run_id": "r" })), step(json!({ "sync_job_cron_trigger_id": "t" })), step(Value::Null),
            ] },
            "retry_attempt": 0, "started_at": null, "finished_at": null, "environment_id": ID, "created_at": AT,
            "updated_at": AT,
        }))
        .expect("a run");
        assert_eq!(made(&run), "run r, trigger t, skipped");
    }
}
