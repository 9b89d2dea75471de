//! All routes, and the layers around them.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue},
    middleware,
};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

use crate::{
    ApiState, accounts, batch, body, call_log, connect, custom, docs, error, events, guard, integrations, links,
    openapi,
    openapi::{OpenRoutes, Routes},
    proxy, redirect_test, sandbox, status, tokens, tools, via, webhooks,
};

/// The routes that require a bearer token.
pub(crate) fn guarded() -> Routes {
    Routes::new()
        .merge(accounts::routes())
        .merge(integrations::routes())
        .merge(links::routes())
        .merge(webhooks::routes())
        .merge(events::routes())
        .merge(tokens::routes())
        .merge(status::routes())
        .merge(call_log::routes())
        .merge(tools::routes())
        .merge(batch::routes())
        .merge(sandbox::routes())
}

/// The routes that browsers open without a bearer token. Each one checks another key, or contains no user data.
pub(crate) fn open() -> OpenRoutes {
    OpenRoutes::new()
        .merge(status::open_routes())
        .merge(openapi::routes())
        .merge(docs::routes())
        .merge(connect::routes())
        .merge(redirect_test::routes())
}

/// The calls of methods. They require a bearer token too, but an `environment_id` in their query is the provider's.
pub(crate) fn methods() -> Routes {
    Routes::new().merge(proxy::routes()).merge(custom::routes())
}

pub(crate) fn router(state: ApiState) -> Router {
    let of_call = middleware::from_fn_with_state(state.clone(), guard::bearer_of_call);
    let bearer = middleware::from_fn_with_state(state.clone(), guard::bearer);
    let own = Router::new()
        .merge(guarded().into_router().route_layer(bearer))
        .merge(open().into_router())
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(body::MAX_LENGTH))
        .layer(header_unless_set("cache-control", "no-store"))
        .layer(header_unless_set("x-content-type-options", "nosniff"));
    // What a provider answers is not changed.
    own.merge(via::router(&state))
        .merge(methods().into_router().route_layer(of_call).method_not_allowed_fallback(error::no_such_method))
        .layer(middleware::from_fn_with_state(state.clone(), guard::entrance))
        .layer(CatchPanicLayer::custom(error::panicked))
        .with_state(state)
}

fn header_unless_set(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
}
