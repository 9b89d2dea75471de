//! `/workflow-run` (contract section 10.4). Relink makes runs itself: there, too, nobody creates or changes one.

use axum::{Extension, Json, extract::State};
use relink_contract::{Deleted, List, workflow::WorkflowRun};
use relink_domain::{EnvironmentId, WorkflowRunId, caller::Caller, permission::Permission};
use relink_engine::StoredWorkflowRun;
use utoipa_axum::routes;

use super::place;
use crate::{
    ApiState,
    error::ApiResult,
    listing::{self, Field},
    openapi::{NotFound, QueryErrors, Routes},
    path::PathId,
    query::Query,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadSyncJobs, routes!(list))
        .with(Permission::ReadSyncJobs, routes!(show))
        .with(Permission::ManageSyncJobs, routes!(delete))
}

fn row_of(environment_id: EnvironmentId, run: StoredWorkflowRun) -> WorkflowRun {
    WorkflowRun {
        id: run.id,
        workflow_id: run.workflow_id,
        status: run.status,
        result: run.result,
        event_id: run.event_id,
        event: run.event,
        retry_attempt: 0,
        started_at: run.started_at,
        finished_at: run.finished_at,
        environment_id,
        created_at: run.created_at,
        updated_at: run.updated_at,
    }
}

/// List runs of workflows
///
/// Relink keeps a run for 90 days after its end.
#[utoipa::path(
    get,
    path = "/workflow-run",
    operation_id = "list_workflow_runs",
    tag = "Sync jobs",
    params(
        ("workflow_id" = Option<String>, Query),
        ("status" = Option<String>, Query, description = "`created`, `running`, `completed` or `failed`."),
        ("event_id" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the runs", body = List<WorkflowRun>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<WorkflowRun>> {
    let environment = api.engine.environment_id();
    // One workflow is found without reading the runs of others.
    let workflow = query.one("workflow_id").and_then(|id| id.parse().ok());
    let all = api.engine.sync_jobs().workflow_runs(&caller, workflow).await?;
    let all = all.into_iter().map(|run| row_of(environment, run)).collect();
    let fields: [(_, Field<WorkflowRun>); 5] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("workflow_id", Field::Text(|it| it.workflow_id.to_string())),
        ("status", Field::Text(|it| it.status.to_string())),
        ("event_id", Field::Text(|it| it.event_id.to_string())),
        ("environment_id", Field::Text(|it| it.environment_id.to_string())),
    ];
    Ok(Json(listing::list(&query, all, &fields, |it| place(&it.id, it.created_at, it.updated_at))?))
}

/// Show a run of a workflow
#[utoipa::path(
    get,
    path = "/workflow-run/{id}",
    operation_id = "get_workflow_run",
    tag = "Sync jobs",
    params(("id" = WorkflowRunId, Path)),
    responses((status = 200, description = "The run", body = WorkflowRun), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<WorkflowRunId>,
) -> ApiResult<WorkflowRun> {
    let run = api.engine.sync_jobs().workflow_run(&caller, id).await?;
    Ok(Json(row_of(api.engine.environment_id(), run)))
}

/// Delete a run of a workflow
///
/// If it isn't over, its next steps aren't taken. What its steps have made stays.
#[utoipa::path(
    delete,
    path = "/workflow-run/{id}",
    operation_id = "delete_workflow_run",
    tag = "Sync jobs",
    params(("id" = WorkflowRunId, Path)),
    responses((status = 200, description = "The run was deleted", body = Deleted), NotFound),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<WorkflowRunId>,
) -> ApiResult<Deleted> {
    api.engine.sync_jobs().delete_workflow_run(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}
