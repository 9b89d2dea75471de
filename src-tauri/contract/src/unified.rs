//! Unified models and their mappings (contract section 8.1).

use relink_domain::{EnvironmentId, EnvironmentUnifiedModelId, TeamId, Timestamp, UnifiedMappingId, UnifiedModelId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A unified model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnifiedModel {
    pub id: UnifiedModelId,
    pub name: String,
    #[schema(required)]
    pub category: Option<String>,
    #[schema(required)]
    pub description: Option<String>,
    pub team_id: TeamId,
    /// `deny`, `ask` or `allow`. It has no effect, because there is one team.
    pub sharing: String,
    /// `{resource: {"schema", "description", "methods"}}`
    #[schema(value_type = Object)]
    pub resources: Value,
    /// The scopes that each integration needs.
    #[schema(value_type = Object)]
    pub scopes: Value,
    /// JSONata by integration, which makes records of what a provider sends in.
    #[schema(value_type = Object)]
    pub webhooks: Value,
    /// Counts the changes. A change names the version that it is of.
    pub version: i64,
    /// The environments in which it is installed: none, or the one there is.
    pub installed_environment: Vec<EnvironmentId>,
    /// Whether it is Relink's own, which can't be changed.
    pub is_built_in: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A request to add a unified model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewUnifiedModel {
    /// Letters, digits, hyphens and underscores: it is part of a path.
    pub name: String,
    #[serde(flatten)]
    pub document: UnifiedModelDocument,
}

/// A request to change a unified model. It is merged deeply: null removes a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnifiedModelChange {
    /// The version that was read. If the model has another one by now, nothing is changed.
    pub version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(flatten)]
    pub document: UnifiedModelDocument,
}

/// What is written of a unified model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnifiedModelDocument {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub category: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sharing: Option<Value>,
    /// `{resource: {"schema": JSON Schema, "description", "methods": []}}`
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub resources: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub scopes: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub webhooks: Option<Value>,
}

/// A unified model that is installed in this environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentUnifiedModel {
    pub id: EnvironmentUnifiedModelId,
    pub unified_model_id: UnifiedModelId,
    pub environment_id: EnvironmentId,
    /// Merged over the model where that is shown, and over its webhooks. It doesn't change mappings.
    #[schema(value_type = Object)]
    pub r#override: Map<String, Value>,
    pub unified_model: UnifiedModel,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A request to install a unified model. It may be installed already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewEnvironmentUnifiedModel {
    pub unified_model_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub r#override: Option<Map<String, Value>>,
}

/// A request to change an installed unified model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentUnifiedModelChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub r#override: Option<Map<String, Value>>,
}

/// The base mapping of a method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnifiedModelResourceMethod {
    pub unified_model_id: UnifiedModelId,
    pub unified_model_name: String,
    #[serde(flatten)]
    pub mapping: ResourceMethod,
}

/// The environment's mapping of a method, over the base's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentUnifiedModelResourceMethod {
    pub environment_unified_model_id: EnvironmentUnifiedModelId,
    pub unified_model_name: String,
    pub environment_id: EnvironmentId,
    #[serde(flatten)]
    pub mapping: ResourceMethod,
}

/// What both kinds of mappings have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResourceMethod {
    pub id: UnifiedMappingId,
    pub integration_name: String,
    pub resource_name: String,
    pub method_name: String,
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// Counts the changes.
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// What of a config that was just written has no effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A request to add a base mapping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewUnifiedModelResourceMethod {
    pub unified_model_id: String,
    #[serde(flatten)]
    pub mapping: NewResourceMethod,
}

/// A request to add a mapping of the environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewEnvironmentUnifiedModelResourceMethod {
    pub environment_unified_model_id: String,
    #[serde(flatten)]
    pub mapping: NewResourceMethod,
}

/// Which method is mapped, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewResourceMethod {
    pub integration_name: String,
    pub resource_name: String,
    pub method_name: String,
    #[serde(default)]
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
}

/// A request to change a mapping. `config` is merged deeply: null removes a key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResourceMethodChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub config: Option<Map<String, Value>>,
    /// The version that was read. If the mapping has another one by now, nothing is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
}

/// A value or null, apart from what is absent.
pub(crate) fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
