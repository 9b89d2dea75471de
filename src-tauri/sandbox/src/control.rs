//! The control routes: for whoever holds the control key.

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
    asked::{Asked, AskedFor, refusal},
    faults::{Fault, FaultKind, On},
    grants::Rotation,
    provider::{Memory, PEOPLE, Provider, SERVICE_CLIENT_ID, hash, random},
};

/// In seconds.
const YEAR: i64 = 31_536_000;

/// How the provider behaves.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Seconds that an access token lives.
    pub token_lifetime_secs: i64,
    /// What becomes of a refresh token when it is used.
    pub rotation: Rotation,
    /// Seconds that a replaced refresh token is still taken, under [`Rotation::Grace`].
    pub grace_secs: i64,
    /// Seconds that the provider's clock is ahead.
    pub clock_skew_secs: i64,
    /// Milliseconds that the token endpoint takes to answer.
    pub delay_millis: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token_lifetime_secs: 300,
            rotation: Rotation::Grace,
            grace_secs: 30,
            clock_skew_secs: 0,
            delay_millis: 0,
        }
    }
}

/// What of the settings changes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsChange {
    /// See [`Settings::token_lifetime_secs`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_lifetime_secs: Option<i64>,
    /// See [`Settings::rotation`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// See [`Settings::grace_secs`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_secs: Option<i64>,
    /// See [`Settings::clock_skew_secs`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_secs: Option<i64>,
    /// See [`Settings::delay_millis`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_millis: Option<u64>,
}

/// Answers that will go wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRequest {
    /// How.
    pub kind: FaultKind,
    /// How many.
    #[serde(default = "one")]
    pub count: u32,
    /// At which endpoint: `token`, `api` or `revoke`.
    #[serde(default)]
    on: On,
    /// Good answers before them.
    #[serde(default)]
    pub after: u32,
    /// Seconds in `Retry-After`.
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
pub(crate) struct Whom {
    subject: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LogQuery {
    after: u64,
    wait: u64,
}

/// Lets nobody in without the key, nor a web page at all.
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
    let memory = provider.memory();
    Json(json!({
        "settings": memory.settings,
        "sign_ins": memory.grants.living(),
        "faults_left": memory.faults.left(),
        "counters": memory.journal.counters(),
        "people": PEOPLE.map(|person| json!({ "subject": person.subject, "name": person.name })),
    }))
}

/// `PATCH /control`.
pub(crate) async fn change(State(provider): State<Arc<Provider>>, Asked(change): Asked<SettingsChange>) -> Response {
    let in_bounds = |value: Option<i64>, most: i64| value.is_none_or(|value| (0..=most).contains(&value));
    if change.clock_skew_secs.is_some_and(|skew| !(-YEAR..=YEAR).contains(&skew)) {
        return refusal(
            StatusCode::BAD_REQUEST,
            "The clock is off by a year (31,536,000 seconds) at most, either way.",
        );
    }
    if !in_bounds(change.token_lifetime_secs, YEAR) || !in_bounds(change.grace_secs, 86_400) {
        return refusal(StatusCode::BAD_REQUEST, "A lifetime has 0 to 31,536,000 seconds, a grace period 0 to 86,400.");
    }
    if change.delay_millis.is_some_and(|delay| delay > 60_000) {
        return refusal(StatusCode::BAD_REQUEST, "The delay has 60,000 milliseconds at most.");
    }
    {
        let settings = &mut provider.memory().settings;
        settings.token_lifetime_secs = change.token_lifetime_secs.unwrap_or(settings.token_lifetime_secs);
        settings.rotation = change.rotation.unwrap_or(settings.rotation);
        settings.grace_secs = change.grace_secs.unwrap_or(settings.grace_secs);
        settings.clock_skew_secs = change.clock_skew_secs.unwrap_or(settings.clock_skew_secs);
        settings.delay_millis = change.delay_millis.unwrap_or(settings.delay_millis);
    }
    provider.save();
    show(State(provider)).await.into_response()
}

/// `POST /control/expire`: access tokens are no longer accepted.
pub(crate) async fn expire(State(provider): State<Arc<Provider>>, Asked(whom): Asked<Whom>) -> Json<Value> {
    let count = provider.memory().grants.expire_all(whom.subject.as_deref());
    provider.save();
    Json(json!({ "expired": count }))
}

/// `POST /control/revoke`: sign-ins, API keys and clients are no longer accepted.
pub(crate) async fn revoke(State(provider): State<Arc<Provider>>, Asked(whom): Asked<Whom>) -> Json<Value> {
    let count = provider.memory().grants.revoke_all(whom.subject.as_deref());
    provider.save();
    Json(json!({ "revoked": count }))
}

/// `POST /control/faults`.
pub(crate) async fn plan(State(provider): State<Arc<Provider>>, Asked(request): Asked<FaultRequest>) -> Response {
    if !request.kind.fits(request.on) {
        return refusal(StatusCode::BAD_REQUEST, request.on.has_nothing_for());
    }
    let mut memory = provider.memory();
    let fault = Fault { kind: request.kind, retry_after_secs: request.retry_after };
    memory.faults.plan(fault, request.on, request.after, request.count.clamp(1, 100_000));
    Json(json!({ "faults_left": memory.faults.left() })).into_response()
}

/// `DELETE /control/faults`.
pub(crate) async fn clear(State(provider): State<Arc<Provider>>) -> Json<Value> {
    provider.memory().faults.clear();
    Json(json!({ "faults_left": 0 }))
}

/// `POST /control/api-keys`.
pub(crate) async fn api_key(State(provider): State<Arc<Provider>>, Asked(whom): Asked<Whom>) -> Response {
    let subject = whom.subject.unwrap_or_else(|| PEOPLE[0].subject.to_owned());
    if !PEOPLE.iter().any(|person| person.subject == subject) {
        return refusal(StatusCode::BAD_REQUEST, "Nobody here has this subject. GET /control lists the people.");
    }
    let Some(random) = random() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let key = format!("sk_sandbox_{random}");
    provider.memory().grants.add_api_key(hash(&key), subject.clone());
    provider.save();
    Json(json!({ "api_key": key, "subject": subject })).into_response()
}

/// `POST /control/clients`.
pub(crate) async fn client(State(provider): State<Arc<Provider>>) -> Response {
    let Some(secret) = random() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    provider.memory().grants.add_client(hash(&secret), SERVICE_CLIENT_ID.to_owned());
    provider.save();
    Json(json!({ "client_id": SERVICE_CLIENT_ID, "client_secret": secret })).into_response()
}

/// `POST /control/reset`: as on the first day, but for the numbers of the log: whoever follows it has seen the old ones.
pub(crate) async fn reset(State(provider): State<Arc<Provider>>) -> Json<Value> {
    {
        let mut memory = provider.memory();
        let mut journal = std::mem::take(&mut memory.journal);
        journal.forget();
        *memory = Memory { journal, ..Memory::default() };
    }
    provider.save();
    Json(json!({ "reset": true }))
}

/// `GET /control/log?after=SEQ&wait=SECONDS`.
pub(crate) async fn log(State(provider): State<Arc<Provider>>, AskedFor(query): AskedFor<LogQuery>) -> Json<Value> {
    let mut latest = provider.memory().journal.latest();
    let wait = Duration::from_secs(query.wait.min(60));
    // What is there after the wait is the answer, whether something came or not.
    let _ = tokio::time::timeout(wait, latest.wait_for(|seq| *seq > query.after)).await;
    Json(json!({ "entries": provider.memory().journal.after(query.after) }))
}
