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

/// What goes with an account of its integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IntegrationSummary {
    pub id: IntegrationId,
    pub name: String,
    pub category: Option<String>,
    pub config: IntegrationLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IntegrationLabel {
    /// What a person calls it.
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

/// What goes with an account, and with events, of an installed integration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentIntegrationSummary {
    pub id: EnvironmentIntegrationId,
    pub integration_id: IntegrationId,
    pub environment_id: EnvironmentId,
    /// Whether the connect UI offers it.
    pub show_in_catalog: bool,
    pub is_enabled: bool,
    /// Always empty: an override may hold anything, so it isn't shown.
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

/// Installs an integration of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewEnvironmentIntegration {
    pub integration_id: String,
}

/// An integration of the catalog, as a person chooses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogEntry {
    pub id: IntegrationId,
    pub name: String,
    pub label: String,
    pub category: Option<String>,
    /// Whether it came with Relink.
    pub built_in: bool,
    pub version: i64,
    pub installed: bool,
    pub environment_integration_id: Option<EnvironmentIntegrationId>,
    /// The ways to sign in.
    pub methods: Vec<AuthenticationMethod>,
    /// What is missing before anybody can connect, and what to do.
    pub not_ready: Option<String>,
    /// Whether a built-in integration of the same name is hidden, because the person's keeps the name.
    pub hides_built_in: bool,
}

/// An integration from a file's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewIntegration {
    /// The file's content: the definition as JSON.
    pub text: String,
}

/// An integration that was added and installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddedIntegration {
    pub name: String,
    pub environment_integration_id: EnvironmentIntegrationId,
    /// What stands in the file without an effect.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstalledIntegration {
    pub name: String,
    pub environment_integration_id: EnvironmentIntegrationId,
}

/// An integration, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedIntegration {
    pub name: String,
}

/// The client that is registered at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OAuthClient {
    pub id: String,
    /// Goes into the keychain. Absent or empty: the one that is there stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<WireSecret>,
}
