//! The wire's view of an account: Truto's shape, and never a secret in it.

use relink_domain::{
    EnvironmentId,
    account::{Account, AuthenticationMethod, Seen},
};
use serde_json::{Map, Value, json};

use crate::store::integrations::{Installed, Integration};

/// An integrated account as every response and event shows it.
pub fn account(account: &Account, environment: EnvironmentId, installed: &Installed) -> Value {
    let profile = &account.profile;
    let provider = label(&installed.integration);
    json!({
        "id": profile.id,
        "tenant_id": profile.tenant_id,
        "environment_id": environment,
        "environment_integration_id": profile.environment_integration_id,
        "status": account.status(),
        "authentication_method": account.method(),
        "is_sandbox": profile.is_sandbox,
        "region": profile.region,
        "context": context(account),
        "object_store_context_fields": [],
        "unified_model_override": {},
        "last_error": profile.last_error.as_ref().map(|seen| error(account, seen, &provider)),
        "last_action_result": {},
        "last_action_run_result": {},
        "last_forbidden_error": profile.last_forbidden_error.as_ref().map(|seen| error(account, seen, &provider)),
        "integration": integration(&installed.integration),
        "environment_integration": environment_integration(environment, installed),
        "created_at": profile.created_at,
        "updated_at": profile.updated_at,
    })
}

/// The part of an integration that goes with an account.
fn integration(integration: &Integration) -> Value {
    json!({
        "id": integration.id,
        "name": integration.name,
        "category": integration.document.get("category"),
        "config": { "label": label(integration) },
    })
}

/// The part of an installed integration that goes with an account and its events. Its override may hold anything: it stays.
pub fn environment_integration(environment: EnvironmentId, installed: &Installed) -> Value {
    json!({
        "id": installed.id,
        "integration_id": installed.integration.id,
        "environment_id": environment,
        "show_in_catalog": installed.show_in_catalog,
        "is_enabled": installed.is_enabled,
        "override": {},
    })
}

/// What an integration is called.
pub fn label(integration: &Integration) -> String {
    let label = integration.document.pointer("/config/label").and_then(Value::as_str);
    label.unwrap_or(&integration.name).to_owned()
}

fn context(account: &Account) -> Map<String, Value> {
    let mut context = account.profile.context.clone();
    match account.method() {
        AuthenticationMethod::Oauth2 | AuthenticationMethod::Oauth2ClientCredentials => {
            context.insert("oauth".into(), json!({ "scope": account.profile.scopes }));
        }
        AuthenticationMethod::ApiKey => {}
    }
    context
}

/// An account's failure, in the words of the one table.
pub fn error(account: &Account, seen: &Seen, provider: &str) -> Value {
    let words = account.words(seen, provider);
    json!({
        "code": seen.failure.cause.code(),
        "message": format!("{}. {}", words.title, words.message),
        "hint": words.hint,
        "http_status": seen.failure.http_status,
        "provider_code": seen.failure.provider_code,
        "provider_message": seen.failure.provider_words,
        "occurred_at": seen.at,
    })
}
