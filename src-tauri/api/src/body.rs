//! Request bodies.

mod mismatch;

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
    response::IntoResponse,
};
use relink_domain::{EnvironmentId, yaml};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_path_to_error::Track;

use self::mismatch::Mismatch;
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
        accept(environment, bytes).map(Self)
    }
}

/// A body in YAML, if its type is `application/yaml`, and otherwise one in JSON (contract section 0.2).
pub(crate) struct YamlBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for YamlBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let environment = request.extensions().get::<EnvironmentId>().copied();
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        let is_yaml = YAML_TYPES.iter().any(|known| content_type.eq_ignore_ascii_case(known));
        let bytes = read(request, state).await?;
        let bytes = if is_yaml { json_of(&bytes)? } else { bytes };
        accept(environment, bytes).map(Self)
    }
}

/// The one that is registered (RFC 9512), and those that were used before.
const YAML_TYPES: [&str; 4] = ["application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"];

fn json_of(bytes: &[u8]) -> Result<Bytes, ApiError> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Bytes::new());
    }
    let fail =
        |problem: &str| ApiError::bad_request("body_not_yaml", &format!("The body isn't valid YAML: {problem}."));
    let text = std::str::from_utf8(bytes).map_err(|_| fail("it isn't encoded in UTF-8"))?;
    let value = yaml::read(text).map_err(|error| fail(&error.to_string()))?;
    serde_json::to_vec(&value).map(Bytes::from).map_err(|error| fail(&error.to_string()))
}

fn accept<T: DeserializeOwned>(environment: Option<EnvironmentId>, bytes: Bytes) -> Result<T, ApiError> {
    if let Some(environment) = environment {
        environment::check_body(environment, &bytes)?;
    }
    let bytes = if bytes.trim_ascii().is_empty() { Bytes::from_static(b"{}") } else { bytes };
    parse(&bytes)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let mut track = Track::new();
    let read = T::deserialize(serde_path_to_error::Deserializer::new(&mut parser, &mut track));
    let read = read.and_then(|value| parser.end().map(|()| value));
    read.map_err(|error| match serde_json::from_slice::<IgnoredAny>(bytes) {
        Ok(_) => Mismatch::new::<T>(bytes, &error, &track.path()).into_error(),
        Err(error) => {
            let message = format!("The body isn't valid JSON (line {}, column {}).", error.line(), error.column());
            ApiError::bad_request("body_not_json", &message)
        }
    })
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
