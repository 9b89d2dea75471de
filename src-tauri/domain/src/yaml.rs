//! YAML that people and programs write: version 1.2, of which JSON is a part.

use std::fmt;

use serde_json::Value;

/// Why a text can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    problem: String,
    /// The line and the column, from 1.
    place: Option<(u64, u64)>,
}

/// Reads a document. Duplicate keys, deep nesting and many aliases are refused.
pub fn read(text: &str) -> Result<Value, YamlError> {
    // In YAML 1.1, `yes` and `on` are true, also as values of an `enum`.
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| YamlError::of(&error))
}

impl YamlError {
    fn of(error: &serde_saphyr::Error) -> Self {
        let message = error.to_string();
        // What follows is the place once more, or advice to programmers.
        let problem = [" at line ", ", set ", "; use "]
            .iter()
            .fold(message.as_str(), |message, end| message.split_once(end).map_or(message, |(before, _)| before));
        Self { problem: problem.to_owned(), place: error.location().map(|place| (place.line(), place.column())) }
    }
}

/// `unclosed bracket '{', in line 2, column 13 of the text`
impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        match self.place {
            Some((line, column)) => write!(f, ", in line {line}, column {column} of the text"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for YamlError {}
