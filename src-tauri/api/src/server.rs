//! The accept loop. A slow client hurts only itself: headers, bodies and the number of connections are bounded.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, header},
};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::Instant,
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
/// While others wait, a kept connection that was quiet for this long loses its place. Sooner, its client may just be
/// sending its next request, which would be lost.
const QUIET: Duration = Duration::from_secs(1);
/// What is under way at a stop gets this long.
const GRACE: Duration = Duration::from_secs(2);

/// The router, where `//link-token` is `/link-token` and a body must keep coming.
type Service = NormalizePath<RequestBodyTimeout<Router>>;

/// Serves until it is told to stop.
pub(crate) async fn run(listener: TcpListener, router: Router, stopping: CancellationToken) {
    run_bounded(listener, router, stopping, CONNECTIONS, QUIET).await;
}

/// Beyond `bound` connections, the next ones wait in the system's queue: a burst of honest clients is served in turn.
/// Whoever dawdles is let go soon (`HEADERS`, `BODY_PAUSE`), and while somebody waits, no place is kept for a next
/// request when it was `quiet` for long enough.
async fn run_bounded(
    listener: TcpListener,
    router: Router,
    stopping: CancellationToken,
    bound: usize,
    quiet: Duration,
) {
    let service = NormalizePath::trim_trailing_slash(RequestBodyTimeout::new(router, BODY_PAUSE));
    let places = Arc::new(Semaphore::new(bound));
    let crowded = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    loop {
        crowded.send_replace(places.available_permits() == 0);
        let place = tokio::select! {
            () = stopping.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        crowded.send_replace(false);
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let (service, stopping) = (service.clone(), stopping.clone());
                let crowded = crowded.subscribe();
                connections.spawn(async move {
                    serve(stream, service, crowded, quiet, stopping).await;
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

async fn serve(
    stream: TcpStream,
    service: Service,
    mut crowded: watch::Receiver<bool>,
    quiet: Duration,
    stopping: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("small answers may be late: {error}");
    }
    let is_crowded = crowded.clone();
    // When it was last answered. A connection that has asked nothing yet has a request under way, which must not be lost.
    let (answered, mut last_answered) = watch::channel(None::<Instant>);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let (service, is_crowded, answered) = (service.clone(), is_crowded.clone(), answered.clone());
        async move {
            let answer = service.oneshot(request.map(Body::new)).await;
            let mut answer = answer.unwrap_or_else(|never| match never {});
            if *is_crowded.borrow() {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            answered.send_replace(Some(Instant::now()));
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = std::pin::pin!(
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .max_buf_size(LONGEST_HEADERS)
            .serve_connection(TokioIo::new(stream), service)
    );
    let others_wait = async {
        loop {
            // Both fail only when there is nobody left who could come.
            let _ = last_answered.wait_for(Option::is_some).await;
            let _ = crowded.wait_for(|crowded| *crowded).await;
            let quiet_since = *last_answered.borrow_and_update();
            let Some(left) = quiet_since.and_then(|since| quiet.checked_sub(since.elapsed())) else { break };
            tokio::time::sleep(left).await;
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = async { tokio::select! { () = stopping.cancelled() => {}, () = others_wait => {} } } => {
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
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Notify,
    };

    use super::*;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const SLOW: &[u8] = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";

    /// A server with so many places, whose handler waits for a nudge where it is asked to.
    async fn with_places(bound: usize, quiet: Duration) -> (std::net::SocketAddr, Arc<Notify>, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let nudge = Arc::new(Notify::new());
        let waiting = Arc::clone(&nudge);
        let router = Router::new().route("/", get(async || "hello")).route(
            "/slow",
            get(async move || {
                waiting.notified().await;
                "at last"
            }),
        );
        let stopping = CancellationToken::new();
        tokio::spawn(run_bounded(listener, router, stopping.clone(), bound, quiet));
        (address, nudge, stopping)
    }

    async fn asked(address: std::net::SocketAddr, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(request).await.expect("written");
        stream
    }

    async fn read(mut stream: TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("an answer, and the end of the connection");
        text
    }

    #[tokio::test]
    async fn beyond_the_bound_a_connection_waits_for_its_turn() {
        let (address, nudge, stopping) = with_places(1, QUIET).await;
        let first = asked(address, SLOW).await;
        let mut second = asked(address, ASK).await;
        let waits = tokio::time::timeout(Duration::from_millis(100), second.read(&mut [0; 1])).await;
        assert!(waits.is_err(), "the one place is taken");
        nudge.notify_one();
        let text = read(first).await;
        assert!(text.ends_with("at last") && text.contains("connection: close"), "{text}");
        assert!(read(second).await.ends_with("hello"));
        stopping.cancel();
    }

    #[tokio::test]
    async fn no_place_is_kept_for_a_next_request_while_others_wait() {
        let (address, nudge, stopping) = with_places(2, Duration::from_millis(10)).await;
        // One is kept open by its client, as pools do; the other is busy.
        let mut idle = asked(address, ASK).await;
        idle.read_exact(&mut [0; 12]).await.expect("served, and kept open");
        let _busy = asked(address, SLOW).await;
        let next = tokio::time::timeout(HEADERS / 2, read(asked(address, ASK).await)).await;
        assert!(next.expect("served soon").ends_with("hello"));
        nudge.notify_one();
        stopping.cancel();
    }

    #[tokio::test]
    async fn a_request_that_soon_follows_on_a_kept_connection_is_answered_although_others_wait() {
        let (address, nudge, stopping) = with_places(2, HEADERS).await;
        let mut kept = asked(address, ASK).await;
        kept.read_exact(&mut [0; 12]).await.expect("served, and kept open");
        let _busy = asked(address, SLOW).await;
        let mut other = asked(address, ASK).await;
        let waits = tokio::time::timeout(Duration::from_millis(100), other.read(&mut [0; 1])).await;
        assert!(waits.is_err(), "both places are taken");
        kept.write_all(ASK).await.expect("still open");
        let text = read(kept).await;
        assert!(text.contains("connection: close") && text.ends_with("hello"), "{text}");
        assert!(read(other).await.ends_with("hello"));
        nudge.notify_one();
        stopping.cancel();
    }
}
