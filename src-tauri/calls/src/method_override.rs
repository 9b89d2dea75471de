//! Requests that may write, whatever their method says: some servers heed that a request asks for another one, so whoever may only read
//! may not ask for it.

use http::{HeaderMap, Method, header::UPGRADE};
use url::form_urlencoded;

/// Of Google's and Microsoft's APIs, and of frameworks after them.
const HEADERS: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
/// Of Rails, Laravel, Symfony and Express; of Salesforce; of `ServiceStack`.
const PARAMETERS: [&str; 3] = ["_method", "_httpmethod", HEADERS[0]];

/// Whether a request that goes as it is may write: by its method, which is none of the safe ones (RFC 9110 §9.2.1), because it asks for
/// another one, or for another protocol, such as WebSocket, on which anything may follow.
pub fn may_write(method: &Method, headers: &HeaderMap, query: Option<&str>) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
        || headers.contains_key(UPGRADE)
        || overrides_method(headers, query)
}

/// Whether a request with these headers and this query may be taken for one with another method.
pub fn overrides_method(headers: &HeaderMap, query: Option<&str>) -> bool {
    HEADERS.iter().any(|name| headers.contains_key(*name))
        || form_urlencoded::parse(query.unwrap_or_default().as_bytes()).any(|(name, _)| is_overriding_parameter(&name))
}

pub(crate) fn is_overriding_header(name: &str) -> bool {
    HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

pub(crate) fn is_overriding_parameter(name: &str) -> bool {
    PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_request_may_write_by_its_method_another_one_or_another_protocol() {
        let none = HeaderMap::new();
        let upgrade = HeaderMap::from_iter([(UPGRADE, HeaderValue::from_static("websocket"))]);
        for (method, headers, query, writes) in [
            (Method::GET, &none, Some("a=1"), false),
            (Method::HEAD, &none, None, false),
            (Method::OPTIONS, &none, None, false),
            (Method::POST, &none, None, true),
            (Method::DELETE, &none, None, true),
            (Method::from_bytes(b"QUERY").expect("a method"), &none, None, true),
            (Method::GET, &upgrade, None, true),
            (Method::GET, &none, Some("_method=DELETE"), true),
        ] {
            assert_eq!(may_write(&method, headers, query), writes, "{method} {headers:?} {query:?}");
        }
    }

    #[test]
    fn another_method_is_found_in_a_header_and_in_the_query() {
        let with = |name: &'static str| {
            HeaderMap::from_iter([(name.parse().expect("a name"), HeaderValue::from_static("DELETE"))])
        };
        for (headers, query, overrides) in [
            (with("x-http-method-override"), None, true),
            (with("X-HTTP-Method"), None, true),
            (with("x-method-override"), None, true),
            (with("x-method"), Some("method=DELETE&a=_method"), false),
            (HeaderMap::new(), Some("a=1&_method=DELETE"), true),
            (HeaderMap::new(), Some("%5FHttpMethod=PATCH"), true),
            (HeaderMap::new(), Some("X-HTTP-Method-Override=PUT"), true),
            (HeaderMap::new(), None, false),
        ] {
            assert_eq!(overrides_method(&headers, query), overrides, "{headers:?} {query:?}");
        }
    }
}
