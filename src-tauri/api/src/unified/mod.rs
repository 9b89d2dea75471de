//! `/unified/{model}/{resource}`: the unified API (contract section 8).

mod call;
mod data;
mod meta;
mod options;
mod through_proxy;
mod trial;

use axum::{
    extract::{Path, State},
    response::Response,
};
use relink_domain::permission::Permission;
use utoipa_axum::routes;

pub(crate) use self::data::{UnifiedAsked, UnifiedData, data_of};
use self::meta::Asked;
pub use self::trial::{MappingTrial, TrialFailure};
use crate::{
    ApiState,
    method_calls::Call,
    openapi::{CallErrors, Routes},
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::CallMethods, routes!(list, create, update_one, delete_one))
        .with(Permission::CallMethods, routes!(get, run, update, delete))
}

/// List the records of a unified resource
///
/// `limit` and the cursors are Relink's. Filters are those of the unified query language, such as `updated_at[gt]`.
#[utoipa::path(
    get,
    path = "/unified/{model}/{resource}",
    operation_id = "unified_list",
    tag = "Unified API",
    params(
        ("model" = String, Path, description = "An installed unified model, such as `crm`."),
        ("resource" = String, Path, description = "One of its resources."),
        ("integrated_account_id" = String, Query, description = "The account."),
        ("limit" = Option<u32>, Query, description = "How many records a page has at most."),
        ("next_cursor" = Option<String>, Query, description = "The page after, from the page before."),
        ("truto_ignore_remote_data" = Option<bool>, Query, description = "Leaves out the provider's own records."),
        ("truto_exclude_fields" = Option<String>, Query, description = "Fields to leave out: `a,b.c`."),
        ("truto_response_format" = Option<String>, Query, description = "`unified` (the default), `normalized` (the same) or `raw`: as the proxy API gives it."),
        ("truto_key_by" = Option<String>, Query, description = "Makes `result` an object with this field's values as keys."),
    ),
    responses(
        (status = 200, description = "`{\"result\": […], \"next_cursor\", \"prev_cursor\", \"result_count\"}`.", body = Object),
        CallErrors,
    ),
)]
async fn list(Path((model, resource)): Path<(String, String)>, call: Call) -> Response {
    call::make(call, &model, &resource, "list", None).await
}

/// Create a record of a unified resource
#[utoipa::path(
    post,
    path = "/unified/{model}/{resource}",
    operation_id = "unified_create",
    tag = "Unified API",
    params(
        ("model" = String, Path, description = "An installed unified model."),
        ("resource" = String, Path, description = "One of its resources."),
        ("integrated_account_id" = String, Query, description = "The account."),
        ("truto_body_passthrough" = Option<bool>, Query, description = "Whether the body goes as it is, without a mapping."),
    ),
    request_body(content = Object, description = "The record."),
    responses((status = "default", description = "The record."), CallErrors),
)]
async fn create(Path((model, resource)): Path<(String, String)>, call: Call) -> Response {
    call::make(call, &model, &resource, "create", None).await
}

/// Update a unified record that has no id
#[utoipa::path(
    patch,
    path = "/unified/{model}/{resource}",
    operation_id = "unified_update_one",
    tag = "Unified API",
    params(
        ("model" = String, Path, description = "An installed unified model."),
        ("resource" = String, Path, description = "One of its resources."),
        ("integrated_account_id" = String, Query, description = "The account."),
    ),
    request_body(content = Object, description = "What is changed."),
    responses((status = "default", description = "The record."), CallErrors),
)]
async fn update_one(Path((model, resource)): Path<(String, String)>, call: Call) -> Response {
    call::make(call, &model, &resource, "update", None).await
}

/// Delete a unified record that has no id
#[utoipa::path(
    delete,
    path = "/unified/{model}/{resource}",
    operation_id = "unified_delete_one",
    tag = "Unified API",
    params(
        ("model" = String, Path, description = "An installed unified model."),
        ("resource" = String, Path, description = "One of its resources."),
        ("integrated_account_id" = String, Query, description = "The account."),
    ),
    responses((status = 200, description = "`{\"id\"}`.", body = Object), CallErrors),
)]
async fn delete_one(Path((model, resource)): Path<(String, String)>, call: Call) -> Response {
    call::make(call, &model, &resource, "delete", None).await
}

/// Get a unified record, or describe a method
///
/// `…/meta/{method}` describes the method for the account, and `…/{integration}/meta/{method}` for an integration. The word `meta` in that
/// place wins over an id. `/unified/meta/{model}/{integration}` describes all that an integration is mapped to.
#[utoipa::path(
    get,
    path = "/unified/{model}/{resource}/{*id_or_method}",
    operation_id = "unified_get",
    tag = "Unified API",
    params(
        ("model" = String, Path, description = "An installed unified model."),
        ("resource" = String, Path, description = "One of its resources."),
        ("id_or_method" = String, Path, description = "The record's id."),
        ("integrated_account_id" = Option<String>, Query, description = "The account."),
    ),
    responses((status = "default", description = "The record."), CallErrors),
)]
async fn get(
    State(api): State<ApiState>,
    Path((model, resource, rest)): Path<(String, String, String)>,
    call: Call,
) -> Response {
    match Asked::read(&model, &resource, &rest) {
        Some(asked) => meta::describe(&api, call, asked).await,
        None => call::make(call, &model, &resource, "get", Some(&rest)).await,
    }
}

/// Run a custom method of a unified resource
///
/// The answer is `{"result"}`.
#[utoipa::path(
    post,
    path = "/unified/{model}/{resource}/{*id_or_method}",
    operation_id = "unified_run",
    tag = "Unified API",
    params(
        ("model" = String, Path, description = "An installed unified model."),
        ("resource" = String, Path, description = "One of its resources."),
        ("id_or_method" = String, Path, description = "The method's name."),
        ("integrated_account_id" = String, Query, description = "The account."),
    ),
    request_body(content = Object, description = "What the mapping makes the provider's body of."),
    responses((status = "default", description = "`{\"result\"}`."), CallErrors),
)]
async fn run(Path((model, resource, method)): Path<(String, String, String)>, call: Call) -> Response {
    call::make(call, &model, &resource, &method, None).await
}

/// Update a unified record
#[utoipa::path(
    patch,
    path = "/unified/{model}/{resource}/{*id_or_method}",
    operation_id = "unified_update",
    tag = "Unified API",
    params(
        ("model" = String, Path, description = "An installed unified model."),
        ("resource" = String, Path, description = "One of its resources."),
        ("id_or_method" = String, Path, description = "The record's id."),
        ("integrated_account_id" = String, Query, description = "The account."),
    ),
    request_body(content = Object, description = "What is changed."),
    responses((status = "default", description = "The record."), CallErrors),
)]
async fn update(Path((model, resource, id)): Path<(String, String, String)>, call: Call) -> Response {
    call::make(call, &model, &resource, "update", Some(&id)).await
}

/// Delete a unified record
#[utoipa::path(
    delete,
    path = "/unified/{model}/{resource}/{*id_or_method}",
    operation_id = "unified_delete",
    tag = "Unified API",
    params(
        ("model" = String, Path, description = "An installed unified model."),
        ("resource" = String, Path, description = "One of its resources."),
        ("id_or_method" = String, Path, description = "The record's id."),
        ("integrated_account_id" = String, Query, description = "The account."),
    ),
    responses((status = 200, description = "`{\"id\"}`.", body = Object), CallErrors),
)]
async fn delete(Path((model, resource, id)): Path<(String, String, String)>, call: Call) -> Response {
    call::make(call, &model, &resource, "delete", Some(&id)).await
}
