//! `/custom/{path}`: calls of a path that the caller names, with what the integration's definition says of every call (contract
//! section 7).

use axum::response::Response;
use relink_domain::permission::Permission;
use utoipa_axum::routes;

use crate::{
    method_calls::Call,
    openapi::{CallErrors, Routes},
};

pub(crate) fn routes() -> Routes {
    Routes::new().with(Permission::CallMethods, routes!(call))
}

/// Call a path of the provider's API
///
/// Path, query, method, headers and body go to the provider, below its base URL, with the integration's headers and query and with
/// the account's credential added. A JSON answer is `{"result", "next_cursor", "prev_cursor"}`, any other goes as it is.
///
/// A `methodConfig` in a JSON body is a method of a definition (`response_path`, `pagination`, `headers`, …) for this one call, and isn't
/// sent. Its `path` and `method` take the place of the request's.
#[utoipa::path(
    method(get, head, post, put, patch, delete, options),
    path = "/custom/{*path}",
    operation_id = "custom",
    tag = "Calls",
    params(
        ("path" = String, Path, description = "The path below the provider's base URL."),
        ("integrated_account_id" = String, Query, description = "The account."),
        ("limit" = Option<u32>, Query, description = "How many records a page has at most, with a `methodConfig` that has a `pagination`."),
        ("next_cursor" = Option<String>, Query, description = "The page after, from the page before."),
        ("truto_body_passthrough" = Option<bool>, Query, description = "Whether the body and its type go as they are."),
    ),
    responses((status = "default", description = "The provider's data."), CallErrors),
)]
async fn call(call: Call) -> Response {
    call.custom().await
}
