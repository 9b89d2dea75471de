//! Errors in a definition and their places.

use std::fmt;

/// A place in the file. Both are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    /// In characters.
    pub column: usize,
}

impl Position {
    /// The place of a byte offset.
    pub(super) fn of_byte(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a definition is refused. It never quotes a value that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionError {
    /// `None` for a document that isn't a file, such as one with an override.
    pub position: Option<Position>,
    /// The field: `config.credentials.oauth2.config.auth.tokenHost`. Empty for the document itself.
    pub path: String,
    /// What is wrong and what to do.
    pub problem: String,
    /// Whether the definition is right at Truto, but needs a part that Relink lacks.
    pub is_lacking: bool,
}

/// The code of what needs a part of Truto that Relink lacks.
pub const NOT_IN_RELINK: &str = "not_in_relink";

impl DefinitionError {
    /// The stable error code.
    pub const fn code(&self) -> &'static str {
        if self.is_lacking { NOT_IN_RELINK } else { "integration_malformed" }
    }
}

impl std::error::Error for DefinitionError {}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_place(f, self.position, &self.path, &self.problem)
    }
}

/// Something in a definition that Relink doesn't know or advises against. It stays in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub position: Option<Position>,
    pub path: String,
    pub problem: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_place(f, self.position, &self.path, &self.problem)
    }
}

fn write_with_place(f: &mut fmt::Formatter<'_>, position: Option<Position>, path: &str, problem: &str) -> fmt::Result {
    match (position, path) {
        (Some(position), "") => write!(f, "{position}: {problem}"),
        (Some(position), path) => write!(f, "{position}, {path}: {problem}"),
        (None, "") => f.write_str(problem),
        (None, path) => write!(f, "{path}: {problem}"),
    }
}

/// Quotes a value of the file for a message: short, on one line, and without anything that may be a password.
pub(super) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    if text.contains('@') {
        return "this text".to_owned();
    }
    let shown = text.split('?').next().unwrap_or_default();
    let mut short: String = shown.chars().take(MAX_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
