//! Connections to a provider whose every byte is scripted.

mod breaks;
mod deadlines;
mod http2;
mod reuse;
mod threads;
mod upgrades;
mod wakes;

use std::{future::ready, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use relink_domain::destination::Consent;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    task::JoinHandle,
};
use url::Url;

use super::{
    ProviderBody, Upstream, UpstreamError,
    connect::Connected,
    http1,
    origin::{Connection, Origin},
};
use crate::body::{Body, full};

/// A provider that accepts a connection only when a test calls `accept`.
struct Server {
    listener: TcpListener,
    base: Url,
    upstream: Upstream,
}

/// The provider's side of a connection.
struct Peer(TcpStream);

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("bound")).parse().expect("a URL");
        Self { listener, base, upstream: Upstream::on_this_runtime() }
    }

    async fn accept(&self) -> Peer {
        let (stream, _) = self.listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("set");
        Peer(stream)
    }

    fn request(&self, method: Method, path: &str, body: Body) -> Request<Body> {
        let uri = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        Request::builder().method(method).uri(uri).body(body).expect("a request")
    }

    fn send(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<ProviderBody>, UpstreamError>> + Send + use<> {
        let (upstream, base) = (self.upstream.clone(), self.base.clone());
        async move { upstream.send(request, &base, Consent::Local).await }
    }

    /// Begins a call, and gives the response when its headers are there.
    fn begin(&self, path: &str) -> JoinHandle<Result<Response<ProviderBody>, UpstreamError>> {
        tokio::spawn(self.send(self.request(Method::GET, path, full(Bytes::new()))))
    }

    /// Begins a call, and gives the response's body when it is complete.
    fn call(&self, method: Method, path: &str) -> JoinHandle<Result<Bytes, String>> {
        let sending = self.send(self.request(method, path, full(Bytes::new())));
        tokio::spawn(async move { whole(sending.await.map_err(|error| error.to_string())?).await })
    }

    fn get(&self, path: &str) -> JoinHandle<Result<Bytes, String>> {
        self.call(Method::GET, path)
    }

    /// A connection that is kept after a call.
    async fn kept_connection(&self) -> Peer {
        let call = self.get("/first");
        let mut peer = self.accept().await;
        assert!(peer.head().await.starts_with("GET /first "));
        peer.say(OK).await;
        assert_eq!(call.await.expect("no panic").expect("a response"), "ok");
        peer
    }

    /// Whether nobody has connected. What the system has done until now is known then.
    async fn has_no_connection(&self) -> bool {
        settle().await;
        futures_util::FutureExt::now_or_never(self.listener.accept()).is_none()
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

impl Peer {
    /// A request's first line and headers.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("more of a request"));
        }
        String::from_utf8(head).expect("text")
    }

    async fn read(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await.expect("so many bytes");
        String::from_utf8(bytes).expect("text")
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("taken");
    }

    /// Waits until Relink closes the connection, and says whether it sent nothing before.
    async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
        rest.is_empty()
    }
}

async fn whole(response: Response<ProviderBody>) -> Result<Bytes, String> {
    response.into_body().collect().await.map(http_body_util::Collected::to_bytes).map_err(|error| error.to_string())
}

/// Lets all other tasks go on, and the runtime learn what has happened to the connections.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

/// An origin, and its only connection.
async fn in_use(base: &Url, shared: Handle) -> (Arc<Origin>, Box<http1::Connection>) {
    let origin = Arc::new(Origin::new(base, shared).expect("an origin"));
    let connection = connection_of(&origin, base).await;
    (origin, connection)
}

/// A new connection of an origin.
async fn connection_of(origin: &Arc<Origin>, base: &Url) -> Box<http1::Connection> {
    let address = (base.host_str().expect("a host"), base.port().expect("a port"));
    let stream = TcpStream::connect(address).await.expect("connected");
    let connected = Connected { stream: TokioIo::new(stream).into(), speaks_http2: false };
    let made = origin.new_connection(ready(Ok(connected))).await.expect("a connection");
    let Connection::Http1(connection) = made.connection else { panic!("another version") };
    connection
}
