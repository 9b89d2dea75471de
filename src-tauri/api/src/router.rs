//! All routes, and the layers around them.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderName, HeaderValue},
    middleware,
    response::{IntoResponse, Response},
};
use relink_domain::caller::Caller;
use tower::ServiceExt;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::{
    ApiState, absent, account_changes, accounts, batch, body, bulk_delete, call_log, catalog, connect, custom,
    deliveries, docs, documentation, environment, error, events,
    guard::{self, Admitted},
    imports, inbound, installations, integrations, links, mcp, openapi,
    openapi::{OpenRoutes, Routes},
    organization,
    permit::unauthorized,
    proxy::{self, ProxyPath},
    redirect_test, sandbox, sandbox_accounts,
    server::{Answers, Arrival},
    status, sync, tokens, tools, unified, unified_models, via, webhooks,
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
#[derive(Clone)]
pub(crate) struct Guarded {
    api: ApiState,
    router: Router,
}

impl Guarded {
    pub(crate) fn new(api: ApiState) -> Self {
        Self { router: router(api.clone()), api }
    }

    /// A token that ends before the response, such as during a long poll, gets no response.
    async fn admit(&self, mut request: Request, arrival: &Arrival) -> Response {
        let Admitted { caller, reached, place } = match guard::admit(&self.api, &mut request, arrival) {
            Ok(admitted) => admitted,
            Err(refused) => return refused.into_response(),
        };
        let response = match (Shortcut::of(&request), &caller) {
            (Some(_), None) => unauthorized(place),
            (Some(shortcut), Some(caller)) => shortcut.answer(&self.api, caller, request, arrival).await,
            (None, _) => {
                let extensions = request.extensions_mut();
                extensions.insert(arrival.clone());
                extensions.insert(place);
                if let Some(caller) = &caller {
                    extensions.insert(caller.clone());
                }
                if let Some(reached) = reached {
                    extensions.insert(reached);
                }
                Box::pin(self.router.clone().oneshot(request)).await.unwrap_or_else(|never| match never {})
            }
        };
        let has_ended = caller.is_some_and(|caller| !self.api.engine.access().is_still_valid(&caller));
        if has_ended { unauthorized(place) } else { response }
    }
}

impl Answers for Guarded {
    async fn answer(&self, request: Request, arrival: &Arrival) -> Response {
        error::unless_panicked(self.admit(request, arrival)).await
    }
}

/// The way of most calls past the router, which would clone and box for each of them, and keep what it finds in a table. The router has
/// their routes as well, for all that is rare, and does the same with them. What a call keeps is boxed once: it would be moved as a whole
/// each time something is put around it.
enum Shortcut {
    Via,
    Proxy(ProxyPath),
}

impl Shortcut {
    fn of(request: &Request) -> Option<Self> {
        let path = request.uri().path();
        if via::is_below(path) { Some(Self::Via) } else { ProxyPath::of(request.method(), path).map(Self::Proxy) }
    }

    async fn answer(self, api: &ApiState, caller: &Caller, request: Request, arrival: &Arrival) -> Response {
        match self {
            Self::Via => Box::pin(via::answer(api, caller, request, arrival)).await,
            Self::Proxy(path) => Box::pin(proxy::answer(api, caller, request, (&path, arrival))).await,
        }
    }
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
    own.merge(via::routes().into_router())
        .merge(methods().into_router().method_not_allowed_fallback(error::no_such_method))
        .with_state(state)
}

fn header_unless_set(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
}
