//! Definitions of integrations, as the window shows and edits them.

use serde::Serialize;
use ts_rs::TS;

/// A definition, and what is merged over its config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct DefinitionView {
    /// JSON, without secrets.
    pub text: String,
    /// A change names the version that it is of.
    #[ts(type = "number")]
    pub version: i64,
    /// Whether it is built in, so that it can't be changed.
    pub built_in: bool,
    /// JSON, without secrets; `null` if the integration isn't installed.
    pub override_text: Option<String>,
}

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct DefinitionProblem {
    /// From 1; `null` if it is about no place in the text.
    pub line: Option<usize>,
    /// In characters, from 1.
    pub column: Option<usize>,
    /// The path of the field; empty for the whole text.
    pub field: String,
    pub problem: String,
}
