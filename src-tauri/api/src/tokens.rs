//! API tokens.

use axum::{Extension, Json, extract::State, http::StatusCode};
use relink_contract::{
    Deleted, List, WireSecret,
    token::{ApiToken, CreatedApiToken, NewApiToken},
};
use relink_domain::{
    ApiTokenId,
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
    responses((status = 200, description = "A page of API tokens, without their secrets", body = List<ApiToken>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<ApiToken>> {
    let all = api.engine.access().api_tokens(&caller).await?.into_iter().map(Into::into).collect();
    let fields: [(_, Field<ApiToken>); 3] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("name", Field::Text(|it| it.name.clone())),
        ("created_at", Field::Time(|it| it.created_at)),
    ];
    // A token never changes.
    let place = |it: &ApiToken| Place { created_at: it.created_at, updated_at: it.created_at, id: it.id.to_string() };
    Ok(Json(listing::list(&query, all, &fields, place)?))
}

/// Show an API token
#[utoipa::path(
    get,
    path = "/api-token/{id}",
    operation_id = "get_api_token",
    tag = "API tokens",
    params(("id" = ApiTokenId, Path)),
    responses((status = 200, description = "The API token, without its secret", body = ApiToken), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<ApiTokenId>,
) -> ApiResult<ApiToken> {
    Ok(Json(api.engine.access().api_token(&caller, id).await?.into()))
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
