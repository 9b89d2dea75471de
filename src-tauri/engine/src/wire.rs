//! The engine's records as the contract's types.

use relink_contract::{
    account::IntegratedAccount,
    integration::{EnvironmentIntegration, EnvironmentIntegrationSummary, IntegrationLabel, IntegrationSummary},
    organization, token, webhook,
};
use relink_domain::{EnvironmentId, TeamId, account::Account};
use serde_json::Map;

use crate::{
    organization::{OrganizationIds, Team},
    provider::VARIABLES,
    store::{api_tokens::ApiToken, integrations::Installed, webhooks::DeliveryState},
};

/// An account as events show it: without `environment_variables` (contract section 5).
pub(crate) fn integrated_account(account: &Account, ids: OrganizationIds, installed: &Installed) -> IntegratedAccount {
    let mut summary = installed.summary(ids.environment);
    summary.r#override.shift_remove(VARIABLES);
    let mut shown = IntegratedAccount::new(account, ids.environment, installed.integration_summary(ids.team), summary);
    // An earlier version stored it if a link's context had it.
    shown.context.shift_remove(VARIABLES);
    shown
}

impl Installed {
    /// What goes with an account of its integration, with the config in force.
    pub(crate) fn integration_summary(&self, team: TeamId) -> IntegrationSummary {
        let integration = &self.integration;
        IntegrationSummary {
            id: integration.id,
            name: integration.name.clone(),
            category: integration.category(),
            is_beta: integration.is_beta(),
            team_id: team,
            sharing: integration.sharing().to_owned(),
            config: IntegrationLabel { label: self.label() },
        }
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

    pub fn environment_integration(&self, ids: OrganizationIds) -> EnvironmentIntegration {
        EnvironmentIntegration {
            summary: self.summary_with_override(ids.environment),
            integration: self.integration_summary(ids.team),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

impl From<Team> for organization::Team {
    fn from(team: Team) -> Self {
        let Team { id, name, domain, logo, created_at, updated_at, .. } = team;
        Self { id, name, domain, logo, created_at, updated_at }
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
