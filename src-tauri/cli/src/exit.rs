//! How a command ends.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use serde_json::Value;

use crate::show::harmless;

/// Why a command failed, and the exit code that says so.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    code: u8,
    message: String,
    hint: Option<String>,
}

/// Something went wrong.
const FAILED: u8 = 1;
/// No engine runs with this data folder.
const NOT_RUNNING: u8 = 3;
/// The account needs its person.
const NEEDS_PERSON: u8 = 4;
/// The keychain can't be used now.
const KEYCHAIN: u8 = 5;
/// Another engine has the data folder.
const BUSY: u8 = 6;

impl Failed {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { code: FAILED, message: message.into(), hint: None }
    }

    /// Standard output can't be written to. A reader that has gone away (`| head`) got all it wanted.
    pub(crate) fn unwritten(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { code: 0, message: String::new(), hint: None };
        }
        Self::new(format!("The output could not be written: {error}."))
    }

    pub(crate) fn not_running(folder: &std::path::Path) -> Self {
        Self {
            code: NOT_RUNNING,
            message: format!("Relink isn't running with the data folder {}.", folder.display()),
            hint: Some("Start it: relink serve".into()),
        }
    }

    /// It ran when it was asked.
    pub(crate) fn ended() -> Self {
        Self {
            code: NOT_RUNNING,
            message: "Relink ended before it answered.".into(),
            hint: Some("Try again. If it doesn't run: relink serve".into()),
        }
    }

    pub(crate) fn busy(message: String) -> Self {
        Self { code: BUSY, message, hint: None }
    }

    /// What the engine answered instead: an error, or an account's own with its verdict.
    pub(crate) fn of_answer(body: &Value) -> Self {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        // What a cause asks for is the engine's to say (relink-domain's table of causes).
        let code = match (body["verdict"].as_str(), body["code"].as_str()) {
            (Some("needs_person"), _) => NEEDS_PERSON,
            (_, Some(code)) if code.starts_with("keychain_") => KEYCHAIN,
            _ => FAILED,
        };
        let message = text("message").unwrap_or_else(|| "Relink answered with an error without words.".into());
        Self { code, message, hint: text("hint") }
    }

    /// Says it on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        // Standard error may be gone as well; the exit code is left.
        for words in [Some(&self.message), self.hint.as_ref()].into_iter().flatten().filter(|words| !words.is_empty()) {
            let _ = writeln!(io::stderr(), "{}", harmless(words));
        }
        ExitCode::from(self.code)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_exit_code_says_what_kind_of_failure_it_is() {
        for (code, verdict, exit) in [
            ("invalid_grant", Some("needs_person"), NEEDS_PERSON),
            ("unknown_refusal", Some("needs_person"), NEEDS_PERSON),
            ("unknown_refusal", Some("retrying"), FAILED),
            ("invalid_client", Some("needs_client"), FAILED),
            ("keychain_locked", None, KEYCHAIN),
            ("not_found", None, FAILED),
        ] {
            let failed = Failed::of_answer(&json!({ "code": code, "verdict": verdict, "message": "m", "hint": "h" }));
            assert_eq!((failed.code, failed.hint.as_deref()), (exit, Some("h")), "{code}");
        }
    }

    #[test]
    fn output_that_is_lost_is_a_failure_unless_its_reader_went_away() {
        assert_eq!(Failed::unwritten(&io::ErrorKind::StorageFull.into()).code, FAILED);
        assert_eq!(Failed::unwritten(&io::ErrorKind::BrokenPipe.into()).code, 0);
    }
}
