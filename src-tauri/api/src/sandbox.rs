//! The Sandbox's controls, which are forwarded to it while it is installed.

use axum::{
    extract::{Request, State},
    response::Response,
};
use relink_contract::ErrorBody;
use relink_domain::permission::Permission;
use utoipa_axum::routes;

use crate::{
    ApiState,
    error::ApiError,
    openapi::{BodyErrors, NotFound, Routes},
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ControlSandbox, routes!(show, change))
        .with(Permission::ControlSandbox, routes!(read, act, clear))
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
            responses(
                (status = 200, description = "The Sandbox's response", body = Object),
                (status = 405, description = "The control doesn't support this method", body = ErrorBody),
                BodyErrors,
                NotFound,
            ),
        )]
        async fn $name(State(api): State<ApiState>, request: Request) -> Result<Response, ApiError> {
            api.sandbox_runner.control(request).await
        }
    )+};
}

control! {
    /// Show the Sandbox's settings
    show: get "/relink/sandbox/control" "get_sandbox_settings";
    /// Change the Sandbox's settings
    change: patch "/relink/sandbox/control" "change_sandbox_settings";
    /// Read a control of the Sandbox
    read: get "/relink/sandbox/control/{*path}" "read_sandbox_control" ("path");
    /// Use a control of the Sandbox
    ///
    /// `expire`, `revoke`, `faults`, `api-keys`, `clients` or `reset`.
    act: post "/relink/sandbox/control/{*path}" "use_sandbox_control" ("path");
    /// Undo a control of the Sandbox
    ///
    /// `faults`.
    clear: delete "/relink/sandbox/control/{*path}" "undo_sandbox_control" ("path");
}
