//! Guards that reject requests.

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderName, Method, StatusCode, Uri,
        header::{AUTHORIZATION, HOST, ORIGIN},
    },
};
use relink_domain::caller::Caller;

use crate::{
    ApiState,
    connect::{self, Landing},
    error::{self, ApiError},
    limits::{self, Client},
    listener::Entrance,
    mcp,
    permit::TokenPlace,
    reached::{ReachedAt, host_of},
    server::Arrival,
    via,
};

/// Not given by the `http` crate.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// What is known of a request that may come in.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Whose token it has, if it has a valid one: an API token, or the run's own token from the data folder.
    pub(crate) caller: Option<Caller>,
    pub(crate) reached: Option<ReachedAt>,
    pub(crate) place: TokenPlace,
}

/// Rejects requests of other users, requests with another `Host`, requests of other web pages (DNS rebinding, cross-site requests), and
/// everything but a sign-in on a connection that is reserved for sign-ins, on the second listener and at the public address. A request with
/// a valid token gets a share of the connections.
pub(crate) fn admit(api: &ApiState, request: &mut Request, arrival: &Arrival) -> Result<Admitted, ApiError> {
    let reached = ReachedAt::of(api, request, arrival);
    same_user(arrival, reached.as_ref())?;
    same_machine(api, request, arrival, reached.as_ref())?;
    connect_ui_only(request, reached.as_ref())?;
    reserve(request, arrival)?;
    let place = match mcp::token_in(request.uri().path()) {
        Some(_) => TokenPlace::McpAddress,
        None => TokenPlace::Header,
    };
    let caller = authenticate(api, request)?;
    if let Some(caller) = &caller {
        api.limits.use_connection(&arrival.connection, Client::of(caller))?;
    }
    Ok(Admitted { caller, reached, place })
}

/// Refuses every request of a connection that another user opened, whatever token it has. A tunnel or a reverse proxy may be another
/// user's program.
fn same_user(arrival: &Arrival, reached: Option<&ReachedAt>) -> Result<(), ApiError> {
    if !arrival.is_of_other_user || matches!(reached, Some(ReachedAt::PublicAddress(_))) {
        return Ok(());
    }
    let message = "This Relink belongs to another user of this machine.";
    Err(ApiError::new(StatusCode::FORBIDDEN, "other_user", message).closing_connection())
}

fn same_machine(
    api: &ApiState,
    request: &Request,
    arrival: &Arrival,
    reached: Option<&ReachedAt>,
) -> Result<(), ApiError> {
    // No web page can connect to the Unix socket, and its clients have no host to name.
    if arrival.entrance == Entrance::Socket {
        return Ok(());
    }
    let landing =
        if request.method() == Method::GET { connect::landing(request.uri().path()) } else { Landing::Nowhere };
    match reached {
        Some(reached) => check(reached.base_url(), request.uri(), request.headers(), landing),
        None => check(&api.port.base_url(), request.uri(), request.headers(), landing),
    }
}

/// To everybody else than the machine's own programs and pages, there is nothing but the connect UI.
fn connect_ui_only(request: &Request, reached: Option<&ReachedAt>) -> Result<(), ApiError> {
    if reached.is_none() || connect::is_sign_in(request.uri().path()) { Ok(()) } else { Err(error::unknown_route()) }
}

fn check(base_url: &str, uri: &Uri, headers: &HeaderMap, landing: Landing) -> Result<(), ApiError> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let own_host = host_of(base_url);
    // A request in absolute form (RFC 9112 §3.2.2) names the authority itself.
    let is_own = uri.scheme_str().is_none_or(|scheme| base_url.split_once("://").is_some_and(|(own, _)| own == scheme))
        && uri.authority().is_none_or(|authority| authority.as_str() == own_host);
    if !is_own || text(HOST) != Some(own_host) || headers.get_all(HOST).iter().count() != 1 {
        let message = format!("Relink answers only at {base_url}.");
        return Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", &message));
    }
    let foreign = |code| {
        Err(ApiError::new(StatusCode::FORBIDDEN, code, "Requests from web pages of other origins are rejected."))
    };
    if text(ORIGIN).is_some_and(|origin| origin != base_url) {
        return foreign("foreign_origin");
    }
    // A value that isn't known is refused, and so is one that is given twice, one of them another.
    let is_one_of = |name: HeaderName, allowed: &[&str]| {
        headers.get_all(name).iter().all(|value| allowed.iter().any(|allowed| value.as_bytes() == allowed.as_bytes()))
    };
    let from_here = is_one_of(SEC_FETCH_SITE, &["same-origin", "none"]);
    let destinations: &[&str] = match landing {
        Landing::Nowhere => &[],
        Landing::InTab => &["document"],
        Landing::InTabOrFrame => &["document", "iframe", "frame"],
    };
    let may_land = || {
        landing != Landing::Nowhere
            && is_one_of(SEC_FETCH_SITE, &["same-origin", "none", "same-site", "cross-site"])
            && is_one_of(SEC_FETCH_MODE, &["navigate"])
            && is_one_of(SEC_FETCH_DEST, destinations)
    };
    if from_here || may_land() { Ok(()) } else { foreign("cross_site") }
}

fn reserve(request: &Request, arrival: &Arrival) -> Result<(), ApiError> {
    if arrival.is_reserved && !connect::is_sign_in(request.uri().path()) {
        return Err(limits::too_many_connections());
    }
    Ok(())
}

/// The caller whose token a request has. Whether a route requires one, it says itself (`openapi::Routes`).
fn authenticate(api: &ApiState, request: &mut Request) -> Result<Option<Caller>, ApiError> {
    let known = |token: &str| api.engine.access().authenticate(token);
    if via::is_below(request.uri().path()) {
        return via::authenticate(request, known);
    }
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header.and_then(bearer_token).and_then(known);
    // There the token in the path counts.
    Ok(match mcp::token_in(request.uri().path()) {
        Some(token) => api.engine.access().authenticate_mcp(token, bearer.as_ref()),
        None => bearer,
    })
}

/// The scheme is case-insensitive (RFC 9110 §11.1).
fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::HeaderValue, response::IntoResponse};

    use super::*;

    const BASE: &str = "http://127.0.0.1:7417";

    fn refusal(headers: &[(&'static str, &'static str)], is_landing: bool) -> Option<u16> {
        refusal_at(headers, if is_landing { Landing::InTab } else { Landing::Nowhere })
    }

    fn refusal_at(headers: &[(&'static str, &'static str)], landing: Landing) -> Option<u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        check(BASE, &Uri::from_static("/ping"), &map, landing)
            .err()
            .map(|error| error.into_response().status().as_u16())
    }

    #[test]
    fn a_reserved_connection_serves_a_sign_in_and_nothing_else() {
        let refusal = |path: &str, is_reserved: bool| {
            let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
            let arrival = Arrival {
                uri: Uri::default(),
                connection: <_>::default(),
                is_reserved,
                entrance: Entrance::Port,
                is_of_other_user: false,
            };
            reserve(&request, &arrival).err().map(|error| error.status().as_u16())
        };
        for path in ["/connect-account", "/connect-account/flows/x", "/oauth/callback/github"] {
            assert_eq!(refusal(path, true), None, "{path}");
        }
        for path in ["/relink/events", "/ping", "/docs", "/connect-accounts", "/oauth/callback", "/"] {
            assert_eq!((refusal(path, true), refusal(path, false)), (Some(429), None), "{path}");
        }
    }

    #[test]
    fn another_host_is_refused() {
        for host in ["evil.example", "localhost:7417", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:7417.evil.example", ""] {
            assert_eq!(refusal(&[("host", host)], true), Some(421), "{host}");
        }
        assert_eq!(refusal(&[], false), Some(421), "no host at all");
        assert_eq!(refusal(&[("host", "127.0.0.1:7417"), ("host", "evil.example")], false), Some(421), "two hosts");
        assert_eq!(refusal(&[("host", "127.0.0.1:7417")], false), None);
    }

    #[test]
    fn a_request_in_absolute_form_names_our_own_authority() {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("127.0.0.1:7417"))]);
        let status = |uri: &'static str| {
            let refused = check(BASE, &Uri::from_static(uri), &headers, Landing::InTab).err();
            refused.map(|error| error.into_response().status().as_u16())
        };
        for own in ["/ping", "//ping", "http://127.0.0.1:7417/ping", "HTTP://127.0.0.1:7417/ping"] {
            assert_eq!(status(own), None, "{own}");
        }
        for foreign in [
            "http://evil.example/ping",
            "http://127.0.0.1/ping",
            "http://127.0.0.1:80/ping",
            "http://localhost:7417/ping",
            "http://user@127.0.0.1:7417/ping",
            "http://127.0.0.1:7417.evil.example/ping",
            "https://127.0.0.1:7417/ping",
            "ftp://127.0.0.1:7417/ping",
            "evil.example:7417",
        ] {
            assert_eq!(status(foreign), Some(421), "{foreign}");
        }
    }

    #[test]
    fn another_origin_is_refused_even_on_the_pages() {
        let own = ("host", "127.0.0.1:7417");
        for origin in ["https://evil.example", "http://127.0.0.1:1", "http://localhost:7417", "null"] {
            assert_eq!(refusal(&[own, ("origin", origin)], true), Some(403), "{origin}");
        }
        assert_eq!(refusal(&[own, ("origin", BASE)], false), None);
    }

    #[test]
    fn a_cross_site_request_is_refused_unless_it_navigates_to_a_landing_page() {
        let own = ("host", "127.0.0.1:7417");
        let cross = ("sec-fetch-site", "cross-site");
        assert_eq!(refusal(&[own, cross, ("sec-fetch-mode", "navigate")], true), None);
        assert_eq!(refusal(&[own, cross, ("sec-fetch-mode", "navigate")], false), Some(403));
        assert_eq!(refusal(&[own, cross, ("sec-fetch-mode", "no-cors")], true), Some(403));
        let navigates = ("sec-fetch-mode", "navigate");
        assert_eq!(refusal(&[own, cross, navigates, ("sec-fetch-dest", "document")], true), None);
        for frame in ["iframe", "frame", "embed", "object"] {
            let framed = [own, cross, navigates, ("sec-fetch-dest", frame)];
            assert_eq!(refusal(&framed, true), Some(403), "{frame}");
            let is_plain = ["iframe", "frame"].contains(&frame);
            assert_eq!(refusal_at(&framed, Landing::InTabOrFrame), (!is_plain).then_some(403), "{frame}");
        }
        assert_eq!(refusal(&[own, ("sec-fetch-site", "same-site")], false), Some(403), "another port of this machine");
        for here in ["same-origin", "none"] {
            assert_eq!(refusal(&[own, ("sec-fetch-site", here)], false), None, "{here}");
        }
    }

    #[test]
    fn fetch_metadata_that_is_not_known_is_refused() {
        let own = ("host", "127.0.0.1:7417");
        for unknown in
            ["", "Cross-Site", "same-origin, cross-site", "same_origin", "CROSS-SITE", "cross-origin", " none", "x"]
        {
            for is_landing in [false, true] {
                assert_eq!(refusal(&[own, ("sec-fetch-site", unknown)], is_landing), Some(403), "{unknown:?}");
            }
        }
        let (here, cross) = (("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site"));
        assert_eq!(refusal(&[own, here, cross], false), Some(403), "given twice");
        assert_eq!(refusal(&[own, cross, here], false), Some(403), "in any order");
        for (mode, dest) in
            [("Navigate", "document"), ("navigate", "Document"), ("nested-navigate", "document"), ("", "")]
        {
            let headers = [own, cross, ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
            assert_eq!(refusal(&headers, true), Some(403), "{mode} {dest}");
        }
    }

    #[test]
    fn a_token_is_read_only_from_the_bearer_scheme() {
        for (header, token) in [
            ("Bearer t", Some("t")),
            ("bearer  t ", Some("t")),
            ("Basic t", None),
            ("Bearert", None),
            ("t", None),
            ("", None),
        ] {
            assert_eq!(bearer_token(header), token, "{header}");
        }
    }
}
