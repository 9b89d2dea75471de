//! The connect UI: its pages, its own small API, and the loopback callback. Whoever has the link, or the flow's key, may.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json, Router,
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use relink_domain::{FlowId, Secret, account::AuthenticationMethod, integration::RedirectKind};
use relink_engine::connect::{BeginFlow, IdentityChoice};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    ApiState,
    query::Query,
    reply::{self, ApiResult, Body, Failed},
    ui,
};

/// How long the page's question "what is new?" waits for an answer.
const PATIENCE: Duration = Duration::from_secs(25);

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/connect-account", get(page))
        .route("/connect-account/return", get(return_page))
        .route("/connect-account/assets/{file}", get(ui::asset))
        .route("/connect-account/session", get(session))
        .route("/connect-account/flows", post(begin))
        .route("/connect-account/flows/{id}", get(follow).delete(abandon))
        .route("/connect-account/flows/{id}/claim", post(claim))
        .route("/connect-account/flows/{id}/answer", post(answer))
        .route("/connect-account/flows/{id}/callback", post(paste))
        .route("/oauth/callback/{integration}", get(callback))
}

/// The pages that a browser is sent to from elsewhere.
pub(crate) fn is_landing(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    path == "/connect-account" || path == "/connect-account/return" || path.starts_with("/oauth/callback/")
}

/// `GET /connect-account?link_token=…`: the page is the same; its status says whether the link is good.
async fn page(State(surface): State<ApiState>, query: Query) -> Response {
    let good = match query.one("link_token") {
        Some(token) => surface.engine.link_session(token).await.is_ok(),
        None => false,
    };
    ui::page(if good { StatusCode::OK } else { StatusCode::NOT_FOUND })
}

/// `GET /connect-account/return?flow=ID`
async fn return_page() -> Response {
    ui::page(StatusCode::OK)
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn link_token(headers: &HeaderMap) -> &str {
    header(headers, "x-relink-link-token")
}

fn flow_key(headers: &HeaderMap) -> &str {
    header(headers, "x-relink-flow-key")
}

fn flow_id(text: &str) -> Result<FlowId, Failed> {
    text.parse().map_err(|_| Failed::not_found("not_found", "This sign-in doesn't exist."))
}

/// `GET /connect-account/session`
async fn session(State(surface): State<ApiState>, headers: HeaderMap) -> ApiResult {
    Ok(Json(reply::written(&surface.engine.link_session(link_token(&headers)).await?)))
}

#[derive(Deserialize)]
struct Begin {
    integration: String,
    format: AuthenticationMethod,
    redirect: Option<RedirectKind>,
    fields: Option<BTreeMap<String, String>>,
}

/// `POST /connect-account/flows`
async fn begin(
    State(surface): State<ApiState>,
    headers: HeaderMap,
    Body(wanted): Body<Begin>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    let fields =
        wanted.fields.unwrap_or_default().into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
    let wanted =
        BeginFlow { integration: wanted.integration, format: wanted.format, redirect: wanted.redirect, fields };
    let begun = surface.engine.begin_flow(link_token(&headers), wanted).await?;
    let mut body = reply::written(&begun.flow);
    body["key"] = begun.key.expose().into();
    Ok((StatusCode::CREATED, Json(body)))
}

/// `GET /connect-account/flows/{id}?after=VERSION`
async fn follow(
    State(surface): State<ApiState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    query: Query,
) -> ApiResult {
    let after = query.one("after").and_then(|text| text.parse().ok());
    let flow = surface.engine.flow(flow_id(&id)?, flow_key(&headers), after, PATIENCE).await?;
    Ok(Json(reply::written(&flow)))
}

/// `POST /connect-account/flows/{id}/claim`
async fn claim(State(surface): State<ApiState>, Path(id): Path<String>, headers: HeaderMap) -> ApiResult {
    Ok(Json(reply::written(&surface.engine.claim_flow(flow_id(&id)?, flow_key(&headers)).await?)))
}

#[derive(Deserialize)]
struct Chosen {
    answer: IdentityChoice,
}

/// `POST /connect-account/flows/{id}/answer`
async fn answer(
    State(surface): State<ApiState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(chosen): Body<Chosen>,
) -> ApiResult {
    Ok(Json(reply::written(&surface.engine.answer_flow(flow_id(&id)?, flow_key(&headers), chosen.answer)?)))
}

#[derive(Deserialize)]
struct Pasted {
    url: String,
}

/// `POST /connect-account/flows/{id}/callback`
async fn paste(
    State(surface): State<ApiState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(pasted): Body<Pasted>,
) -> ApiResult {
    let flow = surface.engine.paste_callback(flow_id(&id)?, flow_key(&headers), &pasted.url).await?;
    Ok(Json(reply::written(&flow)))
}

/// `DELETE /connect-account/flows/{id}`
async fn abandon(State(surface): State<ApiState>, Path(id): Path<String>, headers: HeaderMap) -> ApiResult<StatusCode> {
    surface.engine.abandon_flow(flow_id(&id)?, flow_key(&headers))?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /oauth/callback/{integration}`: the loopback redirect (RFC 8252 §7.3). The code leaves the address bar at once.
async fn callback(State(surface): State<ApiState>, OriginalUri(uri): OriginalUri) -> Response {
    let address = format!("{}{}", surface.base_url, uri.path_and_query().map_or("/", |path| path.as_str()));
    match surface.engine.callback(&address).await {
        Ok(flow) => {
            let location = format!("/connect-account/return?flow={flow}");
            let headers =
                [("location", location.as_str()), ("cache-control", "no-store"), ("referrer-policy", "no-referrer")];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(error) => {
            let message = [Some(error.to_string()), error.hint()].into_iter().flatten().collect::<Vec<_>>().join(" ");
            ui::words(StatusCode::BAD_REQUEST, &error.title(), &message)
        }
    }
}
