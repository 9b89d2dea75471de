//! Why a template can't be filled.

/// Why a template can't be filled. It names the placeholder and never quotes a value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    #[error(transparent)]
    Missing(#[from] MissingValue),
    #[error(transparent)]
    Malformed(#[from] PlaceholderError),
    /// A host would become another one.
    #[error(
        "the value for {placeholder} can't be part of a host: it must be one label of letters, digits and hyphens, such as \
         \"acme\""
    )]
    NotALabel { placeholder: String },
    #[error("the value for {placeholder} is not a host, such as \"acme.example.com\"")]
    NotAHost { placeholder: String },
    /// A path would lead somewhere else.
    #[error("the value for {placeholder} can't be part of a path: it makes a segment empty, or one that is . or ..")]
    NotASegment { placeholder: String },
    /// A filled URL is refused like one that is written out.
    #[error("with this account's values the URL can't be used: {problem}")]
    Url { problem: String },
}

impl FillError {
    /// None in place of a text that is left out, because an optional field of the form was left empty.
    pub fn unless_optional<T>(result: Result<Option<T>, Self>) -> Result<Option<T>, Self> {
        match result {
            Err(Self::Missing(missing)) if missing.is_optional => Ok(None),
            result => result,
        }
    }
}

/// The account has no value for a placeholder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the account has no value for {placeholder}")]
pub struct MissingValue {
    /// What is written between the braces.
    pub placeholder: String,
    /// Whether it is a field of the form that may be left empty.
    pub is_optional: bool,
}

/// A placeholder that can't be filled, whatever the account has. As in the library it is an error only where it counts: an
/// alternative after the one that wins isn't looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    #[error("{placeholder} has the cast {cast:?}, which is not known; use str, int, num, bool, json, any or null")]
    UnknownCast { placeholder: String, cast: String },
    #[error("{placeholder} has an alternative that names nothing")]
    NoName { placeholder: String },
}
