//! What a credential in plain text looks like.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use url::{Url, form_urlencoded};

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
    "maxtoken",
    "nexttoken",
    "nextpagetoken",
    "pagetoken",
    "synctoken",
    "xsrftoken",
];

/// Names of parameters that hold a credential, although the same word elsewhere doesn't.
const PARAMETER_NAMES: &[&str] = &["auth", "key", "pass"];

/// Sections whose keys are names of parameters of a request.
const PARAMETERS: &[&str] = &["authorize_params", "headers", "params", "query", "refreshParams", "tokenParams"];

/// Sections whose values are all secret.
const SECRETS: &[&str] = &["secret_environment_variables"];

/// What stands in the unused half of Basic authorization, at providers that want the key in the other half.
const BASIC_FILLERS: &[&str] = &["-", "api_token", "dummy", "ignored", "none", "nopassword", "token", "unused", "x"];

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Elsewhere,
    /// In one of [`PARAMETERS`].
    Parameters,
    /// In one of [`SECRETS`], or where another key says that it is one.
    Secrets,
}

impl Place {
    /// The place of what stands under this key.
    pub(super) fn below(self, key: &str) -> Self {
        if SECRETS.contains(&key) {
            Self::Secrets
        } else if PARAMETERS.contains(&key) {
            Self::Parameters
        } else if self == Self::Secrets {
            self
        } else {
            Self::Elsewhere
        }
    }

    fn holds_credential(self, key: &str) -> bool {
        self == Self::Secrets
            || is_credential_name(key)
            || self == Self::Parameters && PARAMETER_NAMES.contains(&key.to_ascii_lowercase().as_str())
    }
}

/// Whether a key, parameter, header or field of this name holds a credential.
pub(super) fn is_credential_name(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = name.strip_suffix("value").unwrap_or(name);
    let name = name.strip_suffix('s').unwrap_or(name);
    ENDINGS.iter().any(|ending| name.ends_with(ending)) && !HARMLESS.iter().any(|harmless| name.ends_with(harmless))
}

/// Why this text or number is a credential in plain text.
pub(super) fn problem(value: &Value, key: &str, place: Place) -> Option<&'static str> {
    let text = match value {
        Value::Number(_) => return place.holds_credential(key).then_some("is a credential in plain text"),
        Value::String(text) => text,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let text = text.trim();
    if has_credential_in_url(text) {
        return Some("has a credential in its URL");
    }
    let is_literal = !text.is_empty() && !is_template(text) && !is_word(key, text);
    let is_credential = is_literal && (place.holds_credential(key) || is_credential_text(text));
    is_credential.then_some("is a credential in plain text")
}

fn is_template(text: &str) -> bool {
    text.contains("{{")
}

/// Values that are no credential although their key says so: a choice in `config.relink`, or an unused half of Basic
/// authorization.
fn is_word(key: &str, text: &str) -> bool {
    match key {
        "client_secret" => matches!(text, "required" | "optional" | "never"),
        "password" => BASIC_FILLERS.contains(&text.to_ascii_lowercase().as_str()),
        _ => false,
    }
}

/// Whether the text is a credential wherever it stands: the value of an authorization header, a JWT (RFC 7519 §3.1) or a
/// private key (RFC 7468 §10).
fn is_credential_text(text: &str) -> bool {
    if let Some((scheme, rest)) = text.split_once(' ') {
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return rest.len() >= 8 && !rest.contains(' ') && rest.contains(|c: char| c.is_ascii_digit());
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return STANDARD.decode(rest).is_ok_and(|pair| pair.contains(&b':'));
        }
    }
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let is_jwt = || text.starts_with("eyJ") && text.split('.').count() == 3 && text.split('.').all(is_part);
    text.contains("PRIVATE KEY-----") || is_jwt()
}

/// Whether a URL or path has a password, or a parameter that is a credential.
fn has_credential_in_url(text: &str) -> bool {
    let is_url = text.starts_with("http://") || text.starts_with("https://");
    if is_url && !is_template(text) && Url::parse(text).is_ok_and(|url| url.password().is_some()) {
        return true;
    }
    let Some((_, query)) = text.split_once('?').filter(|_| is_url || text.starts_with('/')) else { return false };
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    parameters.any(|(name, value)| {
        Place::Parameters.holds_credential(&name) && !value.trim().is_empty() && !is_template(&value)
    })
}
