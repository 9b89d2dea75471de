//! MCP servers in the window.

use relink_domain::{McpTokenId, Timestamp, mcp::McpConfig};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An account's MCP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct McpServer {
    pub id: McpTokenId,
    pub name: String,
    pub config: McpConfig,
    pub created_at: Timestamp,
    /// Null if it never expires.
    pub expires_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct NewMcpServer {
    pub name: String,
    pub config: McpConfig,
    /// Days until it ends. Null: it never does.
    pub days: Option<u32>,
}
