//! Deleting several accounts (contract section 3).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which accounts to delete: one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkDelete {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<BulkDeleteQuery>,
}

/// Nothing else narrows it: what isn't understood must not delete more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkDeleteQuery {
    pub tenant_id: String,
}
