use relink_domain::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A magic link that Relink keeps for the window. The page opens or copies it by its id and never sees its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct MagicLink {
    pub id: String,
    /// The link with its token left out.
    pub shown: String,
    pub expires_at: Timestamp,
}

/// What a new link is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LinkPurpose {
    /// Reauthorize this account.
    Account(AccountId),
    /// Connect a new account for this tenant.
    Tenant(String),
}

/// Where a link is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum OpenIn {
    /// A window of the app.
    Window,
    /// The system's browser.
    Browser,
}
