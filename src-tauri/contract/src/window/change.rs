use relink_domain::AccountId;
use serde::Serialize;
use ts_rs::TS;

use super::Account;

/// The event that tells the window what is no longer current. Its payload is a [`Change`].
pub const CHANGED_EVENT: &str = "changed";

/// The event that sends the window somewhere. Its payload is a [`Destination`].
pub const SHOW_EVENT: &str = "show";

/// Something that the window shows is no longer current.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// Carries the accounts' new state, so that the window need not ask for its list again.
    Accounts {
        /// `null`: too many to list; the window asks again.
        changes: Option<AccountChanges>,
    },
    /// An account's timeline, or the one that belongs to no account.
    Timeline,
    Integrations,
    /// Webhooks or their deliveries.
    Webhooks,
    ApiTokens,
    /// The keychain, the network, or what this desktop can do.
    Overview,
    Preferences,
    Notices,
}

impl Change {
    /// Every change there is, for a window that may have missed any.
    pub fn everything() -> Vec<Self> {
        vec![
            Self::Accounts { changes: None },
            Self::Timeline,
            Self::Integrations,
            Self::Webhooks,
            Self::ApiTokens,
            Self::Overview,
            Self::Preferences,
            Self::Notices,
        ]
    }
}

/// The new state of the accounts that changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, TS)]
pub struct AccountChanges {
    pub changed: Vec<Account>,
    pub removed: Vec<AccountId>,
}

/// Where the window should go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// The list of accounts.
    Accounts,
    Account(AccountId),
    Settings,
}
