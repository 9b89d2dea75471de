//! All routes, and the layers around them.

use std::convert::Infallible;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderName, HeaderValue},
    middleware,
    response::Response,
};
use tower::Service;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::{
    ApiState, absent, account_changes, accounts, batch, body, bulk_delete, call_log, catalog, connect, custom,
    deliveries, docs, documentation, environment, error, events, guard, imports, inbound, installations, integrations,
    links, mcp, openapi,
    openapi::{OpenRoutes, Routes},
    organization, proxy, redirect_test, sandbox, sandbox_accounts, status, sync, tokens, tools, unified,
    unified_models, via, webhooks,
};

/// The routes that require a bearer token.
pub(crate) fn guarded() -> Routes {
    Routes::new()
        .merge(accounts::routes())
        .merge(account_changes::routes())
        .merge(sandbox_accounts::routes())
        .merge(integrations::routes())
        .merge(installations::routes())
        .merge(catalog::routes())
        .merge(documentation::routes())
        .merge(links::routes())
        .merge(webhooks::routes())
        .merge(deliveries::routes())
        .merge(events::routes())
        .merge(tokens::routes())
        .merge(status::routes())
        .merge(call_log::routes())
        .merge(tools::routes())
        .merge(mcp::routes())
        .merge(bulk_delete::routes())
        .merge(imports::routes())
        .merge(batch::routes())
        .merge(sandbox::routes())
        .merge(organization::routes())
        .merge(unified_models::routes())
        .merge(sync::routes())
        .merge(absent::routes())
}

/// The routes that browsers open without a bearer token. Each one checks another key, or contains no user data.
pub(crate) fn open() -> OpenRoutes {
    OpenRoutes::new()
        .merge(status::open_routes())
        .merge(openapi::routes())
        .merge(docs::routes())
        .merge(connect::routes())
        .merge(redirect_test::routes())
        .merge(inbound::routes())
}

/// The calls of methods. They require a bearer token too, but an `environment_id` in their query is the provider's.
pub(crate) fn methods() -> Routes {
    Routes::new().merge(proxy::routes()).merge(custom::routes()).merge(unified::routes())
}

/// All routes behind the guards.
pub(crate) fn service(
    api: ApiState,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static {
    let router = router(api.clone());
    tower::service_fn(move |request| {
        let (api, router) = (api.clone(), router.clone());
        async move { Ok(error::unless_panicked(guard::admit(&api, request, router)).await) }
    })
}

/// Each layer around a route boxes the request's future and clones what is inside, so there are none around calls but the permission.
fn router(state: ApiState) -> Router {
    let environment = middleware::from_fn_with_state(state.clone(), environment::only_own);
    let own = Router::new()
        .merge(guarded().into_router().route_layer(environment))
        .merge(open().into_router())
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(body::MAX_LENGTH))
        .layer(header_unless_set("cache-control", "no-store"))
        .layer(header_unless_set("x-content-type-options", "nosniff"));
    // What a provider answers is not changed.
    own.merge(via::router())
        .merge(methods().into_router().method_not_allowed_fallback(error::no_such_method))
        .with_state(state)
}

fn header_unless_set(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
}
