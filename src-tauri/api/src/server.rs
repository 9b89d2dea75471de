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
    run_bounded(listener, router, stopping, CONNECTIONS).await;
}

/// Beyond `bound` connections, the next ones wait in the system's queue: a burst of honest clients is served in turn, and
/// whoever dawdles is let go soon (`HEADERS`, `BODY_PAUSE`), so the queue moves.
async fn run_bounded(listener: TcpListener, router: Router, stopping: CancellationToken, bound: usize) {
    let service = NormalizePath::trim_trailing_slash(RequestBodyTimeout::new(router, BODY_PAUSE));
    let places = Arc::new(Semaphore::new(bound));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            () = stopping.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let (service, stopping) = (service.clone(), stopping.clone());
                connections.spawn(async move {
                    serve(stream, service, stopping).await;
                    drop(place);
                });
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn beyond_the_bound_a_connection_waits_for_its_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().route("/", axum::routing::get(async || "hello"));
        let stopping = CancellationToken::new();
        let server = tokio::spawn(run_bounded(listener, router, stopping.clone(), 1));
        let mut first = TcpStream::connect(address).await.expect("connected");
        first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
        let mut answer = [0; 12];
        first.read_exact(&mut answer).await.expect("served, and kept open");

        let mut second = TcpStream::connect(address).await.expect("queued");
        second.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("written");
        let mut early = [0; 1];
        let waits = tokio::time::timeout(Duration::from_millis(100), second.read(&mut early)).await;
        assert!(waits.is_err(), "the one place is taken");
        drop(first);
        let mut text = String::new();
        second.read_to_string(&mut text).await.expect("an answer");
        assert!(text.ends_with("hello"), "{text}");

        stopping.cancel();
        server.await.expect("it ends");
    }
}
