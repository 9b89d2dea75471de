//! The status of Relink.

use relink_domain::{EnvironmentId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ping {
    /// Always `pong`.
    pub ping: String,
}

/// In the OpenAPI document `Status` is an account's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RelinkStatus)]
pub struct Status {
    pub version: String,
    /// Null while another program uses the API's port.
    #[schema(required)]
    pub base_url: Option<String>,
    /// Why the API doesn't listen on its port; null while it does.
    #[schema(required)]
    pub port_problem: Option<String>,
    pub environment_id: EnvironmentId,
    pub keychain: KeychainStatus,
    /// Null while the Sandbox isn't installed.
    #[schema(required)]
    pub sandbox: Option<SandboxStatus>,
    pub accounts: AccountCounts,
    /// The hosts whose providers have asked Relink to wait.
    pub waiting: Vec<WaitingHost>,
}

/// Accounts that wait because a provider asked for it (`Retry-After`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingHost {
    pub host: String,
    /// When the last of them is tried again, at the earliest.
    pub until: Timestamp,
    /// The number of accounts that wait.
    pub accounts: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeychainStatus {
    /// `available`, or an error code.
    pub state: String,
    /// The error message; null while the keychain is available.
    #[schema(required)]
    pub message: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxStatus {
    pub base_url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountCounts {
    pub total: u32,
    pub needs_reauth: u32,
}
