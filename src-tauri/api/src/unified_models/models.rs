//! `/unified-model`.

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List,
    unified::{NewUnifiedModel, UnifiedModel, UnifiedModelChange},
};
use relink_domain::{UnifiedModelId, caller::Caller, permission::Permission};
use utoipa_axum::routes;

use super::{Shared, document};
use crate::{
    ApiState,
    body::Body,
    error::ApiResult,
    listing::{self, Field, Place},
    openapi::{BodyErrors, Conflict, NotFound, QueryErrors, Routes},
    path::PathId,
    query::Query,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadIntegrations, routes!(list))
        .with(Permission::ReadIntegrations, routes!(show))
        .with(Permission::ManageIntegrations, routes!(create))
        .with(Permission::ManageIntegrations, routes!(change, delete))
}

/// List unified models
#[utoipa::path(
    get,
    path = "/unified-model",
    operation_id = "list_unified_models",
    tag = "Unified API",
    params(
        ("name" = Option<String>, Query),
        ("category" = Option<String>, Query),
        ("sharing" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the unified models", body = List<UnifiedModel>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<UnifiedModel>> {
    let shared = Shared::read(&api, &caller).await?;
    let all = api.engine.unified_models().models(&caller).await?;
    let all = all.into_iter().map(|model| shared.model(model)).collect();
    let fields: [(_, Field<UnifiedModel>); 4] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("name", Field::Text(|it| it.name.clone())),
        ("category", Field::OptionalText(|it| it.category.clone())),
        ("sharing", Field::Text(|it| it.sharing.clone())),
    ];
    let place =
        |it: &UnifiedModel| Place { created_at: it.created_at, updated_at: it.updated_at, id: it.id.to_string() };
    Ok(Json(listing::list(&query, all, &fields, place)?))
}

/// Show a unified model
#[utoipa::path(
    get,
    path = "/unified-model/{id}",
    operation_id = "get_unified_model",
    tag = "Unified API",
    params(("id" = UnifiedModelId, Path)),
    responses((status = 200, description = "The unified model", body = UnifiedModel), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<UnifiedModelId>,
) -> ApiResult<UnifiedModel> {
    let model = api.engine.unified_models().model(&caller, id).await?;
    Ok(Json(Shared::read(&api, &caller).await?.model(model)))
}

/// Add a unified model
///
/// It can be called once it is installed, and mapped.
#[utoipa::path(
    post,
    path = "/unified-model",
    operation_id = "create_unified_model",
    tag = "Unified API",
    request_body = NewUnifiedModel,
    responses((status = 200, description = "The unified model", body = UnifiedModel), BodyErrors, Conflict),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewUnifiedModel>,
) -> ApiResult<UnifiedModel> {
    let mut document = document(&new.document)?;
    document.retain(|_, value| !value.is_null());
    let model = api.engine.unified_models().add_model(&caller, new.name, document).await?;
    Ok(Json(Shared::read(&api, &caller).await?.model(model)))
}

/// Change a unified model
///
/// Merged deeply: null removes a key. `version` must be the current one. One that is built in can't be changed.
#[utoipa::path(
    patch,
    path = "/unified-model/{id}",
    operation_id = "update_unified_model",
    tag = "Unified API",
    params(("id" = UnifiedModelId, Path)),
    request_body = UnifiedModelChange,
    responses((status = 200, description = "The unified model", body = UnifiedModel), BodyErrors, NotFound, Conflict),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<UnifiedModelId>,
    Body(change): Body<UnifiedModelChange>,
) -> ApiResult<UnifiedModel> {
    let document = document(&change.document)?;
    let models = api.engine.unified_models();
    let model = models.change_model(&caller, id, change.version, change.name, document).await?;
    Ok(Json(Shared::read(&api, &caller).await?.model(model)))
}

/// Delete a unified model
///
/// With its mappings, and where it is installed.
#[utoipa::path(
    delete,
    path = "/unified-model/{id}",
    operation_id = "delete_unified_model",
    tag = "Unified API",
    params(("id" = UnifiedModelId, Path)),
    responses((status = 200, description = "The unified model was deleted", body = Deleted), NotFound, Conflict),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<UnifiedModelId>,
) -> ApiResult<Deleted> {
    api.engine.unified_models().delete_model(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}
