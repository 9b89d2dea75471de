//! What a verb can answer instead of what was asked for.

use std::sync::Arc;

use relink_domain::{
    Timestamp,
    account::{Rejected, Verdict},
    callback::CallbackError,
    failure::{Explanation, Failure},
    link::LinkError,
};

use crate::{keychain::KeychainError, store::StoreError};

/// Why a verb could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no such thing.
    #[error("There is no {what} {name}")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Which one.
        name: String,
    },
    /// What was given can't be used.
    #[error("{message}")]
    Invalid {
        /// The stable code.
        code: &'static str,
        /// The field it is about.
        field: Option<String>,
        /// What is wrong and what to do.
        message: String,
    },
    /// It doesn't fit what is there already.
    #[error("{message}")]
    Conflict {
        /// The stable code.
        code: &'static str,
        /// What is in the way and what to do.
        message: String,
    },
    /// A link can't be used.
    #[error("{refused}. {}", .refused.message())]
    Link {
        /// Why.
        refused: LinkError,
    },
    /// An address is no callback.
    #[error("{0}")]
    Callback(#[from] CallbackError),
    /// A callback that nobody asked for, that came twice, or too late.
    #[error("{message}")]
    CallbackRefused {
        /// The stable code.
        code: &'static str,
        /// Why, and what to do.
        message: &'static str,
    },
    /// The provider, or the way to it.
    #[error("{}. {}", .words.title, .words.message)]
    Provider {
        /// What was seen.
        failure: Failure,
        /// It in words.
        words: Explanation,
        /// When Relink tries again by itself.
        next_try: Option<Timestamp>,
    },
    /// The machine refused.
    #[error("{0}")]
    Rejected(#[from] Rejected),
    /// The keychain.
    #[error("{0}")]
    Keychain(#[from] KeychainError),
    /// The database.
    #[error("{0}")]
    Store(Arc<StoreError>),
    /// What was due waits; it is done by itself later.
    #[error("Deferred: Relink does this later")]
    Deferred,
    /// Relink is stopping.
    #[error("Relink is stopping")]
    Stopping,
}

/// What kind of answer an error is, for whatever surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// There is no such thing.
    NotFound,
    /// What was given can't be used.
    BadRequest,
    /// It doesn't fit what is there already.
    Conflict,
    /// The provider, or the way to it.
    Provider,
    /// Something on this machine isn't available now; it may be later.
    Unavailable,
    /// A fault of Relink's own.
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

impl Error {
    /// A thing that isn't there.
    pub fn not_found(what: &'static str, name: &(impl ToString + ?Sized)) -> Self {
        Self::NotFound { what, name: name.to_string() }
    }

    /// Something that can't be used.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { code, field: None, message: message.into() }
    }

    /// A field that can't be used.
    pub fn invalid_field(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { code, field: Some(field.into()), message: message.into() }
    }

    /// Something in the way.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    /// A failure at the provider with this label.
    pub fn provider(failure: Failure, label: &str, next_try: Option<Timestamp>) -> Self {
        let words = failure.cause.explain(label, Verdict::for_failure(&failure, next_try));
        Self::Provider { failure, words, next_try }
    }

    /// The stable code that code matches on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Invalid { code, .. } | Self::Conflict { code, .. } | Self::CallbackRefused { code, .. } => code,
            Self::Link { refused } => refused.code(),
            Self::Callback(error) => error.code(),
            Self::Provider { failure, .. } => failure.cause.code(),
            Self::Rejected(Rejected::Stale { .. }) => "stale_result",
            Self::Rejected(Rejected::UnderWay) => "refresh_under_way",
            Self::Rejected(Rejected::NotRenewing) => "nothing_to_refresh",
            Self::Rejected(Rejected::BeingReplaced) => "being_replaced",
            Self::Rejected(Rejected::StepsDone) => "steps_done",
            Self::Keychain(error) => error.code(),
            Self::Store(_) => "store",
            Self::Deferred => "deferred",
            Self::Stopping => "stopping",
        }
    }

    /// What kind of answer it is.
    pub const fn category(&self) -> Category {
        match self {
            Self::NotFound { .. } | Self::Link { .. } => Category::NotFound,
            Self::Invalid { .. }
            | Self::Callback(_)
            | Self::CallbackRefused { .. }
            | Self::Rejected(Rejected::NotRenewing) => Category::BadRequest,
            Self::Conflict { .. } | Self::Rejected(_) => Category::Conflict,
            Self::Provider { .. } => Category::Provider,
            Self::Keychain(_) | Self::Deferred | Self::Stopping => Category::Unavailable,
            Self::Store(_) => Category::Internal,
        }
    }

    /// One line on what happened, for surfaces that show a headline.
    pub fn title(&self) -> String {
        match self {
            Self::Provider { words, .. } => words.title.clone(),
            Self::Link { refused } => refused.to_string(),
            Self::Keychain(_) => "The keychain isn't available".into(),
            Self::CallbackRefused { .. } | Self::Callback(_) => "This sign-in can't be completed".into(),
            Self::Store(_) => "Relink's database reported an error".into(),
            Self::NotFound { .. }
            | Self::Invalid { .. }
            | Self::Conflict { .. }
            | Self::Rejected(_)
            | Self::Deferred
            | Self::Stopping => self.to_string(),
        }
    }

    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Provider { words, .. } => Some(words.hint.clone()),
            Self::Link { refused } => Some(refused.hint().into()),
            Self::Keychain(KeychainError::Locked) => Some("Unlock the keychain. Relink then continues.".into()),
            Self::Keychain(KeychainError::Slow { .. }) => {
                Some("Relink continues when the keychain responds. Otherwise, start over in a moment.".into())
            }
            Self::Store(_) => Some("Make sure that the disk isn't full, then try again.".into()),
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
