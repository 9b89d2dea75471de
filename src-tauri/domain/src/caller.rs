//! Who asked for something.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AccountId, ApiTokenId, LinkTokenId};

/// Who called a verb of the engine. Timeline entries say who did what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Caller {
    /// The person: the window, or the command line with the run's own token.
    Person,
    /// A program with an API token. The name stays with what it did, also after the token is revoked.
    ApiToken { id: ApiTokenId, name: String },
    /// A program with a token for one account.
    AccountToken { account_id: AccountId },
    /// An agent with a token for one account's tools.
    McpToken { account_id: AccountId },
    /// Whoever holds a link token, within the flow that it began.
    Link { id: LinkTokenId },
    /// Relink itself: schedules and recovery.
    Internal,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person => f.write_str("you"),
            Self::ApiToken { name, .. } => write!(f, "API token {name}"),
            Self::AccountToken { .. } => f.write_str("an account token"),
            Self::McpToken { .. } => f.write_str("an agent"),
            Self::Link { .. } => f.write_str("a connection link"),
            Self::Internal => f.write_str("Relink"),
        }
    }
}

impl Caller {
    /// What a timeline entry says about who did it; nothing where Relink acted by itself.
    pub fn attribution(&self) -> Option<String> {
        match self {
            Self::Internal => None,
            Self::Person
            | Self::ApiToken { .. }
            | Self::AccountToken { .. }
            | Self::McpToken { .. }
            | Self::Link { .. } => Some(format!("by {self}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_attribution_names_who_acted_and_nobody_where_relink_did() {
        let id = ApiTokenId::from_uuid(Uuid::nil());
        let token = Caller::ApiToken { id, name: "my-agent".to_owned() };
        assert_eq!(token.attribution().as_deref(), Some("by API token my-agent"));
        assert_eq!(Caller::Person.attribution().as_deref(), Some("by you"));
        assert_eq!(Caller::Internal.attribution(), None);
    }
}
