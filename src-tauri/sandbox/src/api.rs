//! The protected API.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    extract::QueryParams,
    faults::Endpoint,
    inject_fault,
    provider::{Provider, hash},
    records::{self, Asked},
    registry::PEOPLE,
    twin,
};

/// `GET /userinfo` (OpenID Connect Core §5.3).
pub(crate) async fn userinfo(State(provider): State<Arc<Provider>>, headers: HeaderMap) -> Response {
    respond(&provider, &headers, async |subject| {
        let (name, email) = name_of(subject);
        Json(json!({ "sub": subject, "name": name, "email": email })).into_response()
    })
    .await
}

/// `GET /api/me`.
pub(crate) async fn me(State(provider): State<Arc<Provider>>, headers: HeaderMap) -> Response {
    respond(&provider, &headers, async |subject| {
        let (name, email) = name_of(subject);
        Json(json!({ "id": subject, "name": name, "email": email })).into_response()
    })
    .await
}

/// `GET /api/items`.
pub(crate) async fn items(State(provider): State<Arc<Provider>>, headers: HeaderMap) -> Response {
    respond(&provider, &headers, async |subject| {
        Json(json!({ "items": [
            { "id": 1, "title": "Analytical engine", "owner": subject },
            { "id": 2, "title": "Compiler", "owner": subject },
        ] }))
        .into_response()
    })
    .await
}

/// `GET /api/records`.
pub(crate) async fn records(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    QueryParams(asked): QueryParams<Asked>,
) -> Response {
    respond(&provider, &headers, async |_| records::page(&asked)).await
}

/// `/api/…`: what the file of the Sandbox's own API describes.
pub(crate) async fn resource(State(provider): State<Arc<Provider>>, request: Request) -> Response {
    let headers = request.headers().clone();
    respond(&provider, &headers, async |_| twin::answer_own(&provider, request).await).await
}

fn name_of(subject: &str) -> (String, Option<&'static str>) {
    PEOPLE
        .iter()
        .find(|person| person.subject == subject)
        .map_or_else(|| (subject.to_owned(), None), |person| (person.name.to_owned(), Some(person.email)))
}

async fn respond(provider: &Provider, headers: &HeaderMap, answer: impl AsyncFnOnce(&str) -> Response) -> Response {
    let fault = provider.fault(Endpoint::Api);
    if let Some(fault) = fault
        && let Some(response) = inject_fault::replacement(provider, Endpoint::Api, None, fault).await
    {
        return response;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let now = provider.now();
    let subject =
        bearer.or_else(|| text("x-api-key")).and_then(|token| provider.state().grants.subject_of(&hash(token), now));
    provider.record("api", None, if subject.is_some() { "ok" } else { "unauthorized" }, subject.clone());
    let right = match subject {
        Some(subject) => answer(&subject).await,
        // RFC 6750 §3.
        None => (
            StatusCode::UNAUTHORIZED,
            [("www-authenticate", "Bearer error=\"invalid_token\"")],
            Json(json!({ "error": "invalid_token", "message": "The access token is expired, revoked or unknown." })),
        )
            .into_response(),
    };
    inject_fault::deliver(fault, right).await
}
