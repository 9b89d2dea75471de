//! `/sync-job-template`.

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List,
    sync::{SyncJobTemplate, SyncJobTemplateDocument},
};
use relink_domain::{SyncJobTemplateId, caller::Caller, permission::Permission};
use relink_engine::SyncJobTemplate as Template;
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

/// List templates of sync jobs
#[utoipa::path(
    get,
    path = "/sync-job-template",
    operation_id = "list_sync_job_templates",
    tag = "Sync jobs",
    params(
        ("integration_name" = Option<String>, Query),
        ("label" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the templates", body = List<SyncJobTemplate>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<SyncJobTemplate>> {
    let all = api.engine.sync_jobs().all::<Template>(&caller).await?;
    let all = all.iter().map(rows::template).collect();
    let fields: [(_, Field<SyncJobTemplate>); 4] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("label", Field::Text(|it| it.label.clone())),
        ("integration_name", Field::OptionalText(|it| it.integration_name.clone())),
        ("sharing", Field::Text(|it| it.sharing.clone())),
    ];
    Ok(Json(listing::list(&query, all, &fields, |it| place(&it.id, it.created_at, it.updated_at))?))
}

/// Show a template of sync jobs
#[utoipa::path(
    get,
    path = "/sync-job-template/{id}",
    operation_id = "get_sync_job_template",
    tag = "Sync jobs",
    params(("id" = SyncJobTemplateId, Path)),
    responses((status = 200, description = "The template", body = SyncJobTemplate), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobTemplateId>,
) -> ApiResult<SyncJobTemplate> {
    let row = api.engine.sync_jobs().get::<Template>(&caller, id).await?;
    Ok(Json(rows::template(&row)))
}

/// Add a template of sync jobs
///
/// Its nodes are checked as those of a job are.
#[utoipa::path(
    post,
    path = "/sync-job-template",
    operation_id = "create_sync_job_template",
    tag = "Sync jobs",
    request_body = SyncJobTemplateDocument,
    responses((status = 200, description = "The template", body = SyncJobTemplate), BodyErrors, Lacking),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<SyncJobTemplateDocument>,
) -> ApiResult<SyncJobTemplate> {
    let row = api.engine.sync_jobs().add::<Template>(&caller, document(&new)?).await?;
    Ok(Json(rows::written_template(&row)))
}

/// Change a template of sync jobs
///
/// Null removes a key, anything else replaces it, and what is left out stays.
#[utoipa::path(
    patch,
    path = "/sync-job-template/{id}",
    operation_id = "update_sync_job_template",
    tag = "Sync jobs",
    params(("id" = SyncJobTemplateId, Path)),
    request_body = SyncJobTemplateDocument,
    responses((status = 200, description = "The template", body = SyncJobTemplate), BodyErrors, NotFound, Conflict, Lacking),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobTemplateId>,
    Body(change): Body<SyncJobTemplateDocument>,
) -> ApiResult<SyncJobTemplate> {
    let row = api.engine.sync_jobs().change::<Template>(&caller, id, document(&change)?).await?;
    Ok(Json(rows::written_template(&row)))
}

/// Delete a template of sync jobs
#[utoipa::path(
    delete,
    path = "/sync-job-template/{id}",
    operation_id = "delete_sync_job_template",
    tag = "Sync jobs",
    params(("id" = SyncJobTemplateId, Path)),
    responses((status = 200, description = "The template was deleted", body = Deleted), NotFound),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobTemplateId>,
) -> ApiResult<Deleted> {
    api.engine.sync_jobs().delete::<Template>(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}
