//! `/proxy/{resource}`: calls of an integration's methods (contract section 7).

use axum::{
    extract::{Path, Request},
    http::Method,
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use relink_calls::MethodTarget;
use relink_domain::{caller::Caller, permission::Permission};
use utoipa_axum::routes;

use crate::{
    ApiState,
    method_calls::{self, Call},
    openapi::{CallErrors, Routes},
    permit::{self, runs_action},
    server::Arrival,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::CallMethods, routes!(list, create, update_one, delete_one))
        .with(Permission::CallMethods, routes!(get, run_method, update, delete))
}

/// What a path of the routes names, without its percent-encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyPath {
    resource: String,
    id_or_method: Option<String>,
}

impl ProxyPath {
    /// `None`: the router knows what else it may be, or how to refuse it.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        let (resource, rest) = match path.strip_prefix("/proxy/")?.split_once('/') {
            Some((resource, rest)) => (resource, Some(rest)),
            None => (path.strip_prefix("/proxy/")?, None),
        };
        let is_routed = matches!(*method, Method::GET | Method::POST | Method::PATCH | Method::DELETE)
            && !resource.is_empty()
            && rest != Some("");
        let decoded = |text| percent_decode_str(text).decode_utf8().ok().map(Into::into);
        let id_or_method = match rest.filter(|_| is_routed) {
            Some(rest) => Some(decoded(rest)?),
            None => None,
        };
        if is_routed { Some(Self { resource: decoded(resource)?, id_or_method }) } else { None }
    }
}

/// Answers a request to one of the routes.
pub(crate) async fn answer(
    api: &ApiState,
    caller: &Caller,
    mut request: Request,
    (path, arrival): (&ProxyPath, &Arrival),
) -> Response {
    if let Err(refused) = permit::check(caller, Permission::CallMethods, &request) {
        return refused.into_response();
    }
    request.uri_mut().clone_from(&arrival.uri);
    run(api, caller, request, path).await
}

async fn run(api: &ApiState, caller: &Caller, request: Request, path: &ProxyPath) -> Response {
    let ProxyPath { resource, id_or_method } = path;
    let id_or_method = id_or_method.as_deref();
    let (method, id) = match (request.method(), id_or_method) {
        (&Method::POST, Some(action)) if runs_action(resource) => {
            let call = Call { api: api.clone(), caller: caller.clone(), request };
            return Box::pin(call.action(action)).await;
        }
        (&Method::POST, Some(method)) => (method, None),
        (&Method::POST, None) => ("create", None),
        (&Method::PATCH, id) => ("update", id),
        (&Method::DELETE, id) => ("delete", id),
        // Also for HEAD.
        (_, None) => ("list", None),
        (_, id) => ("get", id),
    };
    method_calls::call(api, caller, request, MethodTarget::Named { resource, method, id }).await
}

async fn one(Call { api, caller, request }: Call, (resource, id_or_method): (String, String)) -> Response {
    run(&api, &caller, request, &ProxyPath { resource, id_or_method: Some(id_or_method) }).await
}

async fn all(Call { api, caller, request }: Call, resource: String) -> Response {
    run(&api, &caller, request, &ProxyPath { resource, id_or_method: None }).await
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
    all(call, resource).await
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
    all(call, resource).await
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
async fn get(Path(record): Path<(String, String)>, call: Call) -> Response {
    one(call, record).await
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
async fn run_method(Path(method): Path<(String, String)>, call: Call) -> Response {
    one(call, method).await
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
    all(call, resource).await
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
async fn update(Path(record): Path<(String, String)>, call: Call) -> Response {
    one(call, record).await
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
    all(call, resource).await
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
async fn delete(Path(record): Path<(String, String)>, call: Call) -> Response {
    one(call, record).await
}
