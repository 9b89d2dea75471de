//! An account as a row of a list.

use relink_domain::{
    AccountId, Timestamp,
    account::{Account, AuthenticationMethod, Credential, Status, Trouble, Verdict},
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use super::AccountError;

/// An account, with the details that people need.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, as keys of the wire format")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountRow {
    pub id: AccountId,
    /// The account's display name.
    pub name: String,
    pub tenant_id: String,
    /// The integration's name.
    pub integration: String,
    pub integration_label: String,
    pub status: Status,
    pub authentication_method: AuthenticationMethod,
    pub is_sandbox: bool,
    /// The signed-in user, if the integration provides it.
    #[schema(required)]
    pub identity: Option<String>,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// What the account needs; null while it works.
    #[schema(required)]
    pub verdict: Option<Verdict>,
    #[schema(required)]
    pub last_error: Option<AccountError>,
    /// When Relink retries automatically.
    #[schema(required)]
    pub next_try: Option<Timestamp>,
    /// When Relink acts automatically the next time: a refresh, a check or a retry.
    #[schema(required)]
    pub next_action_at: Option<Timestamp>,
    /// Set while the provider has asked Relink to wait (`Retry-After`): this account, or all accounts at its host.
    #[schema(required)]
    pub waiting: Option<Waiting>,
    /// When its access token or key expires; null if unknown.
    #[schema(required)]
    pub expires_at: Option<Timestamp>,
    /// Whether `expires_at` is an assumption, because the provider doesn't say when the token expires.
    pub expiry_is_assumed: bool,
    #[schema(required)]
    pub last_used_at: Option<Timestamp>,
    /// Whether its access token or key hasn't expired. Once a refresh was refused for good, only while the provider still accepts
    /// the token that remains.
    pub is_fresh: bool,
    /// Whether its key was never tried, because the integration defines no call to check with.
    pub is_unchecked: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A wait that a provider asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, TS)]
pub struct Waiting {
    /// The host of the provider's token endpoint.
    pub host: String,
    /// When Relink tries again, at the earliest.
    pub until: Timestamp,
}

/// The details of an account that aren't part of it.
#[derive(Debug, Clone, Copy)]
pub struct AccountContext<'a> {
    /// The integration's label.
    pub label: &'a str,
    pub last_used_at: Option<Timestamp>,
    /// When Relink acts automatically the next time: a refresh, a check or a retry.
    pub next_action_at: Option<Timestamp>,
    /// What the provider has asked for.
    pub waiting: Option<&'a Waiting>,
    /// Whether its key was never tried, because the integration defines no call to check with.
    pub is_unchecked: bool,
    /// Whether an access token is at hand that hasn't expired.
    pub holds_token: bool,
    pub now: Timestamp,
}

impl AccountRow {
    pub fn new(account: &Account, context: &AccountContext<'_>) -> Self {
        let profile = &account.profile;
        let trouble = account.state.trouble();
        let is_final = trouble.is_some_and(|trouble| trouble.verdict() != Verdict::Retrying);
        let (expires_at, expiry_is_assumed, is_usable) = match account.state.credential() {
            Credential::Renewing(renewing) => {
                let lifetime = renewing.lifetime.or_assumed(None);
                // What remains after a final refusal is dropped, unless the provider accepts it.
                (lifetime.expires_at, lifetime.is_assumed, !is_final || context.holds_token)
            }
            Credential::Fixed(fixed) => (fixed.expires_at, false, true),
        };
        Self {
            id: profile.id,
            name: profile.name.clone(),
            tenant_id: profile.tenant_id.clone(),
            integration: profile.integration.clone(),
            integration_label: context.label.to_owned(),
            status: account.status(),
            authentication_method: account.method(),
            is_sandbox: profile.is_sandbox,
            identity: profile.identity.as_ref().map(|identity| identity.label.clone()),
            scopes: profile.scopes.clone(),
            verdict: trouble.map(Trouble::verdict),
            last_error: account.shown_error().map(|seen| AccountError::new(account, seen, context.label)),
            next_try: trouble.and_then(|trouble| trouble.next_try),
            next_action_at: context.next_action_at,
            waiting: context.waiting.cloned(),
            expires_at: expires_at.filter(|_| account.status() != Status::Connecting),
            expiry_is_assumed,
            last_used_at: context.last_used_at,
            is_fresh: is_usable && !account.has_moved() && expires_at.is_none_or(|at| at > context.now),
            is_unchecked: context.is_unchecked,
            created_at: profile.created_at,
            updated_at: profile.updated_at,
        }
    }
}
