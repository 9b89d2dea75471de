//! A response that resets its connection.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

/// Marks a response that isn't sent: the server resets the connection instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResetConnection;

impl ResetConnection {
    pub(crate) fn response() -> Response {
        let mut response = StatusCode::OK.into_response();
        response.extensions_mut().insert(Self);
        response
    }
}
