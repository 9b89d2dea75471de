//! `client_secret_basic` (RFC 6749 §2.3.1).

use axum::http::HeaderMap;
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// The client's ID and secret, form-decoded.
pub(crate) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let text = headers.get("authorization")?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decoded = |text: &str| {
        let whole = format!("x={text}");
        let value = url::form_urlencoded::parse(whole.as_bytes()).next().map(|(_, value)| value.into_owned());
        value.unwrap_or_default()
    };
    Some((decoded(id), decoded(secret)))
}
