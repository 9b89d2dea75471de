//! The accept loop. A slow client hurts only itself: headers, bodies and the number of connections are bounded.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::{normalize_path::NormalizePath, timeout::RequestBodyTimeout};

/// Longest request body.
pub(crate) const LONGEST_BODY: usize = 1024 * 1024;
/// How long a client may take to send its headers.
const HEADERS: Duration = Duration::from_secs(10);
/// How long a client may pause within its body.
const BODY_PAUSE: Duration = Duration::from_secs(10);
/// Longest headers.
const LONGEST_HEADERS: usize = 32 * 1024;
/// Connections at a time.
const CONNECTIONS: usize = 512;
/// What is under way at a stop gets this long.
const GRACE: Duration = Duration::from_secs(2);

/// The router, where `//link-token` is `/link-token` and a body must keep coming.
type Service = NormalizePath<RequestBodyTimeout<Router>>;

/// Serves until it is told to stop.
pub(crate) async fn run(listener: TcpListener, router: Router, stopping: CancellationToken) {
    let service = NormalizePath::trim_trailing_slash(RequestBodyTimeout::new(router, BODY_PAUSE));
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                // Beyond the bound a connection is closed at once: waiting would let one client hold up all.
                if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                    let (service, stopping) = (service.clone(), stopping.clone());
                    connections.spawn(async move {
                        serve(stream, service, stopping).await;
                        drop(place);
                    });
                }
            }
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    // Whatever takes longer is cut off when the set is dropped.
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn serve(stream: TcpStream, service: Service, stopping: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("small answers may be late: {error}");
    }
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let service = service.clone();
        async move {
            let answered = service.oneshot(request.map(Body::new)).await;
            Ok::<_, Infallible>(answered.unwrap_or_else(|never| match never {}))
        }
    });
    let mut connection = std::pin::pin!(
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .max_buf_size(LONGEST_HEADERS)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {error}");
    }
}
