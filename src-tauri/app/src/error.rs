//! Errors as the window shows them.

use relink_contract::window::ErrorView;
use relink_engine::Error;

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(crate) fn error_view(error: Error) -> ErrorView {
    let (title, message) = match &error {
        Error::Provider { words, .. } => (words.title.clone(), words.message.clone()),
        other => (other.title(), other.to_string()),
    };
    let field = match &error {
        Error::Invalid { field, .. } => field.clone(),
        _ => None,
    };
    ErrorView { code: error.code().to_owned(), title, message, hint: error.hint(), field }
}

/// An error at an input field.
pub(crate) fn invalid_field(field: &str, message: &str) -> ErrorView {
    ErrorView {
        code: "invalid".to_owned(),
        title: "This value isn’t valid".to_owned(),
        message: message.to_owned(),
        hint: None,
        field: Some(field.to_owned()),
    }
}

/// An error of a desktop service.
pub(crate) fn desktop_error(code: &str, message: &str) -> ErrorView {
    ErrorView {
        code: code.to_owned(),
        title: "The desktop reported an error".to_owned(),
        message: message.to_owned(),
        hint: None,
        field: None,
    }
}

/// An error that only a bug can cause: the window and the app disagree about a command.
pub(crate) fn internal_error(message: &str) -> ErrorView {
    ErrorView {
        code: "internal".to_owned(),
        title: "That didn’t work".to_owned(),
        message: message.to_owned(),
        hint: Some("Try again, and report it if it happens again.".to_owned()),
        field: None,
    }
}
