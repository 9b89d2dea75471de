//! What is wrong with a definition, and where.

use std::fmt;

/// A place in the file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

impl Position {
    /// The place of a byte of the text.
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

/// Why a definition is refused: where, and in plain words what to do about it.
///
/// Never quotes a value that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionError {
    /// Where in the file; absent when what was read is no file but an override.
    pub position: Option<Position>,
    /// Which field, from the file's root: `config.credentials.oauth2.config.auth.tokenHost`. Empty for the file itself.
    pub path: String,
    /// What is wrong and what to do.
    pub problem: String,
}

impl DefinitionError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        "integration_malformed"
    }
}

impl std::error::Error for DefinitionError {}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_placed(f, self.position, &self.path, &self.problem)
    }
}

/// Something in a definition that Relink doesn't know or advises against. It is kept as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where in the file.
    pub position: Option<Position>,
    /// Which field.
    pub path: String,
    /// What about it.
    pub problem: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_placed(f, self.position, &self.path, &self.problem)
    }
}

fn write_placed(f: &mut fmt::Formatter<'_>, position: Option<Position>, path: &str, problem: &str) -> fmt::Result {
    match (position, path) {
        (Some(position), "") => write!(f, "{position}: {problem}"),
        (Some(position), path) => write!(f, "{position}, {path}: {problem}"),
        (None, "") => f.write_str(problem),
        (None, path) => write!(f, "{path}: {problem}"),
    }
}

/// A value from the file as a message may show it: short, on one line, and without what may be a password.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.contains('@') {
        return "this text".to_owned();
    }
    let shown = text.split('?').next().unwrap_or_default();
    let mut short: String = shown.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
