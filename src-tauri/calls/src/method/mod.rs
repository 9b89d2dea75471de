//! Methods of a definition, and paths of a caller's own with what the definition says (contract sections 4.6 and 7).

mod answer;
mod called;
mod custom;
mod encode;
mod judgment;
mod multipart;
mod parameters;
mod request;
mod run;
mod sending;
mod signing;
mod source;
mod xml;

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::OnceLock;

use http::{HeaderMap, Response};
use relink_domain::integration::{DefinitionError, resources::Verb};

pub use self::{answer::ReadError, called::Called, encode::BodyError, parameters::Parameters, request::BuildError};
use crate::{body::Body, links::AccountUrl, pages::PageError, pass_through::CallError};

pub use self::{
    encode::{BodyValue, value_of_body},
    run::provider_cursor,
};

/// Bytes of a caller's body that is read whole.
const MAX_BODY: usize = 16 << 20;
/// Bytes of a provider's answer that is read whole.
const MAX_ANSWER: usize = 64 << 20;

/// A caller's call of a method.
pub struct MethodCall<'a> {
    pub target: MethodTarget<'a>,
    pub parameters: Parameters,
    /// The caller's own. A call with a path of its own passes some of them on, and any other that writes its `Idempotency-Key`.
    pub headers: HeaderMap,
    pub body: Body,
    /// Relink's URL of the account for its pass-through, to which links in headers lead.
    pub prefix: AccountUrl<'a>,
    /// Where it is noted what a call with a path of its own sends, as soon as that is known.
    pub called: Option<&'a OnceLock<Called>>,
    /// Whether it is refused if it would write. An account of a sandbox only reads in any case.
    pub only_reads: bool,
    pub overrides: Overrides,
}

/// What is sent in place of what a method of the definition says.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The path below the base URL.
    pub path: Option<String>,
    /// Over the definition's headers, but never over one with a credential.
    pub headers: HeaderMap,
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodTarget<'a> {
    /// A method of the definition, by name.
    Named { resource: &'a str, method: &'a str, id: Option<&'a str> },
    /// The request of a step of the definition's action, by its place.
    Step { action: &'a str, step: usize },
    /// A path below the integration's base URL, percent-encoded as it was sent: empty, or it begins with a slash. A `methodConfig` in
    /// the body says more.
    Custom { verb: Verb, path: &'a str },
}

/// Why there is no answer, or one that isn't the method's.
#[derive(Debug, thiserror::Error)]
pub enum MethodError<E> {
    #[error(transparent)]
    Call(#[from] CallError<E>),
    /// With the resources that there are.
    #[error("there is no resource {resource:?}")]
    NoResource { resource: String, known: Vec<String> },
    /// With the methods that there are.
    #[error("{resource:?} has no method {method:?}")]
    NoMethod { resource: String, method: String, known: Vec<String> },
    /// The definition has changed meanwhile.
    #[error("the action {action:?} has no request at step {step} any more")]
    NoStep { action: String, step: usize },
    #[error(transparent)]
    MethodConfig(#[from] DefinitionError),
    /// With the placeholder. A caller's own method names a secret, other than to authorize the call.
    #[error(
        "methodConfig has {0}, which names a secret of the account. Only its \"authorization\" may name one, because the provider's \
         answer may repeat anything else. Leave it out: Relink adds the credential itself."
    )]
    SecretInConfig(String),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Page(#[from] PageError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("The provider's answer is longer than {} MiB, which can't be read whole.", MAX_ANSWER >> 20)]
    AnswerTooLong,
    #[error("The provider's answer ended early.")]
    AnswerEnded,
    /// What the caller gets instead of the method's answer: the provider's error in Truto's form, or its redirect.
    #[error("the provider answered with an error")]
    Remote(Box<Response<Body>>),
}

impl<E> From<BodyError> for MethodError<E> {
    fn from(error: BodyError) -> Self {
        BuildError::from(error).into()
    }
}
