//! The engine's records as the contract's types.

use relink_contract::{
    account::IntegratedAccount,
    integration::{EnvironmentIntegration, EnvironmentIntegrationSummary, IntegrationSummary},
    token, webhook,
};
use relink_domain::{EnvironmentId, account::Account};
use serde_json::Map;

use crate::{
    provider::VARIABLES,
    store::{api_tokens::ApiToken, integrations::Installed, webhooks::DeliveryState},
};

/// An account as events show it: without `environment_variables` (contract section 5).
pub(crate) fn integrated_account(
    account: &Account,
    environment: EnvironmentId,
    installed: &Installed,
) -> IntegratedAccount {
    let mut summary = installed.summary(environment);
    summary.r#override.shift_remove(VARIABLES);
    IntegratedAccount::new(account, environment, installed.integration_summary(), summary)
}

impl Installed {
    /// What goes with an account of its integration, with the config in force.
    pub(crate) fn integration_summary(&self) -> IntegrationSummary {
        let integration = &self.integration;
        IntegrationSummary::new(integration.id, integration.name.clone(), integration.category(), self.label())
    }

    /// What goes with an account of it. The Sandbox's override is left out: it is its whole definition at Relink's own address.
    pub fn summary(&self, environment: EnvironmentId) -> EnvironmentIntegrationSummary {
        let over = if self.integration.is_own_sandbox() { Map::new() } else { self.r#override.clone() };
        EnvironmentIntegrationSummary { r#override: over, ..self.summary_without_override(environment) }
    }

    fn summary_without_override(&self, environment: EnvironmentId) -> EnvironmentIntegrationSummary {
        EnvironmentIntegrationSummary {
            id: self.id,
            integration_id: self.integration.id,
            environment_id: environment,
            show_in_catalog: self.show_in_catalog,
            is_enabled: self.is_enabled,
            is_active: self.is_enabled,
            r#override: Map::new(),
        }
    }

    /// What events about it contain. The override holds no secret: what passes its strict check has none in plain text, and the
    /// keychain keeps those of its secret slots.
    pub(crate) fn summary_with_override(&self, environment: EnvironmentId) -> EnvironmentIntegrationSummary {
        EnvironmentIntegrationSummary {
            r#override: self.r#override.clone(),
            ..self.summary_without_override(environment)
        }
    }

    pub fn environment_integration(&self, environment: EnvironmentId) -> EnvironmentIntegration {
        EnvironmentIntegration {
            summary: self.summary_with_override(environment),
            integration: self.integration_summary(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

impl From<ApiToken> for token::ApiToken {
    fn from(token: ApiToken) -> Self {
        let ApiToken { id, name, level, limits, created_at, expires_at, last_used_at } = token;
        Self { id, name, level, limits, created_at, expires_at, last_used_at }
    }
}

impl From<DeliveryState> for webhook::DeliveryState {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Pending => Self::Pending,
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Failed => Self::Failed,
        }
    }
}
