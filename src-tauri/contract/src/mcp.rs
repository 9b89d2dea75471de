//! MCP servers of accounts (contract section 10.2).

use relink_domain::{AccountId, McpTokenId, Timestamp, mcp::McpConfig};
use serde::{Deserialize, Deserializer, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use crate::WireSecret;

/// An MCP server. Its token is returned once, by the response that created it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
pub struct McpToken {
    pub id: McpTokenId,
    pub name: String,
    pub config: McpConfig,
    pub integrated_account_id: AccountId,
    /// The API token that created it, and that it ends with, or the user.
    pub created_by: String,
    /// Null if it never expires. It is deleted then.
    #[schema(required)]
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
pub struct NewMcpToken {
    /// 1 to 100 characters, on one line.
    pub name: String,
    #[serde(default)]
    pub config: McpConfig,
    /// At least a minute ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// What isn't given stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct McpTokenChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Replaces the config whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<McpConfig>,
    /// Null: it never expires.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Timestamp>)]
    pub expires_at: Option<Option<Timestamp>>,
}

/// Null is a value too.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A new MCP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedMcpToken {
    #[serde(flatten)]
    pub record: McpToken,
    /// Returned only once.
    pub token: WireSecret,
    /// Where clients connect. It contains the token.
    pub url: WireSecret,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_in_a_change_is_not_the_same_as_nothing() {
        let read = |json: &str| serde_json::from_str::<McpTokenChange>(json).expect("JSON").expires_at;
        assert_eq!(read("{}"), None);
        assert_eq!(read(r#"{"expires_at": null}"#), Some(None));
        assert!(matches!(read(r#"{"expires_at": "2030-01-01T00:00:00Z"}"#), Some(Some(_))));
    }
}
