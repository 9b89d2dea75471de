//! Where a call goes: a path below the account's base URL, and nowhere else.

use std::borrow::Cow;

use http::Uri;
use percent_encoding::percent_decode_str;
use relink_domain::Secret;
use url::{Position, Url, form_urlencoded};

/// Why a call's path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error(
        "The integration's definition has no base_url, so a path leads nowhere. Call its resources by name, or add \"base_url\" to it, \
         such as \"https://api.example.com\"."
    )]
    NoBase,
    #[error("A path may not contain the segments \".\" and \"..\", which would leave the provider's API.")]
    DotSegment,
    #[error("A path may not contain a line break or another control character.")]
    ControlCharacter,
    #[error("A path must be UTF-8 after percent-decoding: servers differ in what other bytes are.")]
    NotUtf8,
    #[error("The path isn't one of a URL.")]
    Malformed,
}

/// The URL of a call: `path` and `query` go as the caller wrote them, after the base URL's path. `path` is empty or begins
/// with a slash. The parameters in `added` replace the caller's of the same name.
pub fn target(base: &Url, path: &str, query: Option<&str>, added: &[(String, Secret)]) -> Result<Uri, TargetError> {
    check(path)?;
    let below = base.path().trim_end_matches('/');
    let origin = &base[..Position::BeforePath];
    let length = origin.len() + below.len() + path.len() + query.map_or(0, str::len) + 2;
    let mut uri = String::with_capacity(length);
    uri.push_str(origin);
    uri.push_str(below);
    uri.push_str(path);
    if uri.len() == origin.len() {
        uri.push('/');
    }
    if added.is_empty() {
        if let Some(query) = query {
            uri.push('?');
            uri.push_str(query);
        }
    } else {
        uri.push('?');
        uri.push_str(&with_parameters(query.unwrap_or_default(), added));
    }
    Uri::try_from(uri).map_err(|_| TargetError::Malformed)
}

/// The query without the parameters of which this says so, by name and value.
pub(crate) fn without_parameters(query: &str, is_unwanted: impl Fn(&str, &str) -> bool) -> String {
    let is_unwanted =
        |pair: &&str| form_urlencoded::parse(pair.as_bytes()).any(|(name, value)| is_unwanted(&name, &value));
    query.split('&').filter(|pair| !pair.is_empty() && !is_unwanted(pair)).collect::<Vec<_>>().join("&")
}

fn with_parameters(query: &str, added: &[(String, Secret)]) -> String {
    let mut kept = without_parameters(query, |name, _| added.iter().any(|(own, _)| own == name));
    let mut own = form_urlencoded::Serializer::new(String::new());
    own.extend_pairs(added.iter().map(|(name, value)| (name, value.expose())));
    if !kept.is_empty() {
        kept.push('&');
    }
    kept + &own.finish()
}

/// A segment counts as what it is after percent-decoding, also one behind an encoded slash or a backslash: servers differ in
/// which of them they take for one.
fn check(path: &str) -> Result<(), TargetError> {
    // A path ends where a query or a fragment begins.
    if path.contains(['?', '#']) || !(path.is_empty() || path.starts_with('/')) {
        return Err(TargetError::Malformed);
    }
    if !path.contains(['.', '%', '\\']) && !path.bytes().any(|byte| byte.is_ascii_control()) {
        return Ok(());
    }
    let decoded: Cow<'_, [u8]> = percent_decode_str(path).into();
    if decoded.iter().any(u8::is_ascii_control) {
        return Err(TargetError::ControlCharacter);
    }
    // Some read an overlong form of a dot or a slash as one (RFC 3629 §10).
    if std::str::from_utf8(&decoded).is_err() {
        return Err(TargetError::NotUtf8);
    }
    // A path parameter (RFC 3986 §3.3) may follow the dots.
    let name =
        |segment: &[u8]| segment.split(|byte| *byte == b';').next().is_some_and(|name| matches!(name, b"." | b".."));
    if decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(name) {
        return Err(TargetError::DotSegment);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    #[test]
    fn path_and_query_go_as_they_are() {
        for (below, path, query, expected) in [
            ("https://api.example.com", "", None, "https://api.example.com/"),
            ("https://api.example.com/", "/", None, "https://api.example.com/"),
            ("https://api.example.com/v1/", "/users", None, "https://api.example.com/v1/users"),
            ("https://api.example.com/v1", "/users/", Some(""), "https://api.example.com/v1/users/?"),
            ("https://api.example.com/v1", "", Some("a=b"), "https://api.example.com/v1?a=b"),
            ("https://api.example.com:8443", "/@me//x", Some("q=a%2Fb&q=c d"), "malformed"),
            (
                "https://api.example.com:8443",
                "/@me//x",
                Some("q=a%2Fb&q=c+d"),
                "https://api.example.com:8443/@me//x?q=a%2Fb&q=c+d",
            ),
            (
                "https://api.example.com",
                "/projects/a%2Fb.c/%E2%82%AC",
                None,
                "https://api.example.com/projects/a%2Fb.c/%E2%82%AC",
            ),
            (
                "https://api.example.com",
                "/a:b/alt:ref:a@b.com/...",
                None,
                "https://api.example.com/a:b/alt:ref:a@b.com/...",
            ),
            ("https://api.example.com", "//evil.example/x", None, "https://api.example.com//evil.example/x"),
            ("https://api.example.com", "/https://evil.example", None, "https://api.example.com/https://evil.example"),
        ] {
            let found =
                target(&base(below), path, query, &[]).map_or_else(|_| "malformed".to_owned(), |uri| uri.to_string());
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn the_definitions_parameters_replace_the_callers() {
        let added = [("api key".to_owned(), Secret::new("k&1=ä")), ("v".to_owned(), Secret::new("2"))];
        for (query, expected) in [
            (None, "api+key=k%261%3D%C3%A4&v=2"),
            (Some(""), "api+key=k%261%3D%C3%A4&v=2"),
            (Some("a=%20b&v=1&api%20key=x&&y"), "a=%20b&y&api+key=k%261%3D%C3%A4&v=2"),
        ] {
            let uri = target(&base("https://api.example.com"), "/x", query, &added).expect("a URL");
            assert_eq!(uri.query(), Some(expected), "{query:?}");
        }
    }

    #[test]
    fn a_path_that_would_leave_the_api_is_refused() {
        for path in [
            "/..",
            "/../admin",
            "/a/..",
            "/a/../b",
            "/./a",
            "/a/.",
            "/%2e%2e/a",
            "/.%2E/a",
            "/%2e",
            "/a%2f..%2fb",
            "/a/..%2f",
            "/..\\a",
            "/a%5c..%5cb",
            "/..;x=1/a",
            "/.;/a",
            "/a/%2e%2e;v=1/b",
        ] {
            assert_eq!(
                target(&base("https://api.example.com/v1"), path, None, &[]),
                Err(TargetError::DotSegment),
                "{path}"
            );
        }
        for path in ["/a%0d%0aHost:%20evil.example", "/a%00", "/a\nb", "/a%7f", "/a\tb"] {
            let refused = target(&base("https://api.example.com/v1"), path, None, &[]);
            assert_eq!(refused, Err(TargetError::ControlCharacter), "{path}");
        }
        for path in ["/%c0%ae%c0%ae/a", "/%C0%AE.", "/a%c0%af..", "/%e0%80%ae", "/a%ff", "/%e4"] {
            let refused = target(&base("https://api.example.com/v1"), path, None, &[]);
            assert_eq!(refused, Err(TargetError::NotUtf8), "{path}");
        }
        for path in ["/..?", "/a#b", "a", "@evil.example", ":80/x", "https://evil.example/"] {
            assert_eq!(
                target(&base("https://api.example.com"), path, None, &[]),
                Err(TargetError::Malformed),
                "{path}"
            );
        }
    }

    proptest! {
        /// Whatever the caller writes, the call goes to the base URL's origin, below its path, and no server that decodes the
        /// path finds a way out of it.
        #[test]
        fn no_path_leaves_the_base_url(
            path in prop_oneof![
                "/\\PC{0,30}",
                "(/|\\.|%2e|%2E|%2f|%5c|\\\\|@|:|;|//|https:|evil|%0d%0a|%c0%ae|%c0%af|%25|\\?|#|[a-z]){0,12}",
                "((/|%2f|%5c|\\\\)(\\.\\.|%2e\\.|%2E%2e|\\.|a)(;|;a|%3b)?){0,4}(%0d%0a|%00|%7f|a)?",
            ],
            query in proptest::option::of("\\PC{0,20}"),
        ) {
            let base = base("https://user.api.example.com:8443/v1");
            let Ok(uri) = target(&base, &path, query.as_deref(), &[]) else { return Ok(()) };
            prop_assert_eq!(uri.scheme_str(), Some("https"));
            prop_assert_eq!(uri.authority().map(http::uri::Authority::as_str), Some("user.api.example.com:8443"));
            let again: Url = uri.to_string().parse().expect("a URL");
            prop_assert_eq!(again.origin(), base.origin());
            prop_assert!(again.path().starts_with("/v1"), "{}", again);
            let decoded = percent_decode_str(uri.path()).decode_utf8().expect("UTF-8").replace('\\', "/");
            let mut names = decoded.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
            prop_assert!(!names.any(|name| matches!(name, "." | "..")), "{}", decoded);
            prop_assert!(!decoded.contains(|c: char| c.is_ascii_control()), "{}", decoded);
        }
    }
}
