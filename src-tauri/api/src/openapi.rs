//! The OpenAPI document, built from the handlers themselves: a route joins the router and the document in one step.

use std::collections::BTreeMap;

use axum::{Router, extract::State, http::header, response::IntoResponse};
use relink_contract::ErrorBody;
use utoipa::{
    IntoResponses, OpenApi,
    openapi::{
        Content, Ref, RefOr, Response, ResponseBuilder, SecurityRequirement,
        path::{Operation, PathItem, PathsMap},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter},
    routes,
};

use crate::ApiState;

/// Routes that are all documented: there is no way to add one that isn't.
pub(crate) struct Routes(OpenApiRouter<ApiState>);

impl Routes {
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
                       answers on this machine only, under its own address. See docs/api.md.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "The Relink that serves this document")),
    components(schemas(ErrorBody)),
    tags(
        (name = "Accounts", description = "Integrated accounts, in Truto's shape and in Relink's own."),
        (name = "Integrations", description = "The catalog, and what is installed of it."),
        (name = "Links", description = "Link tokens: the right to connect or reauthorize an account in the connect UI."),
        (name = "Webhooks", description = "Targets of events, and their deliveries."),
        (name = "Events", description = "What happened: events to follow, and timelines to read."),
        (name = "API tokens", description = "The tokens that programs use."),
        (name = "Sandbox", description = "The controls of the built-in provider, while it is installed."),
        (name = "Connect UI", description = "The connect UI's pages and its own API, which may change with the pages."),
        (name = "Relink", description = "How Relink is, and this document."),
    ),
)]
struct Head;

const BEARER: &str = "bearer";

/// The whole API. What a guard answers is documented here, for every route that stands behind it.
pub(crate) fn document(guarded: Routes, open: Routes) -> utoipa::openapi::OpenApi {
    let mut guarded = guarded.0.into_openapi();
    for operation in operations(&mut guarded.paths.paths) {
        operation.security = Some(vec![SecurityRequirement::new::<_, _, String>(BEARER, [])]);
        add_responses(operation, TokenErrors::responses());
    }
    let mut document = Head::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    document.merge(guarded);
    document.merge(open.0.into_openapi());
    for operation in operations(&mut document.paths.paths) {
        add_responses(operation, EveryError::responses());
    }
    let paths = std::mem::take(&mut document.paths.paths);
    // In axum's patterns `{*path}` is the rest of the path.
    document.paths.paths = paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API token")).build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    for (name, description) in ERROR_RESPONSES {
        components.responses.insert((*name).to_owned(), error(description).into());
    }
    document
}

pub(crate) fn operations(paths: &mut PathsMap<String, PathItem>) -> impl Iterator<Item = &mut Operation> {
    paths.values_mut().flat_map(|item| {
        let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
        [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
    })
}

/// What the handler itself documents stays.
fn add_responses(operation: &mut Operation, responses: BTreeMap<String, RefOr<Response>>) {
    for (status, response) in responses {
        operation.responses.responses.entry(status).or_insert(response);
    }
}

/// Kinds of errors: a component of the document for each status, and a reference to it in each operation.
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
    /// Of every route.
    EveryError:
        "403" "A web page of another origin gets no answer.",
        "421" "The request names another host.",
        "500" "A mistake of Relink's own, or its database has a problem.",
        "503" "Relink is stopping, or something on this machine isn't available now: the keychain, the Sandbox.";
    /// Of every route behind a token.
    TokenErrors:
        "401" "The Bearer token is missing or unknown.",
        "429" "Too many requests at a time. `Retry-After` says when to come again.";
    /// Of every route that reads a body.
    BodyErrors:
        "400" "What was sent can't be used.",
        "408" "The body took too long.",
        "413" "The body is longer than 1 MiB.";
    /// Of every route that reads the query.
    QueryErrors: "400" "The query can't be used.";
    /// Of every route about one thing.
    NotFound: "404" "There is no such thing.";
    /// Of every route that can find something in its way.
    Conflict: "409" "It doesn't fit what is there.";
    /// Of every route that calls the provider.
    ProviderErrors:
        "400" "The provider said no for good (`code` says why), or what was sent can't be used.",
        "429" "The provider asks to slow down, or there are too many requests at a time. `Retry-After` says when to come \
               again.",
        "502" "The provider can't be reached, or has trouble of its own.";
}

fn error(description: &str) -> Response {
    let content = Content::new(Some(Ref::from_schema_name("ErrorBody")));
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

pub(crate) fn routes() -> Routes {
    Routes::new().with(routes!(show))
}

/// This document
///
/// It describes the API and holds nothing of the person's, so it asks for no token.
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
