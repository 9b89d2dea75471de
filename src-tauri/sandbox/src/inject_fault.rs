//! Applies a fault to a response, the same way at every endpoint.

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
    faults::{Endpoint, Fault, FaultKind},
    provider::Provider,
    reset::ResetConnection,
};

/// The pause between two bytes of a slow response.
const DRIP_INTERVAL: Duration = Duration::from_millis(50);

/// The response that replaces the normal one. It is logged first, because silence never responds. `None`: the fault only
/// changes the normal response.
pub(crate) async fn replacement(
    provider: &Provider,
    endpoint: Endpoint,
    grant_type: Option<&str>,
    fault: Fault,
) -> Option<Response> {
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
        FaultKind::ResetBefore => Some(ResetConnection::response()),
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
    provider.record(endpoint.as_str(), grant_type, "fault", None);
    match response {
        Some(response) => Some(response),
        None => std::future::pending().await,
    }
}

fn status(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

/// Sends the normal response, unless the fault drops it, slows it down or cuts it off.
pub(crate) async fn deliver(fault: Option<Fault>, right: Response) -> Response {
    match fault.map(|fault| fault.kind) {
        Some(FaultKind::ResetAfter) => ResetConnection::response(),
        Some(FaultKind::TruncatedJson) => {
            with_body(right, |mut bytes| {
                bytes.truncate(bytes.len() / 2);
                Body::from(bytes)
            })
            .await
        }
        Some(FaultKind::SlowDrip) => with_body(right, slow_drip).await,
        _ => right,
    }
}

async fn with_body(right: Response, change: impl FnOnce(Vec<u8>) -> Body) -> Response {
    let (parts, body) = right.into_parts();
    // The body is our own and complete.
    let bytes = body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    Response::from_parts(parts, change(bytes.into()))
}

fn slow_drip(bytes: Vec<u8>) -> Body {
    Body::from_stream(stream::unfold(bytes.into_iter(), |mut left| async move {
        let byte = left.next()?;
        tokio::time::sleep(DRIP_INTERVAL).await;
        Some((Ok::<_, Infallible>(vec![byte]), left))
    }))
}
