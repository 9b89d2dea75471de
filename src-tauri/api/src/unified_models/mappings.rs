//! `/unified-model-resource-method` and `/environment-unified-model-resource-method`: the mappings of the base and of the environment.

use std::collections::HashMap;

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List,
    unified::{
        EnvironmentUnifiedModelResourceMethod, NewEnvironmentUnifiedModelResourceMethod, NewResourceMethod,
        NewUnifiedModelResourceMethod, ResourceMethod, ResourceMethodChange, UnifiedModelResourceMethod,
    },
};
use relink_domain::{
    EnvironmentId, EnvironmentUnifiedModelId, UnifiedMappingId, UnifiedModelId, caller::Caller, permission::Permission,
};
use relink_engine::{MappedMethod, MappingChange, MappingLayer, MappingOwner, MappingRow, NewMapping};
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    listing::{self, Field, Place},
    openapi::{BodyErrors, Conflict, NotFound, QueryErrors, Routes},
    path::{Id as _, PathId},
    query::Query,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadIntegrations, routes!(list_base))
        .with(Permission::ReadIntegrations, routes!(show_base))
        .with(Permission::ManageIntegrations, routes!(create_base))
        .with(Permission::ManageIntegrations, routes!(change_base, delete_base))
        .with(Permission::ReadIntegrations, routes!(list_own))
        .with(Permission::ReadIntegrations, routes!(show_own))
        .with(Permission::ManageIntegrations, routes!(create_own))
        .with(Permission::ManageIntegrations, routes!(change_own, delete_own))
}

/// The names of the models of mappings, by the id of the model or of its installation.
struct Models {
    names: HashMap<String, String>,
    environment_id: EnvironmentId,
}

impl Models {
    async fn read(api: &ApiState, caller: &Caller) -> Result<Self, ApiError> {
        let models = api.engine.unified_models();
        let mut names = HashMap::new();
        names.extend(models.models(caller).await?.into_iter().map(|it| (it.id.to_string(), it.name)));
        names.extend(models.installed(caller).await?.into_iter().map(|it| (it.id.to_string(), it.model.name)));
        Ok(Self { names, environment_id: api.engine.environment_id() })
    }

    fn name(&self, id: &impl ToString) -> String {
        self.names.get(&id.to_string()).cloned().unwrap_or_default()
    }
}

/// A row of one of the two kinds.
trait Shown: Sized {
    const LAYER: MappingLayer;

    /// `None`: the row is of the other kind.
    fn shown(row: MappingRow, warnings: Vec<String>, models: &Models) -> Option<Self>;

    fn mapping(&self) -> &ResourceMethod;
}

fn resource_method(row: MappingRow, warnings: Vec<String>) -> ResourceMethod {
    let MappedMethod { integration_name, resource_name, method_name } = row.of;
    ResourceMethod {
        id: row.id,
        integration_name,
        resource_name,
        method_name,
        config: row.config,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
        warnings,
    }
}

impl Shown for UnifiedModelResourceMethod {
    const LAYER: MappingLayer = MappingLayer::Base;

    fn shown(row: MappingRow, warnings: Vec<String>, models: &Models) -> Option<Self> {
        let MappingOwner::Base(unified_model_id) = row.owner else { return None };
        let unified_model_name = models.name(&unified_model_id);
        Some(Self { unified_model_id, unified_model_name, mapping: resource_method(row, warnings) })
    }

    fn mapping(&self) -> &ResourceMethod {
        &self.mapping
    }
}

impl Shown for EnvironmentUnifiedModelResourceMethod {
    const LAYER: MappingLayer = MappingLayer::Environment;

    fn shown(row: MappingRow, warnings: Vec<String>, models: &Models) -> Option<Self> {
        let MappingOwner::Environment(environment_unified_model_id) = row.owner else { return None };
        Some(Self {
            environment_unified_model_id,
            unified_model_name: models.name(&environment_unified_model_id),
            environment_id: models.environment_id,
            mapping: resource_method(row, warnings),
        })
    }

    fn mapping(&self) -> &ResourceMethod {
        &self.mapping
    }
}

/// The requested page. `more`: fields that only this kind has.
async fn listed<T: Shown>(
    api: &ApiState,
    caller: &Caller,
    query: &Query,
    more: [(&'static str, Field<T>); 2],
) -> Result<List<T>, ApiError> {
    let models = Models::read(api, caller).await?;
    let all = api.engine.unified_models().mappings(caller, T::LAYER).await?;
    let all = all.into_iter().filter_map(|row| T::shown(row, Vec::new(), &models)).collect();
    let mut fields: Vec<(_, Field<T>)> = vec![
        ("id", Field::Text(|it| it.mapping().id.to_string())),
        ("integration_name", Field::Text(|it| it.mapping().integration_name.clone())),
        ("resource_name", Field::Text(|it| it.mapping().resource_name.clone())),
        ("method_name", Field::Text(|it| it.mapping().method_name.clone())),
    ];
    fields.extend(more);
    let place = |it: &T| {
        let ResourceMethod { id, created_at, updated_at, .. } = it.mapping();
        Place { created_at: *created_at, updated_at: *updated_at, id: id.to_string() }
    };
    listing::list(query, all, &fields, place)
}

async fn shown<T: Shown>(api: &ApiState, caller: &Caller, row: MappingRow, warnings: Vec<String>) -> ApiResult<T> {
    let id = row.id.to_string();
    let models = Models::read(api, caller).await?;
    T::shown(row, warnings, &models).map(Json).ok_or_else(|| UnifiedMappingId::not_found(&id))
}

async fn one<T: Shown>(api: &ApiState, caller: &Caller, id: UnifiedMappingId) -> ApiResult<T> {
    let row = api.engine.unified_models().mapping_row(caller, T::LAYER, id).await?;
    shown(api, caller, row, Vec::new()).await
}

async fn created<T: Shown>(
    api: &ApiState,
    caller: &Caller,
    owner: MappingOwner,
    new: NewResourceMethod,
) -> ApiResult<T> {
    let NewResourceMethod { integration_name, resource_name, method_name, config } = new;
    let of = MappedMethod { integration_name, resource_name, method_name };
    let new = NewMapping { owner, of, config };
    let (row, warnings) = Box::pin(api.engine.unified_models().add_mapping(caller, new)).await?;
    shown(api, caller, row, warnings).await
}

async fn changed<T: Shown>(
    api: &ApiState,
    caller: &Caller,
    id: UnifiedMappingId,
    change: ResourceMethodChange,
) -> ApiResult<T> {
    let ResourceMethodChange { integration_name, resource_name, method_name, config, version } = change;
    let config = config.unwrap_or_default();
    let change = MappingChange { integration_name, resource_name, method_name, config, version };
    let changing = api.engine.unified_models().change_mapping(caller, T::LAYER, id, change);
    let (row, warnings) = Box::pin(changing).await?;
    shown(api, caller, row, warnings).await
}

async fn deleted(api: &ApiState, caller: &Caller, layer: MappingLayer, id: UnifiedMappingId) -> ApiResult<Deleted> {
    api.engine.unified_models().delete_mapping(caller, layer, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}

/// List base mappings
#[utoipa::path(
    get,
    path = "/unified-model-resource-method",
    operation_id = "list_unified_model_resource_methods",
    tag = "Unified API",
    params(
        ("unified_model_id" = Option<String>, Query),
        ("unified_model_name" = Option<String>, Query),
        ("integration_name" = Option<String>, Query),
        ("resource_name" = Option<String>, Query),
        ("method_name" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the mappings", body = List<UnifiedModelResourceMethod>), QueryErrors),
)]
async fn list_base(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<UnifiedModelResourceMethod>> {
    let more: [(_, Field<UnifiedModelResourceMethod>); 2] = [
        ("unified_model_id", Field::Text(|it| it.unified_model_id.to_string())),
        ("unified_model_name", Field::Text(|it| it.unified_model_name.clone())),
    ];
    Ok(Json(listed(&api, &caller, &query, more).await?))
}

/// Show a base mapping
#[utoipa::path(
    get,
    path = "/unified-model-resource-method/{id}",
    operation_id = "get_unified_model_resource_method",
    tag = "Unified API",
    params(("id" = UnifiedMappingId, Path)),
    responses((status = 200, description = "The mapping", body = UnifiedModelResourceMethod), NotFound),
)]
async fn show_base(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<UnifiedMappingId>,
) -> ApiResult<UnifiedModelResourceMethod> {
    one(&api, &caller, id).await
}

/// Add a base mapping
///
/// A method of an integration has one. Its expressions are checked. Those of built-in models can't be changed.
#[utoipa::path(
    post,
    path = "/unified-model-resource-method",
    operation_id = "create_unified_model_resource_method",
    tag = "Unified API",
    request_body = NewUnifiedModelResourceMethod,
    responses((status = 200, description = "The mapping", body = UnifiedModelResourceMethod), BodyErrors, NotFound, Conflict),
)]
async fn create_base(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewUnifiedModelResourceMethod>,
) -> ApiResult<UnifiedModelResourceMethod> {
    let owner: UnifiedModelId =
        new.unified_model_id.parse().map_err(|_| UnifiedModelId::not_found(&new.unified_model_id))?;
    created(&api, &caller, MappingOwner::Base(owner), new.mapping).await
}

/// Change a base mapping
///
/// Its config is merged deeply: null removes a key. `version` isn't needed; if it is given, it must be the current one.
#[utoipa::path(
    patch,
    path = "/unified-model-resource-method/{id}",
    operation_id = "update_unified_model_resource_method",
    tag = "Unified API",
    params(("id" = UnifiedMappingId, Path)),
    request_body = ResourceMethodChange,
    responses((status = 200, description = "The mapping", body = UnifiedModelResourceMethod), BodyErrors, NotFound, Conflict),
)]
async fn change_base(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<UnifiedMappingId>,
    Body(change): Body<ResourceMethodChange>,
) -> ApiResult<UnifiedModelResourceMethod> {
    changed(&api, &caller, id, change).await
}

/// Delete a base mapping
#[utoipa::path(
    delete,
    path = "/unified-model-resource-method/{id}",
    operation_id = "delete_unified_model_resource_method",
    tag = "Unified API",
    params(("id" = UnifiedMappingId, Path)),
    responses((status = 200, description = "The mapping was deleted", body = Deleted), NotFound, Conflict),
)]
async fn delete_base(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<UnifiedMappingId>,
) -> ApiResult<Deleted> {
    deleted(&api, &caller, MappingLayer::Base, id).await
}

/// List mappings of the environment
#[utoipa::path(
    get,
    path = "/environment-unified-model-resource-method",
    operation_id = "list_environment_unified_model_resource_methods",
    tag = "Unified API",
    params(
        ("environment_unified_model_id" = Option<String>, Query),
        ("unified_model_name" = Option<String>, Query),
        ("integration_name" = Option<String>, Query),
        ("resource_name" = Option<String>, Query),
        ("method_name" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the mappings", body = List<EnvironmentUnifiedModelResourceMethod>), QueryErrors),
)]
async fn list_own(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<EnvironmentUnifiedModelResourceMethod>> {
    let more: [(_, Field<EnvironmentUnifiedModelResourceMethod>); 2] = [
        ("environment_unified_model_id", Field::Text(|it| it.environment_unified_model_id.to_string())),
        ("unified_model_name", Field::Text(|it| it.unified_model_name.clone())),
    ];
    Ok(Json(listed(&api, &caller, &query, more).await?))
}

/// Show a mapping of the environment
#[utoipa::path(
    get,
    path = "/environment-unified-model-resource-method/{id}",
    operation_id = "get_environment_unified_model_resource_method",
    tag = "Unified API",
    params(("id" = UnifiedMappingId, Path)),
    responses((status = 200, description = "The mapping", body = EnvironmentUnifiedModelResourceMethod), NotFound),
)]
async fn show_own(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<UnifiedMappingId>,
) -> ApiResult<EnvironmentUnifiedModelResourceMethod> {
    one(&api, &caller, id).await
}

/// Add a mapping of the environment
///
/// It is merged over the base's: objects key by key, and everything else, such as an expression, replaces what was there.
#[utoipa::path(
    post,
    path = "/environment-unified-model-resource-method",
    operation_id = "create_environment_unified_model_resource_method",
    tag = "Unified API",
    request_body = NewEnvironmentUnifiedModelResourceMethod,
    responses((status = 200, description = "The mapping", body = EnvironmentUnifiedModelResourceMethod), BodyErrors, NotFound, Conflict),
)]
async fn create_own(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewEnvironmentUnifiedModelResourceMethod>,
) -> ApiResult<EnvironmentUnifiedModelResourceMethod> {
    let owner: EnvironmentUnifiedModelId = new
        .environment_unified_model_id
        .parse()
        .map_err(|_| EnvironmentUnifiedModelId::not_found(&new.environment_unified_model_id))?;
    created(&api, &caller, MappingOwner::Environment(owner), new.mapping).await
}

/// Change a mapping of the environment
///
/// Its config is merged deeply: null removes a key. `version` isn't needed; if it is given, it must be the current one.
#[utoipa::path(
    patch,
    path = "/environment-unified-model-resource-method/{id}",
    operation_id = "update_environment_unified_model_resource_method",
    tag = "Unified API",
    params(("id" = UnifiedMappingId, Path)),
    request_body = ResourceMethodChange,
    responses((status = 200, description = "The mapping", body = EnvironmentUnifiedModelResourceMethod), BodyErrors, NotFound, Conflict),
)]
async fn change_own(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<UnifiedMappingId>,
    Body(change): Body<ResourceMethodChange>,
) -> ApiResult<EnvironmentUnifiedModelResourceMethod> {
    changed(&api, &caller, id, change).await
}

/// Delete a mapping of the environment
#[utoipa::path(
    delete,
    path = "/environment-unified-model-resource-method/{id}",
    operation_id = "delete_environment_unified_model_resource_method",
    tag = "Unified API",
    params(("id" = UnifiedMappingId, Path)),
    responses((status = 200, description = "The mapping was deleted", body = Deleted), NotFound, Conflict),
)]
async fn delete_own(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<UnifiedMappingId>,
) -> ApiResult<Deleted> {
    deleted(&api, &caller, MappingLayer::Environment, id).await
}
