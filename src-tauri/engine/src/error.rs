//! Errors of the components' verbs.

use std::sync::Arc;

use relink_domain::{
    Timestamp,
    account::{Rejected, Verdict},
    callback::CallbackError,
    failure::{Explanation, Failure},
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

    /// A failure at the provider with this label.
    pub fn provider(failure: Failure, label: &str, next_try: Option<Timestamp>) -> Self {
        let words = failure.explain(label, Verdict::for_failure(&failure, next_try));
        Self::Provider { failure, words, next_try }
    }

    /// A stable code, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Invalid { code, .. } | Self::Conflict { code, .. } | Self::CallbackRefused { code, .. } => code,
            Self::Forbidden(_) => "forbidden",
            Self::TokenEnded => "token_ended",
            Self::Link { refused } => refused.code(),
            Self::Callback(error) => error.code(),
            Self::Provider { failure, .. } => failure.cause.code(),
            Self::Rejected(Rejected::Stale { .. }) => "stale_result",
            Self::Rejected(Rejected::UnderWay) => "refresh_under_way",
            Self::Rejected(Rejected::NotRenewing) => "nothing_to_refresh",
            Self::Rejected(Rejected::BeingReplaced) => "being_replaced",
            Self::Rejected(Rejected::OriginChanged) => "origin_changed",
            Self::Rejected(Rejected::StepsDone) => "steps_done",
            Self::Keychain(error) => error.code(),
            Self::Store(_) => "store",
            Self::Deferred => "deferred",
            Self::Stopping => "stopping",
        }
    }

    pub const fn category(&self) -> Category {
        match self {
            Self::NotFound { .. } | Self::Link { .. } => Category::NotFound,
            Self::Invalid { .. }
            | Self::Callback(_)
            | Self::CallbackRefused { .. }
            | Self::Rejected(Rejected::NotRenewing) => Category::BadRequest,
            Self::Forbidden(_) | Self::TokenEnded => Category::Forbidden,
            Self::Conflict { .. } | Self::Rejected(_) => Category::Conflict,
            Self::Provider { .. } => Category::Provider,
            Self::Keychain(_) | Self::Deferred | Self::Stopping => Category::Unavailable,
            Self::Store(_) => Category::Internal,
        }
    }

    /// What happened, in one line.
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
            Self::Forbidden(refusal) => Some(refusal.hint()),
            Self::TokenEnded => Some("Create another one: relink api-token create NAME".into()),
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
