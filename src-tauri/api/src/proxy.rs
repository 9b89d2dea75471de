//! `/proxy/{resource}`: calls of an integration's methods (contract section 7).

use axum::{
    Extension,
    body::Body,
    extract::{Path, Request, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use relink_calls::{BaseError, BuildError, MethodCall, MethodError, MethodTarget, Parameters};
use relink_domain::{AccountId, call::CallRoute, caller::Caller, permission::Permission};
use relink_engine::Error;
use utoipa_axum::routes;

use crate::{
    ApiState, call_error,
    error::ApiError,
    idempotency::{Key, OwnedTarget},
    openapi::{Conflict, NotFound, ProviderErrors, Routes},
    path::Id as _,
    recording::{Begun, recorded},
    server::AsSent,
    withdrawn::until_withdrawn,
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
        NotFound, Conflict, ProviderErrors,
    ),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(resource): Path<String>,
    request: Request,
) -> Response {
    call(&api, &caller, request, MethodTarget::Named { resource: &resource, method: "list", id: None }).await
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
    responses((status = "default", description = "The provider's data."), NotFound, Conflict, ProviderErrors),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(resource): Path<String>,
    request: Request,
) -> Response {
    call(&api, &caller, request, MethodTarget::Named { resource: &resource, method: "create", id: None }).await
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
    responses((status = "default", description = "The provider's data."), NotFound, Conflict, ProviderErrors),
)]
async fn get(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((resource, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    call(&api, &caller, request, MethodTarget::Named { resource: &resource, method: "get", id: Some(&id) }).await
}

/// Run a method by its name
///
/// Any method that the integration's definition has for the resource.
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
    responses((status = "default", description = "The provider's data."), NotFound, Conflict, ProviderErrors),
)]
async fn run(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((resource, method)): Path<(String, String)>,
    request: Request,
) -> Response {
    call(&api, &caller, request, MethodTarget::Named { resource: &resource, method: &method, id: None }).await
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
    responses((status = "default", description = "The provider's data."), NotFound, Conflict, ProviderErrors),
)]
async fn update_one(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(resource): Path<String>,
    request: Request,
) -> Response {
    call(&api, &caller, request, MethodTarget::Named { resource: &resource, method: "update", id: None }).await
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
    responses((status = "default", description = "The provider's data."), NotFound, Conflict, ProviderErrors),
)]
async fn update(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((resource, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    call(&api, &caller, request, MethodTarget::Named { resource: &resource, method: "update", id: Some(&id) }).await
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
    responses((status = "default", description = "The provider's data."), NotFound, Conflict, ProviderErrors),
)]
async fn delete_one(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(resource): Path<String>,
    request: Request,
) -> Response {
    call(&api, &caller, request, MethodTarget::Named { resource: &resource, method: "delete", id: None }).await
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
    responses((status = "default", description = "The provider's data."), NotFound, Conflict, ProviderErrors),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((resource, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    call(&api, &caller, request, MethodTarget::Named { resource: &resource, method: "delete", id: Some(&id) }).await
}

/// Makes a call, which is recorded.
pub(crate) async fn call(api: &ApiState, caller: &Caller, request: Request, target: MethodTarget<'_>) -> Response {
    let uri = sent_uri(&request);
    let parameters = Parameters::read(uri.query().unwrap_or_default());
    let account = match account_of(caller, &parameters) {
        Ok(account) => account,
        Err(error) => return error.into_response(),
    };
    let key = match Key::of(account, request.method(), uri.path(), request.headers()) {
        Ok(Some(key)) => key,
        Ok(None) => return make(api, caller, account, request, target).await,
        Err(error) => return error.into_response(),
    };
    // A kept answer is for nobody else than a call with the account.
    if let Err(error) = api.engine.accounts().get(caller, account).await {
        return ApiError::from(error).into_response();
    }
    let (kept, now) = (api.idempotency.clone(), api.engine.now());
    let (api, caller, target) = (api.clone(), caller.clone(), OwnedTarget::from(target));
    kept.once(key, now, async move { make(&api, &caller, account, request, target.as_target()).await }).await
}

async fn make(
    api: &ApiState,
    caller: &Caller,
    account: AccountId,
    request: Request,
    target: MethodTarget<'_>,
) -> Response {
    let uri = sent_uri(&request);
    let parameters = Parameters::read(uri.query().unwrap_or_default());
    let (route, prefix) = match target {
        MethodTarget::Named { .. } => (CallRoute::Proxy, "/proxy"),
        MethodTarget::Custom { .. } => (CallRoute::Custom, "/custom"),
    };
    let begun = Begun { account, route, path: below(uri.path(), prefix), query: uri.query() };
    recorded(api, caller, begun, request, |request| forward(api, caller, account, request, parameters, target)).await
}

/// The URI as the client sent it.
pub(crate) fn sent_uri(request: &Request) -> Uri {
    request.extensions().get::<AsSent>().map_or(request.uri(), |AsSent(uri)| uri).clone()
}

/// What follows a route's prefix in a path, before which any run of slashes is one (contract section 0.2).
pub(crate) fn below<'p>(path: &'p str, prefix: &str) -> &'p str {
    path.trim_start_matches('/').strip_prefix(&prefix[1..]).unwrap_or_default()
}

async fn forward(
    api: &ApiState,
    caller: &Caller,
    account: AccountId,
    request: Request,
    parameters: Parameters,
    target: MethodTarget<'_>,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let prefix = format!("{}/via/{account}", api.port.base_url());
    let call = MethodCall {
        target,
        parameters,
        headers: parts.headers,
        body: body.map_err(Into::into).boxed_unsync(),
        prefix: &prefix,
    };
    match api.calls.run_method(caller, account, call, &api.expressions).await {
        Ok(response) => Ok(response.map(|body| Body::new(until_withdrawn(api, caller, account, body)))),
        Err(MethodError::Remote(response)) => Ok(response.map(Body::new)),
        Err(error) => Err(explain(error)),
    }
}

/// The account that the caller names, or the one that its token is for.
fn account_of(caller: &Caller, parameters: &Parameters) -> Result<AccountId, ApiError> {
    match (caller, &parameters.integrated_account_id) {
        (_, Some(text)) => text.parse().map_err(|_| AccountId::not_found(text)),
        (Caller::AccountToken { account_id, .. }, None) => Ok(*account_id),
        (_, None) => {
            let message = "integrated_account_id is missing. Name the account in the query: ?integrated_account_id=ID.";
            Err(ApiError::bad_request("integrated_account_id_missing", message))
        }
    }
}

/// Why there is no answer of the provider.
fn explain(error: MethodError<Error>) -> ApiError {
    let bad_gateway = |code: &str, message: &str| ApiError::new(StatusCode::BAD_GATEWAY, code, message);
    let message = error.to_string();
    let conflict = |code: &str| ApiError::new(StatusCode::CONFLICT, code, &message);
    match error {
        MethodError::Call(error) => call_error::explain(error),
        MethodError::NoResource { resource, known } => {
            let message = format!("The integration has no resource {resource:?}. {}", listed("resources", &known));
            ApiError::new(StatusCode::NOT_FOUND, "resource_not_found", &message)
        }
        MethodError::NoMethod { resource, method, known } => {
            let message = format!("The resource {resource:?} has no method {method:?}. {}", listed("methods", &known));
            ApiError::new(StatusCode::NOT_FOUND, "method_not_found", &message)
        }
        MethodError::ReadOnly => {
            let message = "This account is a sandbox, so nothing is written with it.";
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "sandbox_is_read_only", message)
        }
        MethodError::MethodConfig(error) => {
            ApiError::bad_request("method_config_invalid", &format!("methodConfig can't be used: {error}."))
        }
        MethodError::SecretInConfig(_) => ApiError::bad_request("secret_outside_authorization", &message),
        MethodError::Build(BuildError::Body(error)) => ApiError::bad_request(error.code(), &message),
        MethodError::Build(BuildError::Target(error)) => call_error::explain(error.into()),
        MethodError::Build(BuildError::Base(BaseError::Missing)) => conflict("no_base_url"),
        MethodError::Build(BuildError::Base(BaseError::Foreign(_))) => conflict("foreign_origin"),
        MethodError::Build(BuildError::Base(BaseError::Moved)) => conflict("address_changed"),
        MethodError::Build(BuildError::Base(BaseError::Address(_))) => conflict("address_unresolved"),
        MethodError::Build(BuildError::Fill(_) | BuildError::Header(_)) => {
            ApiError::bad_request("request_incomplete", &message)
        }
        MethodError::Build(BuildError::Expression(_) | BuildError::Signing(_)) => conflict("request_unsigned"),
        MethodError::Page(error) if error.is_the_callers() => ApiError::bad_request(error.code(), &message),
        MethodError::Page(error) => bad_gateway(error.code(), &message),
        MethodError::Read(_) => bad_gateway("answer_unreadable", &message),
        MethodError::AnswerTooLong => bad_gateway("answer_too_long", &message),
        MethodError::AnswerEnded => bad_gateway("answer_ended_early", &message),
        // It is answered as it is, see `forward`.
        MethodError::Remote(response) => ApiError::new(response.status(), "remote_error", &message),
    }
}

fn listed(what: &str, known: &[String]) -> String {
    if known.is_empty() { format!("It has no {what}.") } else { format!("Its {what}: {}.", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_route_is_not_changed() {
        for (path, prefix, rest) in [
            ("/custom", "/custom", ""),
            ("/custom/a%2Fb//c/", "/custom", "/a%2Fb//c/"),
            ("///custom/x", "/custom", "/x"),
            ("/proxy/contacts/7", "/proxy", "/contacts/7"),
        ] {
            assert_eq!(below(path, prefix), rest, "{path}");
        }
    }

    #[test]
    fn an_account_is_named_or_is_the_tokens_own() {
        let read = |query: &str| account_of(&Caller::Person, &Parameters::read(query));
        let id = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
        assert_eq!(read(&format!("integrated_account_id={id}")).expect("an id").to_string(), id);
        assert_eq!(read("").expect_err("missing").code(), "integrated_account_id_missing");
        assert_eq!(read("integrated_account_id=acme").expect_err("unknown").code(), "not_found");
        let own = Caller::AccountToken { account_id: id.parse().expect("an id"), grant: std::sync::Arc::default() };
        assert_eq!(account_of(&own, &Parameters::default()).expect("its own").to_string(), id);
    }
}
