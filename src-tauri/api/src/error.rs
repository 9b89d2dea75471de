//! Error responses.

use std::panic::AssertUnwindSafe;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use relink_calls::Wait;
use relink_contract::{
    ErrorBody,
    error::{Details, Explanation, FieldFailure, ProviderRefusal, ProviderResponse},
};
use relink_domain::{account::Verdict, failure::Cause};
use relink_engine::{Category, Error};
use serde_json::Value;

/// The result of a handler.
pub(crate) type ApiResult<T> = Result<Json<T>, ApiError>;

/// An error of a verb, or of a request that can't be read.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    /// `Retry-After`, in seconds.
    retry_after: Option<u32>,
    /// Whether the connection is closed after the response.
    closes_connection: bool,
    body: Box<ErrorBody>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &str, message: &str) -> Self {
        let reason = status.canonical_reason().unwrap_or("Error");
        let body = Box::new(ErrorBody::new(status.as_u16(), reason, code, message));
        Self { status, retry_after: None, closes_connection: false, body }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn code(&self) -> &str {
        &self.body.code
    }

    pub(crate) fn into_body(self) -> ErrorBody {
        *self.body
    }

    pub(crate) fn message(&self) -> &str {
        &self.body.message
    }

    pub(crate) fn bad_request(code: &str, message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// The same error, about one field: `path` leads to it, as in `resources[0].method`.
    pub(crate) fn about(mut self, path: &str) -> Self {
        let message = self.body.message.clone();
        self.body.field = Some(path.to_owned());
        self.body.details = Some(Details { failures: vec![FieldFailure { path: path.to_owned(), message }] });
        self
    }

    /// A body with errors in these fields, of which there is at least one: each is a path and a message.
    pub(crate) fn of_fields(code: &str, failures: impl IntoIterator<Item = (String, String)>) -> Self {
        let failures = failures.into_iter().map(|(path, message)| FieldFailure { path, message });
        let failures: Vec<_> = failures.collect();
        let messages: Vec<_> = failures.iter().map(|failure| failure.message.as_str()).collect();
        let mut error = Self::bad_request(code, &messages.join(" "));
        error.body.field = failures.first().map(|failure| failure.path.clone());
        error.body.details = Some(Details { failures });
        error
    }

    /// A provider asked for no calls.
    pub(crate) fn asked_to_wait(wait: &Wait) -> Self {
        let message = format!("{} asked for no calls until {}, so nothing was sent.", wait.host, wait.until);
        let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, "provider_asked_to_wait", &message);
        Self { retry_after: Some(wait.secs), ..refused }
    }

    /// After so many seconds the same request may succeed.
    pub(crate) const fn retry_after_secs(&self) -> Option<u32> {
        self.retry_after
    }

    pub(crate) fn too_many_requests(code: &str, message: &str, retry_after_secs: u32) -> Self {
        let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, code, message).closing_connection();
        Self { retry_after: Some(retry_after_secs), ..refused }
    }

    /// The same error, after which the connection is closed so that another client can have its place.
    pub(crate) fn closing_connection(self) -> Self {
        Self { closes_connection: true, ..self }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(secs) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if self.closes_connection {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        if error.category() == Category::Internal {
            tracing::error!(code = error.code(), "{error}");
        }
        let mut api_error = Self::new(status_of(&error), error.code(), &error.to_string());
        api_error.body.explanation = Some(Explanation { title: error.title(), hint: error.hint() });
        match error {
            Error::Invalid { field: Some(field), .. } => return api_error.about(&field),
            Error::Provider { failure, next_try, .. } => {
                let json = |body: String| serde_json::from_str(&body).unwrap_or(Value::String(body));
                let verdict = Verdict::for_failure(&failure, next_try);
                api_error.body.refusal = Some(ProviderRefusal {
                    truto_is_remote_error: true,
                    raw_response: failure.body.map(json),
                    next_try,
                    verdict,
                    provider: ProviderResponse {
                        http_status: failure.http_status,
                        code: failure.provider_code,
                        message: failure.provider_message,
                    },
                });
                api_error.retry_after = failure.retry_after_secs;
            }
            _ => {}
        }
        api_error
    }
}

/// A final refusal by the provider is 401, as a refused call is at Truto (contract section 6), and clients don't retry it. A temporary
/// error of the provider is 502, which they retry.
fn status_of(error: &Error) -> StatusCode {
    match (error.category(), error) {
        // What the provider answered, or else that a step can't do what it should.
        (_, Error::Step { status, .. }) => {
            let status = status.and_then(|status| StatusCode::from_u16(status).ok());
            status.filter(|status| status.as_u16() >= 400).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY)
        }
        (_, Error::Provider { failure, next_try, .. }) => match Verdict::for_failure(failure, *next_try) {
            Verdict::NeedsPerson | Verdict::NeedsClient => StatusCode::UNAUTHORIZED,
            Verdict::Retrying if failure.cause == Cause::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Verdict::Retrying => StatusCode::BAD_GATEWAY,
        },
        (Category::NotFound, _) => StatusCode::NOT_FOUND,
        (Category::BadRequest, _) => StatusCode::BAD_REQUEST,
        (Category::Forbidden, _) => StatusCode::FORBIDDEN,
        (Category::Conflict, _) => StatusCode::CONFLICT,
        (Category::Lacking, _) => StatusCode::NOT_IMPLEMENTED,
        (Category::Provider, _) => StatusCode::BAD_GATEWAY,
        (Category::Unavailable, _) => StatusCode::SERVICE_UNAVAILABLE,
        (Category::Internal, _) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

pub(crate) async fn no_such_route() -> ApiError {
    unknown_route()
}

pub(crate) fn unknown_route() -> ApiError {
    let message = "This route doesn't exist. /docs lists Relink's routes.";
    ApiError::new(StatusCode::NOT_FOUND, "no_such_route", message)
}

pub(crate) async fn no_such_method() -> ApiError {
    let message = "This route doesn't support this method. /docs lists Relink's routes.";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", message)
}

/// The answer, or an error if making it panics. The panic's message may contain a secret, so it isn't returned.
pub(crate) async fn unless_panicked(answer: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        let message = "Relink ran into an internal error. Nothing was lost. Please report it.";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).into_response()
    })
}

#[cfg(test)]
mod tests {
    use axum::body;

    use super::*;

    async fn error_of(response: Response) -> (u16, Value) {
        let status = response.status().as_u16();
        let bytes = body::to_bytes(response.into_body(), 4096).await.expect("a body");
        (status, serde_json::from_slice(&bytes).expect("JSON"))
    }

    #[tokio::test]
    async fn a_providers_refusal_has_its_verdict() {
        use relink_domain::{Timestamp, failure::Failure};
        let later = Some(Timestamp::from_millis(1));
        for (cause, next_try, verdict, expected) in [
            (Cause::InvalidGrant, None, "needs_person", 401),
            (Cause::ClientRefused, None, "needs_person", 401),
            (Cause::CredentialMissing, None, "needs_person", 401),
            (Cause::Rejected, None, "needs_person", 401),
            (Cause::InvalidClient, None, "needs_client", 401),
            (Cause::ServerError, later, "retrying", 502),
            (Cause::RateLimited, later, "retrying", 429),
            (Cause::UnknownRefusal, later, "retrying", 502),
            (Cause::UnknownRefusal, None, "needs_person", 401),
        ] {
            let error = ApiError::from(Error::provider(Failure::new(cause), "GitHub", next_try));
            let (status, body) = error_of(error.into_response()).await;
            assert_eq!((&body["verdict"], status), (&verdict.into(), expected), "{cause:?}");
            assert_eq!(body["truto_is_remote_error"], true, "{cause:?}");
        }
    }

    #[tokio::test]
    async fn a_panic_becomes_an_error_that_does_not_repeat_its_message() {
        let panics = async { panic!("canary-secret") };
        let (status, error) = error_of(unless_panicked(panics).await).await;
        assert_eq!((status, error["statusCode"].as_u64(), error["code"].as_str()), (500, Some(500), Some("internal")));
        assert!(!error.to_string().contains("canary-secret"));
    }
}
