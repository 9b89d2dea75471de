//! Who can end an account's trouble.

use serde::{Deserialize, Serialize};

/// Who can end the trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The person must sign in again.
    NeedsPerson,
    /// The integration's client ID or secret must be corrected.
    NeedsClient,
    /// Relink retries.
    Retrying,
}
