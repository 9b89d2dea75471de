//! Why QuickJS gave no result, and what that means for whoever asked.

use std::fmt::Write as _;

use rquickjs::{Ctx, Error, Object, Value};

use crate::{ErrorKind, EvalError, Limits, Position};

pub(super) enum Failure {
    Thrown(Thrown),
    /// The time is over.
    Interrupted,
    OutOfMemory,
    /// The engine gave something else as JSON.
    NotJson,
    /// The result's promise waits for something that never happens.
    NeverSettles,
    /// The result has more bytes of JSON than are allowed.
    Output,
}

/// What an error says. Of errors from `explain` in js/engine/errors.js, and of the interpreter's own.
#[derive(Default)]
pub(super) struct Thrown {
    code: Option<String>,
    message: String,
    position: Option<f64>,
    token: Option<String>,
}

impl Failure {
    pub(super) fn caught(ctx: &Ctx<'_>, error: &Error) -> Self {
        if !matches!(error, Error::Exception) {
            return Self::Thrown(Thrown { message: error.to_string(), ..Thrown::default() });
        }
        let value = ctx.catch();
        let Some(object) = value.as_object() else {
            // Without memory for an Error, QuickJS throws null.
            let message = if value.is_null() { "out of memory".to_owned() } else { String::new() };
            return Self::Thrown(Thrown { message, ..Thrown::default() });
        };
        Self::Thrown(Thrown {
            code: text(object, "code"),
            message: text(object, "message").unwrap_or_default(),
            position: object.get("position").ok(),
            token: text(object, "token"),
        })
    }

    pub(super) fn explain(self, expression: &str, limits: &Limits) -> EvalError {
        match self {
            Self::Interrupted => time(limits),
            Self::Output => output(limits),
            Self::NeverSettles => EvalError {
                kind: ErrorKind::Evaluation,
                code: Some("never_settles".to_owned()),
                message: "The expression waits for something that never happens.".to_owned(),
                position: None,
                advice: Some("Expressions have no timers and no network here: leave out what waits for them."),
            },
            Self::OutOfMemory => memory(limits),
            Self::NotJson => EvalError::internal("The engine for expressions gave a result that isn't JSON."),
            Self::Thrown(thrown) if thrown.is_out_of_memory() => memory(limits),
            Self::Thrown(thrown) if thrown.is_out_of_stack() => stack(limits),
            Self::Thrown(thrown) => thrown.explain(expression),
        }
    }
}

/// An expression may fail with an empty message of its own: `$error("")`.
const SILENT: &str = "The expression failed, and its error has no message.";

impl Thrown {
    fn is_out_of_memory(&self) -> bool {
        // An error that there was no memory for is null, and jsonata then fails to note the position or the token in it.
        const MESSAGES: [&str; 5] = [
            "out of memory",
            "invalid string length",
            "of null (reading 'position')",
            "of null (reading 'token')",
            "of null (setting 'position')",
        ];
        self.code.is_none() && MESSAGES.iter().any(|message| self.message.contains(message))
    }

    fn is_out_of_stack(&self) -> bool {
        self.code.is_none() && self.message.contains("call stack size exceeded")
    }

    fn explain(self, expression: &str) -> EvalError {
        let kind = match self.code.as_deref() {
            Some("unknown_name") => ErrorKind::UnknownName,
            Some("not_available") => ErrorKind::Unavailable,
            Some(code) if is_syntax_code(code) => ErrorKind::Syntax,
            _ => ErrorKind::Evaluation,
        };
        let advice = match kind {
            ErrorKind::UnknownName => Some("Correct the name, or bind it. Function names are case-sensitive."),
            ErrorKind::Unavailable => {
                Some("Leave out the function, or call the service yourself and pass in the result.")
            }
            _ => None,
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // saturates, and a position is a small number
        let position = self.position.map(|offset| Position::find(expression, offset as usize, self.token.as_deref()));
        let message = if self.message.trim().is_empty() { SILENT.to_owned() } else { self.message };
        EvalError { kind, code: self.code, message, position, advice }
    }
}

/// S and four digits, as in jsonata's parser.
fn is_syntax_code(code: &str) -> bool {
    code.len() == 5 && code.starts_with('S') && code[1..].bytes().all(|byte| byte.is_ascii_digit())
}

fn text(object: &Object<'_>, name: &str) -> Option<String> {
    object.get::<_, Value<'_>>(name).ok()?.as_string()?.to_string().ok()
}

/// The text that JavaScript gave for a result.
pub(super) fn text_of(ctx: &Ctx<'_>, value: &Value<'_>) -> Result<String, Failure> {
    value
        .as_string()
        .ok_or(Error::Unknown)
        .and_then(rquickjs::String::to_string)
        .map_err(|error| Failure::caught(ctx, &error))
}

fn time(limits: &Limits) -> EvalError {
    EvalError {
        kind: ErrorKind::Time,
        code: Some("time_limit".to_owned()),
        message: format!("The expression took longer than {}.", seconds(limits)),
        position: None,
        advice: Some(
            "Look for a loop or recursion without an end, for a regular expression that backtracks, or evaluate less at once.",
        ),
    }
}

fn memory(limits: &Limits) -> EvalError {
    EvalError {
        kind: ErrorKind::Memory,
        code: Some("memory_limit".to_owned()),
        message: format!("The expression needed more than {} of memory.", bytes(limits.memory)),
        position: None,
        advice: Some("Look for a recursion without an end or a text that doubles, or evaluate less at once."),
    }
}

fn stack(limits: &Limits) -> EvalError {
    EvalError {
        kind: ErrorKind::Stack,
        code: Some("stack_limit".to_owned()),
        message: format!("The expression or its input is nested too deeply for a stack of {}.", bytes(limits.stack)),
        position: None,
        advice: Some("Nest less deeply, or look for a recursion without an end."),
    }
}

fn output(limits: &Limits) -> EvalError {
    EvalError {
        kind: ErrorKind::Output,
        code: Some("output_limit".to_owned()),
        message: format!("The result has more than {} of JSON.", bytes(limits.output)),
        position: None,
        advice: Some("Select less, or evaluate in parts."),
    }
}

fn seconds(limits: &Limits) -> String {
    let milliseconds = limits.time.as_millis();
    if milliseconds < 1000 {
        return format!("{milliseconds} ms");
    }
    let mut text = format!("{}", milliseconds / 1000);
    if !milliseconds.is_multiple_of(1000) {
        let _ = write!(text, ".{:03}", milliseconds % 1000);
    }
    text + " s"
}

fn bytes(count: usize) -> String {
    if count >= 1 << 20 { format!("{} MB", count >> 20) } else { format!("{} KB", count.div_ceil(1 << 10)) }
}
