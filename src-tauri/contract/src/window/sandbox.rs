use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The Sandbox's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SandboxSettings {
    pub token_lifetime_secs: u32,
    /// `none`, `rotate`, `grace` or `strict`.
    pub rotation: String,
    /// How many more responses will fail.
    pub faults_left: u32,
}

/// An action on the Sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SandboxAction {
    /// Expire all access tokens now.
    Expire,
    /// Revoke all access.
    Revoke,
    /// Make the next `count` responses fail.
    Fault { kind: String, count: u32 },
    /// Cancel the remaining faults.
    Clear,
    /// Set the lifetime of new access tokens.
    Lifetime { secs: u32 },
    /// Set how refresh tokens rotate: `none`, `rotate`, `grace` or `strict`.
    Rotation { kind: String },
}
