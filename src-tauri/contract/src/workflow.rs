//! Workflows and their runs (contract section 10.4).

use relink_domain::{
    EnvironmentId, EventId, Timestamp, WorkflowId, WorkflowRunId,
    sync::{WorkflowResult, WorkflowRunStatus},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::unified::given;

/// What starts runs of sync jobs when an event is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Workflow {
    pub id: WorkflowId,
    #[schema(required)]
    pub label: Option<String>,
    pub environment_id: EnvironmentId,
    /// The event that starts it.
    pub trigger_name: String,
    /// `{"run_if", "steps": [{"type": "run", "action": "run_sync_job", "config", "run_if", "cron_expression"}]}`.
    #[schema(value_type = Object)]
    pub config: Value,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What is written of a workflow, as JSON or YAML. In a change, null removes a key, and what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkflowDocument {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub label: Option<Value>,
    /// An event: `integrated_account:active`, or `record:` and a type.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub trigger_name: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub config: Option<Value>,
}

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkflowRun {
    pub id: WorkflowRunId,
    pub workflow_id: WorkflowId,
    pub status: WorkflowRunStatus,
    pub result: WorkflowResult,
    /// The event that started it (Relink's own).
    pub event_id: EventId,
    /// Its name (Relink's own).
    pub event: String,
    /// 0: a run isn't repeated.
    pub retry_attempt: u32,
    #[schema(required)]
    pub started_at: Option<Timestamp>,
    #[schema(required)]
    pub finished_at: Option<Timestamp>,
    pub environment_id: EnvironmentId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
