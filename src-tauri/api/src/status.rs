//! Relink's status.

use axum::{Extension, Json, extract::State};
use relink_contract::status::{AccountCounts, KeychainStatus, Ping, SandboxStatus, Status};
use relink_domain::{account, caller::Caller, permission::Permission};
use utoipa_axum::routes;

use crate::{
    ApiState,
    call_waits::CallWaits,
    error::ApiResult,
    openapi::{OpenRoutes, Routes},
};

pub(crate) fn routes() -> Routes {
    Routes::new().with(Permission::ReadAccounts, routes!(status))
}

pub(crate) fn open_routes() -> OpenRoutes {
    OpenRoutes::new().with(routes!(ping))
}

/// Show Relink's status
#[utoipa::path(
    get,
    path = "/relink/status",
    operation_id = "get_status",
    tag = "Relink",
    responses((status = 200, description = "The status", body = Status)),
)]
async fn status(State(api): State<ApiState>, Extension(caller): Extension<Caller>) -> ApiResult<Status> {
    let accounts = api.engine.accounts().status_counts(&caller).await?;
    let needs_reauth = accounts.get(account::Status::NeedsReauth.as_str()).copied().unwrap_or_default();
    let keychain = api.engine.keychain_status(&caller).await;
    let port = api.port.state();
    let waiting = CallWaits::hosts(&api, &caller).await?;
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        base_url: port.problem.is_none().then(|| port.base_url.to_string()),
        port_problem: port.problem.map(|problem| problem.to_string()),
        environment_id: api.engine.environment_id(),
        keychain: KeychainStatus { state: keychain.state.to_owned(), message: keychain.message },
        sandbox: api.sandbox_runner.base_url().map(|base_url| SandboxStatus { base_url }),
        accounts: AccountCounts { total: accounts.values().sum(), needs_reauth },
        waiting,
    }))
}

/// Ping
#[utoipa::path(
    get,
    path = "/ping",
    operation_id = "ping",
    tag = "Relink",
    responses((status = 200, description = "Relink is running", body = Ping)),
)]
async fn ping() -> Json<Ping> {
    Json(Ping { ping: "pong".to_owned() })
}
