//! The accept loop. Headers, bodies and the number of connections are limited, so that a slow client affects only itself.
//!
//! A client is known only once its headers have been read. Until then no client can be preferred, so while many connections
//! are open the headers must arrive quickly. After that each client has a share of the connections (`limits.rs`), a refusal
//! closes its connection, and the last connections serve only the connect UI and callbacks.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, Request, Uri, header},
    response::Response,
};
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Service;
use tower_http::{normalize_path::NormalizePath, timeout::TimeoutBody};

use crate::{
    connection_threads::ConnectionThreads,
    header_timer::HeaderTimer,
    limits::Connection,
    listener::{Entrance, Listener},
    peer::Peer,
};

/// How long a client may take to send the headers of its next request.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for a connection that is opened while half of all connections are in use.
const CROWDED_HEADERS_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a client may pause while it sends a body.
const BODY_PAUSE_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum length of the headers, in bytes.
const MAX_HEADERS: usize = 32 * 1024;
/// How long a stop waits for requests in progress.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// The maximum number of connections, if the system permits enough file descriptors.
const MAX_CONNECTIONS: usize = 2048;
/// How many of them are reserved for the connect UI and callbacks, so that a sign-in never waits for programs.
const RESERVED_CONNECTIONS: usize = 64;
/// The maximum number of connections to the Unix socket, which only the user's own programs can open, and to each address of
/// the second listener.
const MAX_FEW_CONNECTIONS: usize = 256;
/// File descriptors of a client's connection: a call has one to its provider, too.
const DESCRIPTORS_EACH: usize = 2;
/// File descriptors for everything else: the database, the keychain, the Sandbox, the clients of the Unix socket and of the second
/// listener, and their calls.
const OTHER_DESCRIPTORS: usize = 256 + DESCRIPTORS_EACH * MAX_FEW_CONNECTIONS;

/// The limits on open connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) all: usize,
    /// How many of them are reserved for the connect UI and callbacks.
    reserved: usize,
    headers_timeout: Duration,
    crowded_headers_timeout: Duration,
}

impl Bounds {
    pub(crate) fn of_this_process() -> Self {
        let descriptors = descriptors().saturating_sub(OTHER_DESCRIPTORS);
        Self {
            all: (descriptors / DESCRIPTORS_EACH).clamp(2 * RESERVED_CONNECTIONS, MAX_CONNECTIONS),
            reserved: RESERVED_CONNECTIONS,
            headers_timeout: HEADERS_TIMEOUT,
            crowded_headers_timeout: CROWDED_HEADERS_TIMEOUT,
        }
    }

    /// Of the Unix socket, and of the second listener.
    pub(crate) const fn of_few_clients() -> Self {
        Self {
            all: MAX_FEW_CONNECTIONS,
            reserved: 0,
            headers_timeout: HEADERS_TIMEOUT,
            crowded_headers_timeout: CROWDED_HEADERS_TIMEOUT,
        }
    }

    /// How long the client of the next connection may take to send headers.
    const fn headers_timeout(&self, open: usize) -> Duration {
        if open < self.all / 2 { self.headers_timeout } else { self.crowded_headers_timeout }
    }
}

/// The limit on this process's file descriptors, after raising it as far as useful and permitted.
#[cfg(unix)]
fn descriptors() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let wanted = (DESCRIPTORS_EACH * MAX_CONNECTIONS + OTHER_DESCRIPTORS) as u64;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let before = limit.current;
        limit.current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!("the number of descriptors stays as it is: {error}");
            limit.current = before;
        }
    }
    limit.current.map_or(usize::MAX, |current| usize::try_from(current).unwrap_or(usize::MAX))
}

/// Windows has no such limit.
#[cfg(not(unix))]
const fn descriptors() -> usize {
    usize::MAX
}

/// How a request arrived. What the router gets has it as an extension.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    /// The request's URI as the client sent it. What the router gets is normalized.
    pub(crate) uri: Uri,
    pub(crate) connection: Connection,
    /// On one of the reserved connections.
    pub(crate) is_reserved: bool,
    pub(crate) entrance: Entrance,
    /// Another user of the machine has opened the connection.
    pub(crate) is_of_other_user: bool,
}

impl Arrival {
    #[cfg(test)]
    pub(crate) fn at_port(uri: &Uri) -> Self {
        let (uri, connection) = (uri.clone(), Connection::default());
        Self { uri, connection, is_reserved: false, entrance: Entrance::Port, is_of_other_user: false }
    }

    pub(crate) fn of<B>(request: &Request<B>) -> Option<&Self> {
        request.extensions().get()
    }

    /// A request's URI as the client sent it: a request without this extension has it still.
    pub(crate) fn uri_of<B>(request: &Request<B>) -> &Uri {
        Self::of(request).map_or(request.uri(), |arrival| &arrival.uri)
    }
}

/// What answers requests.
pub(crate) trait Answers: Clone + Send + Sync + 'static {
    /// Answers a request whose path begins with one slash and ends with none, however it was sent.
    fn answer(&self, request: Request<Body>, arrival: &Arrival) -> impl Future<Output = Response> + Send;
}

/// Serves until `stopping` is cancelled. Connections beyond the limits wait in the system's queue.
pub(crate) async fn run<L: Listener>(
    listener: L,
    threads: ConnectionThreads,
    service: impl Answers,
    stopping: CancellationToken,
    bounds: Bounds,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < bounds.all => accepted,
        };
        match accepted {
            Ok(accepted) => {
                let is_reserved = connections.len() >= bounds.all - bounds.reserved;
                let headers_timeout = bounds.headers_timeout(connections.len());
                let (service, stopping) = (service.clone(), stopping.clone());
                threads.serve(&mut connections, move |counted| {
                    let connection = Connection::new(counted);
                    serve::<L>(accepted, connection, service, headers_timeout, is_reserved, stopping)
                });
            }
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_TIMEOUT, ended).await.is_err() {
        // What takes longer is cut off. Its end is awaited, because a call is recorded then, and the engine stops afterwards.
        let _ = tokio::time::timeout(STOP_TIMEOUT, connections.shutdown()).await;
    }
}

async fn serve<L: Listener>(
    accepted: L::Accepted,
    of_client: Connection,
    service: impl Answers,
    headers_timeout: Duration,
    is_reserved: bool,
    stopping: CancellationToken,
) {
    let (stream, peer) = match L::open(accepted).await {
        Ok(opened) => opened,
        Err(error) => return tracing::warn!("a connection could not be opened: {error}"),
    };
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (service, of_client) = (service.clone(), of_client.clone());
        async move {
            let uri = request.uri().clone();
            let is_of_other_user = peer == Peer::OtherUser;
            let arrival = Arrival { uri, connection: of_client, is_reserved, entrance: L::ENTRANCE, is_of_other_user };
            let answer = tower::service_fn(async |request| Ok(service.answer(request, &arrival).await));
            // Repeated slashes at the beginning of a path are one (contract section 0.2).
            let answered = NormalizePath::trim_trailing_slash(answer).call(request.map(received)).await;
            let mut response = answered.unwrap_or_else(|never: Infallible| match never {});
            if is_reserved {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = std::pin::pin!(
        hyper::server::conn::http1::Builder::new()
            .timer(HeaderTimer::default())
            .header_read_timeout(headers_timeout)
            .max_buf_size(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
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

/// A request's body, whose client may pause only for a while. Most requests have none.
fn received(body: Incoming) -> Body {
    if body.is_end_stream() { Body::empty() } else { Body::new(TimeoutBody::new(BODY_PAUSE_TIMEOUT, body)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{Extension, Router, http::StatusCode, routing::get};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        sync::Notify,
    };

    use tower::ServiceExt;

    use super::*;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const SLOW: &[u8] = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n";
    const GUARDED: &[u8] = b"GET /guarded HTTP/1.1\r\nHost: x\r\n\r\n";

    impl Answers for Router {
        async fn answer(&self, mut request: Request<Body>, arrival: &Arrival) -> Response {
            request.extensions_mut().insert(arrival.clone());
            self.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
        }
    }

    /// A timeout that no test reaches.
    const NEVER: Duration = Duration::from_hours(1);

    /// A server with these limits. `/slow` responds when it is released, and `/guarded` refuses like the guard.
    async fn start(
        all: usize,
        reserved: usize,
        crowded_headers_timeout: Duration,
    ) -> (std::net::SocketAddr, Arc<Notify>, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let nudge = Arc::new(Notify::new());
        let waiting = Arc::clone(&nudge);
        let guarded = async |Extension(arrival): Extension<Arrival>| {
            if arrival.is_reserved { (StatusCode::TOO_MANY_REQUESTS, "full") } else { (StatusCode::OK, "let in") }
        };
        let router = Router::new().route("/", get(async || "hello")).route("/guarded", get(guarded)).route(
            "/slow",
            get(async move || {
                waiting.notified().await;
                "at last"
            }),
        );
        let stopping = CancellationToken::new();
        let bounds = Bounds { all, reserved, headers_timeout: NEVER, crowded_headers_timeout };
        tokio::spawn(run(listener, ConnectionThreads::start(), router, stopping.clone(), bounds));
        (address, nudge, stopping)
    }

    async fn send(address: std::net::SocketAddr, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(request).await.expect("written");
        stream
    }

    async fn read(mut stream: TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("a response, and the end of the connection");
        text
    }

    async fn ask(address: std::net::SocketAddr) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(ASK).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    #[tokio::test]
    async fn the_last_connections_are_kept_for_unguarded_requests() {
        let (address, nudge, stopping) = start(4, 2, NEVER).await;
        let mut kept = send(address, GUARDED).await;
        let mut bytes = [0; 64];
        let length = kept.read(&mut bytes).await.expect("a response");
        assert!(bytes[..length].starts_with(b"HTTP/1.1 200"), "there is room");
        let busy = send(address, SLOW).await;
        let refused = read(send(address, GUARDED).await).await;
        assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("connection: close"), "{refused}");
        let served = read(send(address, ASK).await).await;
        assert!(served.ends_with("hello") && served.contains("connection: close"), "{served}");
        kept.write_all(GUARDED).await.expect("still open");
        nudge.notify_one();
        stopping.cancel();
        assert!(read(busy).await.ends_with("at last"));
    }

    #[tokio::test]
    async fn idle_connections_block_no_other() {
        let (address, _, stopping) = start(8, 4, Duration::from_millis(100)).await;
        let mut silent = Vec::new();
        for _ in 0..32 {
            silent.push(send(address, b"").await);
        }
        let served = async {
            // Like a browser, which connects again if its connection was closed.
            while !ask(address).await.is_ok_and(|response| response.ends_with("hello")) {}
        };
        // hyper has a limit of its own, of 30 s.
        tokio::time::timeout(Duration::from_secs(20), served).await.expect("it gets a place");
        stopping.cancel();
    }

    #[tokio::test]
    async fn a_connection_beyond_the_limits_waits_in_the_systems_queue() {
        let (address, nudge, stopping) = start(1, 1, NEVER).await;
        let first = send(address, SLOW).await;
        let mut second = send(address, ASK).await;
        let waits = tokio::time::timeout(Duration::from_millis(100), second.read(&mut [0; 1])).await;
        assert!(waits.is_err(), "the one place is taken");
        nudge.notify_one();
        assert!(read(first).await.ends_with("at last"));
        assert!(read(second).await.ends_with("hello"));
        stopping.cancel();
    }
}
