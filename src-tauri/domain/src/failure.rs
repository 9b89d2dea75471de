//! Why a refresh, a check or a connect flow failed: the one table of causes.
//!
//! Every surface (window, notification, API, command line) takes severity, words and the thing to do from here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{account::Verdict, provider_text};

/// What kind of trouble a cause is; it decides who is told and whether Relink tries again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The provider has said no: only the person can mend it.
    Terminal,
    /// The integration's own settings are wrong: its client must be mended, not the account.
    Configuration,
    /// It may pass: tried again with growing pauses.
    Transient,
    /// A refusal Relink does not know: treated as passing until it has lasted (see [`crate::account`]).
    Unknown,
}

/// Explanation for a person: what happened, what it means, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What happened, in one line.
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
        /// A cause of failure. `{provider}` in its words becomes the integration's label; a hint behind `then` is for the
        /// time when Relink has stopped trying.
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

            /// What kind of trouble it is.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// Whether the provider may have processed the request although no usable answer came: a rotated
            /// refresh token may have been lost on the way.
            pub const fn is_ambiguous(self) -> bool {
                match self { $(Self::$name => $ambiguous,)+ }
            }

            /// What happened, with the provider's name in it.
            pub fn title(self, provider: &str) -> String {
                fill(match self { $(Self::$name => $title,)+ }, provider)
            }

            /// What it means, with the provider's name in it.
            pub fn message(self, provider: &str) -> String {
                fill(match self { $(Self::$name => $message,)+ }, provider)
            }

            /// All the words, with the provider's name in them. What to do depends on what the trouble asks for.
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
        "Access was revoked or has run out on {provider}'s side. Nothing that uses this account works until you sign in again.",
        "Reauthorize the connection.";
    /// RFC 6749 §5.2 `unauthorized_client`.
    UnauthorizedClient = "unauthorized_client", Terminal, false,
        "{provider} doesn't let this app refresh sign-ins",
        "{provider} says that this client may not use refresh tokens.",
        "Check the client's settings at {provider}, then reauthorize the connection.";
    /// A code that the integration's definition names as final.
    RefusedByProvider = "refused_by_provider", Terminal, false,
        "{provider} refused this sign-in",
        "{provider} gave a reason of its own that only a new sign-in mends.",
        "Reauthorize the connection.";
    /// The answer that carried the new refresh token never arrived, and the old one is no longer accepted.
    LostResponse = "lost_response", Terminal, false,
        "{provider}'s last answer was lost",
        "A refresh was cut off after {provider} had replaced the token, and {provider} doesn't accept the older one any more.",
        "Reauthorize the connection.";
    /// RFC 6749 §5.2 `invalid_client`.
    InvalidClient = "invalid_client", Configuration, false,
        "{provider} doesn't know this app's client",
        "The client id or client secret of the integration is wrong, or was replaced at {provider}.",
        "Set the integration's client id and secret again, then choose Refresh now.";
    /// RFC 6749 §5.2 `invalid_client`, where the client is the account's own (RFC 6749 §4.4).
    ClientRefused = "client_refused", Terminal, false,
        "{provider} no longer accepts this client",
        "This account's client id or client secret was revoked or replaced at {provider}. Nothing that uses this account works until you enter the present ones.",
        "Reauthorize the connection.";
    /// The host's name could not be resolved.
    Dns = "dns", Transient, false,
        "{provider} can't be found",
        "The name of {provider}'s server could not be looked up. The network or its name server may be down.",
        "Nothing to do now: Relink tries again by itself.";
    /// The host's name or address leads to where nothing is sent without the person's consent, or never.
    PrivateAddress = "private_address", Transient, false,
        "{provider} is at a private address",
        "{provider}'s server is at an address inside this network or a reserved one. Relink calls none of them for a provider; one inside this network it calls if the integration allows that (\"allow_local\" in config.relink).",
        "Check the network and its name server: a VPN or a filter can cause this. Relink tries again by itself.";
    /// No connection could be made.
    Unreachable = "unreachable", Transient, false,
        "{provider} can't be reached",
        "No connection to {provider}'s server could be made.",
        "Nothing to do now: Relink tries again by itself.";
    /// The secure channel could not be made.
    Tls = "tls", Transient, false,
        "No secure connection to {provider}",
        "{provider}'s certificate could not be verified. A proxy, a hotel network or a wrong clock can cause this.",
        "Check the network and this machine's clock. Relink tries again by itself.";
    /// No answer within the deadline.
    Timeout = "timeout", Transient, true,
        "{provider} didn't answer in time",
        "The request was sent, but no answer came.",
        "Nothing to do now: Relink tries again by itself.";
    /// The connection broke before the whole answer was there.
    Reset = "connection_reset", Transient, true,
        "The connection to {provider} broke",
        "The request was sent, but the connection ended before the answer was complete.",
        "Nothing to do now: Relink tries again by itself.";
    /// 429.
    RateLimited = "rate_limited", Transient, false,
        "{provider} asks to slow down",
        "{provider} takes no more requests for the moment.",
        "Nothing to do now: Relink tries again when {provider} allows it.";
    /// 408, or a 5xx that is no [`Cause::BadGateway`].
    ServerError = "server_error", Transient, false,
        "{provider} has a problem of its own",
        "{provider}'s server answered with an error.",
        "Nothing to do now: Relink tries again by itself.";
    /// 502 or 504: a server in front of the provider's heard nothing, or nothing that it understood, from it.
    BadGateway = "bad_gateway", Transient, true,
        "{provider} has a problem of its own",
        "A server in front of {provider}'s own got no usable answer from it.",
        "Nothing to do now: Relink tries again by itself.";
    /// A web page where JSON belongs: a captive portal, a proxy, a maintenance page.
    NotJson = "not_json", Transient, true,
        "Something else answered in {provider}'s place",
        "A web page came where {provider}'s answer belongs. A sign-in page of the network (hotel, train) can cause this.",
        "Open a browser and see whether the network wants a sign-in. Relink tries again by itself.";
    /// JSON that breaks off or lacks what it must hold.
    Garbled = "garbled_answer", Transient, true,
        "{provider}'s answer can't be read",
        "The answer was cut off or lacks the access token.",
        "Nothing to do now: Relink tries again by itself.";
    /// A 4xx that RFC 6749 does not name.
    UnknownRefusal = "unknown_refusal", Unknown, false,
        "{provider} refused the request",
        "{provider} gave a reason that Relink doesn't know.",
        "Relink tries again for an hour. If it goes on, reauthorize the connection."
        then "Reauthorize the connection.";
    /// A call was answered 403: the sign-in works, but not for this.
    Forbidden = "forbidden", Transient, false,
        "{provider} forbids this call",
        "A call was answered with 403 Forbidden: the sign-in works, but may not do this.",
        "Look at {provider} at what this sign-in may do, or reauthorize the connection as somebody who may.";
    /// A call was answered 401 and nothing can be refreshed.
    Rejected = "rejected", Terminal, false,
        "{provider} no longer accepts this credential",
        "A call was answered with 401 Unauthorized: the key or token was revoked or has run out.",
        "Reauthorize the connection.";
    /// A call was answered 401, and again after a fresh token.
    RejectedAfterRefresh = "rejected_after_refresh", Terminal, false,
        "{provider} gives fresh tokens, but doesn't accept them",
        "The token was refreshed, and the call was answered with 401 Unauthorized again.",
        "Reauthorize the connection.";
    /// The account's item is gone from the keychain.
    CredentialMissing = "credential_missing", Terminal, false,
        "The sign-in is gone from the keychain",
        "This account's item was removed from the keychain on this machine.",
        "Reauthorize the connection.";
    /// The account's item is there, but isn't what Relink wrote.
    CredentialDamaged = "credential_damaged", Terminal, false,
        "The sign-in in the keychain can't be read",
        "This account's item in the keychain was changed, or was written by a newer Relink.",
        "Update Relink, or reauthorize the connection.";
}

/// A failure as it was seen: the cause and what the other side said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The cause.
    pub cause: Cause,
    /// The HTTP status, where an answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// The provider's own error code (RFC 6749 §5.2 `error`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_code: Option<String>,
    /// The provider's own words (RFC 6749 §5.2 `error_description`), shortened.
    #[serde(default, alias = "provider_words", skip_serializing_if = "Option::is_none")]
    pub provider_message: Option<String>,
    /// Seconds that the provider asked to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_secs: Option<u32>,
}

impl Failure {
    /// A failure of which nothing but its cause is known.
    pub const fn new(cause: Cause) -> Self {
        Self { cause, http_status: None, provider_code: None, provider_message: None, retry_after_secs: None }
    }

    /// With the HTTP status of the answer.
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
        if let Some(words) = &self.provider_message {
            write!(f, ": {words}")?;
        }
        Ok(())
    }
}

/// Longest provider words that are kept; providers have been seen to put whole pages there.
const LONGEST_WORDS: usize = 300;

/// An error answer of a token endpoint, as far as it could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenErrorResponse {
    /// `error`.
    pub error: Option<String>,
    /// `error_description`.
    pub description: Option<String>,
    /// Whether the body was JSON at all.
    pub is_json: bool,
    /// `Retry-After`, in seconds.
    pub retry_after_secs: Option<u32>,
}

/// Error codes of a provider's own, as its integration's definition names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderErrorCodes {
    /// Final: only a new sign-in mends them.
    pub terminal: Vec<String>,
    /// About the client, not the account.
    pub client: Vec<String>,
}

/// Sorts an error answer of a token endpoint (RFC 6749 §5.2) into the table.
pub fn classify_token_error(status: u16, answer: &TokenErrorResponse, own: &ProviderErrorCodes) -> Failure {
    let code = answer.error.as_deref();
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
        (401, None) if answer.is_json => Cause::InvalidClient,
        _ if !answer.is_json => Cause::NotJson,
        (200..=299, None) => Cause::Garbled,
        _ => Cause::UnknownRefusal,
    };
    Failure {
        cause,
        http_status: Some(status),
        provider_code: answer.error.as_deref().map(shorten),
        provider_message: answer.description.as_deref().map(shorten),
        retry_after_secs: answer.retry_after_secs,
    }
}

/// Provider text for a person's eyes.
fn shorten(text: &str) -> String {
    provider_text::single_line(text, LONGEST_WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(error: Option<&str>) -> TokenErrorResponse {
        TokenErrorResponse { error: error.map(str::to_owned), is_json: true, ..TokenErrorResponse::default() }
    }

    #[test]
    fn answers_are_sorted_into_the_table() {
        let own =
            ProviderErrorCodes { terminal: vec!["bad_refresh_token".into()], client: vec!["incorrect_client".into()] };
        for (status, error, cause) in [
            (400, Some("invalid_grant"), Cause::InvalidGrant),
            (401, Some("invalid_client"), Cause::InvalidClient),
            (400, Some("unauthorized_client"), Cause::UnauthorizedClient),
            (200, Some("bad_refresh_token"), Cause::RefusedByProvider),
            (200, Some("incorrect_client"), Cause::InvalidClient),
            (429, None, Cause::RateLimited),
            (500, Some("invalid_grant"), Cause::ServerError),
            (503, None, Cause::ServerError),
            (502, None, Cause::BadGateway),
            (504, Some("temporarily_unavailable"), Cause::BadGateway),
            (408, None, Cause::ServerError),
            (400, Some("strange"), Cause::UnknownRefusal),
            (404, None, Cause::UnknownRefusal),
            (200, None, Cause::Garbled),
        ] {
            assert_eq!(classify_token_error(status, &answer(error), &own).cause, cause, "{status} {error:?}");
        }
        let page = TokenErrorResponse::default();
        assert_eq!(classify_token_error(200, &page, &own).cause, Cause::NotJson);
        assert_eq!(classify_token_error(403, &page, &own).cause, Cause::NotJson);
    }

    #[test]
    fn every_cause_says_what_happened_what_it_means_and_what_to_do() {
        for cause in Cause::ALL {
            for verdict in [Verdict::NeedsPerson, Verdict::NeedsClient, Verdict::Retrying] {
                let words = cause.explain("GitHub", verdict);
                for text in [&words.title, &words.message, &words.hint] {
                    assert!(!text.is_empty() && !text.contains('{'), "{cause:?}: {text}");
                }
                assert!(words.message.ends_with('.'), "{cause:?}");
            }
        }
    }

    #[test]
    fn what_to_do_promises_another_try_only_while_there_is_one() {
        let later = Some(crate::Timestamp::from_millis(1));
        for cause in Cause::ALL {
            let failure = Failure::new(*cause);
            for next_try in [None, later] {
                let verdict = Verdict::for_failure(&failure, next_try);
                let hint = cause.explain("GitHub", verdict).hint;
                let promised = hint.contains("tries again");
                assert!(!promised || verdict == Verdict::Retrying, "{cause:?}, {next_try:?}: {hint}");
            }
        }
        assert_eq!(Cause::UnknownRefusal.explain("GitHub", Verdict::NeedsPerson).hint, "Reauthorize the connection.");
    }

    #[test]
    fn provider_words_stay_on_one_short_line() {
        let long = TokenErrorResponse { description: Some(format!("a\nb{}", "c".repeat(999))), ..answer(Some("x")) };
        let words = classify_token_error(400, &long, &ProviderErrorCodes::default()).provider_message.expect("kept");
        assert!(words.starts_with("a b") && words.len() == LONGEST_WORDS);
    }
}
