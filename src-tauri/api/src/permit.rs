//! What a caller of a route must be permitted to do.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
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
    match caller.require(permission) {
        Ok(()) => next.run(request).await,
        Err(refusal) => ApiError::from(Error::from(refusal)).into_response(),
    }
}
