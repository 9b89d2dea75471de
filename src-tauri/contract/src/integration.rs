//! Integrations, and integrations as installed.

use relink_domain::{EnvironmentId, EnvironmentIntegrationId, IntegrationId, Timestamp, account::AuthenticationMethod};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::WireSecret;

/// Truto's integration, without client secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Integration {
    pub id: IntegrationId,
    pub name: String,
    #[schema(required)]
    pub category: Option<String>,
    pub is_beta: bool,
    /// The definition.
    #[schema(value_type = Object)]
    pub config: Value,
    pub sharing: String,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The integration, as part of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IntegrationSummary {
    pub id: IntegrationId,
    pub name: String,
    #[schema(required)]
    pub category: Option<String>,
    pub config: IntegrationLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IntegrationLabel {
    /// The display name.
    pub label: String,
}

impl IntegrationSummary {
    pub const fn new(id: IntegrationId, name: String, category: Option<String>, label: String) -> Self {
        Self { id, name, category, config: IntegrationLabel { label } }
    }

    pub fn label(&self) -> &str {
        &self.config.label
    }
}

/// The installed integration, as part of an account and of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentIntegrationSummary {
    pub id: EnvironmentIntegrationId,
    pub integration_id: IntegrationId,
    pub environment_id: EnvironmentId,
    /// Whether the connect UI offers it.
    pub show_in_catalog: bool,
    pub is_enabled: bool,
    /// The same as `is_enabled`: Truto's clients read either.
    pub is_active: bool,
    /// Always empty: an override may contain secrets, so it isn't shown.
    #[schema(value_type = Object)]
    pub r#override: Map<String, Value>,
}

/// Truto's environment integration: an integration as installed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentIntegration {
    #[serde(flatten)]
    pub summary: EnvironmentIntegrationSummary,
    pub integration: IntegrationSummary,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A request to install an integration of the catalog. An installed integration is always enabled and in the catalog of the
/// connect UI, so another value is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewEnvironmentIntegration {
    pub integration_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_enabled: Option<bool>,
    /// The same as `is_enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show_in_catalog: Option<bool>,
}

/// An entry of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogEntry {
    pub id: IntegrationId,
    pub name: String,
    pub label: String,
    #[schema(required)]
    pub category: Option<String>,
    /// Whether it is built in.
    pub built_in: bool,
    pub version: i64,
    pub installed: bool,
    #[schema(required)]
    pub environment_integration_id: Option<EnvironmentIntegrationId>,
    /// The authentication methods.
    pub methods: Vec<AuthenticationMethod>,
    /// What must be set up before an account can be connected; null if nothing.
    #[schema(required)]
    pub not_ready: Option<String>,
    /// Whether it hides a built-in integration of the same name.
    pub hides_built_in: bool,
}

/// A request to add an integration from a definition file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewIntegration {
    /// The content of the file: the definition as JSON.
    pub text: String,
}

/// An integration that was added and installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddedIntegration {
    pub name: String,
    pub environment_integration_id: EnvironmentIntegrationId,
    /// Warnings, such as unknown keys in the file.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstalledIntegration {
    pub name: String,
    pub environment_integration_id: EnvironmentIntegrationId,
}

/// The name of an integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedIntegration {
    pub name: String,
}

/// The OAuth client that is registered with the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OAuthClient {
    pub id: String,
    /// Stored in the keychain. If absent or empty, the current secret stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<WireSecret>,
}
