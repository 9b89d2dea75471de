//! Servers of the Model Context Protocol, each with tools of one account (contract section 10.2).

use serde::{Deserialize, Serialize};

/// The maximum number of methods or tags that a server names.
pub const MAX_NAMED: usize = 100;

/// Which of the account's tools a server offers, and whom it serves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct McpConfig {
    /// Names of methods, or `read` (get, list), `write` (create, update, delete) and `custom` (all others). Empty: all.
    #[cfg_attr(feature = "schema", schema(required))]
    pub methods: Vec<String>,
    /// Tools of resources or methods with any of these tags (`tool_tags`). Empty: of all.
    #[cfg_attr(feature = "schema", schema(required))]
    pub tags: Vec<String>,
    /// Whether a request must have an API token too, as Bearer.
    #[cfg_attr(feature = "schema", schema(required))]
    pub require_api_token_auth: bool,
}
