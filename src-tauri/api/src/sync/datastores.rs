//! `/datastore` (contract section 10.4).

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use relink_contract::{
    Deleted, List,
    datastore::{Datastore, DatastoreDocument, DatastoreTest},
};
use relink_domain::{DatastoreId, caller::Caller, permission::Permission};
use relink_engine::{Datastore as Stored, Document};
use serde_json::Value;
use utoipa_axum::routes;

use super::{document, place, rows};
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
        .with(Permission::ManageSyncJobs, routes!(create))
        .with(Permission::ManageSyncJobs, routes!(change, delete))
        .with(Permission::ManageSyncJobs, routes!(test))
}

/// List datastores
#[utoipa::path(
    get,
    path = "/datastore",
    operation_id = "list_datastores",
    tag = "Sync jobs",
    params(
        ("type" = Option<String>, Query),
        ("label" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the datastores", body = List<Datastore>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<Datastore>> {
    let environment = api.engine.environment_id();
    let all = api.engine.sync_jobs().all::<Stored>(&caller).await?;
    let all = all.iter().map(|row| rows::datastore(environment, row)).collect();
    let fields: [(_, Field<Datastore>); 4] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("type", Field::Text(|it| it.kind.clone())),
        ("label", Field::Text(|it| it.label.clone())),
        ("environment_id", Field::Text(|it| it.environment_id.to_string())),
    ];
    Ok(Json(listing::list(&query, all, &fields, |it| place(&it.id, it.created_at, it.updated_at))?))
}

/// Show a datastore
#[utoipa::path(
    get,
    path = "/datastore/{id}",
    operation_id = "get_datastore",
    tag = "Sync jobs",
    params(("id" = DatastoreId, Path)),
    responses((status = 200, description = "The datastore", body = Datastore), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<DatastoreId>,
) -> ApiResult<Datastore> {
    Ok(row_of(&api, &api.engine.sync_jobs().get::<Stored>(&caller, id).await?))
}

/// Add a datastore
///
/// Its keys go into the keychain, and are never shown again.
#[utoipa::path(
    post,
    path = "/datastore",
    operation_id = "create_datastore",
    tag = "Sync jobs",
    request_body = DatastoreDocument,
    responses((status = 200, description = "The datastore", body = Datastore), BodyErrors, Lacking),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<DatastoreDocument>,
) -> ApiResult<Datastore> {
    Ok(row_of(&api, &api.engine.sync_jobs().add_datastore(&caller, document(&new)?).await?))
}

/// Change a datastore
///
/// Null removes a key, `config` is merged, and what is left out stays. With another address the keys must be given again.
#[utoipa::path(
    patch,
    path = "/datastore/{id}",
    operation_id = "update_datastore",
    tag = "Sync jobs",
    params(("id" = DatastoreId, Path)),
    request_body = DatastoreDocument,
    responses((status = 200, description = "The datastore", body = Datastore), BodyErrors, NotFound, Conflict, Lacking),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<DatastoreId>,
    Body(change): Body<DatastoreDocument>,
) -> ApiResult<Datastore> {
    Ok(row_of(&api, &api.engine.sync_jobs().change_datastore(&caller, id, document(&change)?).await?))
}

/// Delete a datastore
///
/// With its keys. What is in it stays.
#[utoipa::path(
    delete,
    path = "/datastore/{id}",
    operation_id = "delete_datastore",
    tag = "Sync jobs",
    params(("id" = DatastoreId, Path)),
    responses((status = 200, description = "The datastore was deleted", body = Deleted), NotFound),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<DatastoreId>,
) -> ApiResult<Deleted> {
    api.engine.sync_jobs().delete_datastore(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}

/// Test a datastore
///
/// `uploadObject` writes a small object and removes it again. What the datastore refuses is an error.
#[utoipa::path(
    post,
    path = "/datastore/{id}/test/{method}",
    operation_id = "test_datastore",
    tag = "Sync jobs",
    params(("id" = DatastoreId, Path), ("method" = String, Path, description = "`uploadObject`.")),
    responses((status = 200, description = "It takes what jobs write", body = DatastoreTest), BodyErrors, NotFound),
)]
async fn test(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((id, method)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::not_found(&format!("There is no datastore {id}"));
    let parsed = id.parse().map_err(|_| unknown())?;
    let tested = api.engine.sync_jobs().test_datastore(&caller, parsed, &method).await?;
    Ok(match tested {
        Ok(()) => Json(DatastoreTest { success: true }).into_response(),
        Err(error) => {
            let status = error.get("statusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
            let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
            (status, Json(error)).into_response()
        }
    })
}

fn row_of(api: &ApiState, row: &Document<Stored>) -> Json<Datastore> {
    Json(rows::datastore(api.engine.environment_id(), row))
}
