//! `/sync-job-cron-trigger`.

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List, Success,
    sync::{SyncJobCronTrigger, SyncJobCronTriggerDocument},
};
use relink_domain::{SyncJobCronTriggerId, caller::Caller, permission::Permission};
use relink_engine::{CronTrigger, Document};
use utoipa_axum::routes;

use super::{document, place, rows};
use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    listing::{self, Field},
    openapi::{BodyErrors, Conflict, NotFound, QueryErrors, Routes},
    path::PathId,
    query::Query,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadSyncJobs, routes!(list))
        .with(Permission::ReadSyncJobs, routes!(show))
        .with(Permission::ManageSyncJobs, routes!(create))
        .with(Permission::ManageSyncJobs, routes!(change, delete))
        .with(Permission::ManageSyncJobs, routes!(schedule))
}

/// List triggers of sync jobs
#[utoipa::path(
    get,
    path = "/sync-job-cron-trigger",
    operation_id = "list_sync_job_cron_triggers",
    tag = "Sync jobs",
    params(
        ("sync_job_id" = Option<String>, Query),
        ("integrated_account_id" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the triggers", body = List<SyncJobCronTrigger>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<SyncJobCronTrigger>> {
    let environment = api.engine.environment_id();
    let jobs = api.engine.sync_jobs();
    let all = jobs.all::<CronTrigger>(&caller).await?;
    let (planned, errors) = (jobs.planned(&caller).await?, jobs.trigger_errors(&caller).await?);
    let all = all.iter().filter_map(|row| rows::trigger(environment, &planned, &errors, row)).collect();
    let fields: [(_, Field<SyncJobCronTrigger>); 4] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("sync_job_id", Field::Text(|it| it.sync_job_id.to_string())),
        ("integrated_account_id", Field::OptionalText(|it| it.integrated_account_id.map(|id| id.to_string()))),
        ("environment_id", Field::Text(|it| it.environment_id.to_string())),
    ];
    Ok(Json(listing::list(&query, all, &fields, |it| place(&it.id, it.created_at, it.updated_at))?))
}

/// Show a trigger of a sync job
#[utoipa::path(
    get,
    path = "/sync-job-cron-trigger/{id}",
    operation_id = "get_sync_job_cron_trigger",
    tag = "Sync jobs",
    params(("id" = SyncJobCronTriggerId, Path)),
    responses((status = 200, description = "The trigger", body = SyncJobCronTrigger), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobCronTriggerId>,
) -> ApiResult<SyncJobCronTrigger> {
    let row = api.engine.sync_jobs().get::<CronTrigger>(&caller, id).await?;
    row_of(&api, &caller, &row).await
}

/// Add a trigger of a sync job
///
/// It is inactive until it is scheduled.
#[utoipa::path(
    post,
    path = "/sync-job-cron-trigger",
    operation_id = "create_sync_job_cron_trigger",
    tag = "Sync jobs",
    request_body = SyncJobCronTriggerDocument,
    responses((status = 200, description = "The trigger", body = SyncJobCronTrigger), BodyErrors),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<SyncJobCronTriggerDocument>,
) -> ApiResult<SyncJobCronTrigger> {
    let row = api.engine.sync_jobs().add::<CronTrigger>(&caller, document(&new)?).await?;
    row_of(&api, &caller, &row).await
}

/// Change a trigger of a sync job
///
/// Null removes a key, anything else replaces it, and what is left out stays. With another `cron_expression` it is inactive until it is
/// scheduled again.
#[utoipa::path(
    patch,
    path = "/sync-job-cron-trigger/{id}",
    operation_id = "update_sync_job_cron_trigger",
    tag = "Sync jobs",
    params(("id" = SyncJobCronTriggerId, Path)),
    request_body = SyncJobCronTriggerDocument,
    responses((status = 200, description = "The trigger", body = SyncJobCronTrigger), BodyErrors, NotFound, Conflict),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobCronTriggerId>,
    Body(change): Body<SyncJobCronTriggerDocument>,
) -> ApiResult<SyncJobCronTrigger> {
    let row = api.engine.sync_jobs().change::<CronTrigger>(&caller, id, document(&change)?).await?;
    row_of(&api, &caller, &row).await
}

/// Delete a trigger of a sync job
#[utoipa::path(
    delete,
    path = "/sync-job-cron-trigger/{id}",
    operation_id = "delete_sync_job_cron_trigger",
    tag = "Sync jobs",
    params(("id" = SyncJobCronTriggerId, Path)),
    responses((status = 200, description = "The trigger was deleted", body = Deleted), NotFound),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobCronTriggerId>,
) -> ApiResult<Deleted> {
    api.engine.sync_jobs().delete::<CronTrigger>(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}

/// Schedule a trigger
///
/// It fires from its next time on. Times that pass while Relink doesn't run, or the machine sleeps, are made up for by one run.
#[utoipa::path(
    post,
    path = "/sync-job-cron-trigger/{id}/schedule",
    operation_id = "schedule_sync_job_cron_trigger",
    tag = "Sync jobs",
    params(("id" = SyncJobCronTriggerId, Path)),
    responses((status = 200, description = "It is scheduled", body = Success), NotFound),
)]
async fn schedule(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobCronTriggerId>,
) -> ApiResult<Success> {
    api.engine.sync_jobs().schedule(&caller, id).await?;
    Ok(Json(Success { success: true }))
}

async fn row_of(api: &ApiState, caller: &Caller, row: &Document<CronTrigger>) -> ApiResult<SyncJobCronTrigger> {
    let jobs = api.engine.sync_jobs();
    let (planned, errors) = (jobs.planned(caller).await?, jobs.trigger_errors(caller).await?);
    let found = rows::trigger(api.engine.environment_id(), &planned, &errors, row);
    found.map(Json).ok_or_else(|| ApiError::not_found(&format!("There is no trigger of a sync job {}", row.id)))
}
