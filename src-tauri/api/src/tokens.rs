//! API tokens.

use axum::{Extension, Json, extract::State, http::StatusCode};
use relink_contract::{
    Deleted, List, WireSecret,
    token::{ApiTokenRow, CreatedApiToken, NewApiToken},
};
use relink_domain::{
    ApiTokenId, UserId,
    caller::{Caller, Grant},
    permission::Permission,
};
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    listing::{self, Field, Place},
    openapi::{BodyErrors, NotFound, QueryErrors, Routes},
    path::PathId,
    query::Query,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadApiTokens, routes!(list))
        .with(Permission::ReadApiTokens, routes!(show))
        .with(Permission::ManageApiTokens, routes!(create))
        .with(Permission::ManageApiTokens, routes!(revoke))
}

impl ApiState {
    fn token_row(&self, token: relink_engine::ApiToken, created_by: UserId) -> ApiTokenRow {
        let (environment_id, updated_at) = (self.engine.environment_id(), token.created_at);
        ApiTokenRow { token: token.into(), environment_id, created_by, updated_at }
    }
}

/// List API tokens
#[utoipa::path(
    get,
    path = "/api-token",
    operation_id = "list_api_tokens",
    tag = "API tokens",
    params(
        ("name" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of API tokens, without their secrets", body = List<ApiTokenRow>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<ApiTokenRow>> {
    let made_by = api.engine.organization().team(&caller).await?.user_id;
    let all = api.engine.access().api_tokens(&caller).await?;
    let all = all.into_iter().map(|token| api.token_row(token, made_by)).collect();
    let fields: [(_, Field<ApiTokenRow>); 3] = [
        ("id", Field::Text(|it| it.token.id.to_string())),
        ("name", Field::Text(|it| it.token.name.clone())),
        ("environment_id", Field::Text(|it| it.environment_id.to_string())),
    ];
    let place = |it: &ApiTokenRow| Place {
        created_at: it.token.created_at,
        updated_at: it.updated_at,
        id: it.token.id.to_string(),
    };
    Ok(Json(listing::list(&query, all, &fields, place)?))
}

/// Show an API token
#[utoipa::path(
    get,
    path = "/api-token/{id}",
    operation_id = "get_api_token",
    tag = "API tokens",
    params(("id" = ApiTokenId, Path)),
    responses((status = 200, description = "The API token, without its secret", body = ApiTokenRow), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<ApiTokenId>,
) -> ApiResult<ApiTokenRow> {
    let made_by = api.engine.organization().team(&caller).await?.user_id;
    Ok(Json(api.token_row(api.engine.access().api_token(&caller, id).await?, made_by)))
}

/// Create an API token
///
/// Only this response contains the token.
#[utoipa::path(
    post,
    path = "/relink/api-tokens",
    operation_id = "create_api_token",
    tag = "API tokens",
    request_body = NewApiToken,
    responses((status = 201, description = "The API token", body = CreatedApiToken), BodyErrors),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewApiToken>,
) -> Result<(StatusCode, Json<CreatedApiToken>), ApiError> {
    let grant = Grant { level: new.level, limits: new.limits };
    let (token, secret) = api.engine.access().create_api_token(&caller, new.name, grant, new.expires_at).await?;
    let body = CreatedApiToken { record: token.into(), token: WireSecret::from(secret) };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Revoke an API token
///
/// The links that it created end with it. Its webhooks stay.
#[utoipa::path(
    delete,
    path = "/relink/api-tokens/{id}",
    operation_id = "revoke_api_token",
    tag = "API tokens",
    params(("id" = ApiTokenId, Path)),
    responses((status = 200, description = "The token was revoked", body = Deleted), NotFound),
)]
async fn revoke(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<ApiTokenId>,
) -> ApiResult<Deleted> {
    api.engine.access().revoke_api_token(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}
