//! Datastores (contract section 10.4).

use relink_domain::{DatastoreId, EnvironmentId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::unified::given;

/// A store of somebody else's, to which sync jobs write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Datastore {
    pub id: DatastoreId,
    /// `s3`.
    #[serde(rename = "type")]
    pub kind: String,
    pub label: String,
    /// `{"region", "bucket", "base_url"}`, without its secrets.
    #[schema(value_type = Object)]
    pub config: Value,
    /// The members of `config` that are set and never shown: `access_key_id`, `secret_access_key` (Relink's own).
    pub secrets: Vec<String>,
    /// Whether the person consented to a private address (Relink's own).
    pub allow_private: bool,
    pub environment_id: EnvironmentId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What is written of a datastore. In a change, null removes a key, and `config` is merged.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DatastoreDocument {
    /// `s3`.
    #[serde(rename = "type", default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub label: Option<Value>,
    /// `access_key_id`, `secret_access_key`, `region`, `bucket`, and `base_url`, which is Amazon's if it is left out.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub config: Option<Value>,
    /// The person's consent to a private address. This machine needs none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<bool>)]
    pub allow_private: Option<Value>,
}

/// Without the secrets that `config` has.
impl std::fmt::Debug for DatastoreDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatastoreDocument")
            .field("type", &self.kind)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// What a test of a datastore found. One that fails is an error instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatastoreTest {
    pub success: bool,
}
