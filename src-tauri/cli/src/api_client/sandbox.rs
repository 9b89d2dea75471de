//! The Sandbox's control routes. The API forwards them to the Sandbox, so their types are not part of the contract.

use relink_contract::{ErrorBody, WireSecret};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ApiClient, operations::Operation};
use crate::exit::CliError;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SandboxStatus {
    pub(crate) settings: Settings,
    pub(crate) sign_ins: u64,
    pub(crate) faults_left: u64,
    /// How often each kind of request had each outcome.
    counters: Map<String, Value>,
    people: Vec<Value>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) token_lifetime_secs: i64,
    pub(crate) rotation: String,
    pub(crate) grace_secs: i64,
    pub(crate) clock_skew_secs: i64,
    pub(crate) delay_millis: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct SettingsChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_lifetime_secs: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rotation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grace_secs: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clock_skew_secs: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay_millis: Option<u64>,
}

/// The user that a control applies to; all users if there is no subject.
#[derive(Debug, Serialize)]
pub(crate) struct SubjectFilter {
    pub(crate) subject: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct FaultPlan {
    pub(crate) kind: String,
    pub(crate) count: u32,
    pub(crate) on: String,
    pub(crate) after: u32,
    pub(crate) retry_after: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Expired {
    pub(crate) expired: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Revoked {
    pub(crate) revoked: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PlannedFaults {
    pub(crate) faults_left: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CreatedApiKey {
    pub(crate) api_key: WireSecret,
    subject: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CreatedClient {
    pub(crate) client_id: String,
    pub(crate) client_secret: WireSecret,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reset {
    reset: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RequestLog {
    pub(crate) entries: Vec<RequestLogEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RequestLogEntry {
    pub(crate) seq: u64,
    pub(crate) at: String,
    pub(crate) endpoint: String,
    pub(crate) grant_type: Option<String>,
    pub(crate) outcome: String,
    pub(crate) subject: Option<String>,
}

/// The body of an error.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    message: String,
}

impl From<Refusal> for ErrorBody {
    fn from(refusal: Refusal) -> Self {
        Self { message: refusal.message, ..Self::default() }
    }
}

impl ApiClient {
    pub(crate) fn sandbox_status(&self) -> Result<SandboxStatus, CliError> {
        self.call(Operation::GetSandboxSettings)
    }

    pub(crate) fn change_sandbox_settings(&self, change: &SettingsChange) -> Result<SandboxStatus, CliError> {
        self.call_with(Operation::ChangeSandboxSettings, change)
    }

    pub(crate) fn expire_sandbox_tokens(&self, filter: &SubjectFilter) -> Result<Expired, CliError> {
        self.call_with(Operation::UseSandboxControl.of("expire"), filter)
    }

    pub(crate) fn revoke_sandbox_access(&self, filter: &SubjectFilter) -> Result<Revoked, CliError> {
        self.call_with(Operation::UseSandboxControl.of("revoke"), filter)
    }

    pub(crate) fn plan_sandbox_faults(&self, plan: &FaultPlan) -> Result<PlannedFaults, CliError> {
        self.call_with(Operation::UseSandboxControl.of("faults"), plan)
    }

    pub(crate) fn clear_sandbox_faults(&self) -> Result<PlannedFaults, CliError> {
        self.call(Operation::UndoSandboxControl.of("faults"))
    }

    pub(crate) fn create_sandbox_api_key(&self, filter: &SubjectFilter) -> Result<CreatedApiKey, CliError> {
        self.call_with(Operation::UseSandboxControl.of("api-keys"), filter)
    }

    pub(crate) fn create_sandbox_client(&self) -> Result<CreatedClient, CliError> {
        self.call(Operation::UseSandboxControl.of("clients"))
    }

    pub(crate) fn reset_sandbox(&self) -> Result<Reset, CliError> {
        self.call(Operation::UseSandboxControl.of("reset"))
    }

    /// The requests after `seq`, oldest first. Waits for one if there is none.
    pub(crate) fn sandbox_log_after(&self, seq: u64, wait_secs: u32) -> Result<RequestLog, CliError> {
        self.call(Operation::ReadSandboxControl.of("log").query("after", seq).query("wait", wait_secs))
    }
}
