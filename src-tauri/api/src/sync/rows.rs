//! Documents as rows of the wire.

use relink_contract::{
    datastore::Datastore,
    sync::{SyncJob, SyncJobCronTrigger, SyncJobCronTriggerError, SyncJobTemplate},
    workflow::Workflow,
};
use relink_domain::{
    EnvironmentId, SyncJobCronTriggerId, Timestamp,
    sync::{DEFAULT_RUNTIME, Form, runtime},
};
use relink_engine::{
    CronTrigger, Datastore as Store, Document, Kind, SyncJob as Job, SyncJobTemplate as Template, TriggerError,
    Workflow as Flow,
};
use serde_json::{Value, json};

/// What a job without a label is called, as at Truto.
const UNTITLED: &str = "Untitled";

fn text<K: Kind>(row: &Document<K>, name: &str) -> Option<String> {
    row.text(name).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn parsed<K: Kind, T: std::str::FromStr>(row: &Document<K>, name: &str) -> Option<T> {
    row.text(name).and_then(|text| text.parse().ok())
}

fn value<K: Kind>(row: &Document<K>, name: &str) -> Option<Value> {
    row.document.get(name).cloned()
}

fn label<K: Kind>(row: &Document<K>) -> String {
    text(row, "label").unwrap_or_else(|| UNTITLED.to_owned())
}

fn version<K: Kind>(row: &Document<K>) -> u32 {
    let name = "default_runtime_version";
    // It was checked when it was written.
    runtime(row.document.get(name), name).ok().flatten().unwrap_or(DEFAULT_RUNTIME)
}

fn resources<K: Kind>(row: &Document<K>) -> Value {
    value(row, "resources").unwrap_or_else(|| json!([]))
}

/// What of a row that was just written has no effect.
fn warnings<K: Kind>(row: &Document<K>) -> Vec<String> {
    relink_domain::sync::warnings(&resources(row), Form::of_runtime(version(row)))
}

pub(super) fn written_job(environment_id: EnvironmentId, row: &Document<Job>) -> SyncJob {
    SyncJob { warnings: warnings(row), ..job(environment_id, row) }
}

pub(super) fn written_template(row: &Document<Template>) -> SyncJobTemplate {
    SyncJobTemplate { warnings: warnings(row), ..template(row) }
}

pub(super) fn job(environment_id: EnvironmentId, row: &Document<Job>) -> SyncJob {
    SyncJob {
        id: row.id,
        label: label(row),
        integration_name: text(row, "integration_name"),
        environment_id,
        default_runtime_version: version(row),
        args_schema: value(row, "args_schema"),
        args_validation: text(row, "args_validation"),
        mutex_key: text(row, "mutex_key"),
        state_key: text(row, "state_key"),
        resources: resources(row),
        created_at: row.created_at,
        updated_at: row.updated_at,
        warnings: Vec::new(),
    }
}

pub(super) fn template(row: &Document<Template>) -> SyncJobTemplate {
    SyncJobTemplate {
        id: row.id,
        label: label(row),
        integration_name: text(row, "integration_name"),
        description: text(row, "description"),
        sharing: text(row, "sharing").unwrap_or_else(|| "deny".to_owned()),
        default_runtime_version: version(row),
        args_schema: value(row, "args_schema"),
        args_validation: text(row, "args_validation"),
        resources: resources(row),
        created_at: row.created_at,
        updated_at: row.updated_at,
        warnings: Vec::new(),
    }
}

/// The row of a trigger. `planned`: when each scheduled one fires next. `errors`: why the last run of some couldn't be made. None: its job
/// isn't there.
pub(super) fn trigger(
    environment_id: EnvironmentId,
    planned: &[(SyncJobCronTriggerId, Timestamp)],
    errors: &[(SyncJobCronTriggerId, TriggerError)],
    row: &Document<CronTrigger>,
) -> Option<SyncJobCronTrigger> {
    let names = |names: Value| serde_json::from_value(names).ok();
    let error = errors.iter().find(|(id, _)| *id == row.id).map(|(_, error)| error);
    Some(SyncJobCronTrigger {
        id: row.id,
        sync_job_id: parsed(row, "sync_job_id")?,
        integrated_account_id: parsed(row, "integrated_account_id"),
        cron_expression: text(row, "cron_expression").unwrap_or_default(),
        args: value(row, "args").unwrap_or_else(|| json!({})),
        webhook_id: text(row, "webhook_id"),
        datastore_id: text(row, "datastore_id"),
        super_query: value(row, "super_query"),
        error_handling: parsed(row, "error_handling"),
        on_needs_reauth: parsed(row, "on_needs_reauth"),
        events_to_send: value(row, "events_to_send").and_then(names),
        meta: value(row, "meta"),
        workflow_id: parsed(row, "workflow_id"),
        next_run_at: planned.iter().find(|(id, _)| *id == row.id).map(|(_, at)| *at),
        last_error: error.map(|it| SyncJobCronTriggerError { message: it.message.clone(), at: it.at }),
        environment_id,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

pub(super) fn workflow(environment_id: EnvironmentId, row: &Document<Flow>) -> Workflow {
    Workflow {
        id: row.id,
        label: text(row, "label"),
        environment_id,
        trigger_name: text(row, "trigger_name").unwrap_or_default(),
        config: value(row, "config").unwrap_or_else(|| json!({})),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

pub(super) fn datastore(environment_id: EnvironmentId, row: &Document<Store>) -> Datastore {
    Datastore {
        id: row.id,
        kind: text(row, "type").unwrap_or_default(),
        label: label(row),
        config: value(row, "config").unwrap_or_else(|| json!({})),
        secrets: row.secrets(),
        allow_private: row.document.get("allow_private") == Some(&Value::Bool(true)),
        environment_id,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
