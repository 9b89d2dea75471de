//! The server. It has its own accept loop, because some faults affect the connection and not the response.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{StatusCode, Uri},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use socket2::{SockRef, Socket};
use tokio::{net::TcpListener, net::TcpStream, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{api, authorize, control, provider::Provider, reset::ResetConnection, token, twin};

const MAX_BODY_BYTES: usize = 64 * 1024;
/// How long a client may take to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

fn router(provider: Arc<Provider>) -> Router {
    let controls = Router::new()
        .route("/control", get(control::show).patch(control::change))
        .route("/control/expire", post(control::expire))
        .route("/control/revoke", post(control::revoke))
        .route("/control/faults", post(control::add_faults).delete(control::clear_faults))
        .route("/control/api-keys", post(control::create_api_key))
        .route("/control/clients", post(control::create_client))
        .route("/control/reset", post(control::reset))
        .route("/control/log", get(control::log))
        .layer(middleware::from_fn_with_state(Arc::clone(&provider), control::guard));
    let endpoints = if provider.scenario.is_some() { Router::new().fallback(twin::serve) } else { own_endpoints() };
    endpoints
        .merge(controls)
        .layer(middleware::from_fn_with_state(Arc::clone(&provider), own_address))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(provider)
}

/// The endpoints of the Sandbox, if it plays no other provider.
fn own_endpoints() -> Router<Arc<Provider>> {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(token::metadata))
        .route("/authorize", get(authorize::show).post(authorize::decide))
        .route("/token", post(token::token))
        .route("/revoke", post(token::revoke))
        .route("/userinfo", get(api::userinfo))
        .route("/api/me", get(api::me))
        .route("/api/items", get(api::items))
        .route("/api/records", get(api::records))
        .route("/api/{*path}", any(api::resource))
        .fallback(no_such_path)
}

/// Says which paths there are: an unknown one says nothing about the caller's token. Without this fallback, the controls' guard would
/// answer.
async fn no_such_path(uri: Uri) -> Response {
    let path = uri.path();
    let message = if path.starts_with("/control/") {
        "The Sandbox has no such control.".to_owned()
    } else {
        format!("The Sandbox has no path {path}. Try /api/me, the person who signed in, or /api/items, sample items.")
    };
    (StatusCode::NOT_FOUND, Json(json!({ "error": "not_found", "message": message }))).into_response()
}

/// Refuses requests whose `Host` is another address (DNS rebinding).
async fn own_address(State(provider): State<Arc<Provider>>, request: Request, next: Next) -> Response {
    let host = request.headers().get("host").and_then(|value| value.to_str().ok());
    if host.is_some_and(|host| provider.base_url.strip_prefix("http://") == Some(host)) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, Json(json!({ "message": "Use the Sandbox's own address in the Host header." })))
        .into_response()
}

/// Serves until it is stopped, and then cuts off requests in flight.
pub(crate) async fn run(listener: TcpListener, provider: Arc<Provider>, stopping: CancellationToken) {
    let router = router(provider);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, router.clone()));
                }
                Err(error) => {
                    // Most likely out of file descriptors; some are freed in the meantime.
                    tracing::warn!("the Sandbox could not accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, router: Router) {
    // A second handle on the socket, through which it can be reset instead of closed.
    let Ok(socket) = SockRef::from(&stream).try_clone() else { return };
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let Ok(response) = router.oneshot(request).await.map_err(|never: Infallible| match never {});
            if response.extensions().get::<ResetConnection>().is_some() {
                return Err(io::Error::other("reset on purpose"));
            }
            Ok(response)
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    if served.as_mut().await.is_err() {
        // The stream is still open; with a linger of zero it is reset when it is dropped.
        reset(&socket);
    }
}

/// Closing with a linger of zero sends RST instead of FIN.
fn reset(socket: &Socket) {
    if let Err(error) = socket.set_linger(Some(Duration::ZERO)) {
        tracing::debug!("the connection is closed, not reset: {error}");
    }
}
