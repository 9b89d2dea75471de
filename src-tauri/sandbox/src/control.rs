//! The control routes, for callers with the control key.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    extract::{JsonBody, QueryParams, refusal},
    faults::{Endpoint, Fault, FaultKind},
    provider::{Provider, State as ProviderState, hash, random},
    registry::{PEOPLE, SERVICE_CLIENT_ID},
    settings::SettingsChange,
};

const YEAR_SECS: i64 = 31_536_000;

/// A request to make the next responses of an endpoint fail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRequest {
    pub kind: FaultKind,
    /// How many responses fail.
    #[serde(default = "one")]
    pub count: u32,
    #[serde(default)]
    on: Endpoint,
    /// How many responses succeed before that.
    #[serde(default)]
    pub after: u32,
    /// The value of `Retry-After`, in seconds.
    #[serde(default = "sixty")]
    pub retry_after: u32,
}

const fn one() -> u32 {
    1
}

const fn sixty() -> u32 {
    60
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Target {
    subject: Option<String>,
}

impl Target {
    /// The refusal of a subject that nobody has.
    fn unknown(&self) -> Option<Response> {
        let subject = self.subject.as_deref()?;
        let known = PEOPLE.iter().map(|person| person.subject).chain([SERVICE_CLIENT_ID]);
        let names: Vec<_> = known.collect();
        let message = format!("Nobody has the subject {subject:?}. The subjects are: {}.", names.join(", "));
        (!names.contains(&subject)).then(|| refusal(StatusCode::BAD_REQUEST, &message))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LogQuery {
    after: u64,
    wait: u64,
}

/// Refuses callers without the key, and all web pages.
pub(crate) async fn guard(State(provider): State<Arc<Provider>>, request: Request, next: Next) -> Response {
    match refused(&provider, request.headers()) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

fn refused(provider: &Provider, headers: &HeaderMap) -> Option<Response> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("origin").is_some_and(|origin| origin != provider.base_url) {
        return Some(refusal(StatusCode::FORBIDDEN, "A web page can't use the controls."));
    }
    let key = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if key.is_some_and(|key| provider.is_control_key(key)) {
        return None;
    }
    Some(refusal(StatusCode::UNAUTHORIZED, "The control key is missing or wrong."))
}

/// `GET /control`.
pub(crate) async fn show(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let state = provider.state();
    Json(json!({
        "settings": state.settings,
        "sign_ins": state.grants.active_sign_ins(),
        "faults_left": state.faults.left(),
        "counters": state.log.counters(),
        "people": PEOPLE.map(|person| json!({ "subject": person.subject, "name": person.name })),
    }))
}

/// `PATCH /control`.
pub(crate) async fn change(
    State(provider): State<Arc<Provider>>,
    JsonBody(change): JsonBody<SettingsChange>,
) -> Response {
    let in_bounds = |value: Option<i64>, most: i64| value.is_none_or(|value| (0..=most).contains(&value));
    if change.clock_skew_secs.is_some_and(|skew| !(-YEAR_SECS..=YEAR_SECS).contains(&skew)) {
        return refusal(
            StatusCode::BAD_REQUEST,
            "The clock skew must be within one year (31,536,000 seconds) in either direction.",
        );
    }
    if !in_bounds(change.token_lifetime_secs, YEAR_SECS) || !in_bounds(change.grace_secs, 86_400) {
        return refusal(
            StatusCode::BAD_REQUEST,
            "The lifetime must be 0 to 31,536,000 seconds, the grace period 0 to 86,400.",
        );
    }
    if change.delay_millis.is_some_and(|delay| delay > 60_000) {
        return refusal(StatusCode::BAD_REQUEST, "The delay must be at most 60,000 milliseconds.");
    }
    {
        let settings = &mut provider.state().settings;
        settings.token_lifetime_secs = change.token_lifetime_secs.unwrap_or(settings.token_lifetime_secs);
        settings.rotation = change.rotation.unwrap_or(settings.rotation);
        settings.grace_secs = change.grace_secs.unwrap_or(settings.grace_secs);
        settings.clock_skew_secs = change.clock_skew_secs.unwrap_or(settings.clock_skew_secs);
        settings.delay_millis = change.delay_millis.unwrap_or(settings.delay_millis);
    }
    provider.save();
    show(State(provider)).await.into_response()
}

/// `POST /control/expire`: expires access tokens.
pub(crate) async fn expire(State(provider): State<Arc<Provider>>, JsonBody(target): JsonBody<Target>) -> Response {
    if let Some(refusal) = target.unknown() {
        return refusal;
    }
    let now = provider.now();
    let count = provider.state().grants.expire_all(target.subject.as_deref(), now);
    provider.save();
    Json(json!({ "expired": count })).into_response()
}

/// `POST /control/revoke`: revokes sign-ins, API keys and clients.
pub(crate) async fn revoke(State(provider): State<Arc<Provider>>, JsonBody(target): JsonBody<Target>) -> Response {
    if let Some(refusal) = target.unknown() {
        return refusal;
    }
    let count = provider.state().grants.revoke_all(target.subject.as_deref());
    provider.save();
    Json(json!({ "revoked": count })).into_response()
}

/// `POST /control/faults`.
pub(crate) async fn add_faults(
    State(provider): State<Arc<Provider>>,
    JsonBody(request): JsonBody<FaultRequest>,
) -> Response {
    if !request.kind.applies_to(request.on) {
        return refusal(StatusCode::BAD_REQUEST, request.on.mismatch_message());
    }
    let mut state = provider.state();
    let fault = Fault { kind: request.kind, retry_after_secs: request.retry_after };
    state.faults.add(fault, request.on, request.after, request.count.clamp(1, 100_000));
    Json(json!({ "faults_left": state.faults.left() })).into_response()
}

/// `DELETE /control/faults`.
pub(crate) async fn clear_faults(State(provider): State<Arc<Provider>>) -> Json<Value> {
    provider.state().faults.clear();
    Json(json!({ "faults_left": 0 }))
}

/// `POST /control/api-keys`.
pub(crate) async fn create_api_key(
    State(provider): State<Arc<Provider>>,
    JsonBody(target): JsonBody<Target>,
) -> Response {
    let subject = target.subject.unwrap_or_else(|| PEOPLE[0].subject.to_owned());
    if !PEOPLE.iter().any(|person| person.subject == subject) {
        return refusal(StatusCode::BAD_REQUEST, "No user has this subject. GET /control lists the users.");
    }
    let Some(random) = random() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let key = format!("sk_sandbox_{random}");
    provider.state().grants.add_api_key(hash(&key), subject.clone());
    provider.save();
    Json(json!({ "api_key": key, "subject": subject })).into_response()
}

/// `POST /control/clients`.
pub(crate) async fn create_client(State(provider): State<Arc<Provider>>) -> Response {
    let Some(secret) = random() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    provider.state().grants.add_client(hash(&secret), SERVICE_CLIENT_ID.to_owned());
    provider.save();
    Json(json!({ "client_id": SERVICE_CLIENT_ID, "client_secret": secret })).into_response()
}

/// `POST /control/reset`: restores the initial state. The log's numbering continues, for callers that follow it.
pub(crate) async fn reset(State(provider): State<Arc<Provider>>) -> Json<Value> {
    {
        let mut state = provider.state();
        let mut log = std::mem::take(&mut state.log);
        log.clear();
        *state = ProviderState { log, ..ProviderState::initial(provider.scenario.as_deref()) };
    }
    provider.save();
    Json(json!({ "reset": true }))
}

/// `GET /control/log?after=SEQ&wait=SECONDS`.
pub(crate) async fn log(
    State(provider): State<Arc<Provider>>,
    QueryParams(query): QueryParams<LogQuery>,
) -> Json<Value> {
    let mut latest = provider.state().log.latest();
    let wait = Duration::from_secs(query.wait.min(60));
    // Respond with the entries after the wait, even if there are none.
    let _ = tokio::time::timeout(wait, latest.wait_for(|seq| *seq > query.after)).await;
    Json(json!({ "entries": provider.state().log.after(query.after) }))
}
