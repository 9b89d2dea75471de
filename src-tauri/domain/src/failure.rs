//! Why a refresh, a check or a connect flow failed: the one table of causes.
//!
//! Every surface (window, notification, API, command line) takes the severity, the explanation and the advice from here.

mod advice;
mod cause;
mod error_body;
mod missing_scopes;
mod token_error;
mod words;

use serde::{Deserialize, Serialize};

use crate::{Timestamp, origins::MovedAddress, provider_text, verdict::Verdict};

pub use advice::{Advice, Occasion};
pub use cause::{Cause, Explanation, Severity};
pub use error_body::ProviderError;
pub use missing_scopes::NeededScopes;
pub use token_error::{ProviderErrorCodes, Redirect, TokenErrorResponse};
pub use words::provider_words;

/// A failure: its cause and what the provider said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub cause: Cause,
    /// The HTTP status, if there was a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// The provider's own error code (RFC 6749 §5.2 `error`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_code: Option<String>,
    /// The provider's own message (RFC 6749 §5.2 `error_description`), shortened.
    #[serde(default, alias = "provider_words", skip_serializing_if = "Option::is_none")]
    pub provider_message: Option<String>,
    /// How long the provider asked Relink to wait (`Retry-After`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_secs: Option<u32>,
    /// The scopes that the call lacked, for [`Cause::Forbidden`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_scopes: Vec<String>,
    /// Which address changed, for [`Cause::OriginChanged`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Box<MovedAddress>>,
    /// What the step says that failed, for [`Cause::PostInstallFailed`], [`Cause::ValidationFailed`] and
    /// [`Cause::RefreshStepFailed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_error: Option<String>,
    /// The body of a token endpoint's response, without secrets: what a call that needs the token is answered with (contract
    /// section 6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Whether an earlier request of the same refresh succeeded, whose answer may have carried a new refresh token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follows_success: bool,
}

impl Failure {
    /// A failure of which only the cause is known.
    pub const fn new(cause: Cause) -> Self {
        Self {
            cause,
            http_status: None,
            provider_code: None,
            provider_message: None,
            retry_after_secs: None,
            missing_scopes: Vec::new(),
            moved: None,
            step_error: None,
            body: None,
            follows_success: false,
        }
    }

    /// Whether a new refresh token may be lost. See [`Cause::is_ambiguous`].
    pub const fn is_ambiguous(&self) -> bool {
        self.cause.is_ambiguous() || self.follows_success
    }

    /// The credentials may not be sent to the address any more.
    pub fn moved(address: MovedAddress) -> Self {
        Self { moved: Some(Box::new(address)), ..Self::new(Cause::OriginChanged) }
    }

    /// Adds the HTTP status of the response.
    #[must_use]
    pub const fn status(mut self, status: u16) -> Self {
        self.http_status = Some(status);
        self
    }

    /// Adds what the provider said.
    #[must_use]
    pub fn said(mut self, error: &ProviderError) -> Self {
        self.provider_code = error.code.as_deref().map(shorten).filter(|code| !code.is_empty());
        self.provider_message = error.message.as_deref().map(shorten).filter(|message| !message.is_empty());
        self
    }

    /// The same, to be listed among others.
    #[must_use]
    pub fn without_body(self) -> Self {
        Self { body: None, ..self }
    }

    /// What happened, what it means and what to do: the cause's explanation, with the advice for what the provider said.
    pub fn explain(&self, provider: &str, verdict: Verdict) -> Explanation {
        let explanation = self.cause.explain(provider, verdict);
        if let Some(moved) = &self.moved {
            let title = moved.title(provider);
            let message = format!("{title} {}. Relink has sent nothing there.", moved.change());
            return Explanation { title, message, ..explanation };
        }
        if let Some(error) = &self.step_error {
            return Explanation { message: format!("{} {error}", explanation.message), ..explanation };
        }
        if !self.missing_scopes.is_empty() {
            let message = format!("{} It lacks: {}.", explanation.message, self.missing_scopes.join(", "));
            return Explanation { message, ..explanation };
        }
        match self.advice(provider, Occasion::Account(verdict)) {
            Some(Advice { hint, .. }) => Explanation { hint, ..explanation },
            None => explanation,
        }
    }
}

/// Some providers put whole web pages into `error_description`.
const MAX_MESSAGE_CHARS: usize = 300;
const MAX_CODE_CHARS: usize = 100;

fn shorten(text: &str) -> String {
    provider_text::single_line(text, MAX_MESSAGE_CHARS)
}

impl Verdict {
    /// The verdict on a failure whose episode isn't at hand, only when the next try is planned. A refusal that Relink
    /// doesn't know is final once no try is planned.
    pub fn for_failure(failure: &Failure, next_try: Option<Timestamp>) -> Self {
        match failure.cause.severity() {
            Severity::Terminal => Self::NeedsPerson,
            Severity::Configuration => Self::NeedsClient,
            Severity::Unknown if next_try.is_none() => Self::NeedsPerson,
            Severity::Unknown | Severity::Transient => Self::Retrying,
        }
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
