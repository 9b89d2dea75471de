//! The log in Truto's format (`/log`, contract section 10.4). The forms of its entries are ours.

use relink_domain::{
    AccountId, EnvironmentId, SyncJobCronTriggerId, SyncJobId, SyncJobRunId, Timestamp, sync::RunStatus,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    call::{CallLogEntry, LogType, NoSuchField},
    sync::SyncJobRun,
};

/// An entry of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum LogEntry {
    Call(CallLogEntry),
    Run(RunLogEntry),
    Trigger(TriggerLogEntry),
}

/// An entry of the log `rapid_bridge`: a line of a run of a sync job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunLogEntry {
    pub id: String,
    pub log_type: LogType,
    pub created_at: Timestamp,
    pub environment_id: EnvironmentId,
    pub sync_job_id: SyncJobId,
    pub sync_job_run_id: SyncJobRunId,
    #[schema(required)]
    pub integrated_account_id: Option<AccountId>,
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The name of the node that it is about.
    #[schema(required)]
    pub node: Option<String>,
    pub message: String,
}

/// An entry of the log `sync_job_cron_trigger`: a run that a trigger made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TriggerLogEntry {
    pub id: String,
    pub log_type: LogType,
    pub created_at: Timestamp,
    pub environment_id: EnvironmentId,
    pub sync_job_cron_trigger_id: SyncJobCronTriggerId,
    pub sync_job_id: SyncJobId,
    pub sync_job_run_id: SyncJobRunId,
    #[schema(required)]
    pub integrated_account_id: Option<AccountId>,
    /// The status of the run, as it is now.
    pub status: RunStatus,
}

impl TriggerLogEntry {
    /// None: no trigger made the run.
    pub fn new(run: &SyncJobRun) -> Option<Self> {
        Some(Self {
            id: run.id.to_string(),
            log_type: LogType::SyncJobCronTrigger,
            created_at: run.created_at,
            environment_id: run.environment_id,
            sync_job_cron_trigger_id: run.sync_job_cron_trigger_id?,
            sync_job_id: run.sync_job_id,
            sync_job_run_id: run.id,
            integrated_account_id: run.integrated_account_id,
            status: run.status,
        })
    }
}

impl LogEntry {
    pub fn id(&self) -> &str {
        match self {
            Self::Call(entry) => &entry.id,
            Self::Run(entry) => &entry.id,
            Self::Trigger(entry) => &entry.id,
        }
    }

    /// A field by which the log can be filtered (`log_type_filter[…]`), as text; `None` if it is null.
    pub fn field(&self, name: &str) -> Result<Option<String>, NoSuchField> {
        match self {
            Self::Call(entry) => entry.field(name),
            Self::Run(entry) => Ok(match name {
                "sync_job_run_id" => Some(entry.sync_job_run_id.to_string()),
                "sync_job_id" => Some(entry.sync_job_id.to_string()),
                "integrated_account_id" => entry.integrated_account_id.map(|id| id.to_string()),
                "level" => Some(entry.level.clone()),
                "node" => entry.node.clone(),
                "message" => Some(entry.message.clone()),
                _ => return Err(NoSuchField),
            }),
            Self::Trigger(entry) => Ok(match name {
                "sync_job_cron_trigger_id" => Some(entry.sync_job_cron_trigger_id.to_string()),
                "sync_job_run_id" => Some(entry.sync_job_run_id.to_string()),
                "sync_job_id" => Some(entry.sync_job_id.to_string()),
                "integrated_account_id" => entry.integrated_account_id.map(|id| id.to_string()),
                "status" => Some(entry.status.to_string()),
                _ => return Err(NoSuchField),
            }),
        }
    }
}
