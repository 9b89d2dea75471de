//! Who asked for something.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{AccountId, ApiTokenId, LinkTokenId, McpTokenId, SyncJobRunId, Timestamp, token_limits::TokenLimits};

/// Who called a verb of the engine. Timeline entries say who did what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Caller {
    /// The person: the window, or the command line with the run's own token.
    Person,
    /// A program with an API token. The name stays with what it did, also after the token is revoked.
    ApiToken {
        id: ApiTokenId,
        name: String,
        #[serde(default = "TokenLevel::before_levels")]
        level: TokenLevel,
        /// What it may do now. It isn't part of what is recorded.
        #[serde(skip)]
        limits: Arc<TokenLimits>,
    },
    /// A program with a token for one account.
    AccountToken {
        account_id: AccountId,
        /// What it may do now. It isn't part of what is recorded.
        #[serde(skip)]
        grant: Arc<AccountGrant>,
    },
    /// An agent with a token for one account's tools. The name stays with what it did.
    McpToken { id: McpTokenId, name: String, account_id: AccountId },
    /// Whoever holds a link token, within the flow that it began.
    Link { id: LinkTokenId },
    /// A run of a sync job. Its calls count as those of a program, whoever started it.
    SyncJob { run: SyncJobRunId },
    /// Relink itself: schedules and recovery.
    Internal,
}

/// What an API token may do: its level, and its limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    pub level: TokenLevel,
    pub limits: TokenLimits,
}

impl From<TokenLevel> for Grant {
    fn from(level: TokenLevel) -> Self {
        Self { level, limits: TokenLimits::default() }
    }
}

/// What an account token may do: no more than whoever made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountGrant {
    /// The API token that made it, and that it ends with. `None`: the person did.
    pub made_by: Option<ApiTokenId>,
    pub expires_at: Timestamp,
    /// Whether it may change the account.
    pub may_change: bool,
}

impl Default for AccountGrant {
    fn default() -> Self {
        Self { made_by: None, expires_at: Timestamp::from_millis(0), may_change: false }
    }
}

/// How much an API token may do (`permission`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(ts_rs::TS, utoipa::ToSchema))]
pub enum TokenLevel {
    /// What a program needs to use accounts.
    #[default]
    Program,
    /// Everything that isn't left to the person.
    Full,
}

impl TokenLevel {
    pub const ALL: [Self; 2] = [Self::Program, Self::Full];

    /// Its name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Full => "full",
        }
    }

    /// The level of tokens in records that are older than levels: they could do everything that the API offers.
    const fn before_levels() -> Self {
        Self::Full
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a level of an API token")]
pub struct UnknownLevel(String);

impl FromStr for TokenLevel {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|level| level.as_str() == text).ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person => f.write_str("you"),
            Self::ApiToken { name, .. } => write!(f, "API token {name}"),
            Self::AccountToken { .. } => f.write_str("an account token"),
            Self::McpToken { name, .. } => write!(f, "MCP server {name}"),
            Self::Link { .. } => f.write_str("a connection link"),
            Self::SyncJob { .. } => f.write_str("a sync job"),
            Self::Internal => f.write_str("Relink"),
        }
    }
}

impl Caller {
    /// An API token without limits.
    pub fn api_token(id: ApiTokenId, name: impl Into<String>, level: TokenLevel) -> Self {
        Self::ApiToken { id, name: name.into(), level, limits: Arc::default() }
    }

    /// The limits of its API token, if it has one.
    pub fn limits(&self) -> Option<&TokenLimits> {
        match self {
            Self::ApiToken { limits, .. } => Some(limits),
            Self::Person
            | Self::AccountToken { .. }
            | Self::McpToken { .. }
            | Self::Link { .. }
            | Self::SyncJob { .. }
            | Self::Internal => None,
        }
    }

    /// The one account that its token is for.
    pub const fn own_account(&self) -> Option<AccountId> {
        match self {
            Self::AccountToken { account_id, .. } | Self::McpToken { account_id, .. } => Some(*account_id),
            Self::Person | Self::ApiToken { .. } | Self::Link { .. } | Self::SyncJob { .. } | Self::Internal => None,
        }
    }

    /// The API token that it has, or that its account token was made with.
    pub fn api_token_behind(&self) -> Option<ApiTokenId> {
        match self {
            Self::ApiToken { id, .. } => Some(*id),
            Self::AccountToken { grant, .. } => grant.made_by,
            Self::Person | Self::McpToken { .. } | Self::Link { .. } | Self::SyncJob { .. } | Self::Internal => None,
        }
    }

    /// When its account token ends.
    pub fn account_token_ends_at(&self) -> Option<Timestamp> {
        match self {
            Self::AccountToken { grant, .. } => Some(grant.expires_at),
            Self::Person
            | Self::ApiToken { .. }
            | Self::McpToken { .. }
            | Self::Link { .. }
            | Self::SyncJob { .. }
            | Self::Internal => None,
        }
    }

    /// The limits, if they name the accounts that it may use.
    pub fn account_limits(&self) -> Option<&TokenLimits> {
        self.limits().filter(|limits| limits.names_accounts())
    }

    pub fn is_read_only(&self) -> bool {
        self.limits().is_some_and(|limits| limits.read_only)
    }

    /// What a timeline entry says about who did it; nothing where Relink acted by itself.
    pub fn attribution(&self) -> Option<String> {
        match self {
            Self::Internal => None,
            Self::Person
            | Self::ApiToken { .. }
            | Self::AccountToken { .. }
            | Self::McpToken { .. }
            | Self::SyncJob { .. }
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
        let token = Caller::api_token(id, "my-agent", TokenLevel::Program);
        assert_eq!(token.attribution().as_deref(), Some("by API token my-agent"));
        assert_eq!(Caller::Person.attribution().as_deref(), Some("by you"));
        assert_eq!(Caller::Internal.attribution(), None);
    }

    #[test]
    fn a_level_is_read_from_its_name_and_an_older_record_is_of_a_full_token() {
        for level in TokenLevel::ALL {
            assert_eq!(level.as_str().parse(), Ok(level));
            assert_eq!(serde_json::to_value(level).expect("JSON"), level.as_str());
        }
        assert!("admin".parse::<TokenLevel>().is_err());
        let id = Uuid::nil();
        let recorded = format!(r#"{{"kind":"api_token","id":"{id}","name":"my-agent"}}"#);
        let caller: Caller = serde_json::from_str(&recorded).expect("read");
        let id = ApiTokenId::from_uuid(id);
        assert_eq!(caller, Caller::api_token(id, "my-agent", TokenLevel::Full));
        assert!(!serde_json::to_string(&caller).expect("JSON").contains("limits"));
    }
}
