//! What a caller of a route must be permitted to do.

use std::task::{Context, Poll};

use axum::{
    body::HttpBody,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::future::{Either, Ready, ready};
use percent_encoding::percent_decode_str;
use relink_calls::{may_write, overrides_method};
use relink_domain::{caller::Caller, permission::Permission};
use relink_engine::Error;
use tower::{Layer, Service};

use crate::error::ApiError;

/// Where a request's token is. An extension of requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TokenPlace {
    #[default]
    Header,
    /// The path of an MCP server.
    McpAddress,
}

pub(crate) fn unauthorized(place: TokenPlace) -> Response {
    let message = match place {
        TokenPlace::Header => {
            "The Authorization header has no valid token. Create one with: relink api-token create NAME"
        }
        TokenPlace::McpAddress => {
            "This isn't the address of an MCP server, or the server was deleted or has expired, or it also needs an API \
             token in the Authorization header. Create one with: relink mcp create ACCOUNT"
        }
    };
    let refused = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message).closing_connection();
    let mut response = refused.into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Rejects a request without a valid token, and one whose caller lacks the permission that the route declares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permit(pub(crate) Permission);

/// A service behind a [`Permit`]. It is no function in the middle, which would box the future of each request.
#[derive(Debug, Clone)]
pub(crate) struct Permitted<S> {
    permission: Permission,
    inner: S,
}

impl<S> Layer<S> for Permit {
    type Service = Permitted<S>;

    fn layer(&self, inner: S) -> Permitted<S> {
        Permitted { permission: self.0, inner }
    }
}

impl<S: Service<Request, Response = Response>> Service<Request> for Permitted<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match permitted(self.permission, &request) {
            Ok(_) => Either::Left(self.inner.call(request)),
            Err(refused) => Either::Right(ready(Ok(refused))),
        }
    }
}

/// The caller of a request that needs a permission.
pub(crate) fn permitted(permission: Permission, request: &Request) -> Result<&Caller, Response> {
    let caller = request
        .extensions()
        .get::<Caller>()
        .ok_or_else(|| unauthorized(request.extensions().get().copied().unwrap_or_default()))?;
    check(caller, permission, request).map(|()| caller).map_err(IntoResponse::into_response)
}

/// Fails if the caller lacks the permission for this request.
pub(crate) fn check(caller: &Caller, permission: Permission, request: &Request) -> Result<(), ApiError> {
    let may_write = |refusal| if only_reads(request) { Ok(()) } else { Err(refusal) };
    let permitted = caller.require(permission).and_then(|()| caller.require_writing().or_else(may_write));
    permitted.map_err(|refusal| Error::from(refusal).into())
}

/// In place of a resource: what is run is an action (contract section 4.8).
const ACTIONS: &str = "_";

/// Whether a `POST` to this resource, percent-decoded, runs an action in place of a method.
pub(crate) fn runs_action(resource: &str) -> bool {
    resource == ACTIONS
}

/// The methods of a resource that read (contract section 4.6).
const READING_METHODS: [&str; 2] = ["get", "list"];

/// Whether a request only reads: its method is safe (RFC 9110 §9.2.1), or it runs a resource's `get` or `list`. An action doesn't,
/// whatever its name: its steps may be anything. Nor does a request to change the protocol, because anything may follow, nor one
/// with a body at `/custom`, whose `methodConfig` may name another method.
fn only_reads(request: &Request) -> bool {
    let headers = request.headers();
    let path = request.uri().path().trim_start_matches('/');
    // An agent whose token may only read is offered no other tools.
    if path == "relink/mcp" {
        return true;
    }
    let mut segments = path.split('/');
    let route = segments.next().unwrap_or_default();
    if route == "proxy" && *request.method() == Method::POST {
        let (resource, method) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
        return !overrides_method(headers, request.uri().query())
            && !runs_action(&percent_decode_str(resource).decode_utf8_lossy())
            && READING_METHODS.contains(&method)
            && segments.next().is_none();
    }
    !may_write(request.method(), headers, request.uri().query())
        && (route != "custom" || request.body().is_end_stream())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_body_at_custom_may_name_another_method() {
        let reads = |path: &str, body: Body| only_reads(&Request::builder().uri(path).body(body).expect("a request"));
        assert!(reads("/custom/users", Body::empty()) && reads("/via/acme/x", Body::from("x")));
        assert!(!reads("/custom/users", Body::from(r#"{"methodConfig":{"method":"post"}}"#)));
        assert!(!reads("//custom/users", Body::from("x")));
    }

    #[test]
    fn what_only_reads_is_known_by_its_method() {
        let reads = |method: &str, path: &str, header: Option<&str>| {
            let mut request = Request::builder().method(method).uri(path);
            if let Some(name) = header {
                request = request.header(name, "DELETE");
            }
            only_reads(&request.body(Body::empty()).expect("a request"))
        };
        for (method, path) in [
            ("GET", "/via/acme/x"),
            ("HEAD", "/via/acme/x"),
            ("OPTIONS", "/via/acme/x"),
            ("POST", "/proxy/contacts/list"),
            ("POST", "//proxy/contacts/get"),
        ] {
            assert!(reads(method, path, None), "{method} {path}");
        }
        for (method, path, header) in [
            ("POST", "/via/acme/x", None),
            ("PUT", "/proxy/contacts/list", None),
            ("DELETE", "/via/acme/x", None),
            ("QUERY", "/via/acme/x", None),
            ("POST", "/proxy/list", None),
            ("POST", "/proxy/contacts/merge", None),
            ("POST", "/proxy/contacts/list/x", None),
            ("POST", "/proxy/_/list", None),
            ("POST", "//proxy/_/get", None),
            ("POST", "/proxy/%5F/list", None),
            ("POST", "/proxy/%5f/get", None),
            ("POST", "/proxy/_/sync_contacts", None),
            ("POST", "/via/contacts/list", None),
            ("POST", "/batch-request", None),
            ("GET", "/via/acme/x", Some("upgrade")),
            ("GET", "/via/acme/x", Some("x-http-method-override")),
            ("GET", "/via/acme/x", Some("X-HTTP-Method")),
            ("GET", "/via/acme/x?_method=DELETE", None),
            ("GET", "/proxy/contacts?a=1&_HttpMethod=DELETE", None),
            ("POST", "/proxy/contacts/list?_method=DELETE", None),
        ] {
            assert!(!reads(method, path, header), "{method} {path} {header:?}");
        }
    }
}
