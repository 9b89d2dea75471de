//! Sync jobs.

use std::path::Path;

use relink_contract::sync::{SyncJob, SyncJobDocument};
use serde_json::Value;

use crate::{
    api_client::ApiClient,
    commands::{
        input::read_file,
        lookup::{self, Listed},
    },
    exit::CliError,
    output::Output,
    table::Cell,
};

impl Listed for SyncJob {
    const ONE: &str = "sync job";
    const SEVERAL: &str = "sync jobs";
    const LIST: &str = "relink sync jobs";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> &str {
        &self.label
    }

    fn description(&self) -> String {
        format!("{}  {}", self.id, self.label)
    }
}

pub(super) fn find(client: &ApiClient, named: &str) -> Result<SyncJob, CliError> {
    if lookup::is_complete_id(named) {
        return client.sync_job(named);
    }
    lookup::choose(client.sync_jobs()?.result, named)
}

pub(super) fn list(client: &ApiClient, output: Output) -> Result<(), CliError> {
    let empty = "There are no sync jobs. To add one: relink sync add FILE";
    output.list(&client.sync_jobs()?, |jobs| jobs.result.iter().map(row).collect(), empty)
}

fn row(job: &SyncJob) -> [Cell; 4] {
    let integration = job.integration_name.clone().unwrap_or_default();
    [job.id.to_string().into(), job.label.as_str().into(), integration.into(), nodes(job).len().to_string().into()]
}

pub(super) fn add(client: &ApiClient, file: &Path, output: Output) -> Result<(), CliError> {
    let text = read_file(file)?;
    let job: SyncJobDocument = serde_json::from_str(&text).map_err(|error| {
        CliError::new(format!("{} has no sync job: {error}. It has to be a JSON object.", file.display()))
    })?;
    output.text(&client.create_sync_job(&job)?, |job| {
        let warnings = job.warnings.iter().map(|warning| format!("Warning: {warning}"));
        let added = [format!("Added {}.", job.label), format!("To start a run: relink sync run {}", job.id)];
        warnings.chain(added).collect::<Vec<_>>().join("\n")
    })
}

pub(super) fn show(client: &ApiClient, named: &str, output: Output) -> Result<(), CliError> {
    output.text(&find(client, named)?, describe)
}

fn describe(job: &SyncJob) -> String {
    let dash = || "–".to_owned();
    let mut lines = vec![
        job.label.clone(),
        format!("ID           {}", job.id),
        format!("Integration  {}", job.integration_name.clone().unwrap_or_else(dash)),
        format!("Runtime      {}", job.default_runtime_version),
    ];
    let arguments = job.args_schema.as_ref().and_then(|schema| schema.get("properties").unwrap_or(schema).as_object());
    if let Some(arguments) = arguments.filter(|arguments| !arguments.is_empty()) {
        lines.push(format!("Arguments    {}", arguments.keys().cloned().collect::<Vec<_>>().join(", ")));
    }
    lines.extend(nodes(job).iter().map(|node| format!("  {}", describe_node(node))));
    lines.join("\n")
}

fn nodes(job: &SyncJob) -> &[Value] {
    job.resources.as_array().map_or(&[], Vec::as_slice)
}

/// Its name and type, and what a request is for.
fn describe_node(node: &Value) -> String {
    let text = |name: &str| node.get(name).and_then(Value::as_str);
    let kind = text("type").or(text("destination_type")).unwrap_or("request");
    [text("name"), Some(kind), text("resource"), text("method")].into_iter().flatten().collect::<Vec<_>>().join("  ")
}

pub(super) fn remove(client: &ApiClient, named: &str, output: Output) -> Result<(), CliError> {
    let job = find(client, named)?;
    output.text(&client.delete_sync_job(&job.id.to_string())?, |_| format!("Removed {}.", job.label))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_is_described_with_its_nodes() {
        let id = "0190aaaa-0000-7000-8000-000000000001";
        let job: SyncJob = serde_json::from_value(json!({
            "id": id, "label": "Tickets", "integration_name": null, "environment_id": id, "default_runtime_version": 4,
            "args_schema": { "from": { "type": "string" } }, "args_validation": null, "mutex_key": null,
            "state_key": null, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "resources": [
                { "name": "tickets", "type": "request", "resource": "ticketing/tickets", "method": "list" },
                { "resource": "issues", "method": "list" },
                { "name": "out", "type": "destination", "destination_type": "webhook" },
            ],
        }))
        .expect("a job");
        assert_eq!(
            describe(&job),
            format!(
                "Tickets\nID           {id}\nIntegration  –\nRuntime      4\nArguments    from\n  \
                 tickets  request  ticketing/tickets  list\n  request  issues  list\n  out  destination"
            )
        );
    }
}
