//! Errors of commands, and their exit codes.

use std::{fmt, io, path::Path, process::ExitCode};

use relink_contract::{ErrorBody, account::AccountRow};
use relink_domain::{account::Verdict, failure::provider_words};
use relink_jsonata::ErrorKind;

use crate::terminal::Stream;

/// The exit codes (docs/cli.md). clap itself exits with 2 when it can't parse the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Success = 0,
    Failure = 1,
    NotRunning = 3,
    NeedsReauthorization = 4,
    Keychain = 5,
    DataFolderInUse = 6,
    PortTaken = 7,
    NeedsSetup = 8,
    Expression = 9,
    Limit = 10,
}

/// The command that reauthorizes an account.
pub(crate) fn how_to_reauthorize(id: &str) -> String {
    format!("To reauthorize it: relink reauthorize {id} --open")
}

/// Why a command failed, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CliError {
    exit: Exit,
    message: String,
    /// The provider's own words.
    provider_said: Option<String>,
    advice: Option<String>,
}

impl CliError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failure, message: message.into(), provider_said: None, advice: None }
    }

    /// Standard output can't be written. If the reader closed it (`| head`), that is a success.
    pub(crate) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { exit: Exit::Success, message: String::new(), provider_said: None, advice: None };
        }
        Self::new(format!("The output could not be written: {error}."))
    }

    pub(crate) fn not_running(data_dir: &Path) -> Self {
        Self {
            exit: Exit::NotRunning,
            message: format!("Relink is not running with the data folder {}.", data_dir.display()),
            provider_said: None,
            advice: Some("Open the app, or run: relink serve".into()),
        }
    }

    /// Relink was running when the command started.
    pub(crate) fn stopped() -> Self {
        Self {
            exit: Exit::NotRunning,
            message: "Relink stopped before it responded.".into(),
            provider_said: None,
            advice: Some("Try again. If Relink is not running, run: relink serve".into()),
        }
    }

    pub(crate) fn data_folder_in_use(message: String) -> Self {
        Self { exit: Exit::DataFolderInUse, message, provider_said: None, advice: None }
    }

    pub(crate) fn port_taken(message: String) -> Self {
        Self { exit: Exit::PortTaken, message, provider_said: None, advice: None }
    }

    /// The API doesn't listen on its port, so no browser can open the connect pages.
    pub(crate) fn no_connect_pages(problem: Option<&str>) -> Self {
        let problem = problem.unwrap_or("Relink's API does not listen on its port.");
        Self {
            exit: Exit::Failure,
            message: format!("{problem} So Relink can't show the connect page."),
            provider_said: None,
            advice: Some("Free the port, or choose another one in the app under Settings.".into()),
        }
    }

    /// An integration can't be used before something is set up, such as its OAuth client. `reason` says what to do.
    pub(crate) fn needs_setup(label: &str, reason: &str) -> Self {
        Self {
            exit: Exit::NeedsSetup,
            message: format!("{label} isn't set up yet, so there is no link to connect with it."),
            provider_said: None,
            advice: Some(reason.to_owned()),
        }
    }

    /// An expression has no result. `message` also shows the place.
    pub(crate) fn evaluation(kind: ErrorKind, message: String, advice: Option<&str>) -> Self {
        let exit = match kind {
            ErrorKind::Internal => Exit::Failure,
            kind if kind.is_limit() => Exit::Limit,
            _ => Exit::Expression,
        };
        Self { exit, message, provider_said: None, advice: advice.map(str::to_owned) }
    }

    /// A run of a sync job failed. `why`: the last error of its log.
    pub(crate) fn run_failed(why: &str, id: &str) -> Self {
        Self {
            exit: Exit::Failure,
            message: format!("The run failed: {why}"),
            provider_said: None,
            advice: Some(format!("To see its log: relink sync logs {id}")),
        }
    }

    /// A run of a sync job failed, and its account needs to be reauthorized.
    pub(crate) fn run_needs_reauthorization(why: &str, account: &str) -> Self {
        let advice = format!(
            "{}\nThen start the run again. With --on-needs-reauth wait it would wait for that, and continue.",
            how_to_reauthorize(account)
        );
        Self { exit: Exit::NeedsReauthorization, advice: Some(advice), ..Self::run_failed(why, "") }
    }

    /// An error response of the server.
    pub(crate) fn from_error_body(body: &ErrorBody) -> Self {
        let message = match body.message.as_str() {
            "" => "Relink responded with an error without a message.",
            message => message,
        };
        let advice = body.explanation.as_ref().and_then(|explanation| explanation.hint.as_deref());
        let refusal = body.refusal.as_ref();
        let provider_said = refusal.and_then(|refusal| {
            let provider = &refusal.provider;
            provider_words(provider.code.as_deref(), provider.message.as_deref())
        });
        let failure = Self::from_failure(refusal.map(|refusal| refusal.verdict), &body.code, message, advice);
        Self { provider_said, ..failure }
    }

    /// The account doesn't work.
    pub(crate) fn from_account(account: &AccountRow) -> Self {
        match &account.last_error {
            Some(error) => Self {
                provider_said: error.provider_words(),
                ..Self::from_failure(account.verdict, &error.code, &error.message, Some(&error.hint))
            },
            None => Self::from_failure(account.verdict, "", "The account does not work.", None),
        }
        .about_account(&account.id.to_string())
    }

    /// Also says how to reauthorize this account, if that is what is needed.
    pub(crate) fn about_account(self, id: &str) -> Self {
        if self.exit != Exit::NeedsReauthorization {
            return self;
        }
        let command = how_to_reauthorize(id);
        let advice = self.advice.map_or_else(|| command.clone(), |advice| format!("{advice}\n{command}"));
        Self { advice: Some(advice), ..self }
    }

    fn from_failure(verdict: Option<Verdict>, code: &str, message: &str, advice: Option<&str>) -> Self {
        let exit = match verdict {
            Some(Verdict::NeedsPerson) => Exit::NeedsReauthorization,
            _ if code.starts_with("keychain_") => Exit::Keychain,
            _ => Exit::Failure,
        };
        Self { exit, message: message.to_owned(), provider_said: None, advice: advice.map(str::to_owned) }
    }

    /// A successful response whose body can't be parsed. The error has only the position: the body may contain a secret.
    pub(crate) fn unexpected_response(error: &serde_json::Error) -> Self {
        Self {
            exit: Exit::Failure,
            message: format!("Relink's response can't be read (line {}, column {}).", error.line(), error.column()),
            provider_said: None,
            advice: Some("Make sure that relink --version and relink status show the same version.".into()),
        }
    }

    /// Writes the message and the advice to standard error.
    pub(crate) fn report(&self) -> ExitCode {
        let provider_said = self.provider_said.as_ref().map(|words| format!("The provider said: {words}"));
        let texts = [Some(&self.message), provider_said.as_ref(), self.advice.as_ref()];
        for text in texts.into_iter().flatten().filter(|text| !text.is_empty()) {
            // If standard error is closed too, only the exit code remains.
            let _ = Stream::Errors.lines(text);
        }
        ExitCode::from(self.exit as u8)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// With the code that clap exits with.
    const EXIT_CODES: [u8; 11] = [
        Exit::Success as u8,
        Exit::Failure as u8,
        2,
        Exit::NotRunning as u8,
        Exit::NeedsReauthorization as u8,
        Exit::Keychain as u8,
        Exit::DataFolderInUse as u8,
        Exit::PortTaken as u8,
        Exit::NeedsSetup as u8,
        Exit::Expression as u8,
        Exit::Limit as u8,
    ];

    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        for (code, verdict, exit) in [
            ("invalid_grant", Some("needs_person"), Exit::NeedsReauthorization),
            ("unknown_refusal", Some("needs_person"), Exit::NeedsReauthorization),
            ("unknown_refusal", Some("retrying"), Exit::Failure),
            ("invalid_client", Some("needs_client"), Exit::Failure),
            ("keychain_locked", None, Exit::Keychain),
            ("not_found", None, Exit::Failure),
            ("forbidden", None, Exit::Failure),
        ] {
            let mut body = json!({
                "statusCode": 400, "error": "Bad Request", "message": "m", "code": code, "title": "t", "hint": "h",
            });
            if let Some(verdict) = verdict {
                body["next_try"] = serde_json::Value::Null;
                body["verdict"] = verdict.into();
                body["provider"] = json!({ "http_status": 400, "code": "x", "message": "in its words" });
            }
            let error = CliError::from_error_body(&serde_json::from_value(body).expect("an error"));
            assert_eq!((error.exit, error.advice.as_deref()), (exit, Some("h")), "{code}");
            assert_eq!(error.provider_said.as_deref(), verdict.map(|_| "x: in its words"), "{code}");
            let advice = error.about_account("0190").advice.expect("advice");
            let names_command = advice == "h\nTo reauthorize it: relink reauthorize 0190 --open";
            assert_eq!(names_command, exit == Exit::NeedsReauthorization, "{code}: {advice}");
        }
    }

    #[test]
    fn lost_output_is_a_failure_unless_the_reader_closed_it() {
        assert_eq!(CliError::output(&io::ErrorKind::StorageFull.into()).exit, Exit::Failure);
        assert_eq!(CliError::output(&io::ErrorKind::BrokenPipe.into()).exit, Exit::Success);
    }

    #[test]
    fn limits_are_told_apart_from_errors_of_the_expression() {
        for (kind, exit) in [
            (ErrorKind::Syntax, Exit::Expression),
            (ErrorKind::UnknownName, Exit::Expression),
            (ErrorKind::Evaluation, Exit::Expression),
            (ErrorKind::Unavailable, Exit::Expression),
            (ErrorKind::Time, Exit::Limit),
            (ErrorKind::Memory, Exit::Limit),
            (ErrorKind::Stack, Exit::Limit),
            (ErrorKind::Output, Exit::Limit),
            (ErrorKind::Internal, Exit::Failure),
        ] {
            assert_eq!(CliError::evaluation(kind, String::new(), None).exit, exit, "{kind:?}");
        }
    }

    #[test]
    fn the_documentation_lists_every_exit_code() {
        let document = include_str!("../../../docs/cli.md");
        let section = document.split("\n## ").find(|section| section.starts_with("Exit codes")).expect("a section");
        let listed: Vec<u8> =
            section.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok()).collect();
        assert_eq!(listed, EXIT_CODES);
    }
}
