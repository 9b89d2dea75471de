//! The log in Truto's format (`/log`, contract section 10.4). The forms of its entries are ours.

use relink_domain::{
    AccountId, EnvironmentId, SyncJobCronTriggerId, SyncJobId, SyncJobRunId, Timestamp, sync::RunStatus,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    call::{CallLogEntry, LogType, NoSuchField},
    sync::{SyncJobCronTrigger, SyncJobRun},
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

/// An entry of the log `sync_job_cron_trigger`: a run that a trigger made, or why it couldn't make its last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TriggerLogEntry {
    pub id: String,
    pub log_type: LogType,
    pub created_at: Timestamp,
    pub environment_id: EnvironmentId,
    pub sync_job_cron_trigger_id: SyncJobCronTriggerId,
    pub sync_job_id: SyncJobId,
    /// Null: there is no run, see `error`.
    #[schema(required)]
    pub sync_job_run_id: Option<SyncJobRunId>,
    #[schema(required)]
    pub integrated_account_id: Option<AccountId>,
    /// The status of the run, as it is now.
    #[schema(required)]
    pub status: Option<RunStatus>,
    /// Why the run couldn't be made. It is there until the trigger makes a run or is scheduled again.
    #[schema(required)]
    pub error: Option<String>,
}

impl TriggerLogEntry {
    /// None: no trigger made the run.
    pub fn of_run(run: &SyncJobRun) -> Option<Self> {
        Some(Self {
            id: run.id.to_string(),
            log_type: LogType::SyncJobCronTrigger,
            created_at: run.created_at,
            environment_id: run.environment_id,
            sync_job_cron_trigger_id: run.sync_job_cron_trigger_id?,
            sync_job_id: run.sync_job_id,
            sync_job_run_id: Some(run.id),
            integrated_account_id: run.integrated_account_id,
            status: Some(run.status),
            error: None,
        })
    }

    /// None: the trigger could make its last run.
    pub fn of_error(id: String, trigger: &SyncJobCronTrigger) -> Option<Self> {
        let error = trigger.last_error.as_ref()?;
        Some(Self {
            id,
            log_type: LogType::SyncJobCronTrigger,
            created_at: error.at,
            environment_id: trigger.environment_id,
            sync_job_cron_trigger_id: trigger.id,
            sync_job_id: trigger.sync_job_id,
            sync_job_run_id: None,
            integrated_account_id: trigger.integrated_account_id,
            status: None,
            error: Some(error.message.clone()),
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
                "sync_job_run_id" => entry.sync_job_run_id.map(|id| id.to_string()),
                "sync_job_id" => Some(entry.sync_job_id.to_string()),
                "integrated_account_id" => entry.integrated_account_id.map(|id| id.to_string()),
                "status" => entry.status.map(|status| status.to_string()),
                "error" => entry.error.clone(),
                _ => return Err(NoSuchField),
            }),
        }
    }
}
