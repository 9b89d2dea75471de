//! Which headers go through (RFC 9110 §7.6.1), and which stay.

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{CONNECTION, CONTENT_LENGTH, ORIGIN, REFERER, TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT},
};

/// Whether a header is of one connection, not of the message.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Whether a header of a caller's is for Relink alone. A server that wants to refuse a body (`Expect`) can do so while it arrives.
fn is_for_relink(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "authorization" | "cookie" | "host" | "expect") || name.starts_with(OWN_PREFIX)
}

/// Whether a header of a response concerns only the provider's own clients.
fn is_for_own_clients(name: &HeaderName) -> bool {
    matches!(name.as_str(), "set-cookie" | "alt-svc" | "strict-transport-security")
}

const WEBSOCKET: &str = "websocket";
/// By which a repeated request that creates or changes something is known (contract section 0.5).
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Headers for Relink itself.
const OWN_PREFIX: &str = "relink-";
pub(crate) const USER_AGENT_OF_RELINK: &str = concat!("Relink/", env!("CARGO_PKG_VERSION"));

/// The headers of the request to the provider: the caller's, less those that are for Relink or for the connection, and those of
/// the account in place of the caller's of the same name. A request for a WebSocket stays one.
pub fn of_request(sent: &HeaderMap, account: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(sent.len() + account.len() + 1);
    let named = NamedByConnection::in_headers(sent);
    let (mut is_chunked, mut accepts_trailers, mut asks_to_change) = (false, false, false);
    for (name, value) in sent {
        match *name {
            TRANSFER_ENCODING => is_chunked = true,
            TE => accepts_trailers = accepts_trailers || lists(value, "trailers"),
            UPGRADE => asks_to_change = true,
            _ => {}
        }
        let is_hidden = || matches!(*name, ORIGIN | REFERER) && sent.get_all(name).iter().any(names_this_machine);
        let stays = is_hop_by_hop(name) || named.has(name) || is_for_relink(name) || account.contains_key(name);
        if !stays && !is_hidden() {
            headers.append(name, value.clone());
        }
    }
    if is_chunked {
        headers.remove(CONTENT_LENGTH);
    }
    for (name, value) in account {
        headers.append(name, value.clone());
    }
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT_OF_RELINK));
    if accepts_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if asks_to_change && asks_for_websocket(sent) {
        switch_to(&mut headers, HeaderValue::from_static(WEBSOCKET));
    }
    headers
}

/// The caller's headers that are for the provider: none of the connection, and nothing that authenticates the caller at Relink.
pub fn headers_for_provider(mut headers: HeaderMap) -> HeaderMap {
    remove(&mut headers, |name| is_for_relink(name) || *name == CONTENT_LENGTH);
    headers
}

/// Whether a request asks to change its connection to a WebSocket (RFC 6455 §4.1).
pub fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let any_lists = |name: HeaderName, wanted: &str| headers.get_all(name).iter().any(|value| lists(value, wanted));
    any_lists(CONNECTION, "upgrade") && any_lists(UPGRADE, WEBSOCKET)
}

/// Whether a list of names (RFC 9110 §5.6.1) has this one.
fn lists(value: &HeaderValue, wanted: &str) -> bool {
    value.to_str().is_ok_and(|text| text.split(',').any(|it| it.trim().eq_ignore_ascii_case(wanted)))
}

/// The headers of a request for another protocol, and of the response that agrees.
pub fn switch_to(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Removes from a response what concerns only the provider's own clients: its connection, cookies of a session that the caller
/// isn't part of, and ways to the provider that lead past Relink.
pub fn keep_of_response(headers: &mut HeaderMap) {
    remove(headers, is_for_own_clients);
}

/// Such as Relink's own address, which no provider needs to know.
fn names_this_machine(value: &HeaderValue) -> bool {
    let host = value.to_str().ok().and_then(|text| text.parse::<Uri>().ok()?.host().map(str::to_owned));
    host.is_some_and(|host| matches!(host.as_str(), "127.0.0.1" | "localhost" | "[::1]"))
}

/// Removes what is of the connection, and the headers of which this says so.
fn remove(headers: &mut HeaderMap, is_unwanted: impl Fn(&HeaderName) -> bool) {
    let named = NamedByConnection::in_headers(headers);
    let removed = headers.keys().filter(|name| is_hop_by_hop(name) || named.has(name) || is_unwanted(name));
    for name in removed.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}

/// The headers that `Connection` names as being of it (RFC 9110 §7.6.1).
struct NamedByConnection<'h>(Vec<&'h HeaderValue>);

impl<'h> NamedByConnection<'h> {
    fn in_headers(headers: &'h HeaderMap) -> Self {
        let names_none = |value: &HeaderValue| matches!(value.as_bytes(), b"keep-alive" | b"close");
        Self(headers.get_all(CONNECTION).iter().filter(|value| !names_none(value)).collect())
    }

    fn has(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|names| lists(names, name.as_str()))
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
            shown(&of_request(&sent, &account)),
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
        assert_eq!(shown(&of_request(&sent, &account)), [user_agent.as_str(), "x-api-key: provider's"]);
    }

    #[test]
    fn a_request_for_a_websocket_stays_one_and_no_other_protocol_is_changed_to() {
        let none = HeaderMap::new();
        let sent = |connection, upgrade| {
            headers(&[("connection", connection), ("upgrade", upgrade), ("sec-websocket-key", "k")])
        };
        let websocket = of_request(&sent("keep-alive, Upgrade", "WebSocket"), &none);
        assert_eq!(
            (&websocket[CONNECTION], &websocket[UPGRADE]),
            (&"upgrade".parse().expect("text"), &"websocket".parse().expect("text"))
        );
        assert_eq!(websocket["sec-websocket-key"], "k");
        for (connection, upgrade) in [("upgrade", "h2c"), ("keep-alive", "websocket"), ("upgrade", "")] {
            let kept = of_request(&sent(connection, upgrade), &none);
            assert!(!kept.contains_key(CONNECTION) && !kept.contains_key(UPGRADE), "{connection} {upgrade}");
        }
    }

    #[test]
    fn a_length_goes_with_its_body_unless_the_body_is_chunked() {
        let none = HeaderMap::new();
        let length = |sent: &[(&'static str, &'static str)]| {
            of_request(&headers(sent), &none).get(CONTENT_LENGTH).map(|value| value.to_str().expect("text").to_owned())
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
