//! `/environment-unified-model`.

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List,
    unified::{EnvironmentUnifiedModel, EnvironmentUnifiedModelChange, NewEnvironmentUnifiedModel},
};
use relink_domain::{EnvironmentUnifiedModelId, UnifiedModelId, caller::Caller, permission::Permission};
use relink_engine::InstalledModel;
use utoipa_axum::routes;

use super::Shared;
use crate::{
    ApiState,
    body::Body,
    error::ApiResult,
    listing::{self, Field, Place},
    openapi::{BodyErrors, NotFound, QueryErrors, Routes},
    path::{Id as _, PathId},
    query::Query,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadIntegrations, routes!(list))
        .with(Permission::ReadIntegrations, routes!(show))
        .with(Permission::ManageIntegrations, routes!(install))
        .with(Permission::ManageIntegrations, routes!(change, uninstall))
}

fn shown(shared: &Shared, installed: InstalledModel) -> EnvironmentUnifiedModel {
    let InstalledModel { id, model, r#override, created_at, updated_at } = installed;
    EnvironmentUnifiedModel {
        id,
        unified_model_id: model.id,
        environment_id: shared.environment_id,
        r#override,
        unified_model: shared.model(model),
        created_at,
        updated_at,
    }
}

/// List installed unified models
#[utoipa::path(
    get,
    path = "/environment-unified-model",
    operation_id = "list_environment_unified_models",
    tag = "Unified API",
    params(
        ("unified_model_id" = Option<String>, Query),
        ("unified_model.name" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the installed unified models", body = List<EnvironmentUnifiedModel>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<EnvironmentUnifiedModel>> {
    let shared = Shared::read(&api, &caller).await?;
    let all = api.engine.unified_models().installed(&caller).await?;
    let all = all.into_iter().map(|installed| shown(&shared, installed)).collect();
    let fields: [(_, Field<EnvironmentUnifiedModel>); 3] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("unified_model_id", Field::Text(|it| it.unified_model_id.to_string())),
        ("unified_model.name", Field::Text(|it| it.unified_model.name.clone())),
    ];
    let place = |it: &EnvironmentUnifiedModel| Place {
        created_at: it.created_at,
        updated_at: it.updated_at,
        id: it.id.to_string(),
    };
    Ok(Json(listing::list(&query, all, &fields, place)?))
}

/// Show an installed unified model
#[utoipa::path(
    get,
    path = "/environment-unified-model/{id}",
    operation_id = "get_environment_unified_model",
    tag = "Unified API",
    params(("id" = EnvironmentUnifiedModelId, Path)),
    responses((status = 200, description = "The installed unified model", body = EnvironmentUnifiedModel), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<EnvironmentUnifiedModelId>,
) -> ApiResult<EnvironmentUnifiedModel> {
    let installed = api.engine.unified_models().installation(&caller, id).await?;
    Ok(Json(shown(&Shared::read(&api, &caller).await?, installed)))
}

/// Install a unified model
///
/// One that is installed already stays so.
#[utoipa::path(
    post,
    path = "/environment-unified-model",
    operation_id = "install_unified_model",
    tag = "Unified API",
    request_body = NewEnvironmentUnifiedModel,
    responses((status = 200, description = "The installed unified model", body = EnvironmentUnifiedModel), BodyErrors, NotFound),
)]
async fn install(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewEnvironmentUnifiedModel>,
) -> ApiResult<EnvironmentUnifiedModel> {
    let model: UnifiedModelId =
        new.unified_model_id.parse().map_err(|_| UnifiedModelId::not_found(&new.unified_model_id))?;
    let installed = api.engine.unified_models().install(&caller, model, new.r#override).await?;
    Ok(Json(shown(&Shared::read(&api, &caller).await?, installed)))
}

/// Change the override of an installed unified model
///
/// Merged deeply: null removes a key.
#[utoipa::path(
    patch,
    path = "/environment-unified-model/{id}",
    operation_id = "update_environment_unified_model",
    tag = "Unified API",
    params(("id" = EnvironmentUnifiedModelId, Path)),
    request_body = EnvironmentUnifiedModelChange,
    responses((status = 200, description = "The installed unified model", body = EnvironmentUnifiedModel), BodyErrors, NotFound),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<EnvironmentUnifiedModelId>,
    Body(change): Body<EnvironmentUnifiedModelChange>,
) -> ApiResult<EnvironmentUnifiedModel> {
    let over = change.r#override.unwrap_or_default();
    let installed = api.engine.unified_models().change_installed(&caller, id, over).await?;
    Ok(Json(shown(&Shared::read(&api, &caller).await?, installed)))
}

/// Uninstall a unified model
///
/// With the environment's mappings of it.
#[utoipa::path(
    delete,
    path = "/environment-unified-model/{id}",
    operation_id = "uninstall_unified_model",
    tag = "Unified API",
    params(("id" = EnvironmentUnifiedModelId, Path)),
    responses((status = 200, description = "The unified model was uninstalled", body = Deleted), NotFound),
)]
async fn uninstall(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<EnvironmentUnifiedModelId>,
) -> ApiResult<Deleted> {
    api.engine.unified_models().uninstall(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}
