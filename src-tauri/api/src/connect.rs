//! The connect UI: its pages, its API, and the loopback callback. Its requests are authorized by a link token or a flow's key.

mod form;
mod framing;
mod opening;
mod returned;

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{HeaderMap, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use relink_contract::{
    WireSecret,
    connect::{CreatedFlow, Flow, IdentityAnswer, NewFlow, PastedCallback, Session},
};
use relink_domain::{FlowId, caller::Caller};
use relink_engine::BeginFlow;
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    limits::Client,
    openapi::{BodyErrors, Conflict, NotFound, OpenRoutes},
    path::{PathId, PathText},
    query::Query,
    reached::ReachedAt,
    ui,
};

pub(crate) use returned::return_url;

/// How long a request for a flow waits for a change.
const LONG_POLL_TIMEOUT: Duration = Duration::from_secs(25);

pub(crate) fn routes() -> OpenRoutes {
    OpenRoutes::new()
        .with(routes!(opening::page))
        .with(routes!(opening::opened_page))
        .with(routes!(opening::prepare_opening))
        .with(routes!(opening::exchange_nonce))
        .with(routes!(form::page))
        .with(routes!(form::opened_page))
        .with(routes!(form::show, form::submit))
        .with(routes!(form::options))
        .with(routes!(returned::return_page))
        .with(routes!(asset))
        .with(routes!(session))
        .with(routes!(begin))
        .with(routes!(follow, abandon))
        .with(routes!(claim))
        .with(routes!(returned::returned, returned::decline))
        .with(routes!(returned::confirm))
        .with(routes!(answer))
        .with(routes!(paste))
        .with(routes!(returned::callback))
}

/// Whether other sites may redirect a browser to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Landing {
    Nowhere,
    InTab,
    /// The page itself then decides by who frames it.
    InTabOrFrame,
}

pub(crate) fn landing(path: &str) -> Landing {
    let path = path.trim_end_matches('/');
    let is_page = |page: &str| path == page || path.strip_prefix(page).is_some_and(|rest| rest.starts_with("/open/"));
    if is_page("/connect-account") || is_page("/connect-account/post-connect") {
        Landing::InTabOrFrame
    } else if path == "/connect-account/return" || path.starts_with("/oauth/callback/") {
        Landing::InTab
    } else {
        Landing::Nowhere
    }
}

/// Whether a request belongs to a sign-in: to the connect UI, or to a callback.
pub(crate) fn is_sign_in(path: &str) -> bool {
    path == "/connect-account" || path.starts_with("/connect-account/") || path.starts_with("/oauth/callback/")
}

/// Get a file of the connect UI
#[utoipa::path(
    get,
    path = "/connect-account/assets/{file}",
    operation_id = "get_asset",
    tag = "Connect UI",
    params(("file" = String, Path)),
    responses((status = 200, description = "The file", content_type = "application/octet-stream"), NotFound),
)]
async fn asset(PathText(file): PathText) -> Result<Response, ApiError> {
    ui::asset(&file).ok_or_else(|| ApiError::not_found(&format!("There is no file {file}")))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The link token, or the page token that stands for it.
fn link_token(headers: &HeaderMap) -> &str {
    header(headers, "x-relink-link-token")
}

/// The key of the return, which the page gets that the provider returned to.
const RETURN_KEY: &str = "x-relink-return-key";

/// The flow in the path, whose key the request has.
struct AuthorizedFlow {
    id: FlowId,
    key: String,
    caller: Caller,
}

impl FromRequestParts<ApiState> for AuthorizedFlow {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, ApiError> {
        let PathId(id) = PathId::from_request_parts(parts, api).await?;
        let key = header(&parts.headers, "x-relink-flow-key").to_owned();
        let caller = api.engine.connections().flow_caller(id, &key)?;
        Ok(Self { id, key, caller })
    }
}

/// Show what a link token permits
#[utoipa::path(
    get,
    path = "/connect-account/session",
    operation_id = "get_session",
    tag = "Connect UI",
    params(("X-Relink-Link-Token" = String, Header)),
    responses((status = 200, description = "What the link token permits", body = Session), NotFound),
)]
async fn session(State(api): State<ApiState>, headers: HeaderMap) -> ApiResult<Session> {
    let (connections, token) = (api.engine.connections(), link_token(&headers));
    let caller = connections.link_caller(token).await?;
    Ok(Json(connections.link_session(&caller, token).await?))
}

/// Begin a flow
#[utoipa::path(
    post,
    path = "/connect-account/flows",
    operation_id = "begin_flow",
    tag = "Connect UI",
    params(("X-Relink-Link-Token" = String, Header)),
    request_body = NewFlow,
    responses((status = 201, description = "The new flow", body = CreatedFlow), BodyErrors, NotFound, Conflict),
)]
async fn begin(
    State(api): State<ApiState>,
    headers: HeaderMap,
    Body(new): Body<NewFlow>,
) -> Result<(StatusCode, Json<CreatedFlow>), ApiError> {
    let fields = new.fields.unwrap_or_default().into_iter().map(|(name, value)| (name, value.into_secret())).collect();
    let wanted = BeginFlow {
        integration: new.integration,
        format: new.format,
        redirect: new.redirect,
        fields,
        skips_form: new.skip_rapid_form,
    };
    let (connections, token) = (api.engine.connections(), link_token(&headers));
    let caller = connections.link_caller(token).await?;
    let begun = connections.begin_flow(&caller, token, wanted).await?;
    Ok((StatusCode::CREATED, Json(CreatedFlow { flow: begun.flow, key: WireSecret::from(begun.key) })))
}

/// Follow a flow
///
/// Responds when the flow's version is greater than `after`, or after 25 seconds.
#[utoipa::path(
    get,
    path = "/connect-account/flows/{id}",
    operation_id = "follow_flow",
    tag = "Connect UI",
    params(
        ("id" = FlowId, Path),
        ("after" = Option<u64>, Query, description = "A version. If absent, the response is immediate."),
        ("X-Relink-Flow-Key" = String, Header),
    ),
    responses(
        (status = 200, description = "The flow", body = Flow),
        (status = 429, description = "Too many requests are waiting for this flow", body = relink_contract::ErrorBody),
        NotFound,
    ),
)]
async fn follow(
    State(api): State<ApiState>,
    AuthorizedFlow { id, key, caller }: AuthorizedFlow,
    query: Query,
) -> ApiResult<Flow> {
    let after = query.one("after").and_then(|text| text.parse().ok());
    let _waiting = after.map(|_: u64| api.limits.long_poll(Client::Flow(id))).transpose()?;
    Ok(Json(api.engine.connections().flow(&caller, id, &key, after, LONG_POLL_TIMEOUT).await?))
}

/// Claim a callback
///
/// Then the code is exchanged. Requires the flow's key and, if the flow needs one, the key of the return: the fragment `return`
/// of the URL that the provider's redirect leads to.
#[utoipa::path(
    post,
    path = "/connect-account/flows/{id}/claim",
    operation_id = "claim_flow",
    tag = "Connect UI",
    params(
        ("id" = FlowId, Path),
        ("X-Relink-Flow-Key" = String, Header),
        ("X-Relink-Return-Key" = Option<String>, Header),
    ),
    responses((status = 200, description = "The flow", body = Flow), NotFound, Conflict),
)]
async fn claim(
    State(api): State<ApiState>,
    AuthorizedFlow { id, key, caller }: AuthorizedFlow,
    headers: HeaderMap,
) -> ApiResult<Flow> {
    let return_key = Some(header(&headers, RETURN_KEY)).filter(|key| !key.is_empty());
    Ok(Json(api.engine.connections().claim_flow(&caller, id, &key, return_key).await?))
}

/// Answer which identity to keep
#[utoipa::path(
    post,
    path = "/connect-account/flows/{id}/answer",
    operation_id = "answer_flow",
    tag = "Connect UI",
    params(("id" = FlowId, Path), ("X-Relink-Flow-Key" = String, Header)),
    request_body = IdentityAnswer,
    responses((status = 200, description = "The flow", body = Flow), BodyErrors, NotFound, Conflict),
)]
async fn answer(
    State(api): State<ApiState>,
    AuthorizedFlow { id, key, caller }: AuthorizedFlow,
    Body(IdentityAnswer { answer }): Body<IdentityAnswer>,
) -> ApiResult<Flow> {
    Ok(Json(api.engine.connections().answer_flow(&caller, id, &key, answer)?))
}

/// Submit a callback URL for a flow
#[utoipa::path(
    post,
    path = "/connect-account/flows/{id}/callback",
    operation_id = "paste_callback",
    tag = "Connect UI",
    params(("id" = FlowId, Path), ("X-Relink-Flow-Key" = String, Header)),
    request_body = PastedCallback,
    responses((status = 200, description = "The flow", body = Flow), BodyErrors, NotFound, Conflict),
)]
async fn paste(
    State(api): State<ApiState>,
    AuthorizedFlow { id, key, caller }: AuthorizedFlow,
    Body(pasted): Body<PastedCallback>,
) -> ApiResult<Flow> {
    Ok(Json(api.engine.connections().paste_callback(&caller, id, &key, pasted.url.expose()).await?))
}

/// Abandon a flow
#[utoipa::path(
    delete,
    path = "/connect-account/flows/{id}",
    operation_id = "abandon_flow",
    tag = "Connect UI",
    params(("id" = FlowId, Path), ("X-Relink-Flow-Key" = String, Header)),
    responses((status = 204, description = "The flow was abandoned"), NotFound),
)]
async fn abandon(
    State(api): State<ApiState>,
    AuthorizedFlow { id, key, caller }: AuthorizedFlow,
) -> Result<StatusCode, ApiError> {
    api.engine.connections().abandon_flow(&caller, id, &key)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The base URL at which a request reached Relink.
fn base_url(api: &ApiState, reached: Option<&ReachedAt>) -> Arc<str> {
    reached.map_or_else(|| api.port.base_url(), |reached| reached.base_url().into())
}

fn see_other(location: &str) -> Response {
    (StatusCode::SEE_OTHER, [("location", location), ("cache-control", "no-store")]).into_response()
}
