//! Request bodies.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
    response::IntoResponse,
};
use relink_domain::EnvironmentId;
use serde::de::DeserializeOwned;

use crate::{environment, error::ApiError};

/// The maximum length of a body, in bytes.
pub(crate) const MAX_LENGTH: usize = 1024 * 1024;
/// The maximum time for reading a whole body.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A JSON body with any content type: some clients send `text/plain`, or an empty body.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        // A route that requires a token knows the environment (`environment::only_own`).
        let environment = request.extensions().get::<EnvironmentId>().copied();
        let bytes = read(request, state).await?;
        if let Some(environment) = environment {
            environment::check_body(environment, &bytes)?;
        }
        let bytes = if bytes.trim_ascii().is_empty() { Bytes::from_static(b"{}") } else { bytes };
        serde_json::from_slice(&bytes).map(Self).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                ApiError::bad_request("body_invalid", &format!("The body isn't valid: {}", without_values(&error)))
            }
            _ => ApiError::bad_request(
                "body_not_json",
                &format!("The body isn't valid JSON (line {}, column {}).", error.line(), error.column()),
            ),
        })
    }
}

/// The whole body, within [`MAX_LENGTH`] and [`READ_TIMEOUT`].
pub(crate) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let read = tokio::time::timeout(READ_TIMEOUT, Bytes::from_request(request, state)).await.map_err(|_| {
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body took longer than 30 seconds.")
    })?;
    read.map_err(|rejection| {
        let status = rejection.into_response().status();
        let message = if status == StatusCode::PAYLOAD_TOO_LARGE {
            "The body is longer than 1 MiB."
        } else {
            "The body couldn't be read."
        };
        ApiError::new(status, "body_unreadable", message)
    })
}

/// serde's message may contain a value, which may be a secret. "missing field `x`" and "unknown field `x`" contain none; of
/// other messages only the position is used.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("missing field") || text.starts_with("unknown field") {
        return text;
    }
    format!("a value has the wrong type at line {}, column {}.", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use axum::body;
    use serde_json::Value;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn reading_an_endless_body_times_out() {
        let drips = futures_util::stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Some((Ok::<_, std::io::Error>("x"), ()))
        });
        let request = Request::new(body::Body::from_stream(drips));
        let error = Body::<Value>::from_request(request, &()).await.err().expect("given up");
        let response = error.into_response();
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
        let bytes = body::to_bytes(response.into_body(), 4096).await.expect("a body");
        assert_eq!(serde_json::from_slice::<Value>(&bytes).expect("JSON")["code"], "body_too_slow");
    }
}
