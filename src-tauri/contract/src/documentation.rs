//! Documentation of integrations and their methods (contract section 4.1).

use relink_domain::{DocumentationId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A text about an integration or one of its methods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Documentation {
    pub id: DocumentationId,
    /// The id of the integration, or of the installed one.
    pub entity_id: String,
    /// `integration` or `environment_integration`.
    pub entity_type: String,
    /// Such as `description`, `query_schema` or `readme`.
    pub r#type: String,
    pub content: String,
    #[schema(required)]
    pub resource: Option<String>,
    #[schema(required)]
    pub method: Option<String>,
    #[schema(required)]
    pub integration_name: Option<String>,
    #[schema(required)]
    pub authentication_method: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A request to document something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewDocumentation {
    pub entity_id: String,
    /// `integration` or `environment_integration`.
    pub entity_type: String,
    #[serde(flatten)]
    pub texts: DocumentationTexts,
}

/// What a row says, and about what. In a change, what is absent stays, and null removes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DocumentationTexts {
    /// `readme`, `note`, `end_user_guide`, `description`, `query_schema`, `body_schema`, `response_schema`,
    /// `oauth_documentation_link`, `oauth_app_requires_verification` or `oauth_note`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// A schema is YAML of a JSON schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The resource and the method that it is about. What a row says of a method counts before what the definition says.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub resource: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub method: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub integration_name: Option<Value>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub authentication_method: Option<Value>,
}

/// A text or null, apart from what is absent.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(Some(text.map_or(Value::Null, Value::String)))
}
