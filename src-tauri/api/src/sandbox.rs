//! The Sandbox's controls, passed on while it is installed.

use axum::{
    extract::{Request, State},
    response::Response,
};
use utoipa_axum::routes;

use crate::{
    ApiState,
    error::ApiError,
    openapi::{BodyErrors, NotFound, Routes},
};

pub(crate) fn routes() -> Routes {
    Routes::new().with(routes!(show)).with(routes!(change)).with(routes!(read)).with(routes!(act)).with(routes!(clear))
}

macro_rules! control {
    ($($(#[doc = $doc:literal])* $name:ident: $method:ident $path:literal $id:literal $(($parameter:literal))?;)+) => {$(
        $(#[doc = $doc])*
        #[utoipa::path(
            $method,
            path = $path,
            operation_id = $id,
            tag = "Sandbox",
            $(params(($parameter = String, Path)),)?
            responses((status = 200, description = "What the Sandbox answers", body = Object), BodyErrors, NotFound),
        )]
        async fn $name(State(api): State<ApiState>, request: Request) -> Result<Response, ApiError> {
            api.sandbox_runner.control(request).await
        }
    )+};
}

control! {
    /// Show how the Sandbox behaves
    show: get "/relink/sandbox/control" "get_sandbox_settings";
    /// Change how the Sandbox behaves
    change: patch "/relink/sandbox/control" "change_sandbox_settings";
    /// Read one of the Sandbox's controls
    read: get "/relink/sandbox/control/{*path}" "read_sandbox_control" ("path");
    /// Use one of the Sandbox's controls
    ///
    /// `expire`, `revoke`, `faults`, `api-keys`, `clients` or `reset`.
    act: post "/relink/sandbox/control/{*path}" "use_sandbox_control" ("path");
    /// Undo one of the Sandbox's controls
    ///
    /// `faults`.
    clear: delete "/relink/sandbox/control/{*path}" "undo_sandbox_control" ("path");
}
