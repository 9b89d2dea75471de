//! What a caller of a route must be permitted to do.

use axum::{
    body::HttpBody,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use relink_calls::{may_write, overrides_method};
use relink_domain::{caller::Caller, permission::Permission};
use relink_engine::Error;

use crate::error::ApiError;

pub(crate) fn unauthorized() -> Response {
    let message = "The Authorization header has no valid token. Create one with: relink api-token create NAME";
    let refused = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message).closing_connection();
    let mut response = refused.into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Rejects a caller without the permission that the route declares.
pub(crate) async fn permit(permission: Permission, request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Caller>() else { return unauthorized() };
    match check(caller, permission, &request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

/// Fails if the caller lacks the permission for this request.
pub(crate) fn check(caller: &Caller, permission: Permission, request: &Request) -> Result<(), ApiError> {
    let permitted = caller.require(permission);
    let permitted = permitted.and_then(|()| if only_reads(request) { Ok(()) } else { caller.require_writing() });
    permitted.map_err(|refusal| Error::from(refusal).into())
}

/// The methods of a resource that read (contract section 4.6).
const READING_METHODS: [&str; 2] = ["get", "list"];

/// Whether a request only reads: its method is safe (RFC 9110 §9.2.1), or it runs a resource's `get` or `list`. A request to
/// change the protocol doesn't, because anything may follow. Nor does one with a body at `/custom`, whose `methodConfig` may name
/// another method.
fn only_reads(request: &Request) -> bool {
    let headers = request.headers();
    let mut segments = request.uri().path().trim_start_matches('/').split('/');
    let route = segments.next().unwrap_or_default();
    if route == "proxy" && *request.method() == Method::POST {
        return !overrides_method(headers, request.uri().query())
            && segments.nth(1).is_some_and(|method| READING_METHODS.contains(&method))
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
