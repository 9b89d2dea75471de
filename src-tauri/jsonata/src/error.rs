//! Why an evaluation has no result.

use crate::Position;

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
