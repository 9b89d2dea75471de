use serde::Serialize;
use ts_rs::TS;

/// Why a command failed, in words that the window shows as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ErrorView {
    /// Stable, for programs and tests.
    pub code: String,
    /// What happened, in one line.
    pub title: String,
    /// What it means.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The input field that was refused.
    pub field: Option<String>,
}
