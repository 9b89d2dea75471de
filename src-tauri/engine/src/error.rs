//! Errors of the components' verbs.

use std::sync::Arc;

use relink_domain::{
    Timestamp,
    account::{ConnectStep, Rejected, Verdict},
    callback::CallbackError,
    failure::{Explanation, Failure},
    integration::NOT_IN_RELINK,
    link::LinkError,
    permission::Refusal,
};

use crate::{keychain::KeychainError, store::StoreError};

/// The error of a verb.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Not found.
    #[error("There is no {what} {name}")]
    NotFound {
        /// The kind of object.
        what: &'static str,
        name: String,
    },
    /// The input isn't valid.
    #[error("{message}")]
    Invalid {
        /// The stable code.
        code: &'static str,
        /// The field with the error.
        field: Option<String>,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A conflict with the current state.
    #[error("{message}")]
    Conflict {
        /// The stable code.
        code: &'static str,
        /// What the conflict is, and what to do.
        message: String,
    },
    /// The caller lacks a permission.
    #[error("{0}")]
    Forbidden(Box<Refusal>),
    /// The caller's API token was revoked or expired while the request was processed.
    #[error("This API token was revoked or has expired")]
    TokenEnded,
    /// A link can't be used.
    #[error("{refused}. {}", .refused.message())]
    Link { refused: LinkError },
    /// The URL isn't a callback.
    #[error("{0}")]
    Callback(#[from] CallbackError),
    /// An unexpected, repeated or late callback.
    #[error("{message}")]
    CallbackRefused {
        /// The stable code.
        code: &'static str,
        /// Why, and what to do.
        message: &'static str,
    },
    /// A failure of the provider or the network.
    #[error("{}. {}", .words.title, .words.message)]
    Provider {
        failure: Failure,
        /// Its explanation.
        words: Explanation,
        /// When Relink retries automatically.
        next_try: Option<Timestamp>,
    },
    /// A webhook's target didn't accept a delivery that somebody waits for.
    #[error("{message}")]
    Undelivered {
        /// What happened, and what the target said.
        message: String,
    },
    /// A step of an action failed.
    #[error("{message}")]
    Step {
        /// The stable code.
        code: &'static str,
        title: String,
        /// What the step says.
        message: String,
        hint: String,
        /// Which connect step it is part of, if it is one.
        failed: Option<ConnectStep>,
        /// The status of the provider's answer, if there was one.
        status: Option<u16>,
    },
    /// The operating system reported an error.
    #[error("{0}")]
    Rejected(#[from] Rejected),
    #[error("{0}")]
    Keychain(#[from] KeychainError),
    #[error("{0}")]
    Store(Arc<StoreError>),
    /// The work is deferred and done automatically later.
    #[error("Deferred: Relink does this later")]
    Deferred,
    /// Relink is stopping.
    #[error("Relink is stopping")]
    Stopping,
}

/// The kind of an error, for surfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// Not found.
    NotFound,
    /// The input isn't valid.
    BadRequest,
    /// The caller may not do this.
    Forbidden,
    /// A conflict with the current state.
    Conflict,
    /// A failure of the provider or the network.
    Provider,
    /// Something on this machine is temporarily unavailable.
    Unavailable,
    /// It needs a part of Truto that Relink lacks.
    Lacking,
    /// An internal error.
    Internal,
}

/// Result of a verb.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stopping => Self::Stopping,
            other => Self::Store(Arc::new(other)),
        }
    }
}

impl From<LinkError> for Error {
    fn from(refused: LinkError) -> Self {
        Self::Link { refused }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Forbidden(Box::new(refusal))
    }
}

impl Error {
    pub fn not_found(what: &'static str, name: &(impl ToString + ?Sized)) -> Self {
        Self::NotFound { what, name: name.to_string() }
    }

    /// Invalid input.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { code, field: None, message: message.into() }
    }

    /// Invalid input in a field.
    pub fn invalid_field(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { code, field: Some(field.into()), message: message.into() }
    }

    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    pub fn undelivered(message: impl Into<String>) -> Self {
        Self::Undelivered { message: message.into() }
    }

    /// A failure at the provider with this label.
    pub fn provider(failure: Failure, label: &str, next_try: Option<Timestamp>) -> Self {
        let words = failure.explain(label, Verdict::for_failure(&failure, next_try));
        Self::Provider { failure, words, next_try }
    }

    /// A stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Invalid { code, .. }
            | Self::Conflict { code, .. }
            | Self::CallbackRefused { code, .. }
            | Self::Step { code, .. } => code,
            Self::Forbidden(_) => "forbidden",
            Self::TokenEnded => "token_ended",
            Self::Link { refused } => refused.code(),
            Self::Callback(error) => error.code(),
            Self::Provider { failure, .. } => failure.cause.code(),
            Self::Undelivered { .. } => "undelivered",
            Self::Rejected(Rejected::Stale { .. }) => "stale_result",
            Self::Rejected(Rejected::UnderWay) => "refresh_under_way",
            Self::Rejected(Rejected::NotRenewing) => "nothing_to_refresh",
            Self::Rejected(Rejected::BeingReplaced) => "being_replaced",
            Self::Rejected(Rejected::OriginChanged) => "origin_changed",
            Self::Rejected(Rejected::StepsDone) => "steps_done",
            Self::Rejected(Rejected::StepsRunning) => "steps_running",
            Self::Rejected(Rejected::NeedsPerson) => "needs_person",
            Self::Rejected(Rejected::NotActive) => "account_not_active",
            Self::Keychain(error) => error.code(),
            Self::Store(_) => "store",
            Self::Deferred => "deferred",
            Self::Stopping => "stopping",
        }
    }

    pub fn category(&self) -> Category {
        match self {
            Self::Invalid { code, .. } if *code == NOT_IN_RELINK => Category::Lacking,
            Self::NotFound { .. } | Self::Link { .. } => Category::NotFound,
            Self::Invalid { .. }
            | Self::Callback(_)
            | Self::CallbackRefused { .. }
            | Self::Rejected(Rejected::NotRenewing) => Category::BadRequest,
            Self::Forbidden(_) | Self::TokenEnded => Category::Forbidden,
            Self::Conflict { .. } | Self::Rejected(_) => Category::Conflict,
            Self::Provider { .. } | Self::Undelivered { .. } | Self::Step { .. } => Category::Provider,
            Self::Keychain(_) | Self::Deferred | Self::Stopping => Category::Unavailable,
            Self::Store(_) => Category::Internal,
        }
    }

    /// What happened, in one line.
    pub fn title(&self) -> String {
        match self {
            Self::Provider { words, .. } => words.title.clone(),
            Self::Step { title, .. } => title.clone(),
            Self::Link { refused } => refused.to_string(),
            Self::Keychain(_) => "The keychain isn't available".into(),
            Self::CallbackRefused { .. } | Self::Callback(_) => "This sign-in can't be completed".into(),
            Self::Store(_) => "Relink's database can't be used".into(),
            Self::Undelivered { .. } => "The webhook's target didn't accept the delivery".into(),
            Self::NotFound { .. }
            | Self::Invalid { .. }
            | Self::Conflict { .. }
            | Self::Forbidden(_)
            | Self::TokenEnded
            | Self::Rejected(_)
            | Self::Deferred
            | Self::Stopping => self.to_string(),
        }
    }

    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Provider { words, .. } => Some(words.hint.clone()),
            Self::Step { hint, .. } => Some(hint.clone()),
            Self::Forbidden(refusal) => Some(refusal.hint()),
            Self::TokenEnded => Some("Create another one: relink api-token create NAME".into()),
            Self::Link { refused } => Some(refused.hint().into()),
            Self::Keychain(KeychainError::Locked) => Some("Unlock the keychain. Relink then continues.".into()),
            Self::Keychain(KeychainError::Slow { .. }) => {
                Some("Relink continues when the keychain responds. Otherwise, start over in a moment.".into())
            }
            Self::Store(error) => Some(error.advice().into()),
            Self::Undelivered { .. } => {
                Some("The webhook's deliveries show the request and the response, and when Relink tries again.".into())
            }
            Self::NotFound { .. }
            | Self::Invalid { .. }
            | Self::Conflict { .. }
            | Self::Callback(_)
            | Self::CallbackRefused { .. }
            | Self::Rejected(_)
            | Self::Keychain(_)
            | Self::Deferred
            | Self::Stopping => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, ErrorCode, ffi};

    use super::*;

    /// Whether a text names something of the database, or what is in it.
    fn is_leaky(text: &str) -> bool {
        let text = text.to_lowercase();
        ["hidden", "hunter2", "sql", "constraint", "insert", "no such", "syntax", "column"]
            .iter()
            .any(|word| text.contains(word))
    }

    #[test]
    fn what_the_database_says_reaches_no_caller() {
        let database = Connection::open_in_memory().expect("opens");
        let table = "CREATE TABLE hidden_table (hidden_column INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
            INSERT INTO hidden_table VALUES (1, 'hunter2')";
        database.execute_batch(table).expect("made");
        let mut errors: Vec<StoreError> = [
            "INSERT INTO hidden_table VALUES (1, 'hunter2')",
            "INSERT INTO hidden_table VALUES (2, NULL)",
            "INSERT INTO hidden_table VALUES ('hunter2', 'x')",
            "INSERT INTO hidden_table (nothing) VALUES (1)",
            "SELECT hidden_column FROM hidden_tables",
            "SELECT hidden_column FROM hidden_table",
            "INSERT INTO hidden_table VALUES (?1, ?2)",
            "hidden_table",
            "",
        ]
        .into_iter()
        .map(|sql| database.execute(sql, []).expect_err(sql).into())
        .collect();
        let row = |read: fn(&rusqlite::Row<'_>) -> rusqlite::Result<()>| {
            database.query_row("SELECT text AS hidden_text FROM hidden_table", [], read).expect_err("unreadable").into()
        };
        errors.push(row(|row| row.get::<_, i64>(0).map(drop)));
        errors.push(row(|row| row.get::<_, String>(1).map(drop)));
        errors.push(row(|row| row.get::<_, String>("hidden_column").map(drop)));
        errors.push(row(|row| crate::store::document::<u8>(row.get_ref(0)?.as_str()?).map(drop)));
        errors.push(row(|row| crate::store::id::<relink_domain::AccountId>(row.get_ref(0)?.as_str()?).map(drop)));
        errors.push(serde_json::from_str::<u8>("\"hunter2\"").expect_err("no number").into());
        for code in 0..=30 {
            let said = Some("hidden_table.hidden_column: hunter2".to_owned());
            errors.push(rusqlite::Error::SqliteFailure(ffi::Error::new(code), said).into());
        }
        for error in errors {
            let logged = format!("{error:?}");
            assert!(!is_leaky(&error.to_string()), "{error}");
            let error = Error::from(error);
            assert_eq!((error.code(), error.category()), ("store", Category::Internal));
            let hint = error.hint().expect("what to do");
            for text in [error.to_string(), error.title(), hint] {
                assert!(!is_leaky(&text) && !text.is_empty(), "{text:?} of {logged}");
            }
        }
    }

    #[test]
    fn what_a_person_can_do_something_about_is_said() {
        for (code, problem) in [
            (ErrorCode::DiskFull, "the disk is full"),
            (ErrorCode::ReadOnly, "can't be written"),
            (ErrorCode::CannotOpen, "can't be opened"),
            (ErrorCode::PermissionDenied, "can't be opened"),
            (ErrorCode::DatabaseCorrupt, "damaged"),
            (ErrorCode::NotADatabase, "damaged"),
            (ErrorCode::DatabaseBusy, "another program"),
            (ErrorCode::SystemIoFailure, "the disk"),
            (ErrorCode::ConstraintViolation, "log"),
        ] {
            let failure = ffi::Error { code, extended_code: 0 };
            let error = Error::from(StoreError::from(rusqlite::Error::SqliteFailure(failure, None)));
            assert!(error.to_string().contains(problem), "{code:?}: {error}");
        }
    }
}
