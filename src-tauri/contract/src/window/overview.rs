#![expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that the window shows")]

use serde::Serialize;
use ts_rs::TS;

/// The state of Relink as a whole, for the window's frame and settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Overview {
    pub version: String,
    /// Where the API listens.
    pub base_url: String,
    /// Whether the preferred port was taken, so that the API listens on another one.
    pub wanted_port_taken: bool,
    /// The preferred port.
    pub wanted_port: u16,
    pub keychain: KeychainState,
    /// Whether the machine has a network.
    pub online: bool,
    /// How many accounts need their person.
    pub needs_you: u32,
    /// How many accounts there are.
    pub accounts: u32,
    /// Whether the Sandbox is installed.
    pub sandbox: bool,
    /// Why the latest notification could not be shown, in words; `null` if it was, or none was tried.
    pub notifications_trouble: Option<String>,
    /// Whether the desktop shows Relink's tray icon.
    pub tray: bool,
    /// Whether Relink is notified when the machine is unlocked, which ends "Remind me later".
    pub hears_unlocking: bool,
    /// The path of the data folder.
    pub data_folder: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct KeychainState {
    pub available: bool,
    /// Why it isn't available, in words.
    pub message: Option<String>,
}
