//! The files of the data folder that more than one program looks at.

use serde::{Deserialize, Serialize};

use crate::WireSecret;

/// Tells the command line where the running engine listens. Its content is an [`EngineFile`]; only its user can read it.
pub const ENGINE_FILE: &str = "engine.json";

/// Locked by the engine as long as it runs: one engine for each data folder.
pub const LOCK_FILE: &str = "relink.lock";

/// What [`ENGINE_FILE`] holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineFile {
    /// Where the API listens, without a slash at the end.
    pub base_url: String,
    /// The Bearer token of this run, with every right.
    pub token: WireSecret,
    pub pid: u32,
    pub version: String,
}
