//! `/sync-job-run`.

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List,
    sync::{NewSyncJobRun, SyncJobRun, SyncJobRunChange},
};
use relink_domain::{SyncJobRunId, caller::Caller, permission::Permission, sync::RunStatus};
use relink_engine::{RunFilter, RunProblems, Stop};
use utoipa_axum::routes;

use super::place;
use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    listing::{self, Field},
    openapi::{BodyErrors, Conflict, Lacking, NotFound, QueryErrors, Routes},
    path::PathId,
    query::Query,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadSyncJobs, routes!(list))
        .with(Permission::ReadSyncJobs, routes!(show))
        .with(Permission::RunSyncJobs, routes!(start))
        .with(Permission::RunSyncJobs, routes!(change, delete))
}

/// List runs of sync jobs
///
/// Relink keeps a run for 90 days after its end, and the last completed one of each job and account for longer.
#[utoipa::path(
    get,
    path = "/sync-job-run",
    operation_id = "list_sync_job_runs",
    tag = "Sync jobs",
    params(
        ("sync_job_id" = Option<String>, Query),
        ("integrated_account_id" = Option<String>, Query),
        ("sync_job_cron_trigger_id" = Option<String>, Query),
        ("workflow_run_id" = Option<String>, Query),
        ("status" = Option<String>, Query, description = "`created`, `running`, `rate_limited`, `completed`, `failed` or `stopped`."),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the runs", body = List<SyncJobRun>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<SyncJobRun>> {
    let environment = api.engine.environment_id();
    // One job or account is found without reading the runs of others.
    let filter = RunFilter {
        job: query.one("sync_job_id").and_then(|id| id.parse().ok()),
        account: query.one("integrated_account_id").and_then(|id| id.parse().ok()),
    };
    let all = api.engine.sync_jobs().runs(&caller, filter).await?;
    let all = all.iter().map(|run| run.row(environment)).collect();
    let fields: [(_, Field<SyncJobRun>); 7] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("sync_job_id", Field::Text(|it| it.sync_job_id.to_string())),
        ("integrated_account_id", Field::OptionalText(|it| it.integrated_account_id.map(|id| id.to_string()))),
        ("sync_job_cron_trigger_id", Field::OptionalText(|it| it.sync_job_cron_trigger_id.map(|id| id.to_string()))),
        ("workflow_run_id", Field::OptionalText(|it| it.workflow_run_id.map(|id| id.to_string()))),
        ("status", Field::Text(|it| it.status.to_string())),
        ("environment_id", Field::Text(|it| it.environment_id.to_string())),
    ];
    Ok(Json(listing::list(&query, all, &fields, |it| place(&it.id, it.created_at, it.updated_at))?))
}

/// Show a run of a sync job
#[utoipa::path(
    get,
    path = "/sync-job-run/{id}",
    operation_id = "get_sync_job_run",
    tag = "Sync jobs",
    params(("id" = SyncJobRunId, Path)),
    responses((status = 200, description = "The run", body = SyncJobRun), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobRunId>,
) -> ApiResult<SyncJobRun> {
    let run = api.engine.sync_jobs().run(&caller, id).await?;
    Ok(Json(run.row(api.engine.environment_id())))
}

/// Start a run of a sync job
///
/// With the job's nodes as they are now, unless the run has its own. Arguments that don't fit the job's `args_schema` are refused.
#[utoipa::path(
    post,
    path = "/sync-job-run",
    operation_id = "create_sync_job_run",
    tag = "Sync jobs",
    request_body = NewSyncJobRun,
    responses((status = 200, description = "The run", body = SyncJobRun), BodyErrors, Lacking),
)]
async fn start(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewSyncJobRun>,
) -> ApiResult<SyncJobRun> {
    only_created(new.status.as_deref())?;
    let started = Box::pin(api.engine.sync_jobs().start_run(&caller, new.into())).await;
    let run = started.map_err(|problems| match problems {
        RunProblems::Other(error) => error.into(),
        RunProblems::Args(failures) => {
            ApiError::of_fields("args_invalid", failures.into_iter().map(|failure| (failure.path, failure.message)))
        }
    })?;
    Ok(Json(run.row(api.engine.environment_id())))
}

/// Stop or resume a run of a sync job
///
/// `status` can be changed to `stopped`, and of a stopped run to `created` (Relink's own): it starts again as soon as nothing with its mutex
/// runs, and goes on where it was. A run that has completed or failed can't be changed.
#[utoipa::path(
    patch,
    path = "/sync-job-run/{id}",
    operation_id = "update_sync_job_run",
    tag = "Sync jobs",
    params(("id" = SyncJobRunId, Path)),
    request_body = SyncJobRunChange,
    responses((status = 200, description = "The run", body = SyncJobRun), BodyErrors, NotFound, Conflict),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobRunId>,
    Body(change): Body<SyncJobRunChange>,
) -> ApiResult<SyncJobRun> {
    let jobs = api.engine.sync_jobs();
    let run = if change.status == RunStatus::Created.as_str() {
        jobs.resume(&caller, id).await?
    } else {
        if change.status != RunStatus::Stopped.as_str() {
            let message =
                "status must be stopped, or created to resume a run that was stopped. Relink sets the others itself.";
            return Err(ApiError::bad_request("status_invalid", message).about("status"));
        }
        jobs.stop(&caller, id, Stop::Patch).await?
    };
    Ok(Json(run.row(api.engine.environment_id())))
}

/// Stop a run of a sync job, and answer with its id
///
/// It stays in the list, as `stopped`, and can't be resumed. One that has completed or failed stays as it is.
#[utoipa::path(
    delete,
    path = "/sync-job-run/{id}",
    operation_id = "delete_sync_job_run",
    tag = "Sync jobs",
    params(("id" = SyncJobRunId, Path)),
    responses((status = 200, description = "The run is over", body = Deleted), NotFound),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<SyncJobRunId>,
) -> ApiResult<Deleted> {
    api.engine.sync_jobs().stop(&caller, id, Stop::Delete).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}

/// The status that a new run may be given.
fn only_created(given: Option<&str>) -> Result<(), ApiError> {
    match given {
        None | Some("") => Ok(()),
        Some(given) if given == RunStatus::Created.as_str() => Ok(()),
        Some(_) => {
            let message = "status must be created. Relink sets the others itself.";
            Err(ApiError::bad_request("status_invalid", message).about("status"))
        }
    }
}
