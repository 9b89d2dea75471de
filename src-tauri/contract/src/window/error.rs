use serde::Serialize;
use ts_rs::TS;

/// The error of a command, with texts that the window shows unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ErrorView {
    /// A stable code, for programs and tests.
    pub code: String,
    /// What happened, in one line.
    pub title: String,
    /// What it means.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The input field with the error.
    pub field: Option<String>,
}
