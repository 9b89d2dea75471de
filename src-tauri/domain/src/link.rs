//! Link tokens: each allows connecting or reauthorizing one account, on this machine, once, within seven days.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AccountId, LinkTokenId, Timestamp, UnifiedModelId, account::ContextValues};

/// How long an unused link token is valid.
pub const LIFETIME_SECS: i64 = 7 * 24 * 60 * 60;

/// Truto's regions. Everything is on this machine, so they have no effect.
pub const REGIONS: [&str; 4] = [DEFAULT_REGION, "enam", "apac", "eu"];
pub const DEFAULT_REGION: &str = "wnam";

/// What a sign-in is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Connect a new account for this tenant.
    Connect { tenant_id: String },
    /// Reauthorize this account.
    Reauthorize { account_id: AccountId },
}

/// What a link token is for: a sign-in, or a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "purpose", rename_all = "snake_case")]
pub enum LinkPurpose {
    /// See [`Purpose::Connect`].
    Connect { tenant_id: String },
    /// See [`Purpose::Reauthorize`].
    Reauthorize { account_id: AccountId },
    /// Fill in the `RapidForm` of this account (contract section 1, `POST /link-token/post-connect-form`).
    PostConnectForm { account_id: AccountId },
}

impl From<Purpose> for LinkPurpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Connect { tenant_id } => Self::Connect { tenant_id },
            Purpose::Reauthorize { account_id } => Self::Reauthorize { account_id },
        }
    }
}

impl LinkPurpose {
    /// What its sign-in is for; `None`: there is none.
    pub fn sign_in(&self) -> Option<Purpose> {
        match self {
            Self::Connect { tenant_id } => Some(Purpose::Connect { tenant_id: tenant_id.clone() }),
            Self::Reauthorize { account_id } => Some(Purpose::Reauthorize { account_id: *account_id }),
            Self::PostConnectForm { .. } => None,
        }
    }

    /// The account that it is about; `None`: a new one.
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Connect { .. } => None,
            Self::Reauthorize { account_id } | Self::PostConnectForm { account_id } => Some(*account_id),
        }
    }
}

/// The options that a link token was created with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkOptions {
    /// Merged into the account's context, over what the person types.
    #[serde(default)]
    pub context: Map<String, Value>,
    /// Where the browser is redirected after the flow.
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// Replace the integration's default scopes.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// Whether a reauthorization keeps the account's context.
    #[serde(default)]
    pub persist_previous_context: bool,
    /// Truto's `region`, kept as given.
    #[serde(default)]
    pub region: Option<String>,
    /// Only integrations that are mapped to one of these unified models can be connected. Empty: all can.
    #[serde(default)]
    pub unified_models: Vec<UnifiedModelId>,
}

/// A link token's record. Of the token itself only a hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkToken {
    pub id: LinkTokenId,
    pub purpose: LinkPurpose,
    pub options: LinkOptions,
    pub created_at: Timestamp,
    /// When its single success was.
    pub used_at: Option<Timestamp>,
    /// When the person revoked it.
    pub revoked_at: Option<Timestamp>,
    /// When the API token that created it expires, or long ago if that was revoked: a link never outlives it. `None` if
    /// the person created it, or if the token never expires.
    pub token_ends_at: Option<Timestamp>,
}

/// Why a link token can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("This link isn't known to Relink")]
    Unknown,
    #[error("This link was already used")]
    Used,
    #[error("This link has expired")]
    Expired,
    /// The API token that created it was revoked or has expired.
    #[error("This link has ended")]
    TokenEnded,
    /// The person revoked it.
    #[error("This link was revoked")]
    Revoked,
    /// Its account was deleted.
    #[error("The account of this link was deleted")]
    AccountDeleted,
}

impl LinkError {
    /// The stable error code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "link_token_unknown",
            Self::Used => "link_token_used",
            Self::Expired => "link_token_expired",
            Self::TokenEnded => "link_token_ended",
            Self::Revoked => "link_token_revoked",
            Self::AccountDeleted => "account_deleted",
        }
    }

    /// What it means.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Unknown => "It may have been created on another machine, or not copied completely.",
            Self::Used => "A link works for one successful connection. Nothing is wrong with what it connected.",
            Self::Expired => "A link is valid for seven days.",
            Self::TokenEnded => "A program created it with an API token that was revoked or has expired.",
            Self::Revoked => "Whoever runs this Relink no longer wants it to be used.",
            Self::AccountDeleted => "There is nothing left to reauthorize.",
        }
    }

    /// What to do.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Unknown | Self::Used | Self::Expired | Self::TokenEnded | Self::Revoked => {
                "Ask for a new link: in Relink, open the account and choose Reauthorize connection."
            }
            Self::AccountDeleted => "Connect the account again from Relink.",
        }
    }
}

impl LinkToken {
    pub fn expires_at(&self) -> Timestamp {
        let after_lifetime = self.created_at.plus_secs(LIFETIME_SECS);
        self.token_ends_at.map_or(after_lifetime, |at| at.min(after_lifetime))
    }

    /// Checks that it may still be used.
    pub fn usable(&self, now: Timestamp) -> Result<(), LinkError> {
        match self.used_at {
            Some(_) => Err(LinkError::Used),
            None if self.revoked_at.is_some() => Err(LinkError::Revoked),
            None if self.token_ends_at.is_some_and(|at| now >= at) => Err(LinkError::TokenEnded),
            None if now >= self.expires_at() => Err(LinkError::Expired),
            None => Ok(()),
        }
    }
}

impl LinkOptions {
    /// The account's context after the flow. The link's own context wins over what the person typed, and both win over the
    /// present context, which is kept only if the link asked for that.
    pub fn context_after(&self, present: &Map<String, Value>, typed: &Map<String, Value>) -> Map<String, Value> {
        let mut context = if self.persist_previous_context { present.clone() } else { Map::new() };
        context.extend(typed.clone());
        context.extend(ContextValues::of(self.context.clone()).values);
        context
    }

    /// The keys of the link's context whose values are given as objects to store (contract section 3).
    pub fn object_store_context_fields(&self) -> Vec<String> {
        ContextValues::of(self.context.clone()).stored_objects
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(used_at: Option<Timestamp>) -> LinkToken {
        LinkToken {
            id: LinkTokenId::from_uuid(uuid::Uuid::nil()),
            purpose: LinkPurpose::Connect { tenant_id: "acme-1".into() },
            options: LinkOptions::default(),
            created_at: Timestamp::from_millis(0),
            used_at,
            revoked_at: None,
            token_ends_at: None,
        }
    }

    #[test]
    fn a_link_is_valid_for_seven_days_and_one_success() {
        let days = |n: i64| Timestamp::from_millis(0).plus_secs(n * 86_400);
        assert_eq!(token(None).usable(days(7).plus_millis(-1)), Ok(()));
        assert_eq!(token(None).usable(days(7)), Err(LinkError::Expired));
        assert_eq!(token(Some(days(1))).usable(days(1)), Err(LinkError::Used));
        let revoked = LinkToken { revoked_at: Some(days(1)), ..token(None) };
        assert_eq!(revoked.usable(days(1)), Err(LinkError::Revoked));
        assert_eq!(LinkToken { used_at: Some(days(1)), ..revoked }.usable(days(1)), Err(LinkError::Used));
    }

    #[test]
    fn a_link_ends_with_the_api_token_that_created_it() {
        let at = |secs: i64| Timestamp::from_millis(0).plus_secs(secs);
        let link = LinkToken { token_ends_at: Some(at(6)), ..token(None) };
        assert_eq!((link.usable(at(5)), link.usable(at(6))), (Ok(()), Err(LinkError::TokenEnded)));
        assert_eq!(link.expires_at(), at(6));
        let longer = LinkToken { token_ends_at: Some(at(LIFETIME_SECS + 1)), ..token(None) };
        assert_eq!(
            (longer.expires_at(), longer.usable(at(LIFETIME_SECS))),
            (at(LIFETIME_SECS), Err(LinkError::Expired))
        );
    }

    #[test]
    fn the_links_context_wins_over_what_was_typed_and_over_the_present_one() {
        let map = |value: Value| value.as_object().expect("an object").clone();
        let present = map(json!({"a": "present", "b": "present", "c": "present"}));
        let typed = map(json!({"b": "typed", "c": "typed"}));
        let mut options = LinkOptions { context: map(json!({"c": "link"})), ..LinkOptions::default() };
        assert_eq!(options.context_after(&present, &typed), map(json!({"b": "typed", "c": "link"})));
        options.persist_previous_context = true;
        assert_eq!(options.context_after(&present, &typed), map(json!({"a": "present", "b": "typed", "c": "link"})));
    }

    #[test]
    fn a_links_context_is_stored_as_any_other_one() {
        let map = |value: Value| value.as_object().expect("an object").clone();
        let context = map(json!({
            "file": { "truto_obj_store": true, "data": [1] }, "environment_variables": { "region": "us" },
        }));
        let options = LinkOptions { context, ..LinkOptions::default() };
        assert_eq!(options.context_after(&Map::new(), &Map::new()), map(json!({ "file": [1] })));
        assert_eq!(options.object_store_context_fields(), ["file"]);
    }

    #[test]
    fn every_refusal_is_explained() {
        let all = [
            LinkError::Unknown,
            LinkError::Used,
            LinkError::Expired,
            LinkError::TokenEnded,
            LinkError::Revoked,
            LinkError::AccountDeleted,
        ];
        let codes = ["unknown", "used", "expired", "ended", "revoked"].map(|end| format!("link_token_{end}"));
        assert_eq!(all.map(LinkError::code)[..5], codes);
        assert_eq!(LinkError::AccountDeleted.code(), "account_deleted");
        for error in all {
            assert!(error.message().ends_with('.') && error.hint().ends_with('.'), "{error:?}");
        }
        assert_eq!(LinkError::AccountDeleted.hint(), "Connect the account again from Relink.");
    }
}
