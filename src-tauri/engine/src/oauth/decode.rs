//! Decoding a provider's response before its status is looked at: charset and byte order mark, then JSON or a form.
//! The content coding is already decoded.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use http::{HeaderMap, header::CONTENT_TYPE};
use serde_json::Value;

/// A decoded body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// In UTF-8. A form is written as JSON.
    pub(crate) text: String,
    pub(crate) is_html: bool,
}

/// A form is recognized by one of these names (RFC 6749 §5.1, §5.2).
const FORM_FIELDS: [&str; 2] = ["access_token", "error"];

pub(crate) fn decode(headers: &HeaderMap, body: &[u8]) -> Decoded {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let text = text_of(content_type, body);
    let text = text.trim();
    if text.starts_with(['{', '[']) {
        return Decoded { text: text.to_owned(), is_html: false };
    }
    if let Some(fields) = form(text) {
        return Decoded { text: fields.to_string(), is_html: false };
    }
    let is_page = text.starts_with('<') || essence(content_type).eq_ignore_ascii_case("text/html");
    Decoded { text: text.to_owned(), is_html: is_page && !is_xml(content_type, text) }
}

/// A byte order mark decides, then the declared charset. A text that is not valid in it is read as windows-1252, which
/// includes Latin-1 and has no invalid text.
fn text_of(content_type: &str, body: &[u8]) -> String {
    let encoding = charset(content_type).unwrap_or(UTF_8);
    let (text, _, is_malformed) = encoding.decode(body);
    if is_malformed { WINDOWS_1252.decode(body).0.into_owned() } else { text.into_owned() }
}

/// Whether a body is an API's XML, unlike XHTML.
fn is_xml(content_type: &str, text: &str) -> bool {
    let essence = essence(content_type).to_ascii_lowercase();
    let is_declared = essence.ends_with("/xml") || essence.ends_with("+xml") && essence != "application/xhtml+xml";
    is_declared || essence.is_empty() && text.starts_with("<?xml") && !text.contains("<html")
}

fn charset(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let label = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then(|| Encoding::for_label(label.as_bytes())).flatten()
    })
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// A form's fields as a JSON object.
fn form(text: &str) -> Option<Value> {
    if text.contains(|c: char| c.is_whitespace() || c == '<') {
        return None;
    }
    let fields: serde_json::Map<String, Value> = url::form_urlencoded::parse(text.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    FORM_FIELDS.iter().any(|name| fields.contains_key(*name)).then_some(Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(content_type: Option<&str>, body: &[u8]) -> (String, bool) {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type.parse().expect("a header"));
        }
        let Decoded { text, is_html } = decode(&headers, body);
        (text, is_html)
    }

    #[test]
    fn json_is_found_in_every_charset() {
        let json = "{\"error\":\"x\",\"error_description\":\"caf\u{e9}\"}";
        let utf16: Vec<u8> = json.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let latin1: Vec<u8> = json.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
        let with_mark = |mark: &[u8], body: &[u8]| [mark, body].concat();
        for (content_type, body) in [
            (Some("application/json"), json.as_bytes().to_vec()),
            (None, json.as_bytes().to_vec()),
            (Some("text/html"), json.as_bytes().to_vec()),
            (Some("application/json"), with_mark(b"\xef\xbb\xbf", json.as_bytes())),
            (Some("application/json; charset=iso-8859-1"), with_mark(b"\xef\xbb\xbf", json.as_bytes())),
            (Some("application/json"), with_mark(b"\xff\xfe", &utf16)),
            (Some("application/json; charset=utf-16le"), utf16),
            (Some("application/json;charset=\"ISO-8859-1\""), latin1.clone()),
            (Some("application/json; Charset = latin1"), latin1.clone()),
            (Some("application/json; charset=nonsense"), latin1.clone()),
            (Some("application/json; charset=utf-8"), latin1.clone()),
            (Some("application/json"), latin1),
            (Some("application/json"), format!("\r\n  {json}\n").into_bytes()),
        ] {
            assert_eq!(decoded(content_type, &body), (json.to_owned(), false), "{content_type:?} {body:?}");
        }
    }

    #[test]
    fn a_form_becomes_json() {
        for content_type in [Some("application/x-www-form-urlencoded"), Some("text/plain"), Some("text/html"), None] {
            let (json, is_html) = decoded(content_type, b"access_token=a%2Bb&scope=x+y&expires_in=3600");
            assert_eq!(json, r#"{"access_token":"a+b","scope":"x y","expires_in":"3600"}"#, "{content_type:?}");
            assert!(!is_html);
        }
        let (json, _) = decoded(None, b"error=invalid_grant&error_description=The+token+was+revoked");
        assert_eq!(json, r#"{"error":"invalid_grant","error_description":"The token was revoked"}"#);
    }

    #[test]
    fn anything_else_stays_as_it_is() {
        for (content_type, body, is_html) in [
            (None, "", false),
            (Some("text/html; charset=utf-8"), "", true),
            (Some("text/html"), "Welcome to the hotel", true),
            (None, " <!doctype html><a href=\"/?error=1&access_token=2\">", true),
            (Some("application/xhtml+xml"), "<html></html>", true),
            (None, "<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"></html>", true),
            (None, "<?xml version=\"1.0\"?><error/>", false),
            (Some("Text/XML; charset=utf-8"), "<error/>", false),
            (Some("application/problem+xml"), "<problem/>", false),
            (Some("text/plain"), "OK", false),
            (Some("text/plain"), "an error=1 occurred", false),
            (Some("text/plain"), "a=b", false),
        ] {
            assert_eq!(decoded(content_type, body.as_bytes()), (body.trim().to_owned(), is_html), "{body}");
        }
    }
}
