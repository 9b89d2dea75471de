//! What a fault does to an answer, at whatever endpoint.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    body::{self, Body},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use futures_util::stream;
use serde_json::json;

use crate::{
    faults::{Fault, FaultKind, On},
    provider::Provider,
    server::Abort,
};

/// Between two bytes of a slow answer.
const DRIP: Duration = Duration::from_millis(50);

/// The response that a fault gives instead of the right one, noted before it is given: silence never gives any. `None`
/// where it changes the right one.
pub(crate) async fn instead(provider: &Provider, on: On, grant_type: Option<&str>, fault: Fault) -> Option<Response> {
    let response = match fault.kind {
        FaultKind::ResetAfter
        | FaultKind::SlowDrip
        | FaultKind::TruncatedJson
        | FaultKind::NoRefreshToken
        | FaultKind::StringExpiresIn
        | FaultKind::NoExpiresIn
        | FaultKind::Echo
        | FaultKind::FewerScopes => return None,
        FaultKind::Silence => None,
        FaultKind::ResetBefore => Some(Abort::response()),
        FaultKind::Status500 => Some((StatusCode::INTERNAL_SERVER_ERROR, "something broke").into_response()),
        FaultKind::Status503 => Some(status(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")),
        FaultKind::TooManyRequests => {
            let retry_after = [("retry-after", fault.retry_after_secs.to_string())];
            Some((retry_after, status(StatusCode::TOO_MANY_REQUESTS, "slow_down")).into_response())
        }
        FaultKind::Html200 => {
            Some(Html("<!doctype html><title>Welcome</title><h1>Accept the terms to go online</h1>").into_response())
        }
        FaultKind::Error200 => Some(status(StatusCode::OK, "invalid_grant")),
        FaultKind::InvalidClient => Some(status(StatusCode::UNAUTHORIZED, "invalid_client")),
        FaultKind::InvalidGrant => Some(status(StatusCode::BAD_REQUEST, "invalid_grant")),
        FaultKind::UnknownError400 => Some(status(StatusCode::BAD_REQUEST, "the_moon_is_full")),
    };
    provider.note(on.endpoint(), grant_type, "fault", None);
    match response {
        Some(response) => Some(response),
        None => std::future::pending().await,
    }
}

fn status(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

/// The right answer on its way: a fault may lose it, slow it down or break it off.
pub(crate) async fn underway(fault: Option<Fault>, right: Response) -> Response {
    match fault.map(|fault| fault.kind) {
        Some(FaultKind::ResetAfter) => Abort::response(),
        Some(FaultKind::TruncatedJson) => {
            changed(right, |mut bytes| {
                bytes.truncate(bytes.len() / 2);
                Body::from(bytes)
            })
            .await
        }
        Some(FaultKind::SlowDrip) => changed(right, slow_drip).await,
        _ => right,
    }
}

async fn changed(right: Response, change: impl FnOnce(Vec<u8>) -> Body) -> Response {
    let (parts, body) = right.into_parts();
    // It is one of our own, and whole.
    let bytes = body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    Response::from_parts(parts, change(bytes.into()))
}

/// A body that comes a byte at a time.
fn slow_drip(bytes: Vec<u8>) -> Body {
    Body::from_stream(stream::unfold(bytes.into_iter(), |mut left| async move {
        let byte = left.next()?;
        tokio::time::sleep(DRIP).await;
        Some((Ok::<_, Infallible>(vec![byte]), left))
    }))
}
