//! `/sync-job`.

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List,
    sync::{SyncJob, SyncJobDocument},
};
use relink_domain::{SyncJobId, caller::Caller, permission::Permission};
use relink_engine::SyncJob as Job;
use utoipa_axum::routes;

use super::{document, place, rows};
use crate::{
    ApiState,
    body::Body,
    error::ApiResult,
    listing::{self, Field},
    openapi::{BodyErrors, Conflict, Lacking, NotFound, QueryErrors, Routes},
    path::PathId,
    query::Query,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadSyncJobs, routes!(list))
        .with(Permission::ReadSyncJobs, routes!(show))
        .with(Permission::ManageSyncJobs, routes!(create))
        .with(Permission::ManageSyncJobs, routes!(change, delete))
}

/// List sync jobs
#[utoipa::path(
    get,
    path = "/sync-job",
    operation_id = "list_sync_jobs",
    tag = "Sync jobs",
    params(
        ("integration_name" = Option<String>, Query),
        ("label" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the sync jobs", body = List<SyncJob>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<SyncJob>> {
    let environment = api.engine.environment_id();
    let all = api.engine.sync_jobs().all::<Job>(&caller).await?;
    let all = all.iter().map(|row| rows::job(environment, row)).collect();
    let fields: [(_, Field<SyncJob>); 4] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("label", Field::Text(|it| it.label.clone())),
        ("integration_name", Field::OptionalText(|it| it.integration_name.clone())),
        ("environment_id", Field::Text(|it| it.environment_id.to_string())),
    ];
    Ok(Json(listing::list(&query, all, &fields, |it| place(&it.id, it.created_at, it.updated_at))?))
}

/// Show a sync job
#[utoipa::path(
    get,
    path = "/sync-job/{id}",
    operation_id = "get_sync_job",
    tag = "Sync jobs",
    params(("id" = SyncJobId, Path)),
    responses((status = 200, description = "The sync job", body = SyncJob), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobId>,
) -> ApiResult<SyncJob> {
    let row = api.engine.sync_jobs().get::<Job>(&caller, id).await?;
    Ok(Json(rows::job(api.engine.environment_id(), &row)))
}

/// Add a sync job
///
/// Its nodes are checked: a cycle, an unknown name or an unknown type is refused. `warnings` say which keys have no effect.
#[utoipa::path(
    post,
    path = "/sync-job",
    operation_id = "create_sync_job",
    tag = "Sync jobs",
    request_body = SyncJobDocument,
    responses((status = 200, description = "The sync job", body = SyncJob), BodyErrors, Lacking),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<SyncJobDocument>,
) -> ApiResult<SyncJob> {
    let row = api.engine.sync_jobs().add::<Job>(&caller, document(&new)?).await?;
    Ok(Json(rows::written_job(api.engine.environment_id(), &row)))
}

/// Change a sync job
///
/// Null removes a key, anything else replaces it, and what is left out stays. Runs that exist already keep the nodes that they began with.
#[utoipa::path(
    patch,
    path = "/sync-job/{id}",
    operation_id = "update_sync_job",
    tag = "Sync jobs",
    params(("id" = SyncJobId, Path)),
    request_body = SyncJobDocument,
    responses((status = 200, description = "The sync job", body = SyncJob), BodyErrors, NotFound, Conflict, Lacking),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobId>,
    Body(change): Body<SyncJobDocument>,
) -> ApiResult<SyncJob> {
    let row = api.engine.sync_jobs().change::<Job>(&caller, id, document(&change)?).await?;
    Ok(Json(rows::written_job(api.engine.environment_id(), &row)))
}

/// Delete a sync job
///
/// With its triggers. Its runs stay.
#[utoipa::path(
    delete,
    path = "/sync-job/{id}",
    operation_id = "delete_sync_job",
    tag = "Sync jobs",
    params(("id" = SyncJobId, Path)),
    responses((status = 200, description = "The sync job was deleted", body = Deleted), NotFound),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobId>,
) -> ApiResult<Deleted> {
    api.engine.sync_jobs().delete::<Job>(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}
