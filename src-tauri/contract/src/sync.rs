//! Sync jobs, their templates, triggers, runs and states (contract section 9.1).

use relink_domain::{
    AccountId, EnvironmentId, SyncJobCronTriggerId, SyncJobId, SyncJobRunId, SyncJobTemplateId, Timestamp, WorkflowId,
    WorkflowRunId,
    sync::{ErrorHandling, OnNeedsReauth, ResourceStats, RunStatus},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::unified::given;

/// A sync job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SyncJob {
    pub id: SyncJobId,
    pub label: String,
    #[schema(required)]
    pub integration_name: Option<String>,
    pub environment_id: EnvironmentId,
    /// The runtime that its nodes are written for: 4 for nodes with types, 1 to 3 for flat ones.
    pub default_runtime_version: u32,
    /// `{name: {"type", "format", "required", "description"}}`, or a JSON Schema of an object.
    #[schema(required, value_type = Option<Object>)]
    pub args_schema: Option<Value>,
    /// JSONata over `{args}`. `{message}` refuses them.
    #[schema(required)]
    pub args_validation: Option<String>,
    /// A template. Runs of the job with the same one wait for each other.
    #[schema(required)]
    pub mutex_key: Option<String>,
    /// A template: whose state runs read and write. Left out: the job's.
    #[schema(required)]
    pub state_key: Option<String>,
    /// The nodes.
    #[schema(value_type = Vec<Object>)]
    pub resources: Value,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// What of the nodes that were just written has no effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What is written of a sync job. In a change, null removes a key, and what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SyncJobDocument {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub label: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub integration_name: Option<Value>,
    /// A number, or one as text. Left out: 3.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>)]
    pub default_runtime_version: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub args_schema: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub args_validation: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub mutex_key: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub state_key: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub resources: Option<Value>,
}

/// A template of sync jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SyncJobTemplate {
    pub id: SyncJobTemplateId,
    pub label: String,
    #[schema(required)]
    pub integration_name: Option<String>,
    #[schema(required)]
    pub description: Option<String>,
    /// `deny`, `ask` or `allow`. It has no effect, because there is one team.
    pub sharing: String,
    pub default_runtime_version: u32,
    #[schema(required, value_type = Option<Object>)]
    pub args_schema: Option<Value>,
    #[schema(required)]
    pub args_validation: Option<String>,
    #[schema(value_type = Vec<Object>)]
    pub resources: Value,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// What of the nodes that were just written has no effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What is written of a template. In a change, null removes a key, and what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SyncJobTemplateDocument {
    #[serde(flatten)]
    pub job: SyncJobDocument,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sharing: Option<Value>,
}

/// What starts runs of a sync job by the clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SyncJobCronTrigger {
    pub id: SyncJobCronTriggerId,
    pub sync_job_id: SyncJobId,
    #[schema(required)]
    pub integrated_account_id: Option<AccountId>,
    /// Five fields, in UTC.
    pub cron_expression: String,
    #[schema(value_type = Object)]
    pub args: Value,
    #[schema(required)]
    pub webhook_id: Option<String>,
    /// Where the records of a flat job go as well (Relink's own).
    #[schema(required)]
    pub datastore_id: Option<String>,
    #[schema(required, value_type = Option<Object>)]
    pub super_query: Option<Value>,
    #[schema(required)]
    pub error_handling: Option<ErrorHandling>,
    #[schema(required)]
    pub on_needs_reauth: Option<OnNeedsReauth>,
    #[schema(required)]
    pub events_to_send: Option<Vec<String>>,
    #[schema(required, value_type = Option<Object>)]
    pub meta: Option<Value>,
    /// The workflow that made it (Relink's own).
    #[schema(required)]
    pub workflow_id: Option<WorkflowId>,
    /// When it fires next. Null: it isn't scheduled, see `POST /sync-job-cron-trigger/{id}/schedule`.
    #[schema(required)]
    pub next_run_at: Option<Timestamp>,
    /// Why it couldn't make its last run. Null: it could, or it was scheduled since (Relink's own).
    #[schema(required)]
    pub last_error: Option<SyncJobCronTriggerError>,
    pub environment_id: EnvironmentId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Why a trigger couldn't make a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SyncJobCronTriggerError {
    /// What happened and what to do, for people.
    pub message: String,
    pub at: Timestamp,
}

/// What is written of a trigger. In a change, null removes a key, and what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SyncJobCronTriggerDocument {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sync_job_id: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub integrated_account_id: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub cron_expression: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub args: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub webhook_id: Option<Value>,
    /// Relink's own.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub datastore_id: Option<Value>,
    /// It has no effect: Relink has no `SuperQuery`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub super_query: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ErrorHandling>)]
    pub error_handling: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<OnNeedsReauth>)]
    pub on_needs_reauth: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub events_to_send: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub meta: Option<Value>,
}

/// A run of a sync job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SyncJobRun {
    pub id: SyncJobRunId,
    pub sync_job_id: SyncJobId,
    #[schema(required)]
    pub integrated_account_id: Option<AccountId>,
    pub status: RunStatus,
    #[schema(value_type = Object)]
    pub args: Map<String, Value>,
    /// The nodes of the run itself, if it has its own.
    #[schema(required, value_type = Option<Vec<Object>>)]
    pub resources: Option<Value>,
    #[schema(required)]
    pub webhook_id: Option<String>,
    #[schema(required)]
    pub datastore_id: Option<String>,
    pub error_handling: ErrorHandling,
    /// What it does when its account needs reauthorization (Relink's own).
    pub on_needs_reauth: OnNeedsReauth,
    pub ignore_previous_run: bool,
    pub force: bool,
    #[schema(required)]
    pub events_to_send: Option<Vec<String>>,
    #[schema(required)]
    pub mutex_key: Option<String>,
    pub state_key: String,
    pub version: u32,
    #[schema(required, value_type = Option<Object>)]
    pub meta: Option<Value>,
    /// What has been done so far: `{"crm/contacts": {"list": {"fetched": 10, "persisted": 10}}}`.
    #[schema(value_type = Object)]
    pub resource_stats: ResourceStats,
    /// The trigger that made it (Relink's own).
    #[schema(required)]
    pub sync_job_cron_trigger_id: Option<SyncJobCronTriggerId>,
    /// The run of a workflow that made it (Relink's own).
    #[schema(required)]
    pub workflow_run_id: Option<WorkflowRunId>,
    /// Until when it waits, because a provider or a destination asked for it, or the computer is offline (Relink's own).
    #[schema(required)]
    pub waits_until: Option<Timestamp>,
    /// The account that it waits for, because it needs its person (Relink's own).
    #[schema(required)]
    pub waits_for_integrated_account_id: Option<AccountId>,
    #[schema(required)]
    pub started_at: Option<Timestamp>,
    #[schema(required)]
    pub finished_at: Option<Timestamp>,
    pub environment_id: EnvironmentId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A request to start a run. Keys that aren't here are ignored, such as those of daemons.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewSyncJobRun {
    pub sync_job_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrated_account_id: Option<String>,
    /// `created`, if it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub args: Option<Map<String, Value>>,
    /// Nodes in place of the job's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub resources: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datastore_id: Option<String>,
    /// `fail_fast`, `ignore` or `batch`. Left out: `fail_fast` for runtime 4, `ignore` for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_handling: Option<String>,
    /// `fail`, as at Truto, or `wait` (Relink's own).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_needs_reauth: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_previous_run: Option<bool>,
    /// Past the mutex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_to_send: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutex_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_key: Option<String>,
    /// The runtime: a number, or one as text. Left out: the job's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>)]
    pub version: Option<Value>,
    /// Shown with the run, and otherwise without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub meta: Option<Value>,
}

/// A request to stop a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SyncJobRunChange {
    /// `stopped`.
    pub status: String,
}

/// A cell of what runs remember.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SyncJobRunState {
    pub state_key: String,
    pub key: String,
    /// Any JSON. Truto has texts.
    pub value: Value,
    /// The run that wrote it last, if one did.
    #[schema(required)]
    pub sync_job_run_id: Option<SyncJobRunId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A request to add a cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewSyncJobRunState {
    pub key: String,
    pub value: Value,
}

/// A request to change a cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SyncJobRunStateChange {
    pub value: Value,
}

/// The folder that sync jobs may write files to (Relink's own).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SyncFolder {
    /// A whole path. Null: jobs may write no files.
    #[serde(default)]
    #[schema(required)]
    pub folder: Option<String>,
}
