//! The callback of an authorization request (RFC 6749 §4.1.2), whether it came by deep link, loopback or paste.

use url::Url;

use crate::{Secret, provider_text};

/// The scheme of the deep link: a reversed domain name (RFC 8252 §7.1).
pub const SCHEME: &str = "app.relink.desktop";

/// `code`, as the standard names the redirect's parameter.
pub const DEFAULT_CODE_PARAM: &str = "code";

const MAX_CALLBACK_BYTES: usize = 16 * 1024;
/// What is kept is shorter. It is cut after secrets are hidden in it, because a part of a secret may not be recognized.
const MAX_ERROR_CHARS: usize = 4096;
const MAX_DESCRIPTION_CHARS: usize = 4096;

/// The redirect URI of the deep link for an integration.
pub fn deep_link_uri(integration: &str) -> String {
    format!("{SCHEME}:/oauth/callback/{integration}")
}

/// The redirect URI on the loopback interface (RFC 8252 §7.3): the IP address, never `localhost` (§8.3).
pub fn loopback_uri(port: u16, integration: &str) -> String {
    format!("http://127.0.0.1:{port}/oauth/callback/{integration}")
}

/// The redirect URI at Relink's public address, an origin.
pub fn public_uri(public_address: &str, integration: &str) -> String {
    format!("{public_address}/oauth/callback/{integration}")
}

/// A well-formed callback. Whether it was asked for is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// The URI without its query, as it came. It must equal the flow's redirect URI exactly.
    pub redirect_uri: String,
    /// `state`.
    pub state: Secret,
    /// `iss` (RFC 9207 §2).
    pub issuer: Option<String>,
    params: Params,
}

/// What the provider answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallbackResult {
    /// RFC 6749 §4.1.2.
    Code(Secret),
    /// RFC 6749 §4.1.2.1.
    Error {
        /// `error`, fit to be shown.
        code: String,
        /// `error_description`, fit to be shown.
        description: Option<String>,
    },
}

/// Why a text is not a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// Not a URL, or too long.
    #[error("This is not a web address. Copy the whole address from the browser's address bar.")]
    NotAnAddress,
    /// A URL of something else.
    #[error(
        "This address isn't Relink's. It starts with {SCHEME}:/oauth/callback/ or http://127.0.0.1:…/oauth/callback/."
    )]
    NotOurs,
    /// No `state`.
    #[error(
        "This address is incomplete: its state is missing. Copy the whole address, with everything after the question mark."
    )]
    NoState,
    /// Neither `code` nor `error`.
    #[error(
        "This address is incomplete: it carries no answer. Copy the whole address, with everything after the question mark."
    )]
    NoAnswer,
    /// Both `code` and `error`, or a parameter twice (RFC 6749 §3.1).
    #[error("This address contradicts itself. It doesn't come from the provider.")]
    Contradictory,
}

impl CallbackError {
    /// The stable error code.
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
    /// Parses a callback. Nothing in it is trusted yet.
    pub fn parse(text: &str) -> Result<Self, CallbackError> {
        Self::parse_at(text, None)
    }

    /// Parses a callback that may also have come to Relink's public address, an origin.
    pub fn parse_at(text: &str, public_address: Option<&str>) -> Result<Self, CallbackError> {
        let text = text.trim();
        if text.len() > MAX_CALLBACK_BYTES {
            return Err(CallbackError::NotAnAddress);
        }
        let url = Url::parse(text).map_err(|_| CallbackError::NotAnAddress)?;
        let redirect_uri = text.split(['?', '#']).next().unwrap_or_default().to_owned();
        let ours = match url.scheme() {
            SCHEME => !url.has_host() && redirect_uri.starts_with(&format!("{SCHEME}:/oauth/callback/")),
            "http" => url.host_str() == Some("127.0.0.1") && url.username().is_empty() && url.password().is_none(),
            _ => {
                public_address == Some(url.origin().ascii_serialization().as_str())
                    && url.username().is_empty()
                    && url.password().is_none()
            }
        };
        if !ours || !url.path().starts_with("/oauth/callback/") {
            return Err(CallbackError::NotOurs);
        }
        let params = Params::of(&url);
        let state = params.required_once(STATE)?.ok_or(CallbackError::NoState)?.clone();
        let issuer = params.once(ISSUER)?.map(|issuer| issuer.expose().to_owned());
        let (code, error) = (params.required_once(DEFAULT_CODE_PARAM)?, params.once(ERROR)?);
        params.once(ERROR_DESCRIPTION)?;
        if code.is_some() && error.is_some() {
            return Err(CallbackError::Contradictory);
        }
        if error.is_none() && !params.may_have_code() {
            return Err(CallbackError::NoAnswer);
        }
        Ok(Self { redirect_uri, state, issuer, params })
    }

    /// The provider's answer. `code_param`: the parameter with the code, `code` by the standard.
    pub fn result(&self, code_param: &str) -> Result<CallbackResult, CallbackError> {
        match (self.params.required_once(code_param)?, self.params.once(ERROR)?) {
            (Some(_), Some(_)) => Err(CallbackError::Contradictory),
            (Some(code), None) => Ok(CallbackResult::Code(code.clone())),
            (None, Some(code)) => Ok(CallbackResult::Error {
                code: provider_text::single_line(code.expose(), MAX_ERROR_CHARS),
                description: self
                    .params
                    .once(ERROR_DESCRIPTION)?
                    .map(|text| provider_text::single_line(text.expose(), MAX_DESCRIPTION_CHARS))
                    .filter(|text| !text.is_empty()),
            }),
            (None, None) => Err(CallbackError::NoAnswer),
        }
    }

    /// The value of another parameter, unless it is missing, empty or there twice.
    pub fn param(&self, name: &str) -> Option<&Secret> {
        self.params.required_once(name).ok().flatten()
    }
}

const STATE: &str = "state";
const ISSUER: &str = "iss";
const ERROR: &str = "error";
const ERROR_DESCRIPTION: &str = "error_description";

/// The parameters of the query. Any may be the code, so none is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Params(Vec<(String, Secret)>);

impl Params {
    fn of(url: &Url) -> Self {
        let params = url.query_pairs().map(|(name, value)| (name.into_owned(), Secret::new(value.into_owned())));
        Self(params.collect())
    }

    /// The parameter's value. None of those that Relink reads may be there twice (RFC 6749 §3.1).
    fn once(&self, name: &str) -> Result<Option<&Secret>, CallbackError> {
        let mut values = self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(CallbackError::Contradictory),
            (value, None) => Ok(value),
        }
    }

    /// Likewise, but an empty value counts as missing.
    fn required_once(&self, name: &str) -> Result<Option<&Secret>, CallbackError> {
        Ok(self.once(name)?.filter(|value| !value.expose().is_empty()))
    }

    /// Whether there is a parameter that can be the code, under whatever name.
    fn may_have_code(&self) -> bool {
        let is_other = |name: &str| ![STATE, ISSUER, ERROR, ERROR_DESCRIPTION].contains(&name);
        self.0.iter().any(|(name, value)| is_other(name) && !value.expose().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn callbacks_by_deep_link_and_loopback_are_parsed() {
        for uri in [deep_link_uri("github"), loopback_uri(7417, "github")] {
            let callback =
                Callback::parse(&format!("{uri}?code=c%20d&state=s&iss=https%3A%2F%2Fas")).expect("a callback");
            assert_eq!(callback.redirect_uri, uri);
            assert_eq!(callback.result("code"), Ok(CallbackResult::Code("c d".to_owned().into())));
            assert_eq!(callback.issuer.as_deref(), Some("https://as"));
        }
    }

    #[test]
    fn a_callback_may_come_to_the_public_address_and_no_other() {
        let address = "https://relink.example.com";
        let uri = public_uri(address, "github");
        let text = format!("{uri}?code=c&state=s");
        assert_eq!(Callback::parse_at(&text, Some(address)).expect("a callback").redirect_uri, uri);
        assert_eq!(Callback::parse(&text), Err(CallbackError::NotOurs));
        for other in ["http://relink.example.com", "https://relink.example.com:8443", "https://ada@relink.example.com"]
        {
            let text = format!("{}?code=c&state=s", public_uri(other, "github"));
            assert_eq!(Callback::parse_at(&text, Some(address)), Err(CallbackError::NotOurs), "{other}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let ours = deep_link_uri("github");
        for (text, error) in [
            ("hello".to_owned(), CallbackError::NotAnAddress),
            ("https://evil.example/oauth/callback/github?code=c&state=s".to_owned(), CallbackError::NotOurs),
            ("http://127.0.0.1@evil.example/oauth/callback/x?code=c&state=s".to_owned(), CallbackError::NotOurs),
            ("http://localhost:7417/oauth/callback/x?code=c&state=s".to_owned(), CallbackError::NotOurs),
            (format!("{SCHEME}://oauth/callback/github?code=c&state=s"), CallbackError::NotOurs),
            (format!("{SCHEME}:/elsewhere?code=c&state=s"), CallbackError::NotOurs),
            ("http://me@127.0.0.1:7417/oauth/callback/x?code=c&state=s".to_owned(), CallbackError::NotOurs),
            ("http://:pw@127.0.0.1:7417/oauth/callback/x?code=c&state=s".to_owned(), CallbackError::NotOurs),
            ("http://127.0.0.1:7417/elsewhere?code=c&state=s".to_owned(), CallbackError::NotOurs),
            (format!("{SCHEME}:/oauth/callback/../x?code=c&state=s"), CallbackError::NotOurs),
            (format!("{}:/oauth/callback/x?code=c&state=s", SCHEME.to_uppercase()), CallbackError::NotOurs),
            ("file:///oauth/callback/github?code=c&state=s".to_owned(), CallbackError::NotOurs),
            (format!("{ours}?code=c"), CallbackError::NoState),
            (format!("{ours}?code=c&state="), CallbackError::NoState),
            (format!("{ours}?state=s"), CallbackError::NoAnswer),
            (format!("{ours}?state=s&code="), CallbackError::NoAnswer),
            (format!("{ours}?state=s&code=c&error=access_denied"), CallbackError::Contradictory),
            (format!("{ours}?state=s&state=t&code=c"), CallbackError::Contradictory),
            (format!("{ours}?state=s&code=c&code=d"), CallbackError::Contradictory),
            (format!("{ours}?state=s&code={}", "c".repeat(MAX_CALLBACK_BYTES)), CallbackError::NotAnAddress),
        ] {
            assert_eq!(Callback::parse(&text), Err(error), "{text:.80}");
        }
    }

    #[test]
    fn a_callback_of_the_maximum_length_is_parsed() {
        let start = format!("{}?state=s&code=", deep_link_uri("github"));
        let text = format!("{start}{}", "c".repeat(MAX_CALLBACK_BYTES - start.len()));
        assert!(Callback::parse(&text).is_ok());
        assert_eq!(Callback::parse(&format!("{text}c")), Err(CallbackError::NotAnAddress));
    }

    #[test]
    fn an_error_may_come_without_a_description() {
        for query in ["error=access_denied", "error=access_denied&error_description=%20", "error=access_denied&code="] {
            let text = format!("{}?state=s&{query}", deep_link_uri("github"));
            let result = CallbackResult::Error { code: "access_denied".into(), description: None };
            assert_eq!(Callback::parse(&text).expect("a callback").result("code"), Ok(result), "{query}");
        }
    }

    #[test]
    fn a_code_may_have_another_name() {
        let uri = deep_link_uri("tiktok");
        let result = |query: &str| Callback::parse(&format!("{uri}?{query}")).and_then(|it| it.result("auth_code"));
        assert_eq!(result("state=s&auth_code=c"), Ok(CallbackResult::Code("c".to_owned().into())));
        for (query, error) in [
            ("state=s&code=c", CallbackError::NoAnswer),
            ("state=s&auth_code=", CallbackError::NoAnswer),
            ("state=s&auth_code=c&auth_code=d", CallbackError::Contradictory),
            ("state=s&auth_code=c&error=access_denied", CallbackError::Contradictory),
            ("auth_code=c", CallbackError::NoState),
        ] {
            assert_eq!(result(query), Err(error), "{query}");
        }
        let denied = CallbackResult::Error { code: "access_denied".into(), description: None };
        assert_eq!(result("state=s&error=access_denied"), Ok(denied));
    }

    #[test]
    fn further_parameters_can_be_read_unless_they_are_ambiguous() {
        let uri = deep_link_uri("quickbooks");
        let callback = Callback::parse(&format!("{uri}?state=s&code=c&realmId=7&a=1&a=2&b=")).expect("a callback");
        let params = ["realmId", "a", "b", "c"].map(|name| callback.param(name).map(Secret::expose));
        assert_eq!(params, [Some("7"), None, None, None]);
    }

    #[test]
    fn every_error_has_a_code_of_its_own() {
        let all = [
            CallbackError::NotAnAddress,
            CallbackError::NotOurs,
            CallbackError::NoState,
            CallbackError::NoAnswer,
            CallbackError::Contradictory,
        ];
        let codes: std::collections::BTreeSet<_> = all.iter().map(|error| error.code()).collect();
        assert!(codes.len() == all.len() && codes.iter().all(|code| code.starts_with("callback_")), "{codes:?}");
    }

    #[test]
    fn the_providers_error_is_short_and_printable() {
        let long = "x".repeat(2000);
        let uri = deep_link_uri("github");
        let text = format!("{uri}?state=s&error=bad%00%0A{long}&error_description=%E2%80%AEnot%0Afunny+{long}");
        let result = Callback::parse(&text).expect("a callback").result("code");
        let Ok(CallbackResult::Error { code, description }) = result else { panic!("an error: {result:?}") };
        assert!(code.starts_with("bad  xx") && code.chars().count() <= MAX_ERROR_CHARS, "{code}");
        let description = description.expect("words");
        assert!(
            description.starts_with("not funny xx") && description.chars().count() <= MAX_DESCRIPTION_CHARS,
            "{description}"
        );
    }

    #[test]
    fn the_code_and_the_state_are_never_printed() {
        let callback =
            Callback::parse(&format!("{}?code=canary&state=canary", deep_link_uri("x"))).expect("a callback");
        assert!(!format!("{callback:?}").contains("canary"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC*") {
            let _ = Callback::parse(&text);
            let _ = Callback::parse(&format!("{}?{text}", deep_link_uri("x")));
        }
    }
}
