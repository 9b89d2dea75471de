//! What every answer has in common: the error's shape, the list's shape, and how a body is read.

use std::{any::Any, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use relink_domain::{
    account::Verdict,
    failure::{Cause, Severity},
};
use relink_engine::{Category, Error};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// What a handler gives.
pub(crate) type ApiResult<T = Json<Value>> = Result<T, Failed>;

/// A verb that failed, or a request that can't be read.
pub(crate) struct Failed(Box<Response>);

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let status = status_of(&error);
        if error.category() == Category::Internal {
            tracing::error!(code = error.code(), "{error}");
        }
        let mut body = body(status, error.code(), &error.to_string());
        body["title"] = error.title().into();
        body["hint"] = error.hint().into();
        let mut retry_after = None;
        match &error {
            Error::Invalid { field: Some(field), message, .. } => {
                body["field"] = field.clone().into();
                body["details"] = json!({ "failures": [{ "field": field, "message": message }] });
            }
            Error::Provider { failure, next_try, .. } => {
                retry_after = failure.retry_after_secs;
                body["next_try"] = json!(next_try);
                body["verdict"] = json!(Verdict::for_failure(failure, *next_try));
                body["provider"] = json!({
                    "http_status": failure.http_status,
                    "code": failure.provider_code,
                    "message": failure.provider_message,
                });
            }
            _ => {}
        }
        let mut response = (status, Json(body)).into_response();
        if let Some(secs) = retry_after {
            response.headers_mut().insert("retry-after", http::HeaderValue::from(secs));
        }
        Self(Box::new(response))
    }
}

/// A provider's refusal is 400, so that no client tries it again; its passing trouble is 502, which they do try again.
fn status_of(error: &Error) -> StatusCode {
    match (error.category(), error) {
        (_, Error::Provider { failure, .. }) => match (failure.cause, failure.cause.severity()) {
            (Cause::RateLimited, _) => StatusCode::TOO_MANY_REQUESTS,
            (_, Severity::Terminal | Severity::Configuration) => StatusCode::BAD_REQUEST,
            (_, Severity::Transient | Severity::Unknown) => StatusCode::BAD_GATEWAY,
        },
        (Category::NotFound, _) => StatusCode::NOT_FOUND,
        (Category::BadRequest, _) => StatusCode::BAD_REQUEST,
        (Category::Conflict, _) => StatusCode::CONFLICT,
        (Category::Provider, _) => StatusCode::BAD_GATEWAY,
        (Category::Unavailable, _) => StatusCode::SERVICE_UNAVAILABLE,
        (Category::Internal, _) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn body(status: StatusCode, code: &str, message: &str) -> Value {
    json!({
        "statusCode": status.as_u16(),
        "error": status.canonical_reason().unwrap_or("Error"),
        "message": message,
        "code": code,
    })
}

/// An error of this surface's own.
pub(crate) fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(body(status, code, message))).into_response()
}

impl Failed {
    pub(crate) fn bad_request(code: &str, message: &str) -> Self {
        Self(Box::new(refused(StatusCode::BAD_REQUEST, code, message)))
    }

    pub(crate) fn not_found(code: &str, message: &str) -> Self {
        Self(Box::new(refused(StatusCode::NOT_FOUND, code, message)))
    }

    pub(crate) fn unavailable(code: &str, message: &str) -> Self {
        Self(Box::new(refused(StatusCode::SERVICE_UNAVAILABLE, code, message)))
    }
}

/// `GET /ping`.
pub(crate) async fn ping() -> Json<Value> {
    Json(json!({ "ping": "pong" }))
}

pub(crate) async fn no_such_route() -> Response {
    let message = "This route doesn't exist. docs/api.md lists Relink's routes.";
    refused(StatusCode::NOT_FOUND, "no_such_route", message)
}

pub(crate) async fn no_such_method() -> Response {
    let message = "This route doesn't support this method. docs/api.md lists Relink's routes.";
    refused(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", message)
}

/// What the panic said may hold anything: it stays here.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    let message = "Relink ran into an internal error. Nothing was lost. Please report it.";
    refused(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
}

/// A page of a list, as Truto writes it.
pub(crate) fn list(result: Vec<Value>, next_cursor: Option<&str>, limit: usize) -> Json<Value> {
    Json(json!({ "result": Value::Array(result), "next_cursor": next_cursor, "limit": limit }))
}

/// A list that is always whole.
pub(crate) fn whole(result: Vec<Value>) -> Json<Value> {
    list(result, None, crate::query::DEFAULT_LIMIT)
}

/// A value as JSON. What can't be written is a mistake of ours, and shows as null.
pub(crate) fn written(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// How long a whole body may take, however steadily it drips.
const WHOLE_BODY: Duration = Duration::from_secs(30);

/// A JSON body, whatever its content type says: real clients send `text/plain`, and an empty body as JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failed> {
        let read = tokio::time::timeout(WHOLE_BODY, Bytes::from_request(request, state)).await.map_err(|_| {
            let message = "The body took longer than 30 seconds.";
            Failed(Box::new(refused(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message)))
        })?;
        let bytes = read.map_err(|rejection| {
            let status = rejection.into_response().status();
            let message = if status == StatusCode::PAYLOAD_TOO_LARGE {
                "The body is longer than 1 MiB."
            } else {
                "The body couldn't be read."
            };
            Failed(Box::new(refused(status, "body_unreadable", message)))
        })?;
        let bytes = if bytes.trim_ascii().is_empty() { Bytes::from_static(b"{}") } else { bytes };
        serde_json::from_slice(&bytes)
            .map(Self)
            // serde's words may quote the value, which may be a secret: only the place is said.
            .map_err(|error| match error.classify() {
                serde_json::error::Category::Data => {
                    Failed::bad_request("body_invalid", &format!("The body doesn't fit: {}", without_values(&error)))
                }
                _ => Failed::bad_request(
                    "body_not_json",
                    &format!("The body isn't valid JSON (line {}, column {}).", error.line(), error.column()),
                ),
            })
    }
}

/// "missing field `x`" and "unknown field `x`" name no value; anything else is shortened to its place.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("missing field") || text.starts_with("unknown field") {
        return text;
    }
    format!("a value has the wrong type at line {}, column {}.", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use axum::{Router, body, routing::get};
    use tower::ServiceExt;

    use super::*;

    async fn error_of(response: Response) -> (u16, Value) {
        let status = response.status().as_u16();
        let bytes = body::to_bytes(response.into_body(), 4096).await.expect("a body");
        (status, serde_json::from_slice(&bytes).expect("JSON"))
    }

    #[tokio::test]
    async fn a_providers_refusal_says_what_it_asks_for() {
        use relink_domain::{Timestamp, failure::Failure};
        let later = Some(Timestamp::from_millis(1));
        for (cause, next_try, verdict) in [
            (Cause::InvalidGrant, None, "needs_person"),
            (Cause::InvalidClient, None, "needs_client"),
            (Cause::ServerError, later, "retrying"),
            (Cause::UnknownRefusal, later, "retrying"),
            (Cause::UnknownRefusal, None, "needs_person"),
        ] {
            let failed = Failed::from(Error::provider(Failure::new(cause), "GitHub", next_try));
            let (_, error) = error_of(failed.into_response()).await;
            assert_eq!(error["verdict"], verdict, "{cause:?}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_that_does_not_repeat_it() {
        async fn panics() -> Response {
            panic!("canary-secret")
        }
        let router =
            Router::new().route("/", get(panics)).layer(tower_http::catch_panic::CatchPanicLayer::custom(panicked));
        let request = Request::builder().uri("/").body(body::Body::empty()).expect("a request");
        let (status, error) = error_of(router.oneshot(request).await.expect("an answer")).await;
        assert_eq!((status, error["statusCode"].as_u64(), error["code"].as_str()), (500, Some(500), Some("internal")));
        assert!(!error.to_string().contains("canary-secret"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let drips = futures_util::stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Some((Ok::<_, std::io::Error>("x"), ()))
        });
        let request = Request::new(body::Body::from_stream(drips));
        let failed = Body::<Value>::from_request(request, &()).await.err().expect("given up");
        let (status, error) = error_of(failed.into_response()).await;
        assert_eq!((status, error["code"].as_str()), (408, Some("body_too_slow")));
    }
}
