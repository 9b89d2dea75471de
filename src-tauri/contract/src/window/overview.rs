#![expect(clippy::struct_excessive_bools, reason = "the window shows each of them")]

use serde::Serialize;
use ts_rs::TS;

/// The state of Relink, for the window's frame and settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Overview {
    pub version: String,
    /// The API's base URL, where it listens unless there is a problem with its port.
    pub base_url: String,
    /// Why the API doesn't listen on its port, so that the connect pages are off too; `null` while it does.
    pub port_problem: Option<String>,
    pub keychain: KeychainState,
    /// Whether the machine is online.
    pub online: bool,
    /// How many accounts need attention.
    pub needs_attention: u32,
    /// How many accounts there are.
    pub accounts: u32,
    /// Whether the Sandbox is installed.
    pub sandbox: bool,
    /// Why the latest notification could not be shown; `null` if it was shown, or there was none.
    pub notifications_trouble: Option<String>,
    /// Whether the desktop shows Relink's tray icon.
    pub tray: bool,
    /// Whether Relink detects that the machine was unlocked, which ends "Remind me later".
    pub detects_unlock: bool,
    /// The path of the data folder.
    pub data_folder: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct KeychainState {
    pub available: bool,
    /// Why it isn't available.
    pub message: Option<String>,
}
