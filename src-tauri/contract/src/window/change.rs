use relink_domain::{AccountId, SyncJobRunId};
use serde::Serialize;
use ts_rs::TS;

use super::Account;

/// The event about a change of what the window shows. Its payload is a [`Change`].
pub const CHANGED_EVENT: &str = "changed";

/// The event that makes the window navigate. Its payload is a [`Destination`].
pub const SHOW_EVENT: &str = "show";

/// A change of what the window shows.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// Contains the accounts' new state, so that the window needn't load its list again.
    Accounts {
        /// Some of them. `null`: any may have changed; the window then loads its list again.
        changes: Option<AccountChanges>,
    },
    /// An account's timeline, or the one that belongs to no account.
    Timeline,
    Integrations,
    /// Webhooks or their deliveries.
    Webhooks,
    ApiTokens,
    /// Unified models or their mappings.
    UnifiedModels,
    /// Sync jobs, their triggers or the status of runs.
    SyncJobs,
    /// How far these runs of sync jobs are: what they counted and logged.
    SyncProgress {
        runs: Vec<SyncJobRunId>,
    },
    /// The calls that were made with some accounts.
    Calls,
    /// The keychain, the network, or the desktop's services.
    Overview,
    Preferences,
    Notices,
    /// The progress of a sign-in that the window began.
    SignIns,
}

impl Change {
    /// One change of each kind, for a window that may have missed some.
    pub fn everything() -> Vec<Self> {
        vec![
            Self::Accounts { changes: None },
            Self::Timeline,
            Self::Integrations,
            Self::Webhooks,
            Self::ApiTokens,
            Self::UnifiedModels,
            Self::SyncJobs,
            Self::Calls,
            Self::Overview,
            Self::Preferences,
            Self::Notices,
            Self::SignIns,
        ]
    }
}

/// The new state of the changed accounts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, TS)]
pub struct AccountChanges {
    pub changed: Vec<Account>,
    pub removed: Vec<AccountId>,
}

/// A page of the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// The list of accounts.
    Accounts,
    Account(AccountId),
    Webhooks,
    Settings,
}
