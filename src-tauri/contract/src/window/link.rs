use relink_domain::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A magic link. The page opens or copies it by its id and never sees its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct MagicLink {
    pub id: String,
    /// The link without its token.
    pub shown: String,
    pub expires_at: Timestamp,
    /// Whether it works on other machines, too: at the public address.
    pub is_public: bool,
}

/// What a new link is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LinkFor {
    /// Reauthorize this account.
    Account(AccountId),
    /// Connect a new account for this tenant.
    Tenant(String),
    /// Fill in the form of this account.
    Form(AccountId),
}

/// Where to open a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum OpenIn {
    /// A window of the app.
    Window,
    /// The system's browser.
    Browser,
}
