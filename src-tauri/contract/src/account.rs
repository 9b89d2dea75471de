//! Integrated accounts. Only this module maps an account to the wire.

mod row;
mod sandbox;

use relink_domain::{
    AccountId, EnvironmentId, EnvironmentIntegrationId, Timestamp,
    account::{Account, AuthenticationMethod, SeenFailure, Status},
    failure::provider_words,
    link::DEFAULT_REGION,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use ts_rs::TS;
use utoipa::ToSchema;

pub use self::{
    row::{AccountContext, AccountRow, Waiting},
    sandbox::SandboxIntegratedAccount,
};
use crate::{
    WireSecret,
    integration::{EnvironmentIntegrationSummary, IntegrationSummary},
};

/// Truto's integrated account, in responses and events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IntegratedAccount {
    pub id: AccountId,
    /// The customer that the account belongs to, named by the caller.
    pub tenant_id: String,
    pub environment_id: EnvironmentId,
    pub environment_integration_id: EnvironmentIntegrationId,
    pub status: Status,
    pub authentication_method: AuthenticationMethod,
    pub is_sandbox: bool,
    /// As the link token named it: `wnam` (the default), `enam`, `apac` or `eu`.
    pub region: String,
    /// The account's context, without secrets.
    #[schema(value_type = Object)]
    pub context: Map<String, Value>,
    /// The keys of the context whose values were given as `{"truto_obj_store": true, "data": …}`.
    pub object_store_context_fields: Vec<String>,
    #[schema(value_type = Object)]
    pub unified_model_override: Map<String, Value>,
    /// Merged over the config of its integration, after the override of that.
    #[schema(value_type = Object)]
    pub integration_override: Map<String, Value>,
    /// What happened, and what it means: the last failure of a refresh, a call or a step.
    #[schema(required)]
    pub last_error: Option<String>,
    #[schema(value_type = Object)]
    pub last_action_result: Map<String, Value>,
    #[schema(value_type = Object)]
    pub last_action_run_result: Map<String, Value>,
    #[schema(required)]
    pub last_forbidden_error: Option<ForbiddenError>,
    pub integration: IntegrationSummary,
    pub environment_integration: EnvironmentIntegrationSummary,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// `last_error` with its code, what to do, and what the provider said.
    #[schema(required)]
    pub last_error_details: Option<AccountError>,
}

impl IntegratedAccount {
    pub fn new(
        account: &Account,
        environment_id: EnvironmentId,
        integration: IntegrationSummary,
        environment_integration: EnvironmentIntegrationSummary,
    ) -> Self {
        let profile = &account.profile;
        let error = |seen: &SeenFailure| AccountError::new(account, seen, integration.label());
        let last_error = account.shown_error().map(error);
        Self {
            id: profile.id,
            tenant_id: profile.tenant_id.clone(),
            environment_id,
            environment_integration_id: profile.environment_integration_id,
            status: account.status(),
            authentication_method: account.method(),
            is_sandbox: profile.is_sandbox,
            region: profile.region.clone().unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            context: context(account),
            object_store_context_fields: profile.settings.object_store_context_fields.clone(),
            unified_model_override: profile.settings.unified_model_override.clone(),
            integration_override: profile.settings.integration_override.clone(),
            last_error: last_error.as_ref().map(|error| error.message.clone()),
            last_action_result: action_run(account),
            last_action_run_result: action_run(account),
            last_forbidden_error: profile.last_forbidden_error.as_ref().map(|forbidden| ForbiddenError {
                resource: forbidden.method.as_ref().map(|it| it.resource.clone()),
                method: forbidden.method.as_ref().map(|it| it.method.clone()),
                error: error(&forbidden.seen),
            }),
            integration,
            environment_integration,
            created_at: profile.created_at,
            updated_at: profile.updated_at,
            last_error_details: last_error,
        }
    }
}

/// What the last connect step did. Empty: there was none.
fn action_run(account: &Account) -> Map<String, Value> {
    match serde_json::to_value(&account.last_action_run) {
        Ok(Value::Object(run)) => run,
        _ => Map::new(),
    }
}

fn context(account: &Account) -> Map<String, Value> {
    let mut context = account.profile.context.clone();
    match account.method() {
        AuthenticationMethod::Oauth2 | AuthenticationMethod::Oauth2ClientCredentials => {
            let oauth = context.entry("oauth").or_insert_with(|| json!({}));
            if !oauth.is_object() {
                *oauth = json!({});
            }
            oauth["scope"] = json!(account.profile.scopes);
        }
        AuthenticationMethod::ApiKey => {}
    }
    context
}

/// The cause of an account's failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountError {
    /// A stable code, for programs.
    pub code: String,
    /// What happened, and what it means.
    pub message: String,
    /// What to do.
    pub hint: String,
    #[schema(required)]
    pub http_status: Option<u16>,
    /// The provider's error code.
    #[schema(required)]
    pub provider_code: Option<String>,
    /// The provider's error message.
    #[schema(required)]
    pub provider_message: Option<String>,
    /// The scopes that a call lacked that was answered with 403, as far as the provider or the integration says.
    #[serde(default)]
    #[schema(required)]
    pub missing_scopes: Vec<String>,
    pub occurred_at: Timestamp,
}

impl AccountError {
    /// The provider's code and message as one text.
    pub fn provider_words(&self) -> Option<String> {
        provider_words(self.provider_code.as_deref(), self.provider_message.as_deref())
    }

    /// `provider`: the label of the account's integration.
    pub fn new(account: &Account, seen: &SeenFailure, provider: &str) -> Self {
        let explanation = account.explain(seen, provider);
        Self {
            code: seen.failure.cause.code().to_owned(),
            message: format!("{}. {}", explanation.title, explanation.message),
            hint: explanation.hint,
            http_status: seen.failure.http_status,
            provider_code: seen.failure.provider_code.clone(),
            provider_message: seen.failure.provider_message.clone(),
            missing_scopes: seen.failure.missing_scopes.clone(),
            occurred_at: seen.at,
        }
    }
}

/// The last call of an account that was answered with 403.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForbiddenError {
    /// The resource whose method was called. `null` for a call of another kind, such as one through `/via` or `/custom`.
    #[schema(required)]
    pub resource: Option<String>,
    /// The name of the method.
    #[schema(required)]
    pub method: Option<String>,
    #[serde(flatten)]
    pub error: AccountError,
}

/// A change of an account's context.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContextChange {
    /// Merged into the account's context, one level deep; `oauth` alone is merged deeply. Credentials in it are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub context: Option<Map<String, Value>>,
}

/// A change of an account. What is absent stays. Credentials can't be changed this way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccountChange {
    #[serde(flatten)]
    pub context: ContextChange,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The method that it has: another one takes a reauthorization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_method: Option<String>,
    /// Ignored: only Relink sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub status: Option<Value>,
    /// Merged deeply; null removes a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub unified_model_override: Option<Map<String, Value>>,
    /// Merged deeply; null removes a key. It is checked with the definition of the integration, over whose config it is merged for
    /// this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub integration_override: Option<Map<String, Value>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rename {
    /// 1 to 200 characters.
    pub name: String,
}

/// What became of a deleted account's tokens at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// There was nothing that the provider could revoke.
    NotOffered,
    /// The provider revoked them.
    Revoked,
    /// The provider didn't revoke them.
    Failed,
    /// The keychain is locked. Relink revokes them when it is unlocked.
    Pending,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
pub struct DeletedAccount {
    pub id: AccountId,
    pub revocation: Revocation,
    /// What was not revoked, and what to do; null if nothing is left to do.
    #[schema(required)]
    pub message: Option<String>,
}

/// The credential for calls to the provider: a fresh access token, or the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessToken {
    pub access_token: WireSecret,
    /// Null if unknown.
    #[schema(required)]
    pub expires_at: Option<Timestamp>,
    /// Whether the token still works but can't be refreshed any more: the account needs its person.
    pub needs_reauth: bool,
}

/// An account to import, with its credentials.
#[derive(Deserialize, ToSchema)]
pub struct NewIntegratedAccount {
    pub tenant_id: String,
    /// The installed integration.
    pub environment_integration_id: EnvironmentIntegrationId,
    /// `oauth2` (also `oauth`), `api_key` (also `basic`) or `oauth2_client_credentials`. It may be left out if the integration has only one.
    pub authentication_method: Option<String>,
    /// As in a link token.
    pub region: Option<String>,
    /// The values of the integration's form. For OAuth 2.0, `{"oauth": {"token": {"access_token", "refresh_token", "expires_in"}}}`, where
    /// `expires_in` is in seconds; in its place, `expires_at` is a time. What else is in it is the account's context.
    #[schema(value_type = Object)]
    pub context: Map<String, Value>,
}

/// New credentials for an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredentials {
    /// Credentials alone, as in an import. What is left out stays.
    #[schema(value_type = Object)]
    pub context: Map<String, Value>,
}

/// A request for a token for one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewIntegratedAccountToken {
    pub integrated_account_id: String,
}

/// A token for one account. Truto's documents read it under either name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IntegratedAccountToken {
    pub integrated_account_token: WireSecret,
    /// The same.
    pub token: WireSecret,
}

/// The provider's response to a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// The provider accepted the call.
    Accepted,
    /// The provider responded with 401.
    Unauthorized,
    /// The provider responded with 403.
    Forbidden,
    /// The provider accepted the call, but for another person than the account's.
    AnotherIdentity,
    /// There was no conclusive response.
    Inconclusive,
    /// The integration defines no call to check with.
    NoProbe,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckReport {
    pub outcome: CheckOutcome,
    /// The account after the check.
    pub account: AccountRow,
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
