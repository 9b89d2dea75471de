//! Why an evaluation has no result.

use std::fmt;

/// What went wrong, where in the expression, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    pub kind: ErrorKind,
    /// JSONata's code (`T2001`, `S0201`, …; its documentation lists them) or one of ours, which are words.
    pub code: Option<String>,
    /// What happened, in one or two sentences.
    pub message: String,
    pub position: Option<Position>,
    /// What to do about it.
    pub advice: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The text is no expression.
    Syntax,
    /// A `$name` that nothing binds; only with [`UnknownNames::Refuse`](crate::UnknownNames::Refuse).
    UnknownName,
    /// The expression failed on this input, or asked to fail (`$error`).
    Evaluation,
    /// A limit of [`Limits`](crate::Limits).
    Time,
    Memory,
    Stack,
    Output,
    /// A function that needs a network.
    Unavailable,
    /// The engine failed, not the expression.
    Internal,
}

impl ErrorKind {
    /// Whether one of the [`Limits`](crate::Limits) ended the evaluation.
    pub fn is_limit(self) -> bool {
        matches!(self, Self::Time | Self::Memory | Self::Stack | Self::Output)
    }
}

/// A place in an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// As JSONata counts: UTF-16 code units from 0, often the end of the token.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// Characters from 1, where the token begins.
    pub column: usize,
    /// Characters of the token, at least 1.
    pub length: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}", self.line, self.column)
    }
}

impl Position {
    /// The place of `token`, which ends at JSONata's `offset`, or begins there.
    pub(crate) fn find(expression: &str, offset: usize, token: Option<&str>) -> Self {
        let end = byte_index(expression, offset);
        let begin = token
            .filter(|token| !token.is_empty())
            .map_or(end, |token| if expression[..end].ends_with(token) { end - token.len() } else { end });
        let length = match token {
            Some(token) if expression[begin..].starts_with(token) => token.chars().count(),
            _ => 1,
        };
        // Without its token, the character before the offset is the last one that was read.
        let begin = if begin == end && length == 1 { previous(expression, end) } else { begin };
        let before = &expression[..begin];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            offset,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            length: length.max(1),
        }
    }
}

/// The byte that the UTF-16 code unit `offset` is at, or the end.
fn byte_index(text: &str, offset: usize) -> usize {
    let mut units = 0;
    for (index, character) in text.char_indices() {
        if units >= offset {
            return index;
        }
        units += character.len_utf16();
    }
    text.len()
}

fn previous(text: &str, index: usize) -> usize {
    text[..index].char_indices().next_back().map_or(index, |(before, _)| before)
}

impl EvalError {
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Internal,
            code: Some("engine_failed".to_owned()),
            message: message.into(),
            position: None,
            advice: Some(
                "Try again. If it happens again, this is a defect of Relink: please report it with the expression.",
            ),
        }
    }
}
