//! Integrations, and integrations as installed.

use relink_domain::{
    EnvironmentId, EnvironmentIntegrationId, IntegrationId, TeamId, Timestamp, account::AuthenticationMethod,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{WireSecret, organization::Team};

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
    /// Who may install it: `deny`, `ask` or `allow`. It has no effect, because there is one environment.
    pub sharing: String,
    pub can_install: bool,
    /// Counts the changes. A change names the version that it is of.
    pub version: i64,
    pub team_id: TeamId,
    pub team: Team,
    /// The environments in which it is installed: none, or the one there is.
    pub installed_environment: Vec<EnvironmentId>,
    /// Always null: Relink has no OAuth apps of its own.
    #[schema(required, value_type = Option<String>)]
    pub default_oauth_app_id: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A request to add an integration (contract section 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewIntegrationRow {
    /// Lowercase letters, digits, `_` and `-`.
    pub name: String,
    /// The definition. The secret of an OAuth client goes into the keychain.
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_beta: Option<bool>,
    /// `deny`, `ask` (the default) or `allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<String>,
}

/// A request to change an integration (contract section 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IntegrationChange {
    /// The version that was read. If the integration has another one by now, nothing is changed.
    pub version: i64,
    /// The name that it has: a name can't be changed, because it is part of redirect URIs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Merged into the definition, deeply: null removes a key, and an array replaces what was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub config: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_beta: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<String>,
}

/// The integration, as part of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IntegrationSummary {
    pub id: IntegrationId,
    pub name: String,
    #[schema(required)]
    pub category: Option<String>,
    pub is_beta: bool,
    pub team_id: TeamId,
    /// `deny`, `ask` or `allow`.
    pub sharing: String,
    pub config: IntegrationLabel,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IntegrationLabel {
    /// The display name.
    pub label: String,
}

impl IntegrationSummary {
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
    /// Merged over the integration's config, without secrets. Events of accounts have it without `environment_variables`.
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

/// A request to install an integration of the catalog. An installed one stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewEnvironmentIntegration {
    pub integration_id: String,
    #[serde(flatten)]
    pub change: EnvironmentIntegrationChange,
}

/// A request to change how an installed integration is used (contract section 4.1).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentIntegrationChange {
    /// Whether accounts can be connected with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_enabled: Option<bool>,
    /// The same as `is_enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Whether the connect UI offers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub show_in_catalog: Option<bool>,
    /// Takes the place of the whole override, which is merged over the integration's config. A slot that is null falls back to
    /// the config. The secret of an OAuth client and the values of `secret_environment_variables` go into the keychain; an
    /// empty text keeps the stored one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub r#override: Option<Map<String, Value>>,
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

/// A request to add an integration from a definition file: its text, or the file itself as Truto's tools write it (contract section
/// 4.1), with `name`, `config` and what else it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewIntegration {
    /// The content of the file: the definition as JSON. Errors in it have a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub file: Map<String, Value>,
}

/// An integration that was added and installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddedIntegration {
    pub name: String,
    pub environment_integration_id: EnvironmentIntegrationId,
    /// Whether it took the place of a definition of the same name.
    pub replaced: bool,
    /// How many accounts use it.
    pub accounts: u32,
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

/// An integration whose OAuth client was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IntegrationClient {
    pub name: String,
    /// What the client still lacks before anybody can sign in, such as its secret; null if nothing.
    #[schema(required)]
    pub not_ready: Option<String>,
}

/// The OAuth client that is registered with the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OAuthClient {
    pub id: String,
    /// Stored in the keychain. If absent or empty, the current secret stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<WireSecret>,
}
