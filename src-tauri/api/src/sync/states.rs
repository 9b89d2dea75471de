//! `/sync-job-run-state`: what runs remember.

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List,
    sync::{NewSyncJobRunState, SyncJobRunState, SyncJobRunStateChange},
};
use relink_domain::{caller::Caller, permission::Permission};
use relink_engine::StateCell;
use utoipa_axum::routes;

use super::place;
use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    listing::{self, Field},
    openapi::{BodyErrors, Conflict, NotFound, QueryErrors, Routes},
    path::PathText,
    query::Query,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadSyncJobs, routes!(list))
        .with(Permission::ReadSyncJobs, routes!(show))
        .with(Permission::RunSyncJobs, routes!(create))
        .with(Permission::RunSyncJobs, routes!(change, delete))
}

fn row(cell: StateCell) -> SyncJobRunState {
    let StateCell { state_key, key, value, run_id, created_at, updated_at } = cell;
    SyncJobRunState { state_key, key, value, sync_job_run_id: run_id, created_at, updated_at }
}

/// The state that a request is about.
fn state_key(query: &Query) -> Result<&str, ApiError> {
    let message = "state_key is missing. Name a state: the state_key of runs, or the id of a sync job.";
    query.one("state_key").ok_or_else(|| ApiError::bad_request("query_invalid", message).about("state_key"))
}

/// List what runs remember
#[utoipa::path(
    get,
    path = "/sync-job-run-state",
    operation_id = "list_sync_job_run_states",
    tag = "Sync jobs",
    params(
        ("state_key" = String, Query, description = "The `state_key` of runs, or the id of a sync job without one."),
        ("key" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the state", body = List<SyncJobRunState>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<SyncJobRunState>> {
    let all = api.engine.sync_jobs().states(&caller, state_key(&query)?).await?;
    let fields: [(_, Field<SyncJobRunState>); 1] = [("key", Field::Text(|it| it.key.clone()))];
    let all = all.into_iter().map(row).collect();
    Ok(Json(listing::list(&query, all, &fields, |it| place(&it.key, it.created_at, it.updated_at))?))
}

/// Show what runs remember under a key
#[utoipa::path(
    get,
    path = "/sync-job-run-state/{key}",
    operation_id = "get_sync_job_run_state",
    tag = "Sync jobs",
    params(("key" = String, Path), ("state_key" = String, Query)),
    responses((status = 200, description = "What they remember", body = SyncJobRunState), QueryErrors, NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathText(key): PathText,
    query: Query,
) -> ApiResult<SyncJobRunState> {
    Ok(Json(row(api.engine.sync_jobs().state(&caller, state_key(&query)?, &key).await?)))
}

/// Add something for runs to remember
#[utoipa::path(
    post,
    path = "/sync-job-run-state",
    operation_id = "create_sync_job_run_state",
    tag = "Sync jobs",
    params(("state_key" = String, Query)),
    request_body = NewSyncJobRunState,
    responses((status = 200, description = "What they remember", body = SyncJobRunState), BodyErrors, Conflict),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
    Body(new): Body<NewSyncJobRunState>,
) -> ApiResult<SyncJobRunState> {
    let jobs = api.engine.sync_jobs();
    Ok(Json(row(jobs.add_state(&caller, state_key(&query)?, &new.key, new.value).await?)))
}

/// Change what runs remember under a key
#[utoipa::path(
    patch,
    path = "/sync-job-run-state/{key}",
    operation_id = "update_sync_job_run_state",
    tag = "Sync jobs",
    params(("key" = String, Path), ("state_key" = String, Query)),
    request_body = SyncJobRunStateChange,
    responses((status = 200, description = "What they remember", body = SyncJobRunState), BodyErrors, NotFound),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathText(key): PathText,
    query: Query,
    Body(change): Body<SyncJobRunStateChange>,
) -> ApiResult<SyncJobRunState> {
    let jobs = api.engine.sync_jobs();
    Ok(Json(row(jobs.change_state(&caller, state_key(&query)?, &key, change.value).await?)))
}

/// Let runs forget what is under a key
#[utoipa::path(
    delete,
    path = "/sync-job-run-state/{key}",
    operation_id = "delete_sync_job_run_state",
    tag = "Sync jobs",
    params(("key" = String, Path), ("state_key" = String, Query)),
    responses((status = 200, description = "It is forgotten. `id` is the key", body = Deleted), QueryErrors, NotFound),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathText(key): PathText,
    query: Query,
) -> ApiResult<Deleted> {
    let cell = api.engine.sync_jobs().delete_state(&caller, state_key(&query)?, &key).await?;
    Ok(Json(Deleted { id: cell.key }))
}
