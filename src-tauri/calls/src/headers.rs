//! Which headers go through (RFC 9110 §7.6.1), and which stay.

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{
        ALT_SVC, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, ORIGIN, PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION, REFERER, SET_COOKIE, STRICT_TRANSPORT_SECURITY, TE, TRANSFER_ENCODING, UPGRADE,
        USER_AGENT,
    },
};

/// Of one connection, not of the message.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// A server that wants to refuse a body (`Expect`) can do so while it arrives.
const NOT_SENT: [HeaderName; 4] = [AUTHORIZATION, COOKIE, HOST, EXPECT];
const NOT_PASSED_ON: [HeaderName; 3] = [SET_COOKIE, ALT_SVC, STRICT_TRANSPORT_SECURITY];
const WEBSOCKET: &str = "websocket";
/// By which a repeated request that creates or changes something is known (contract section 0.5).
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Headers for Relink itself.
const OWN_PREFIX: &str = "relink-";
pub(crate) const USER_AGENT_OF_RELINK: &str = concat!("Relink/", env!("CARGO_PKG_VERSION"));

/// The headers of the request to the provider: the caller's, less those that are for Relink or for the connection, and those of
/// the account in place of the caller's of the same name. A request for a WebSocket stays one.
pub fn of_request(mut headers: HeaderMap, account: &HeaderMap) -> HeaderMap {
    let is_for_websocket = asks_for_websocket(&headers);
    let accepts_trailers = headers.get_all(TE).iter().any(|value| {
        value.to_str().is_ok_and(|text| text.split(',').any(|it| it.trim().eq_ignore_ascii_case("trailers")))
    });
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    let hides = |name: &HeaderName| headers.get_all(name).iter().any(names_this_machine);
    let hidden = [ORIGIN, REFERER].map(|name| (hides(&name), name));
    remove(&mut headers, |name| {
        NOT_SENT.contains(name)
            || name.as_str().starts_with(OWN_PREFIX)
            || hidden.iter().any(|(is_hidden, hidden)| *is_hidden && hidden == name)
    });
    for (name, value) in account {
        headers.insert(name, value.clone());
    }
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT_OF_RELINK));
    if accepts_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if is_for_websocket {
        switch_to(&mut headers, HeaderValue::from_static(WEBSOCKET));
    }
    headers
}

/// The caller's headers that are for the provider: none of the connection, and nothing that authenticates the caller at Relink.
pub fn headers_for_provider(mut headers: HeaderMap) -> HeaderMap {
    remove(&mut headers, |name| {
        NOT_SENT.contains(name) || *name == CONTENT_LENGTH || name.as_str().starts_with(OWN_PREFIX)
    });
    headers
}

/// Whether a request asks to change its connection to a WebSocket (RFC 6455 §4.1).
pub fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let lists = |name: HeaderName, wanted: &str| {
        headers.get_all(name).iter().any(|value| {
            value.to_str().is_ok_and(|text| text.split(',').any(|it| it.trim().eq_ignore_ascii_case(wanted)))
        })
    };
    lists(CONNECTION, "upgrade") && lists(UPGRADE, WEBSOCKET)
}

/// The headers of a request for another protocol, and of the response that agrees.
pub fn switch_to(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Removes from a response what concerns only the provider's own clients: its connection, cookies of a session that the caller
/// isn't part of, and ways to the provider that lead past Relink.
pub fn keep_of_response(headers: &mut HeaderMap) {
    remove(headers, |name| NOT_PASSED_ON.contains(name));
}

/// Such as Relink's own address, which no provider needs to know.
fn names_this_machine(value: &HeaderValue) -> bool {
    let host = value.to_str().ok().and_then(|text| text.parse::<Uri>().ok()?.host().map(str::to_owned));
    host.is_some_and(|host| matches!(host.as_str(), "127.0.0.1" | "localhost" | "[::1]"))
}

/// Removes what is of the connection, and the headers of which this says so.
fn remove(headers: &mut HeaderMap, is_unwanted: impl Fn(&HeaderName) -> bool) {
    let of_connection: Vec<&str> = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok()).collect();
    let is_of_connection = |name: &HeaderName| {
        HOP_BY_HOP.contains(name)
            || of_connection
                .iter()
                .any(|names| names.split(',').any(|it| it.trim().eq_ignore_ascii_case(name.as_str())))
    };
    let removed: Vec<HeaderName> =
        headers.keys().filter(|name| is_of_connection(name) || is_unwanted(name)).cloned().collect();
    for name in removed {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in of {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn shown(headers: &HeaderMap) -> Vec<String> {
        let mut shown: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect();
        shown.sort();
        shown
    }

    #[test]
    fn what_is_for_relink_or_the_connection_stays() {
        let sent = headers(&[
            ("host", "127.0.0.1:7417"),
            ("authorization", "Bearer relink's"),
            ("proxy-authorization", "Basic x"),
            ("cookie", "session=1"),
            ("connection", "keep-alive, X-Mine , close"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip, Trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("content-length", "5"),
            ("referer", "http://127.0.0.1:7417/via/acme/x"),
            ("origin", "https://app.example.com"),
            ("relink-wait", "10m"),
            ("accept", "text/csv"),
            ("accept", "text/plain"),
            ("range", "bytes=0-9"),
            ("if-none-match", "\"x\""),
            ("content-type", "application/json"),
            ("user-agent", "octokit/1"),
        ]);
        let account = headers(&[("authorization", "Bearer provider's"), ("notion-version", "2022-06-28")]);
        assert_eq!(
            shown(&of_request(sent, &account)),
            [
                "accept: text/csv",
                "accept: text/plain",
                "authorization: Bearer provider's",
                "content-type: application/json",
                "if-none-match: \"x\"",
                "notion-version: 2022-06-28",
                "origin: https://app.example.com",
                "range: bytes=0-9",
                "te: trailers",
                "user-agent: octokit/1",
            ]
        );
    }

    #[test]
    fn the_accounts_headers_replace_all_of_the_callers() {
        let sent = headers(&[("x-api-key", "relink's"), ("X-Api-Key", "again")]);
        let account = headers(&[("x-api-key", "provider's")]);
        let user_agent = format!("user-agent: {USER_AGENT_OF_RELINK}");
        assert_eq!(shown(&of_request(sent, &account)), [user_agent.as_str(), "x-api-key: provider's"]);
    }

    #[test]
    fn a_request_for_a_websocket_stays_one_and_no_other_protocol_is_changed_to() {
        let none = HeaderMap::new();
        let sent = |connection, upgrade| {
            headers(&[("connection", connection), ("upgrade", upgrade), ("sec-websocket-key", "k")])
        };
        let websocket = of_request(sent("keep-alive, Upgrade", "WebSocket"), &none);
        assert_eq!(
            (&websocket[CONNECTION], &websocket[UPGRADE]),
            (&"upgrade".parse().expect("text"), &"websocket".parse().expect("text"))
        );
        assert_eq!(websocket["sec-websocket-key"], "k");
        for (connection, upgrade) in [("upgrade", "h2c"), ("keep-alive", "websocket"), ("upgrade", "")] {
            let kept = of_request(sent(connection, upgrade), &none);
            assert!(!kept.contains_key(CONNECTION) && !kept.contains_key(UPGRADE), "{connection} {upgrade}");
        }
    }

    #[test]
    fn a_length_goes_with_its_body_unless_the_body_is_chunked() {
        let none = HeaderMap::new();
        let length = |sent: &[(&'static str, &'static str)]| {
            of_request(headers(sent), &none).get(CONTENT_LENGTH).map(|value| value.to_str().expect("text").to_owned())
        };
        assert_eq!(length(&[("content-length", "7")]).as_deref(), Some("7"));
        assert_eq!(length(&[("content-length", "7"), ("transfer-encoding", "chunked")]), None);
    }

    #[test]
    fn a_response_keeps_what_describes_it() {
        let mut response = headers(&[
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
            ("content-length", "20"),
            ("etag", "\"1\""),
            ("retry-after", "3"),
            ("x-ratelimit-remaining", "3"),
            ("trailer", "x-checksum"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "session=1"),
            ("set-cookie", "other=1"),
            ("alt-svc", "h3=\":443\""),
            ("strict-transport-security", "max-age=1"),
        ]);
        keep_of_response(&mut response);
        assert_eq!(
            shown(&response),
            [
                "content-encoding: gzip",
                "content-length: 20",
                "content-type: application/json",
                "etag: \"1\"",
                "retry-after: 3",
                "trailer: x-checksum",
                "x-ratelimit-remaining: 3",
            ]
        );
    }
}
