//! The engine's records as the contract's types.

use relink_contract::{
    account::IntegratedAccount,
    integration::{EnvironmentIntegrationSummary, IntegrationSummary},
};
use relink_domain::{EnvironmentId, account::Account};
use serde_json::Map;

use crate::store::integrations::Installed;

/// An account as every response and event shows it.
pub fn integrated_account(account: &Account, environment: EnvironmentId, installed: &Installed) -> IntegratedAccount {
    let integration = integration_summary(installed);
    IntegratedAccount::new(account, environment, integration, environment_integration_summary(environment, installed))
}

/// What goes with an account of its integration, with the config in force.
pub fn integration_summary(installed: &Installed) -> IntegrationSummary {
    let integration = &installed.integration;
    IntegrationSummary::new(integration.id, integration.name.clone(), integration.category(), installed.label())
}

/// What goes with an account, and with events, of an installed integration. Its override may hold anything, so it isn't shown.
pub fn environment_integration_summary(
    environment: EnvironmentId,
    installed: &Installed,
) -> EnvironmentIntegrationSummary {
    EnvironmentIntegrationSummary {
        id: installed.id,
        integration_id: installed.integration.id,
        environment_id: environment,
        show_in_catalog: installed.show_in_catalog,
        is_enabled: installed.is_enabled,
        r#override: Map::new(),
    }
}
