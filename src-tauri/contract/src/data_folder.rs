//! The files by which programs find the running engine.

use serde::{Deserialize, Serialize};

use crate::WireSecret;

/// Contains the running engine's address, for the command line, as an [`EngineFile`]. Only the user can read it.
pub const ENGINE_FILE: &str = "engine.json";

/// Locked by the engine while it runs, so that each data folder has only one.
pub const LOCK_FILE: &str = "relink.lock";

/// The Unix socket that serves the API to its user.
pub const SOCKET_FILE: &str = "api.sock";

/// Relink's folder in the user's runtime folder, and its file, a [`RuntimeFile`].
pub const RUNTIME_FOLDER: &str = "relink";
pub const RUNTIME_FILE: &str = "api.json";

/// The content of [`ENGINE_FILE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineFile {
    /// The API's base URL, without a trailing slash; `None` while it doesn't listen on its port.
    pub base_url: Option<String>,
    /// Why it doesn't.
    pub port_problem: Option<String>,
    /// The path of [`SOCKET_FILE`], if there is one.
    pub socket: Option<String>,
    /// The bearer token of this run, with full access.
    pub token: WireSecret,
    pub pid: u32,
    pub version: String,
}

/// The content of [`RUNTIME_FILE`]: how programs find Relink, without a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeFile {
    /// The API's base URL, without a trailing slash; `None` while it doesn't listen on its port.
    pub base_url: Option<String>,
    /// The path of the Unix socket that serves the same API, if there is one.
    pub socket: Option<String>,
    pub pid: u32,
    pub version: String,
}
