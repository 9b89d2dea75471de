//! The return from the provider: the callback, the page that it leads to, and the confirmation for a browser that didn't begin
//! the flow.

use axum::{
    Extension, Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, Uri, request::Parts},
    response::{AppendHeaders, IntoResponse, Response},
};
use relink_contract::connect::{Flow, ReturnedSignIn};
use relink_domain::{FlowId, caller::Caller};
use relink_engine::TakenCallback;

use super::{RETURN_KEY, base_url, header, see_other};
use crate::{
    ApiState,
    error::{ApiError, ApiResult},
    openapi::NotFound,
    path::PathId,
    reached::ReachedAt,
    ui::{self, Framing, OpenerAccess},
};

/// The flow in the path, with whose return key the request was made.
pub(super) struct ReturnedFlow {
    id: FlowId,
    key: String,
    caller: Caller,
}

impl FromRequestParts<ApiState> for ReturnedFlow {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, ApiError> {
        let PathId(id) = PathId::from_request_parts(parts, api).await?;
        let key = header(&parts.headers, RETURN_KEY).to_owned();
        let caller = api.engine.connections().return_caller(id, &key)?;
        Ok(Self { id, key, caller })
    }
}

/// Receive the provider's redirect (RFC 8252 §7.3)
///
/// Redirects at once, so that the code doesn't stay in the address bar.
#[utoipa::path(
    get,
    path = "/oauth/callback/{integration}",
    operation_id = "oauth_callback",
    tag = "Connect UI",
    params(
        ("integration" = String, Path),
        ("state" = Option<String>, Query),
        ("code" = Option<String>, Query),
        ("error" = Option<String>, Query),
    ),
    responses(
        (status = 303, description = "To the page that continues the flow"),
        (status = 400, description = "A page that explains what is wrong with the URL", body = String, content_type = "text/html"),
    ),
)]
pub(super) async fn callback(State(api): State<ApiState>, reached: Option<Extension<ReachedAt>>, uri: Uri) -> Response {
    let address =
        format!("{}{}", base_url(&api, reached.as_deref()), uri.path_and_query().map_or("/", |path| path.as_str()));
    match take_callback(&api, &address).await {
        Ok(taken) => {
            (AppendHeaders([("referrer-policy", "no-referrer")]), see_other(&return_url("", &taken))).into_response()
        }
        Err(error) => {
            let message = [Some(error.to_string()), error.hint()].into_iter().flatten().collect::<Vec<_>>().join(" ");
            ui::text_page(StatusCode::BAD_REQUEST, &error.title(), &message)
        }
    }
}

/// The page that continues the flow. The key of the return is in the fragment, which no request contains.
pub(crate) fn return_url(base_url: &str, taken: &TakenCallback) -> String {
    let key = taken.return_key.as_ref().map(|key| format!("#return={}", key.expose())).unwrap_or_default();
    format!("{base_url}/connect-account/return?flow={}{key}", taken.flow)
}

async fn take_callback(api: &ApiState, address: &str) -> Result<TakenCallback, relink_engine::Error> {
    let connections = api.engine.connections();
    connections.callback(&connections.callback_caller(address).await?, address).await
}

/// Open the page after the callback
#[utoipa::path(
    get,
    path = "/connect-account/return",
    operation_id = "open_return_page",
    tag = "Connect UI",
    params(("flow" = Option<String>, Query)),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 503, description = "The page was not built", body = String, content_type = "text/html"),
    ),
)]
pub(super) async fn return_page() -> Response {
    ui::page(StatusCode::OK, OpenerAccess::Cut, &Framing::Nobody)
}

/// Show for whom a sign-in was begun
///
/// For the page that the provider returned to, if its browser didn't begin the flow.
#[utoipa::path(
    get,
    path = "/connect-account/flows/{id}/return",
    operation_id = "get_returned_sign_in",
    tag = "Connect UI",
    params(("id" = FlowId, Path), ("X-Relink-Return-Key" = String, Header)),
    responses((status = 200, description = "What the person confirms", body = ReturnedSignIn), NotFound),
)]
pub(super) async fn returned(
    State(api): State<ApiState>,
    ReturnedFlow { id, key, caller }: ReturnedFlow,
) -> ApiResult<ReturnedSignIn> {
    Ok(Json(api.engine.connections().returned_sign_in(&caller, id, &key).await?))
}

/// Confirm for whom the person signed in
///
/// Then the code is exchanged, and the key of the return is a second key of the flow.
#[utoipa::path(
    post,
    path = "/connect-account/flows/{id}/confirm",
    operation_id = "confirm_return",
    tag = "Connect UI",
    params(("id" = FlowId, Path), ("X-Relink-Return-Key" = String, Header)),
    responses((status = 200, description = "The flow", body = Flow), NotFound),
)]
pub(super) async fn confirm(
    State(api): State<ApiState>,
    ReturnedFlow { id, key, caller }: ReturnedFlow,
) -> ApiResult<Flow> {
    Ok(Json(api.engine.connections().confirm_return(&caller, id, &key).await?))
}

/// Decline a sign-in that the person didn't begin
#[utoipa::path(
    delete,
    path = "/connect-account/flows/{id}/return",
    operation_id = "decline_return",
    tag = "Connect UI",
    params(("id" = FlowId, Path), ("X-Relink-Return-Key" = String, Header)),
    responses((status = 204, description = "The sign-in was declined"), NotFound),
)]
pub(super) async fn decline(
    State(api): State<ApiState>,
    ReturnedFlow { id, key, caller }: ReturnedFlow,
) -> Result<StatusCode, ApiError> {
    api.engine.connections().decline_return(&caller, id, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}
