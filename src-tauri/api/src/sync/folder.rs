//! The folder that sync jobs may write files to (**ours**).

use std::path::PathBuf;

use axum::{Extension, Json, extract::State};
use relink_contract::sync::SyncFolder;
use relink_domain::{caller::Caller, permission::Permission};
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::ApiResult,
    openapi::{BodyErrors, Routes},
};

pub(super) fn routes() -> Routes {
    Routes::new().with(Permission::ReadSyncJobs, routes!(show)).with(Permission::AllowFolders, routes!(choose))
}

fn shown(folder: Option<PathBuf>) -> Json<SyncFolder> {
    Json(SyncFolder { folder: folder.map(|folder| folder.to_string_lossy().into_owned()) })
}

/// Show the folder of sync jobs
#[utoipa::path(
    get,
    path = "/relink/sync-folder",
    operation_id = "get_sync_folder",
    tag = "Sync jobs",
    responses((status = 200, description = "The folder that sync jobs may write files to, if there is one", body = SyncFolder)),
)]
async fn show(State(api): State<ApiState>, Extension(caller): Extension<Caller>) -> ApiResult<SyncFolder> {
    Ok(shown(api.engine.sync_jobs().folder(&caller).await?))
}

/// Choose the folder of sync jobs
///
/// It must be there, and be for their files alone: what is in it can be overwritten.
#[utoipa::path(
    put,
    path = "/relink/sync-folder",
    operation_id = "set_sync_folder",
    tag = "Sync jobs",
    request_body = SyncFolder,
    responses((status = 200, description = "The folder", body = SyncFolder), BodyErrors),
)]
async fn choose(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(SyncFolder { folder }): Body<SyncFolder>,
) -> ApiResult<SyncFolder> {
    let folder = folder.filter(|folder| !folder.is_empty()).map(PathBuf::from);
    Ok(shown(api.engine.sync_jobs().allow_folder(&caller, folder).await?))
}
