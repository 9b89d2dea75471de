//! The callback of an authorization request (RFC 6749 §4.1.2), from whichever way it came: deep link, loopback, paste.

use url::Url;

use crate::{Secret, provider_text};

/// The custom scheme of the deep link: a domain name reversed, as RFC 8252 §7.1 asks.
pub const SCHEME: &str = "app.relink.desktop";

/// Longest callback that is read.
const LONGEST: usize = 16 * 1024;
/// Longest `error` and `error_description` that are kept.
const LONGEST_CODE: usize = 64;
const LONGEST_WORDS: usize = 300;

/// The redirect URI of the deep link for an integration.
pub fn deep_link_uri(integration: &str) -> String {
    format!("{SCHEME}:/oauth/callback/{integration}")
}

/// The redirect URI on the loopback interface (RFC 8252 §7.3): the address, never `localhost`.
pub fn loopback_uri(port: u16, integration: &str) -> String {
    format!("http://127.0.0.1:{port}/oauth/callback/{integration}")
}

/// A well-formed callback. Whether anybody asked for it is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// The address without its query: must equal the flow's own redirect URI, to the letter.
    pub redirect_uri: String,
    /// `state`.
    pub state: Secret,
    /// `iss` (RFC 9207 §2).
    pub issuer: Option<String>,
    /// What the provider says.
    pub result: CallbackResult,
}

/// What the provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallbackResult {
    /// RFC 6749 §4.1.2.
    Code(Secret),
    /// RFC 6749 §4.1.2.1.
    Error {
        /// `error`, shortened.
        code: String,
        /// `error_description`, shortened.
        description: Option<String>,
    },
}

/// Why an address is no callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// Not an address, or too long for one.
    #[error("This is not a web address. Copy the whole address from the browser's address bar.")]
    NotAnAddress,
    /// An address of something else.
    #[error(
        "This address isn't Relink's. It starts with {SCHEME}:/oauth/callback/ or http://127.0.0.1:…/oauth/callback/."
    )]
    NotOurs,
    /// No `state`.
    #[error("This address lacks its state. Copy the whole address, with everything behind the question mark.")]
    NoState,
    /// Neither `code` nor `error`.
    #[error("This address carries no answer. Copy the whole address, with everything behind the question mark.")]
    NoAnswer,
    /// Both `code` and `error`, or a parameter twice (RFC 6749 §3.1).
    #[error("This address contradicts itself: it was not made by the provider.")]
    Contradictory,
}

impl CallbackError {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAnAddress => "callback_not_an_address",
            Self::NotOurs => "callback_not_ours",
            Self::NoState => "callback_without_state",
            Self::NoAnswer => "callback_without_answer",
            Self::Contradictory => "callback_contradictory",
        }
    }
}

impl Callback {
    /// Reads a callback. Nothing in it is trusted yet.
    pub fn parse(text: &str) -> Result<Self, CallbackError> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(CallbackError::NotAnAddress);
        }
        let url = Url::parse(text).map_err(|_| CallbackError::NotAnAddress)?;
        let redirect_uri = text.split(['?', '#']).next().unwrap_or_default().to_owned();
        let ours = match url.scheme() {
            SCHEME => !url.has_host() && redirect_uri.starts_with(&format!("{SCHEME}:/oauth/callback/")),
            "http" => url.host_str() == Some("127.0.0.1") && url.username().is_empty() && url.password().is_none(),
            _ => false,
        };
        if !ours || !url.path().starts_with("/oauth/callback/") {
            return Err(CallbackError::NotOurs);
        }
        let mut params = Params::default();
        for (name, value) in url.query_pairs() {
            let slot = match name.as_ref() {
                "state" => &mut params.state,
                "code" => &mut params.code,
                "error" => &mut params.error,
                "error_description" => &mut params.description,
                "iss" => &mut params.issuer,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(CallbackError::Contradictory);
            }
        }
        let state = params.state.filter(|state| !state.is_empty()).ok_or(CallbackError::NoState)?;
        let result = match (params.code.filter(|code| !code.is_empty()), params.error) {
            (Some(_), Some(_)) => return Err(CallbackError::Contradictory),
            (Some(code), None) => CallbackResult::Code(code.into()),
            (None, Some(code)) => CallbackResult::Error {
                code: provider_text::single_line(&code, LONGEST_CODE),
                description: params
                    .description
                    .map(|text| provider_text::single_line(&text, LONGEST_WORDS))
                    .filter(|text| !text.is_empty()),
            },
            (None, None) => return Err(CallbackError::NoAnswer),
        };
        Ok(Self { redirect_uri, state: state.into(), issuer: params.issuer, result })
    }
}

#[derive(Default)]
struct Params {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    description: Option<String>,
    issuer: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_ways_home_are_read() {
        for uri in [deep_link_uri("github"), loopback_uri(7417, "github")] {
            let callback =
                Callback::parse(&format!("{uri}?code=c%20d&state=s&iss=https%3A%2F%2Fas")).expect("a callback");
            assert_eq!(callback.redirect_uri, uri);
            assert_eq!(callback.result, CallbackResult::Code("c d".to_owned().into()));
            assert_eq!(callback.issuer.as_deref(), Some("https://as"));
        }
    }

    #[test]
    fn what_is_no_callback_is_refused() {
        let ours = deep_link_uri("github");
        for (text, error) in [
            ("hello".to_owned(), CallbackError::NotAnAddress),
            ("https://evil.example/oauth/callback/github?code=c&state=s".to_owned(), CallbackError::NotOurs),
            ("http://127.0.0.1@evil.example/oauth/callback/x?code=c&state=s".to_owned(), CallbackError::NotOurs),
            ("http://localhost:7417/oauth/callback/x?code=c&state=s".to_owned(), CallbackError::NotOurs),
            (format!("{SCHEME}://oauth/callback/github?code=c&state=s"), CallbackError::NotOurs),
            (format!("{SCHEME}:/elsewhere?code=c&state=s"), CallbackError::NotOurs),
            ("file:///oauth/callback/github?code=c&state=s".to_owned(), CallbackError::NotOurs),
            (format!("{ours}?code=c"), CallbackError::NoState),
            (format!("{ours}?state=s"), CallbackError::NoAnswer),
            (format!("{ours}?state=s&code="), CallbackError::NoAnswer),
            (format!("{ours}?state=s&code=c&error=access_denied"), CallbackError::Contradictory),
            (format!("{ours}?state=s&state=t&code=c"), CallbackError::Contradictory),
            (format!("{ours}?state=s&code=c&code=d"), CallbackError::Contradictory),
            (format!("{ours}?state=s&code={}", "c".repeat(LONGEST)), CallbackError::NotAnAddress),
        ] {
            assert_eq!(Callback::parse(&text), Err(error), "{text:.80}");
        }
    }

    #[test]
    fn what_the_provider_says_is_short_and_printable() {
        let long = "x".repeat(2000);
        let uri = deep_link_uri("github");
        let text = format!("{uri}?state=s&error=bad%00%0A{long}&error_description=%E2%80%AEnot%0Afunny+{long}");
        let CallbackResult::Error { code, description } = Callback::parse(&text).expect("a callback").result else {
            panic!("an error");
        };
        assert!(code.starts_with("bad  xx") && code.chars().count() <= LONGEST_CODE, "{code}");
        let description = description.expect("words");
        assert!(
            description.starts_with("not funny xx") && description.chars().count() <= LONGEST_WORDS,
            "{description}"
        );
    }

    #[test]
    fn the_code_and_state_are_not_printed() {
        let callback =
            Callback::parse(&format!("{}?code=canary&state=canary", deep_link_uri("x"))).expect("a callback");
        assert!(!format!("{callback:?}").contains("canary"));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "\\PC*") {
            let _ = Callback::parse(&text);
            let _ = Callback::parse(&format!("{}?{text}", deep_link_uri("x")));
        }
    }
}
