//! Why calls have no response of the provider, as errors of the API.

use axum::http::StatusCode;
use relink_calls::{CallError, TargetError};
use relink_domain::failure::Failure;
use relink_engine::Error;

use crate::error::ApiError;

/// Why there is no response of the provider.
pub(crate) fn explain(error: CallError<Error>) -> ApiError {
    match error {
        CallError::Account(error) => error.into(),
        CallError::Target(error) => {
            let (status, code) = match error {
                TargetError::NoBase => (StatusCode::CONFLICT, "no_base_url"),
                TargetError::DotSegment => (StatusCode::BAD_REQUEST, "path_leaves_api"),
                TargetError::ControlCharacter => (StatusCode::BAD_REQUEST, "path_control_character"),
                TargetError::NotUtf8 => (StatusCode::BAD_REQUEST, "path_not_utf8"),
                TargetError::Malformed => (StatusCode::BAD_REQUEST, "path_malformed"),
            };
            ApiError::new(status, code, &error.to_string())
        }
        CallError::Signed => ApiError::new(StatusCode::CONFLICT, "signed_by_expression", &error.to_string()),
        CallError::ReadOnly => {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "sandbox_is_read_only", &error.to_string())
        }
        CallError::Writes => ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "call_would_write", &error.to_string()),
        CallError::Body(_) => ApiError::bad_request(
            "body_ended_early",
            "The request's body ended early, so the call may not have been complete.",
        ),
        CallError::Quiet(wait) => ApiError::asked_to_wait(&wait),
        CallError::Upstream(failed) => ApiError::from(Error::provider(Failure::new(failed.0), "The provider", None)),
    }
}
