use relink_domain::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Appearance {
    #[default]
    System,
    Light,
    Dark,
}

/// The user's preferences. They are stored in this format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Preferences {
    pub appearance: Appearance,
    pub notifications_paused: bool,
    /// Whether Relink starts in the tray at login.
    pub start_at_login: bool,
    /// The API's port after the next start, or at once while the API can't use its port; `null`: 7417.
    pub port: Option<u16>,
}

/// [`Preferences`] as the window sends them: the port may be any number.
#[derive(Debug, Clone, Deserialize, TS)]
pub struct PreferenceUpdate {
    pub appearance: Appearance,
    pub notifications_paused: bool,
    pub start_at_login: bool,
    pub port: Option<f64>,
}

impl From<Preferences> for PreferenceUpdate {
    fn from(preferences: Preferences) -> Self {
        let Preferences { appearance, notifications_paused, start_at_login, port } = preferences;
        Self { appearance, notifications_paused, start_at_login, port: port.map(f64::from) }
    }
}

/// A notification that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct NoticeRecord {
    pub id: u64,
    pub at: Timestamp,
    pub title: String,
    pub body: String,
    /// The account that it opens, if it is about a single one.
    pub account_id: Option<AccountId>,
    /// Whether it is about webhooks. Otherwise it is about accounts.
    pub about_webhooks: bool,
    /// How many accounts or webhooks it is about.
    pub subjects: u32,
    /// For how many of them the problem is over.
    pub resolved: u32,
    /// Whether the desktop accepted it. It is listed either way.
    pub delivered: bool,
}
