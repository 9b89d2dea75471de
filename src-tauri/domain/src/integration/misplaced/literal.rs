//! What a credential in plain text looks like.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use url::form_urlencoded;

use crate::template::{default_text, split_first};

/// How the names of credentials end, in lower case and without `-`, `_` and spaces.
const ENDINGS: &[&str] = &[
    "accesskey",
    "apikey",
    "appkey",
    "applicationkey",
    "authkey",
    "authorization",
    "cookie",
    "credential",
    "jwt",
    "licensekey",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "pwd",
    "secret",
    "secretkey",
    "sharedkey",
    "signingkey",
    "subscriptionkey",
    "token",
];

/// Names with such an ending that hold none: they protect a form, tell where a page begins, or count.
const HARMLESS: &[&str] = &[
    "atlassiantoken",
    "continuationtoken",
    "csrftoken",
    "deltatoken",
    "idempotencykey",
    "maxtoken",
    "nexttoken",
    "nextpagetoken",
    "pagetoken",
    "synctoken",
    "xsrftoken",
];

/// Names of parameters that hold a credential, although the same word elsewhere doesn't.
const PARAMETER_NAMES: &[&str] = &["auth", "key", "pass", "sig"];

/// How the names of headers that hold a credential end, although the same word elsewhere says less.
const HEADER_ENDINGS: &[&str] = &["auth", "key"];

/// Sections whose keys are names of parameters of a request.
const PARAMETERS: &[&str] = &["authorize_params", "params", "query", "refreshParams", "tokenParams"];

/// Sections whose values are all secret.
const SECRETS: &[&str] = &["secret_environment_variables"];

/// What stands in the unused half of Basic authorization, at providers that want the key in the other half.
const BASIC_FILLERS: &[&str] = &["-", "api_token", "dummy", "ignored", "none", "nopassword", "token", "unused", "x"];

/// Stands for a placeholder in [`Text::bare`]: the character for an object in a text, which no definition holds.
const FILLED: char = '\u{fffc}';

/// The fewest characters of a word with a digit that is taken for a credential where one belongs.
const MIN_CREDENTIAL_CHARS: usize = 8;

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Elsewhere,
    /// In one of [`PARAMETERS`].
    Parameters,
    /// In `headers`.
    Headers,
    /// In one of [`SECRETS`], or where another key says that it is one.
    Secrets,
}

impl Place {
    /// The place of what stands under this key.
    pub(super) fn below(self, key: &str) -> Self {
        if SECRETS.contains(&key) || self == Self::Secrets {
            Self::Secrets
        } else if PARAMETERS.contains(&key) {
            Self::Parameters
        } else if key == "headers" {
            Self::Headers
        } else {
            Self::Elsewhere
        }
    }

    fn holds_credential(self, key: &str) -> bool {
        let is_named = |names: &[&str]| names.contains(&key.to_ascii_lowercase().as_str());
        let has_ending = |endings| ends_like(&plain(key), endings);
        is_credential_name(key)
            || match self {
                Self::Elsewhere => false,
                Self::Parameters => is_named(PARAMETER_NAMES),
                Self::Headers => has_ending(HEADER_ENDINGS),
                Self::Secrets => true,
            }
    }
}

/// A name without what writers of names vary.
fn plain(name: &str) -> String {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    name.strip_suffix("value").unwrap_or(name).to_owned()
}

fn ends_like(name: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| name.ends_with(ending)) && !HARMLESS.iter().any(|harmless| name.ends_with(harmless))
}

/// Whether a key, parameter, header or field of this name holds a credential.
pub fn is_credential_name(name: &str) -> bool {
    let name = plain(name);
    ends_like(&name, ENDINGS) || name.strip_suffix('s').is_some_and(|one| ends_like(one, ENDINGS))
}

/// Why this text or number is a credential in plain text.
pub(super) fn problem(value: &Value, key: &str, place: Place) -> Option<&'static str> {
    const PLAIN: &str = "is a credential in plain text";
    let text = match value {
        // A number of tokens is no token.
        Value::Number(_) if plain(key).ends_with("tokens") => return None,
        Value::Number(_) => return place.holds_credential(key).then_some(PLAIN),
        Value::String(text) => Text::of(text.trim()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    if text.has_credential_in_url() {
        return Some("has a credential in its URL");
    }
    let is_credential = place.holds_credential(key) && text.is_literal(key) || text.is_credential_anywhere();
    is_credential.then_some(PLAIN)
}

/// Whether a text names a value of the account.
pub(super) fn is_template(text: &str) -> bool {
    Text::of(text).has_placeholder()
}

/// A text, with its placeholders apart.
struct Text<'t> {
    /// With [`FILLED`] in place of each placeholder.
    bare: String,
    /// What the placeholders are when nothing is found (contract section 4.5).
    defaults: Vec<&'t str>,
}

impl<'t> Text<'t> {
    fn of(text: &'t str) -> Self {
        let (mut bare, mut defaults, mut rest) = (String::new(), Vec::new(), text);
        while let Some((before, inside, behind)) = split_first(rest) {
            bare.push_str(before);
            bare.push(FILLED);
            // Only the first default counts, but all of them can be read.
            defaults.extend(inside.split("?:").skip(1).map(|default| default_text(default).trim()));
            rest = behind;
        }
        bare.push_str(rest);
        Self { bare, defaults }
    }

    fn has_placeholder(&self) -> bool {
        self.bare.contains(FILLED)
    }

    /// Whether it is written out, where a credential belongs. Beside a placeholder there may be words, such as a scheme.
    fn is_literal(&self, key: &str) -> bool {
        let is_default = self.defaults.iter().any(|default| !default.is_empty() && !is_word(key, default));
        let is_text = if self.has_placeholder() {
            self.bare
                .split(|c: char| c.is_whitespace() || "{}:=,;\"'".contains(c) || c == FILLED)
                .any(looks_like_credential)
        } else {
            !self.bare.is_empty() && !is_word(key, &self.bare)
        };
        is_default || is_text
    }

    /// Whether it is a credential wherever it stands: the value of an authorization header, also in an expression; a JWT
    /// (RFC 7519 §3.1); or a private key (RFC 7468 §10).
    fn is_credential_anywhere(&self) -> bool {
        let is_part = |part: &str| !part.is_empty() && part.chars().all(is_token_char);
        let is_jwt =
            || self.bare.starts_with("eyJ") && self.bare.split('.').count() == 3 && self.bare.split('.').all(is_part);
        self.has_scheme_with_credential() || is_jwt() || has_private_key(&self.bare)
    }

    fn has_scheme_with_credential(&self) -> bool {
        let words: Vec<&str> = self.bare.split(|c: char| c.is_whitespace() || "\"'`".contains(c)).collect();
        words.windows(2).any(|pair| match pair {
            [scheme, word] if scheme.eq_ignore_ascii_case("bearer") => looks_like_credential(word),
            [scheme, word] if scheme.eq_ignore_ascii_case("basic") => {
                STANDARD.decode(word).is_ok_and(|pair| pair.contains(&b':'))
            }
            _ => false,
        })
    }

    /// Whether a URL or path has a user name or password (RFC 3986 §3.2.1), or a parameter that is a credential.
    fn has_credential_in_url(&self) -> bool {
        if self.bare.contains(char::is_whitespace) {
            return false;
        }
        let authority = self.bare.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
        let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
        if user.is_some_and(|user| !user.replace(FILLED, "").trim_matches(':').is_empty()) {
            return true;
        }
        let Some((_, query)) = self.bare.split_once('?') else { return false };
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        parameters.any(|(name, value)| {
            let is_filled = value.contains(FILLED) || value.trim().is_empty();
            Place::Parameters.holds_credential(&name) && !is_filled
        })
    }
}

/// Values that are no credential although their key says so: a choice in `config.relink`, or an unused half of Basic
/// authorization.
fn is_word(key: &str, text: &str) -> bool {
    match key {
        "client_secret" => matches!(text, "required" | "optional" | "never" | "empty"),
        "password" => BASIC_FILLERS.contains(&text.to_ascii_lowercase().as_str()),
        _ => false,
    }
}

const fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

fn looks_like_credential(word: &str) -> bool {
    word.len() >= MIN_CREDENTIAL_CHARS && word.contains(|c: char| c.is_ascii_digit())
}

/// Whether a key follows the line that announces it. An example in a form has a few characters and an ellipsis.
fn has_private_key(text: &str) -> bool {
    const MIN_KEY_CHARS: usize = 32;
    let Some((_, key)) = text.split_once("PRIVATE KEY-----") else { return false };
    let is_key = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    key.split("-----").next().unwrap_or_default().chars().filter(is_key).count() >= MIN_KEY_CHARS
}
