//! The cause of a token endpoint's error response.

use super::{Cause, Failure, ProviderError};
use crate::provider_text::SecretFilter;

/// A response of a token endpoint that contains no token, after its body was decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenErrorResponse {
    /// The HTTP status.
    pub status: u16,
    /// The error code: from the body, or from `WWW-Authenticate` (RFC 6750 §3).
    pub code: Option<String>,
    /// What else the provider says.
    pub message: Option<String>,
    /// Whether the body is a web page.
    pub is_html: bool,
    /// Where the response redirects to.
    pub redirect: Option<Redirect>,
    /// `Retry-After`, in seconds.
    pub retry_after_secs: Option<u32>,
}

/// A redirect, which Relink doesn't follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// `Location`, without what could contain a secret.
    pub target: String,
    /// Whether it leads to another host than the request's.
    pub is_foreign: bool,
}

/// A provider's own error codes, as its integration's definition lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderErrorCodes {
    /// Only signing in again helps.
    pub terminal: Vec<String>,
    /// About the client, not the account.
    pub client: Vec<String>,
}

impl ProviderErrorCodes {
    fn contains(&self, code: &str) -> bool {
        self.terminal.iter().chain(&self.client).any(|own| own.eq_ignore_ascii_case(code))
    }
}

/// Error codes of standards, in lower case, and their causes.
const KNOWN_CODES: &[(&str, Cause)] = &[
    // RFC 6749 §5.2
    ("invalid_grant", Cause::InvalidGrant),
    ("unauthorized_client", Cause::UnauthorizedClient),
    ("invalid_client", Cause::InvalidClient),
    // RFC 6750 §3.1
    ("invalid_token", Cause::InvalidGrant),
    // OpenID Connect Core 1.0 §3.1.2.6
    ("interaction_required", Cause::InteractionRequired),
    ("login_required", Cause::InteractionRequired),
    ("account_selection_required", Cause::InteractionRequired),
    ("consent_required", Cause::InteractionRequired),
    // RFC 8628 §3.5
    ("slow_down", Cause::RateLimited),
    // RFC 6749 §4.1.2.1 names these two for the authorization endpoint; token endpoints use them too.
    ("temporarily_unavailable", Cause::ServerError),
    ("server_error", Cause::ServerError),
];

/// Whether a standard defines the code.
pub(super) fn is_known_code(code: &str) -> bool {
    KNOWN_CODES.iter().any(|(known, _)| code.eq_ignore_ascii_case(known)) || OTHER_CODES.contains(&code)
}

/// Codes of standards that need no cause of their own: RFC 6749 §4.1.2.1 and §5.2.
const OTHER_CODES: &[&str] =
    &["access_denied", "invalid_request", "invalid_scope", "unsupported_grant_type", "unsupported_response_type"];

impl TokenErrorResponse {
    /// The failure that the response reports. Codes are compared without regard to case, and those of a standard or of the
    /// definition are kept as they are.
    pub fn classify(&self, own: &ProviderErrorCodes, filter: &SecretFilter) -> Failure {
        let message = self.message.clone().or_else(|| Some(format!("Location: {}", self.redirect.as_ref()?.target)));
        let said = ProviderError { code: self.code.clone(), message }.cleaned(filter);
        let own_code = self.code.clone().filter(|code| own.contains(code));
        Failure {
            provider_code: own_code.or(said.code),
            provider_message: said.message,
            retry_after_secs: self.retry_after_secs,
            ..Failure::new(self.cause(own)).status(self.status)
        }
    }

    fn cause(&self, own: &ProviderErrorCodes) -> Cause {
        let is = |known: &str| self.code.as_deref().is_some_and(|code| code.eq_ignore_ascii_case(known));
        if own.terminal.iter().any(|code| is(code)) {
            return Cause::RefusedByProvider;
        }
        if own.client.iter().any(|code| is(code)) {
            return Cause::InvalidClient;
        }
        match self.status {
            429 => return Cause::RateLimited,
            502 | 504 => return Cause::BadGateway,
            408 | 500..=599 => return Cause::ServerError,
            _ => {}
        }
        if let Some((_, cause)) = KNOWN_CODES.iter().find(|(code, _)| is(code)) {
            return *cause;
        }
        match (self.status, &self.redirect) {
            // A network that requires a sign-in answers in the provider's place.
            (300..=399, Some(Redirect { is_foreign: true, .. })) => Cause::NotJson,
            (200..=299, _) if self.is_html => Cause::NotJson,
            (300..=399, Some(_)) => Cause::Redirected,
            (200..=299, _) if self.code.is_none() => Cause::Garbled,
            _ => Cause::UnknownRefusal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::MAX_MESSAGE_CHARS;

    fn response(status: u16, code: Option<&str>, is_html: bool) -> TokenErrorResponse {
        let code = code.map(str::to_owned);
        TokenErrorResponse { status, code, message: None, is_html, redirect: None, retry_after_secs: None }
    }

    fn cause_of(response: &TokenErrorResponse) -> Cause {
        let own =
            ProviderErrorCodes { terminal: vec!["bad_refresh_token".into()], client: vec!["incorrect_client".into()] };
        response.classify(&own, &SecretFilter::default()).cause
    }

    #[test]
    fn errors_are_classified_by_status_and_code() {
        for (status, code, cause) in [
            (400, Some("invalid_grant"), Cause::InvalidGrant),
            (401, Some("invalid_token"), Cause::InvalidGrant),
            (401, Some("invalid_client"), Cause::InvalidClient),
            (400, Some("unauthorized_client"), Cause::UnauthorizedClient),
            (200, Some("bad_refresh_token"), Cause::RefusedByProvider),
            (500, Some("bad_refresh_token"), Cause::RefusedByProvider),
            (200, Some("incorrect_client"), Cause::InvalidClient),
            (400, Some("interaction_required"), Cause::InteractionRequired),
            (400, Some("login_required"), Cause::InteractionRequired),
            (400, Some("consent_required"), Cause::InteractionRequired),
            (400, Some("account_selection_required"), Cause::InteractionRequired),
            (429, None, Cause::RateLimited),
            (429, Some("invalid_grant"), Cause::RateLimited),
            (400, Some("slow_down"), Cause::RateLimited),
            (500, Some("invalid_grant"), Cause::ServerError),
            (503, None, Cause::ServerError),
            (599, None, Cause::ServerError),
            (408, None, Cause::ServerError),
            (502, None, Cause::BadGateway),
            (504, Some("temporarily_unavailable"), Cause::BadGateway),
            (400, Some("temporarily_unavailable"), Cause::ServerError),
            (400, Some("server_error"), Cause::ServerError),
            (400, Some("strange"), Cause::UnknownRefusal),
            (200, Some("strange"), Cause::UnknownRefusal),
            (404, None, Cause::UnknownRefusal),
            (200, None, Cause::Garbled),
        ] {
            assert_eq!(cause_of(&response(status, code, false)), cause, "{status} {code:?}");
            let shouted = code.map(str::to_uppercase);
            let shouted = response(status, shouted.as_deref(), false);
            assert_eq!(cause_of(&shouted), cause, "codes are compared without regard to case: {status} {code:?}");
        }
    }

    #[test]
    fn a_401_without_a_code_does_not_blame_the_client() {
        for is_html in [true, false] {
            assert_eq!(cause_of(&response(401, None, is_html)), Cause::UnknownRefusal, "{is_html}");
        }
    }

    #[test]
    fn only_a_page_with_a_success_and_a_foreign_redirect_come_from_something_else() {
        for status in [200, 201, 203, 299] {
            assert_eq!(cause_of(&response(status, None, true)), Cause::NotJson, "{status}");
        }
        for (status, cause) in [
            (302, Cause::UnknownRefusal),
            (400, Cause::UnknownRefusal),
            (403, Cause::UnknownRefusal),
            (404, Cause::UnknownRefusal),
            (410, Cause::UnknownRefusal),
            (500, Cause::ServerError),
            (503, Cause::ServerError),
        ] {
            assert_eq!(cause_of(&response(status, None, true)), cause, "{status}");
        }
        for (is_foreign, cause) in [(true, Cause::NotJson), (false, Cause::Redirected)] {
            for status in [301, 302, 303, 307, 308] {
                let redirect = Some(Redirect { target: "https://as.example/token/".to_owned(), is_foreign });
                let redirecting = TokenErrorResponse { redirect, ..response(status, None, true) };
                assert_eq!(cause_of(&redirecting), cause, "{status}");
                let failure = redirecting.classify(&ProviderErrorCodes::default(), &SecretFilter::default());
                let message = failure.provider_message.expect("the target is reported");
                assert_eq!(message, "Location: https://as.example/token/");
            }
        }
    }

    #[test]
    fn the_providers_message_stays_on_one_short_line() {
        let message = Some(format!("a\nb{}", "c".repeat(999)));
        let long = TokenErrorResponse { message, ..response(400, Some("x"), false) };
        let failure = long.classify(&ProviderErrorCodes::default(), &SecretFilter::default());
        let message = failure.provider_message.expect("kept");
        assert!(message.starts_with("a b") && message.len() == MAX_MESSAGE_CHARS);
        assert_eq!((failure.http_status, failure.provider_code.as_deref()), (Some(400), Some("x")));
    }
}
