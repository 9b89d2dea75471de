//! `/workflow` (contract section 10.4).

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List,
    workflow::{Workflow, WorkflowDocument},
};
use relink_domain::{WorkflowId, caller::Caller, permission::Permission};
use relink_engine::Workflow as Flow;
use utoipa_axum::routes;

use super::{document, place, rows};
use crate::{
    ApiState,
    body::YamlBody,
    error::ApiResult,
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
}

/// List workflows
#[utoipa::path(
    get,
    path = "/workflow",
    operation_id = "list_workflows",
    tag = "Sync jobs",
    params(
        ("trigger_name" = Option<String>, Query),
        ("label" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the workflows", body = List<Workflow>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<Workflow>> {
    let environment = api.engine.environment_id();
    let all = api.engine.sync_jobs().all::<Flow>(&caller).await?;
    let all = all.iter().map(|row| rows::workflow(environment, row)).collect();
    let fields: [(_, Field<Workflow>); 4] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("label", Field::OptionalText(|it| it.label.clone())),
        ("trigger_name", Field::Text(|it| it.trigger_name.clone())),
        ("environment_id", Field::Text(|it| it.environment_id.to_string())),
    ];
    Ok(Json(listing::list(&query, all, &fields, |it| place(&it.id, it.created_at, it.updated_at))?))
}

/// Show a workflow
#[utoipa::path(
    get,
    path = "/workflow/{id}",
    operation_id = "get_workflow",
    tag = "Sync jobs",
    params(("id" = WorkflowId, Path)),
    responses((status = 200, description = "The workflow", body = Workflow), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<WorkflowId>,
) -> ApiResult<Workflow> {
    let row = api.engine.sync_jobs().get::<Flow>(&caller, id).await?;
    Ok(Json(rows::workflow(api.engine.environment_id(), &row)))
}

/// Add a workflow
///
/// Each event of its name that is sent from now on starts it once.
#[utoipa::path(
    post,
    path = "/workflow",
    operation_id = "create_workflow",
    tag = "Sync jobs",
    request_body(content((WorkflowDocument = "application/json"), (WorkflowDocument = "application/yaml"))),
    responses((status = 200, description = "The workflow", body = Workflow), BodyErrors),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    YamlBody(new): YamlBody<WorkflowDocument>,
) -> ApiResult<Workflow> {
    let row = api.engine.sync_jobs().add::<Flow>(&caller, document(&new)?).await?;
    Ok(Json(rows::workflow(api.engine.environment_id(), &row)))
}

/// Change a workflow
///
/// Null removes a key, anything else replaces it, and what is left out stays. With another `trigger_name` it is started by events that are sent
/// from now on.
#[utoipa::path(
    patch,
    path = "/workflow/{id}",
    operation_id = "update_workflow",
    tag = "Sync jobs",
    params(("id" = WorkflowId, Path)),
    request_body(content((WorkflowDocument = "application/json"), (WorkflowDocument = "application/yaml"))),
    responses((status = 200, description = "The workflow", body = Workflow), BodyErrors, NotFound, Conflict),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<WorkflowId>,
    YamlBody(change): YamlBody<WorkflowDocument>,
) -> ApiResult<Workflow> {
    let row = api.engine.sync_jobs().change::<Flow>(&caller, id, document(&change)?).await?;
    Ok(Json(rows::workflow(api.engine.environment_id(), &row)))
}

/// Delete a workflow
///
/// Its runs stay, and so do the runs and triggers of sync jobs that it made.
#[utoipa::path(
    delete,
    path = "/workflow/{id}",
    operation_id = "delete_workflow",
    tag = "Sync jobs",
    params(("id" = WorkflowId, Path)),
    responses((status = 200, description = "The workflow was deleted", body = Deleted), NotFound),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<WorkflowId>,
) -> ApiResult<Deleted> {
    api.engine.sync_jobs().delete::<Flow>(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}
