//! What an API token is limited to, below its level.

use serde::{Deserialize, Serialize};

use crate::AccountId;

/// The maximum number of accounts, and of integrations, that a token can be limited to.
pub const MAX_LIMITED_TO: usize = 100;

/// The limits of an API token. Each one that is set narrows what the token may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct TokenLimits {
    /// Only these accounts; null: all.
    #[cfg_attr(feature = "schema", schema(required))]
    pub accounts: Option<Vec<AccountId>>,
    /// Only accounts of the integrations with these names; null: of all.
    #[cfg_attr(feature = "schema", schema(required))]
    pub integrations: Option<Vec<String>>,
    /// Only requests that read: GET, HEAD and OPTIONS, and the methods `get` and `list` of a resource at `/proxy`.
    #[cfg_attr(feature = "schema", schema(required))]
    pub read_only: bool,
}

impl TokenLimits {
    /// Whether the token may use some accounts only.
    pub const fn names_accounts(&self) -> bool {
        self.accounts.is_some() || self.integrations.is_some()
    }

    /// Whether the token may use an account of the integration with this name.
    pub fn allows(&self, account: AccountId, integration: &str) -> bool {
        let has_account = self.accounts.as_ref().is_none_or(|accounts| accounts.contains(&account));
        let has_integration = self.integrations.as_ref().is_none_or(|names| names.iter().any(|it| it == integration));
        has_account && has_integration
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> AccountId {
        AccountId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn each_limit_narrows_the_accounts() {
        let one = || Some(vec![id(1)]);
        let acme = || Some(vec!["acme".to_owned()]);
        for (accounts, integrations, allowed) in [
            (None, None, [true, true, true]),
            (one(), None, [true, false, true]),
            (None, acme(), [true, true, false]),
            (one(), acme(), [true, false, false]),
            (Some(vec![]), None, [false, false, false]),
        ] {
            let limits = TokenLimits { accounts, integrations, read_only: false };
            let allows = [(id(1), "acme"), (id(2), "acme"), (id(1), "other")].map(|(id, name)| limits.allows(id, name));
            assert_eq!(allows, allowed, "{limits:?}");
            assert_eq!(limits.names_accounts(), limits != TokenLimits::default());
        }
    }

    #[test]
    fn limits_that_are_not_stored_are_none() {
        assert_eq!(serde_json::from_str::<TokenLimits>("{}").expect("read"), TokenLimits::default());
        let limits = TokenLimits { accounts: Some(vec![id(1)]), integrations: None, read_only: true };
        let text = serde_json::to_string(&limits).expect("JSON");
        assert_eq!(serde_json::from_str::<TokenLimits>(&text).expect("read"), limits);
    }
}
