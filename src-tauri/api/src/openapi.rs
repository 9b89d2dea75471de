//! The OpenAPI document, generated from the handlers. A route is added to the router and the document in one step.

use std::collections::BTreeMap;

use axum::{Router, extract::State, http::header, response::IntoResponse};
use relink_contract::{ErrorBody, RemoteErrorBody};
use relink_domain::permission::{Least, Permission};
use utoipa::{
    IntoResponses, OpenApi,
    openapi::{
        Content, Ref, RefOr, Response, ResponseBuilder, Schema, SecurityRequirement,
        path::{Operation, PathItem, PathsMap},
        schema::AnyOfBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter},
    routes,
};

use crate::{ApiState, permit::Permit};

/// Routes that require a token. Each is documented and declares its permission: no other can be added.
pub(crate) struct Routes(OpenApiRouter<ApiState>);

impl Routes {
    pub(crate) fn new() -> Self {
        Self(OpenApiRouter::new())
    }

    pub(crate) fn with(self, permission: Permission, route: UtoipaMethodRouter<ApiState>) -> Self {
        let (schemas, mut paths, handlers) = route;
        for operation in operations(&mut paths.paths) {
            operation.security = Some(vec![SecurityRequirement::new(BEARER, [permission.as_str()])]);
            let who = match permission.least() {
                Least::Program => "Every API token may do this.",
                Least::Full => "This takes a token with full access.",
                Least::Account => "Only an account token may do this.",
                Least::Mcp => "The token in the path is what allows this.",
                Least::Person => "No API token may do this: only the person, in the window or with the command line.",
            };
            let description = operation.description.take().map(|text| format!("{}\n\n{who}", text.trim_end()));
            operation.description = Some(description.unwrap_or_else(|| who.to_owned()));
        }
        Self(self.0.routes((schemas, paths, handlers.route_layer(Permit(permission)))))
    }

    pub(crate) fn merge(self, other: Self) -> Self {
        Self(self.0.merge(other.0))
    }

    pub(crate) fn into_router(self) -> Router<ApiState> {
        self.0.into()
    }
}

/// Routes that require no token. Each is documented.
pub(crate) struct OpenRoutes(OpenApiRouter<ApiState>);

impl OpenRoutes {
    pub(crate) fn new() -> Self {
        Self(OpenApiRouter::new())
    }

    pub(crate) fn with(self, route: UtoipaMethodRouter<ApiState>) -> Self {
        Self(self.0.routes(route))
    }

    pub(crate) fn merge(self, other: Self) -> Self {
        Self(self.0.merge(other.0))
    }

    pub(crate) fn into_router(self) -> Router<ApiState> {
        self.0.into()
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Relink",
        description = "Relink's local API: wire-compatible with Truto's, and Relink's own routes under `/relink`. It \
                       is reachable on this machine only. See docs/api.md.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "The Relink that serves this document")),
    components(schemas(ErrorBody, RemoteErrorBody)),
    tags(
        (name = "Accounts", description = "Integrated accounts, in Truto's format and in Relink's."),
        (name = "Calls", description = "Calls to a provider's API with an account's credential."),
        (name = "Unified API", description = "Calls in one form for many providers, with unified models and their mappings."),
        (name = "Sync jobs", description = "Jobs that read what a provider has and pass it on, with their runs and triggers."),
        (name = "Integrations", description = "The catalog of integrations, and installed integrations."),
        (name = "Links", description = "Link tokens, which permit connecting or reauthorizing an account in the connect UI."),
        (name = "Webhooks", description = "Webhooks, and their deliveries of events."),
        (name = "Events", description = "Events and timelines."),
        (name = "API tokens", description = "Tokens for programs."),
        (name = "Organization", description = "The environment, the team, its user and the categories of integrations."),
        (name = "Absent", description = "Parts of Truto that Relink lacks: their lists are empty, and what would make one is refused."),
        (name = "Sandbox", description = "Controls of the Sandbox, the built-in provider for testing, while it is installed."),
        (name = "Connect UI", description = "The connect UI's pages and their API, which may change without notice."),
        (name = "Relink", description = "Relink's status, and this document."),
    ),
)]
struct Head;

const BEARER: &str = "bearer";

/// The document of the whole API. The guards' responses are added here, to every guarded route.
pub(crate) fn document(guarded: Routes, open: OpenRoutes) -> utoipa::openapi::OpenApi {
    let mut guarded = guarded.0.into_openapi();
    for operation in operations(&mut guarded.paths.paths) {
        add_responses(operation, TokenErrors::responses());
    }
    let mut document = Head::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    document.merge(guarded);
    document.merge(open.0.into_openapi());
    for operation in operations(&mut document.paths.paths) {
        add_responses(operation, EveryError::responses());
    }
    document.paths.paths.values_mut().for_each(distinguish);
    let paths = std::mem::take(&mut document.paths.paths);
    // In axum's patterns `{*path}` is the rest of the path.
    document.paths.paths = paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API token. Each operation names the permission that the token must have."))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    for (name, description) in ERROR_RESPONSES {
        components.responses.insert((*name).to_owned(), error(name, description).into());
    }
    document
}

pub(crate) fn operations(paths: &mut PathsMap<String, PathItem>) -> impl Iterator<Item = &mut Operation> {
    paths.values_mut().flat_map(|item| {
        let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
        [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
    })
}

/// Operations of one handler get the method in front of their shared id.
fn distinguish(item: &mut PathItem) {
    let PathItem { get, put, post, delete, options, head, patch, .. } = item;
    let methods = [
        ("get", get),
        ("put", put),
        ("post", post),
        ("delete", delete),
        ("options", options),
        ("head", head),
        ("patch", patch),
    ];
    let mut operations: Vec<_> =
        methods.into_iter().filter_map(|(method, it)| it.as_mut().map(|it| (method, it))).collect();
    let ids: Vec<_> = operations.iter().map(|(_, operation)| operation.operation_id.clone()).collect();
    for (method, operation) in &mut operations {
        if ids.iter().filter(|id| **id == operation.operation_id).count() > 1
            && let Some(id) = &mut operation.operation_id
        {
            *id = format!("{method}_{id}");
        }
    }
}

/// Adds responses, except those that the handler documents itself.
fn add_responses(operation: &mut Operation, responses: BTreeMap<String, RefOr<Response>>) {
    for (status, response) in responses {
        operation.responses.responses.entry(status).or_insert(response);
    }
}

/// Declares groups of error responses: a component for each status, and a reference to it in each operation.
macro_rules! error_responses {
    ($($(#[$doc:meta])* $name:ident: $($status:literal $description:literal),+;)+) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    let reference = |status| Ref::from_response_name(concat!(stringify!($name), "_").to_owned() + status);
                    [$(($status.to_owned(), RefOr::Ref(reference($status)))),+].into()
                }
            }
        )+

        const ERROR_RESPONSES: &[(&str, &str)] =
            &[$($((concat!(stringify!($name), "_", $status), $description)),+),+];
    };
}

error_responses! {
    /// Responses of every route.
    EveryError:
        "403" "Requests from web pages of other origins are rejected.",
        "421" "The `Host` header isn't Relink's address.",
        "500" "An internal error, or an error of the database.",
        "503" "Relink is stopping, or the keychain or the Sandbox is unavailable.";
    /// Responses of every route that requires a token.
    TokenErrors:
        "401" "The bearer token is missing or unknown.",
        "403" "The token may not do this (`forbidden`), or the request comes from a web page of another origin.",
        "429" "Too many concurrent requests. Retry after `Retry-After` seconds.";
    /// Responses of routes that read a body.
    BodyErrors:
        "400" "The request isn't valid.",
        "408" "The body took too long.",
        "413" "The body is longer than 1 MiB.";
    /// Responses of routes that read the query.
    QueryErrors: "400" "The query isn't valid.";
    /// Responses of routes about one object.
    NotFound: "404" "Not found.";
    /// Responses of routes that can be in conflict with the current state.
    Conflict: "409" "The request conflicts with the current state.";
    /// Responses of routes whose bodies may need a part of Truto that Relink lacks.
    Lacking: "501" "It needs a part of Truto that Relink lacks (`not_in_relink`).";
    /// Responses of routes that run steps.
    StepErrors: "422" "A step or a form of the integration failed: see `code`.";
    /// Responses of routes that call the provider.
    ProviderErrors:
        "400" "The request isn't valid.",
        "401" "The bearer token is missing or unknown. With `truto_is_remote_error`: the provider refused permanently (see `code`).",
        "429" "The provider limits requests, or there are too many concurrent requests. Retry after `Retry-After` \
               seconds.",
        "502" "The provider can't be reached, or is having problems.";
    /// Responses of routes that call a method, whose errors may be the provider's.
    CallErrors:
        "400" "The request isn't valid; or the provider's error.",
        "401" "The bearer token is missing or unknown, or a refresh was refused; or the provider's error.",
        "403" "The token may not do this, or the request comes from a web page of another origin; or the provider's error.",
        "404" "There is no such account, resource or method; or the provider's error.",
        "409" "The request conflicts with the current state; or the provider's error.",
        "429" "The provider limits requests, or there are too many concurrent requests. Retry after `Retry-After` seconds.",
        "500" "An internal error, or an error of the database; or the provider's error.",
        "502" "The provider can't be reached, or is having problems; or its error.",
        "503" "Relink is stopping, or the keychain or the Sandbox is unavailable; or the provider's error.";
    /// Responses of routes that pass a call through, which may be the provider's as they are.
    PassThroughErrors:
        "400" "The request isn't valid; or the provider's response.",
        "401" "The bearer token is missing or unknown, or a refresh was refused; or the provider's response.",
        "403" "The token may not do this, or the request comes from a web page of another origin; or the provider's response.",
        "404" "There is no such account; or the provider's response.",
        "409" "The request conflicts with the current state; or the provider's response.",
        "421" "The `Host` header isn't Relink's address; or the provider's response.",
        "429" "The provider limits requests, or there are too many concurrent requests. Retry after `Retry-After` seconds.",
        "500" "An internal error, or an error of the database; or the provider's response.",
        "502" "The provider can't be reached, or is having problems; or its response.",
        "503" "Relink is stopping, or the keychain or the Sandbox is unavailable; or the provider's response.";
}

/// The response of a component with this name.
fn error(name: &str, description: &str) -> Response {
    let own = Ref::from_schema_name("ErrorBody");
    let (media_type, content) = if name.starts_with("CallErrors_") {
        let remote = Ref::from_schema_name("RemoteErrorBody");
        ("application/json", Content::new(Some(Schema::AnyOf(AnyOfBuilder::new().item(own).item(remote).build()))))
    } else if name.starts_with("PassThroughErrors_") {
        ("*/*", Content::new(None::<RefOr<Schema>>))
    } else {
        ("application/json", Content::new(Some(own)))
    };
    ResponseBuilder::new().description(description).content(media_type, content).build()
}

pub(crate) fn routes() -> OpenRoutes {
    OpenRoutes::new().with(routes!(show))
}

/// Get this document
///
/// It contains no user data, so it needs no token.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "get_openapi",
    tag = "Relink",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
async fn show(State(api): State<ApiState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], api.openapi_json.as_str())
}
