//! `/proxy/{resource}`: calls of an integration's methods (contract section 7).

use axum::{extract::Path, response::Response};
use relink_domain::permission::Permission;
use utoipa_axum::routes;

use crate::{
    method_calls::Call,
    openapi::{CallErrors, Routes},
    permit::runs_action,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::CallMethods, routes!(list, create, update_one, delete_one))
        .with(Permission::CallMethods, routes!(get, run, update, delete))
}

/// List the records of a resource
///
/// Runs the method `list`. `limit` and the cursors are Relink's, whatever the provider's pages are like; every other parameter goes to
/// the provider.
#[utoipa::path(
    get,
    path = "/proxy/{resource}",
    operation_id = "proxy_list",
    tag = "Calls",
    params(
        ("resource" = String, Path, description = "A resource of the account's integration."),
        ("integrated_account_id" = String, Query, description = "The account."),
        ("limit" = Option<u32>, Query, description = "How many records a page has at most."),
        ("next_cursor" = Option<String>, Query, description = "The page after, from the page before."),
        ("prev_cursor" = Option<String>, Query, description = "The page before, from the page after."),
    ),
    responses(
        (status = 200, description = "`{\"result\": […], \"next_cursor\", \"prev_cursor\", \"result_count\"}`.", body = Object),
        CallErrors,
    ),
)]
async fn list(Path(resource): Path<String>, call: Call) -> Response {
    call.named(&resource, "list", None).await
}

/// Create a record
///
/// Runs the method `create`.
#[utoipa::path(
    post,
    path = "/proxy/{resource}",
    operation_id = "proxy_create",
    tag = "Calls",
    params(
        ("resource" = String, Path, description = "A resource of the account's integration."),
        ("integrated_account_id" = String, Query, description = "The account."),
        ("truto_body_passthrough" = Option<bool>, Query, description = "Whether the body and its type go as they are."),
    ),
    request_body(content = Object, description = "What the method's body is made of."),
    responses((status = "default", description = "The provider's data."), CallErrors),
)]
async fn create(Path(resource): Path<String>, call: Call) -> Response {
    call.named(&resource, "create", None).await
}

/// Get a record
///
/// Runs the method `get`. An id may have any characters; one slash counts as a slash of the id.
#[utoipa::path(
    get,
    path = "/proxy/{resource}/{*id_or_method}",
    operation_id = "proxy_get",
    tag = "Calls",
    params(
        ("resource" = String, Path, description = "A resource of the account's integration."),
        ("id_or_method" = String, Path, description = "The record's id."),
        ("integrated_account_id" = String, Query, description = "The account."),
    ),
    responses((status = "default", description = "The provider's data."), CallErrors),
)]
async fn get(Path((resource, id)): Path<(String, String)>, call: Call) -> Response {
    call.named(&resource, "get", Some(&id)).await
}

/// Run a method by its name
///
/// Any method that the integration's definition has for the resource. With `_` in place of the resource, an action of the definition:
/// `{"result"}` is what its last step gave.
#[utoipa::path(
    post,
    path = "/proxy/{resource}/{*id_or_method}",
    operation_id = "proxy_run",
    tag = "Calls",
    params(
        ("resource" = String, Path, description = "A resource of the account's integration."),
        ("id_or_method" = String, Path, description = "The method's name."),
        ("integrated_account_id" = String, Query, description = "The account."),
        ("truto_body_passthrough" = Option<bool>, Query, description = "Whether the body and its type go as they are."),
    ),
    request_body(content = Object, description = "What the method's body is made of."),
    responses((status = "default", description = "The provider's data."), CallErrors),
)]
async fn run(Path((resource, method)): Path<(String, String)>, call: Call) -> Response {
    if runs_action(&resource) {
        return call.action(&method).await;
    }
    call.named(&resource, &method, None).await
}

/// Update a record that has no id
///
/// Runs the method `update`.
#[utoipa::path(
    patch,
    path = "/proxy/{resource}",
    operation_id = "proxy_update_one",
    tag = "Calls",
    params(
        ("resource" = String, Path, description = "A resource of the account's integration."),
        ("integrated_account_id" = String, Query, description = "The account."),
    ),
    request_body(content = Object, description = "What the method's body is made of."),
    responses((status = "default", description = "The provider's data."), CallErrors),
)]
async fn update_one(Path(resource): Path<String>, call: Call) -> Response {
    call.named(&resource, "update", None).await
}

/// Update a record
///
/// Runs the method `update`.
#[utoipa::path(
    patch,
    path = "/proxy/{resource}/{*id_or_method}",
    operation_id = "proxy_update",
    tag = "Calls",
    params(
        ("resource" = String, Path, description = "A resource of the account's integration."),
        ("id_or_method" = String, Path, description = "The record's id."),
        ("integrated_account_id" = String, Query, description = "The account."),
    ),
    request_body(content = Object, description = "What the method's body is made of."),
    responses((status = "default", description = "The provider's data."), CallErrors),
)]
async fn update(Path((resource, id)): Path<(String, String)>, call: Call) -> Response {
    call.named(&resource, "update", Some(&id)).await
}

/// Delete a record that has no id
///
/// Runs the method `delete`.
#[utoipa::path(
    delete,
    path = "/proxy/{resource}",
    operation_id = "proxy_delete_one",
    tag = "Calls",
    params(
        ("resource" = String, Path, description = "A resource of the account's integration."),
        ("integrated_account_id" = String, Query, description = "The account."),
    ),
    responses((status = "default", description = "The provider's data."), CallErrors),
)]
async fn delete_one(Path(resource): Path<String>, call: Call) -> Response {
    call.named(&resource, "delete", None).await
}

/// Delete a record
///
/// Runs the method `delete`. If the provider answers nothing, the answer is the record's `{"id"}`.
#[utoipa::path(
    delete,
    path = "/proxy/{resource}/{*id_or_method}",
    operation_id = "proxy_delete",
    tag = "Calls",
    params(
        ("resource" = String, Path, description = "A resource of the account's integration."),
        ("id_or_method" = String, Path, description = "The record's id."),
        ("integrated_account_id" = String, Query, description = "The account."),
    ),
    responses((status = "default", description = "The provider's data."), CallErrors),
)]
async fn delete(Path((resource, id)): Path<(String, String)>, call: Call) -> Response {
    call.named(&resource, "delete", Some(&id)).await
}
