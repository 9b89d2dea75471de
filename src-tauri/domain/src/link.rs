//! Link tokens: the right to connect an account, or to mend one, on this machine, once, for seven days.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AccountId, LinkTokenId, Timestamp};

/// How long an unused link token lives.
pub const LIFETIME_SECS: i64 = 7 * 24 * 60 * 60;

/// What a link token is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "purpose", rename_all = "snake_case")]
pub enum Purpose {
    /// Connect a new account for this tenant.
    Connect {
        /// The tenant.
        tenant_id: String,
    },
    /// Reauthorize this account.
    Reauthorize {
        /// The account.
        account_id: AccountId,
    },
}

/// What the maker of a link token asked for besides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkOptions {
    /// Merged into the account's context; wins over what the person types.
    #[serde(default)]
    pub context: Map<String, Value>,
    /// Where the browser goes after the flow.
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// Replace the integration's default scopes.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// Whether a reauthorization keeps the account's present context.
    #[serde(default)]
    pub persist_previous_context: bool,
    /// Kept as given.
    #[serde(default)]
    pub region: Option<String>,
}

/// A link token's record. The token itself is kept only as a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkToken {
    /// The record's id.
    pub id: LinkTokenId,
    /// What it is for.
    pub purpose: Purpose,
    /// What else was asked for.
    pub options: LinkOptions,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its one success was.
    pub used_at: Option<Timestamp>,
}

/// Why a link can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No such token.
    #[error("This link isn't known here")]
    Unknown,
    /// It has had its success.
    #[error("This link was used already")]
    Used,
    /// Its seven days are over.
    #[error("This link has run out")]
    Expired,
    /// The account it would mend is gone.
    #[error("The account of this link was deleted")]
    AccountDeleted,
}

impl LinkError {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "link_token_unknown",
            Self::Used => "link_token_used",
            Self::Expired => "link_token_expired",
            Self::AccountDeleted => "account_deleted",
        }
    }

    /// What it means.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Unknown => "It may have been made on another machine, or it was not copied whole.",
            Self::Used => "A link works for one successful connection. Nothing is wrong with what it connected.",
            Self::Expired => "A link lives for seven days.",
            Self::AccountDeleted => "There is nothing left to reauthorize.",
        }
    }

    /// What to do.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Unknown | Self::Used | Self::Expired => {
                "Ask for a new link: in Relink, open the account and choose Reauthorize connection."
            }
            Self::AccountDeleted => "Connect the account again from Relink.",
        }
    }
}

impl LinkToken {
    /// When it ends, unused.
    pub const fn expires_at(&self) -> Timestamp {
        self.created_at.plus_secs(LIFETIME_SECS)
    }

    /// Whether it may still be used.
    pub fn usable(&self, now: Timestamp) -> Result<(), LinkError> {
        match self.used_at {
            Some(_) => Err(LinkError::Used),
            None if now >= self.expires_at() => Err(LinkError::Expired),
            None => Ok(()),
        }
    }
}

impl LinkOptions {
    /// The account's context after the flow: what the person typed, over which the link's own context wins, and below
    /// both, where it was asked for, the present one.
    pub fn context_after(&self, present: &Map<String, Value>, typed: &Map<String, Value>) -> Map<String, Value> {
        let mut context = if self.persist_previous_context { present.clone() } else { Map::new() };
        context.extend(typed.clone());
        context.extend(self.context.clone());
        context
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(used_at: Option<Timestamp>) -> LinkToken {
        LinkToken {
            id: LinkTokenId::from_uuid(uuid::Uuid::nil()),
            purpose: Purpose::Connect { tenant_id: "acme-1".into() },
            options: LinkOptions::default(),
            created_at: Timestamp::from_millis(0),
            used_at,
        }
    }

    #[test]
    fn a_link_lives_seven_days_and_has_one_success() {
        let days = |n: i64| Timestamp::from_millis(0).plus_secs(n * 86_400);
        assert_eq!(token(None).usable(days(7).plus_millis(-1)), Ok(()));
        assert_eq!(token(None).usable(days(7)), Err(LinkError::Expired));
        assert_eq!(token(Some(days(1))).usable(days(1)), Err(LinkError::Used));
    }

    #[test]
    fn contexts_are_laid_over_each_other_as_the_contract_says() {
        let map = |value: Value| value.as_object().expect("an object").clone();
        let present = map(json!({"a": "present", "b": "present", "c": "present"}));
        let typed = map(json!({"b": "typed", "c": "typed"}));
        let mut options = LinkOptions { context: map(json!({"c": "link"})), ..LinkOptions::default() };
        assert_eq!(options.context_after(&present, &typed), map(json!({"b": "typed", "c": "link"})));
        options.persist_previous_context = true;
        assert_eq!(options.context_after(&present, &typed), map(json!({"a": "present", "b": "typed", "c": "link"})));
    }
}
