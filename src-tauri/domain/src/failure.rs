//! Why a refresh, a check or a connect flow failed: the one table of causes.
//!
//! Every surface (window, notification, API, command line) takes the severity, the explanation and the advice from here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{account::Verdict, provider_text};

/// Who can fix a cause: it decides whether Relink retries and who is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Final: the person must sign in again.
    Terminal,
    /// The integration's client is wrong, not the account.
    Configuration,
    /// It may go away: retried with growing delays.
    Transient,
    /// A refusal that Relink doesn't know: transient until it has lasted (see [`crate::account::Trouble::verdict`]).
    Unknown,
}

/// A failure explained to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What happened, on one line.
    pub title: String,
    /// What it means.
    pub message: String,
    /// What to do.
    pub hint: String,
}

fn fill(text: &str, provider: &str) -> String {
    text.replace("{provider}", provider)
}

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $severity:ident, $ambiguous:literal,
        $title:literal, $message:literal, $hint:literal $(then $last:literal)?;)+) => {
        /// A cause of failure. `{provider}` in its texts becomes the integration's label. A hint after `then` applies once
        /// Relink has stopped retrying.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Cause {
            $($(#[$doc])* #[serde(rename = $code)] $name,)+
        }

        impl Cause {
            /// All causes, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The stable code, as in `last_error.code`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// Whether the provider may have processed the request although no usable response came. The response may
            /// then have carried a new refresh token that is lost.
            pub const fn is_ambiguous(self) -> bool {
                match self { $(Self::$name => $ambiguous,)+ }
            }

            /// What happened, on one line.
            pub fn title(self, provider: &str) -> String {
                fill(match self { $(Self::$name => $title,)+ }, provider)
            }

            /// What it means.
            pub fn message(self, provider: &str) -> String {
                fill(match self { $(Self::$name => $message,)+ }, provider)
            }

            /// What happened, what it means and what to do. The verdict decides whether the hint may promise a retry.
            pub fn explain(self, provider: &str, verdict: Verdict) -> Explanation {
                let hint = match self {
                    $(Self::$name => {
                        $(if verdict == Verdict::NeedsPerson { $last } else)? { $hint }
                    })+
                };
                Explanation { title: self.title(provider), message: self.message(provider), hint: fill(hint, provider) }
            }
        }
    };
}

causes! {
    /// RFC 6749 §5.2 `invalid_grant`: revoked, expired or already used.
    InvalidGrant = "invalid_grant", Terminal, false,
        "{provider} no longer accepts this sign-in",
        "Access was revoked or expired at {provider}. Nothing that uses this account works until you sign in again.",
        "Reauthorize the connection.";
    /// RFC 6749 §5.2 `unauthorized_client`.
    UnauthorizedClient = "unauthorized_client", Terminal, false,
        "{provider} doesn't let this app refresh sign-ins",
        "{provider} says that this client may not use refresh tokens.",
        "Check the client's settings at {provider}, then reauthorize the connection.";
    /// An error code that the integration's definition lists as terminal.
    RefusedByProvider = "refused_by_provider", Terminal, false,
        "{provider} refused this sign-in",
        "{provider} gave an error that only signing in again can fix.",
        "Reauthorize the connection.";
    /// The response that carried the new refresh token never arrived, and the old token is no longer accepted.
    LostResponse = "lost_response", Terminal, false,
        "A response from {provider} was lost",
        "A refresh was interrupted after {provider} had replaced the token, and {provider} no longer accepts the old one.",
        "Reauthorize the connection.";
    /// RFC 6749 §5.2 `invalid_client`.
    InvalidClient = "invalid_client", Configuration, false,
        "{provider} rejected this app's client",
        "The integration's client ID or client secret is wrong, or was replaced at {provider}.",
        "Set the integration's client ID and secret again, then choose Refresh now.";
    /// RFC 6749 §5.2 `invalid_client`, where the client is the account's own (RFC 6749 §4.4).
    ClientRefused = "client_refused", Terminal, false,
        "{provider} no longer accepts this client",
        "This account's client ID or client secret was revoked or replaced at {provider}. Nothing that uses this account works until you enter the current ones.",
        "Reauthorize the connection.";
    /// The host name could not be resolved.
    Dns = "dns", Transient, false,
        "{provider} can't be found",
        "The address of {provider}'s server could not be looked up. The network or its DNS server may be down.",
        "No action needed. Relink will retry.";
    /// The host resolves to an address that Relink calls only with the person's consent, or never.
    PrivateAddress = "private_address", Transient, false,
        "{provider} is at a private address",
        "{provider}'s server resolves to an address on this network or to a reserved one. Relink calls an address on this network only if the integration allows it (\"allow_local\" in config.relink), and a reserved one never.",
        "Check the network and its DNS server: a VPN or a filter can cause this. Relink will retry.";
    /// No connection could be made.
    Unreachable = "unreachable", Transient, false,
        "{provider} can't be reached",
        "No connection to {provider}'s server could be made.",
        "No action needed. Relink will retry.";
    /// The TLS connection could not be made.
    Tls = "tls", Transient, false,
        "No secure connection to {provider}",
        "{provider}'s certificate could not be verified. A proxy, a hotel network or a wrong clock can cause this.",
        "Check the network and this machine's clock. Relink will retry.";
    /// No response within the deadline.
    Timeout = "timeout", Transient, true,
        "{provider} didn't respond in time",
        "The request was sent, but no response came.",
        "No action needed. Relink will retry.";
    /// The connection broke before the response was complete.
    Reset = "connection_reset", Transient, true,
        "The connection to {provider} broke",
        "The request was sent, but the connection ended before the response was complete.",
        "No action needed. Relink will retry.";
    /// 429.
    RateLimited = "rate_limited", Transient, false,
        "{provider} is limiting requests",
        "{provider} accepts no more requests for the moment.",
        "No action needed. Relink will retry when {provider} allows it.";
    /// 408, or a 5xx that is not [`Cause::BadGateway`].
    ServerError = "server_error", Transient, false,
        "{provider} is having problems",
        "{provider}'s server responded with an error.",
        "No action needed. Relink will retry.";
    /// 502 or 504: a gateway in front of the provider got no usable response from it.
    BadGateway = "bad_gateway", Transient, true,
        "{provider} is having problems",
        "A gateway in front of {provider}'s server got no usable response from it.",
        "No action needed. Relink will retry.";
    /// A web page instead of JSON: a captive portal, a proxy, a maintenance page.
    NotJson = "not_json", Transient, true,
        "Something else responded instead of {provider}",
        "A web page came instead of {provider}'s response. The network's own sign-in page (hotel, train) can cause this.",
        "Open a browser and check whether the network asks you to sign in. Relink will retry.";
    /// JSON that is cut off or lacks what it must contain.
    Garbled = "garbled_answer", Transient, true,
        "{provider}'s response can't be read",
        "The response was cut off or lacks the access token.",
        "No action needed. Relink will retry.";
    /// A 4xx with an error code that neither RFC 6749 nor the definition names.
    UnknownRefusal = "unknown_refusal", Unknown, false,
        "{provider} refused the request",
        "{provider} gave an error that Relink doesn't know.",
        "Relink will retry for an hour. If it keeps failing, reauthorize the connection."
        then "Reauthorize the connection.";
    /// A call was answered with 403: the sign-in works, but not for this call.
    Forbidden = "forbidden", Transient, false,
        "{provider} forbids this call",
        "A call was answered with 403 Forbidden: the sign-in works, but isn't allowed to do this.",
        "Check at {provider} what this sign-in may do, or reauthorize the connection as somebody who may do more.";
    /// A call was answered with 401, and there is nothing to refresh.
    Rejected = "rejected", Terminal, false,
        "{provider} no longer accepts this credential",
        "A call was answered with 401 Unauthorized: the key or token was revoked or has expired.",
        "Reauthorize the connection.";
    /// A call was answered with 401, and again after a refresh.
    RejectedAfterRefresh = "rejected_after_refresh", Terminal, false,
        "{provider} issues new tokens but doesn't accept them",
        "The token was refreshed, and the call was answered with 401 Unauthorized again.",
        "Reauthorize the connection.";
    /// The account's item is gone from the keychain.
    CredentialMissing = "credential_missing", Terminal, false,
        "The sign-in is gone from the keychain",
        "This account's item was removed from the keychain on this machine.",
        "Reauthorize the connection.";
    /// The account's item is in the keychain, but is not what Relink wrote.
    CredentialDamaged = "credential_damaged", Terminal, false,
        "The sign-in in the keychain can't be read",
        "This account's item in the keychain was changed, or was written by a newer version of Relink.",
        "Update Relink, or reauthorize the connection.";
}

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
}

impl Failure {
    /// A failure of which only the cause is known.
    pub const fn new(cause: Cause) -> Self {
        Self { cause, http_status: None, provider_code: None, provider_message: None, retry_after_secs: None }
    }

    /// Adds the HTTP status of the response.
    #[must_use]
    pub const fn status(mut self, status: u16) -> Self {
        self.http_status = Some(status);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.code())?;
        if let Some(status) = self.http_status {
            write!(f, ", HTTP {status}")?;
        }
        if let Some(code) = &self.provider_code {
            write!(f, ", {code}")?;
        }
        if let Some(message) = &self.provider_message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

/// Some providers put whole web pages into `error_description`.
const MAX_MESSAGE_CHARS: usize = 300;

/// An error response of a token endpoint, as far as it could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenErrorResponse {
    /// `error`.
    pub error: Option<String>,
    /// `error_description`.
    pub description: Option<String>,
    /// Whether the body was JSON.
    pub is_json: bool,
    /// `Retry-After`, in seconds.
    pub retry_after_secs: Option<u32>,
}

/// A provider's own error codes, as its integration's definition lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderErrorCodes {
    /// Only signing in again helps.
    pub terminal: Vec<String>,
    /// About the client, not the account.
    pub client: Vec<String>,
}

/// The cause of a token endpoint's error response (RFC 6749 §5.2).
pub fn classify_token_error(status: u16, response: &TokenErrorResponse, own: &ProviderErrorCodes) -> Failure {
    let code = response.error.as_deref();
    let cause = match (status, code) {
        (_, Some(code)) if own.terminal.iter().any(|known| known == code) => Cause::RefusedByProvider,
        (_, Some(code)) if own.client.iter().any(|known| known == code) => Cause::InvalidClient,
        (429, _) => Cause::RateLimited,
        // RFC 6749 §4.1.2.1 names these two for the authorization endpoint; token endpoints use them too.
        (502 | 504, _) => Cause::BadGateway,
        (408 | 500..=599, _) | (_, Some("temporarily_unavailable" | "server_error")) => Cause::ServerError,
        (_, Some("invalid_grant")) => Cause::InvalidGrant,
        (_, Some("unauthorized_client")) => Cause::UnauthorizedClient,
        (_, Some("invalid_client")) => Cause::InvalidClient,
        (_, Some("slow_down")) => Cause::RateLimited,
        (401, None) if response.is_json => Cause::InvalidClient,
        _ if !response.is_json => Cause::NotJson,
        (200..=299, None) => Cause::Garbled,
        _ => Cause::UnknownRefusal,
    };
    Failure {
        cause,
        http_status: Some(status),
        provider_code: response.error.as_deref().map(shorten),
        provider_message: response.description.as_deref().map(shorten),
        retry_after_secs: response.retry_after_secs,
    }
}

fn shorten(text: &str) -> String {
    provider_text::single_line(text, MAX_MESSAGE_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(error: Option<&str>) -> TokenErrorResponse {
        TokenErrorResponse { error: error.map(str::to_owned), is_json: true, ..TokenErrorResponse::default() }
    }

    #[test]
    fn token_errors_are_classified_by_status_and_code() {
        let own =
            ProviderErrorCodes { terminal: vec!["bad_refresh_token".into()], client: vec!["incorrect_client".into()] };
        for (status, error, cause) in [
            (400, Some("invalid_grant"), Cause::InvalidGrant),
            (401, Some("invalid_client"), Cause::InvalidClient),
            (401, None, Cause::InvalidClient),
            (400, Some("unauthorized_client"), Cause::UnauthorizedClient),
            (200, Some("bad_refresh_token"), Cause::RefusedByProvider),
            (500, Some("bad_refresh_token"), Cause::RefusedByProvider),
            (200, Some("incorrect_client"), Cause::InvalidClient),
            (429, None, Cause::RateLimited),
            (429, Some("invalid_grant"), Cause::RateLimited),
            (400, Some("slow_down"), Cause::RateLimited),
            (500, Some("invalid_grant"), Cause::ServerError),
            (503, None, Cause::ServerError),
            (599, None, Cause::ServerError),
            (502, None, Cause::BadGateway),
            (504, Some("temporarily_unavailable"), Cause::BadGateway),
            (400, Some("temporarily_unavailable"), Cause::ServerError),
            (400, Some("server_error"), Cause::ServerError),
            (408, None, Cause::ServerError),
            (400, Some("strange"), Cause::UnknownRefusal),
            (200, Some("strange"), Cause::UnknownRefusal),
            (404, None, Cause::UnknownRefusal),
            (200, None, Cause::Garbled),
        ] {
            assert_eq!(classify_token_error(status, &response(error), &own).cause, cause, "{status} {error:?}");
        }
    }

    #[test]
    fn a_response_that_is_not_json_came_from_something_else() {
        let page = TokenErrorResponse::default();
        for status in [200, 400, 401, 403] {
            let failure = classify_token_error(status, &page, &ProviderErrorCodes::default());
            assert_eq!(failure.cause, Cause::NotJson, "{status}");
        }
        assert_eq!(classify_token_error(503, &page, &ProviderErrorCodes::default()).cause, Cause::ServerError);
    }

    #[test]
    fn every_cause_says_what_happened_what_it_means_and_what_to_do() {
        for cause in Cause::ALL {
            for verdict in [Verdict::NeedsPerson, Verdict::NeedsClient, Verdict::Retrying] {
                let explanation = cause.explain("GitHub", verdict);
                for text in [&explanation.title, &explanation.message, &explanation.hint] {
                    assert!(!text.is_empty() && !text.contains('{'), "{cause:?}: {text}");
                }
                assert!(explanation.message.ends_with('.'), "{cause:?}");
                assert_eq!(
                    (&explanation.title, &explanation.message),
                    (&cause.title("GitHub"), &cause.message("GitHub")),
                );
            }
        }
        let explanation = Cause::InvalidGrant.explain("GitHub", Verdict::NeedsPerson);
        assert_eq!(
            (explanation.title.as_str(), explanation.message.as_str(), explanation.hint.as_str()),
            (
                "GitHub no longer accepts this sign-in",
                "Access was revoked or expired at GitHub. Nothing that uses this account works until you sign in again.",
                "Reauthorize the connection.",
            )
        );
    }

    #[test]
    fn a_hint_promises_a_retry_only_while_one_is_planned() {
        let later = Some(crate::Timestamp::from_millis(1));
        for cause in Cause::ALL {
            let failure = Failure::new(*cause);
            for next_try in [None, later] {
                let verdict = Verdict::for_failure(&failure, next_try);
                let hint = cause.explain("GitHub", verdict).hint;
                let promised = hint.contains("retry");
                assert!(!promised || verdict == Verdict::Retrying, "{cause:?}, {next_try:?}: {hint}");
            }
        }
        assert_eq!(Cause::UnknownRefusal.explain("GitHub", Verdict::NeedsPerson).hint, "Reauthorize the connection.");
    }

    #[test]
    fn a_response_that_may_have_carried_a_token_is_ambiguous() {
        let ambiguous: Vec<_> =
            Cause::ALL.iter().filter(|cause| cause.is_ambiguous()).map(|cause| cause.code()).collect();
        assert_eq!(ambiguous, ["timeout", "connection_reset", "bad_gateway", "not_json", "garbled_answer"]);
    }

    #[test]
    fn the_providers_message_stays_on_one_short_line() {
        let long = TokenErrorResponse { description: Some(format!("a\nb{}", "c".repeat(999))), ..response(Some("x")) };
        let failure = classify_token_error(400, &long, &ProviderErrorCodes::default());
        let message = failure.provider_message.expect("kept");
        assert!(message.starts_with("a b") && message.len() == MAX_MESSAGE_CHARS);
        assert_eq!((failure.http_status, failure.provider_code.as_deref()), (Some(400), Some("x")));
    }

    #[test]
    fn a_failure_is_logged_with_what_the_provider_said() {
        let mut failure = Failure::new(Cause::InvalidGrant);
        assert_eq!(failure.to_string(), "invalid_grant");
        failure.provider_code = Some("expired".into());
        failure.provider_message = Some("Token expired".into());
        assert_eq!(failure.status(400).to_string(), "invalid_grant, HTTP 400, expired: Token expired");
    }

    #[test]
    fn a_failure_stored_by_an_older_version_is_read() {
        let stored = r#"{"cause":"invalid_grant","provider_words":"Token expired"}"#;
        let failure: Failure = serde_json::from_str(stored).expect("read");
        assert_eq!(failure.provider_message.as_deref(), Some("Token expired"));
    }
}
