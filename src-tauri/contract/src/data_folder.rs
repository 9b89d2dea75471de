//! The files of the data folder that more than one program uses.

use serde::{Deserialize, Serialize};

use crate::WireSecret;

/// Contains the running engine's address, for the command line, as an [`EngineFile`]. Only the user can read it.
pub const ENGINE_FILE: &str = "engine.json";

/// Locked by the engine while it runs, so that each data folder has only one.
pub const LOCK_FILE: &str = "relink.lock";

/// The content of [`ENGINE_FILE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineFile {
    /// The API's base URL, without a trailing slash.
    pub base_url: String,
    /// The bearer token of this run, with full access.
    pub token: WireSecret,
    pub pid: u32,
    pub version: String,
}
