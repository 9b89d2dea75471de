//! From the store's rows to the contract's types. How each looks on the wire is the contract's.

use relink_contract::{
    account::IntegratedAccount,
    integration::{EnvironmentIntegrationSummary, IntegrationSummary},
};
use relink_domain::{EnvironmentId, account::Account};
use serde_json::{Map, Value};

use crate::store::integrations::{Installed, Integration};

/// Truto's integrated account.
pub fn integrated_account(account: &Account, environment: EnvironmentId, installed: &Installed) -> IntegratedAccount {
    IntegratedAccount::new(
        account,
        environment,
        integration_summary(&installed.integration),
        environment_integration_summary(environment, installed),
    )
}

pub fn integration_summary(integration: &Integration) -> IntegrationSummary {
    IntegrationSummary::new(integration.id, integration.name.clone(), category(integration), label(integration))
}

/// The override may hold anything, so it isn't shown.
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

/// What a person calls an integration.
pub fn label(integration: &Integration) -> String {
    let label = integration.document.pointer("/config/label").and_then(Value::as_str);
    label.unwrap_or(&integration.name).to_owned()
}

pub fn category(integration: &Integration) -> Option<String> {
    integration.document.get("category").and_then(Value::as_str).map(str::to_owned)
}

/// [`integrated_account`] as an event's payload.
pub(crate) fn account(account: &Account, environment: EnvironmentId, installed: &Installed) -> Value {
    payload(&integrated_account(account, environment, installed))
}

/// [`environment_integration_summary`] as an event's payload.
pub fn environment_integration(environment: EnvironmentId, installed: &Installed) -> Value {
    payload(&environment_integration_summary(environment, installed))
}

/// The contract's types are trees of texts and numbers: they can always be written.
fn payload(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}
