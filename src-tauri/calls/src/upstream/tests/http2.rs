//! Connections of HTTP/2, which calls share. The provider speaks it without having been asked to (RFC 9113 §3.3), because no TLS of a
//! test is trusted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{runtime::Handle, time::Instant};

use super::*;
use crate::upstream::{
    SendError,
    connect::Connected,
    origin::{Checkout, Connection, Origin},
};

struct Http2 {
    address: std::net::SocketAddr,
    origin: Arc<Origin>,
    /// How often it was connected to.
    connections: Arc<AtomicUsize>,
    is_unreachable: Arc<AtomicBool>,
}

impl Http2 {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service_fn(|request: Request<hyper::body::Incoming>| async move {
                    Ok::<_, std::convert::Infallible>(Response::new(full(Bytes::from(request.uri().to_string()))))
                });
                let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(serving.serve_connection(TokioIo::new(stream), service));
            }
        });
        let url = format!("http://{address}").parse().expect("a URL");
        let origin = Arc::new(Origin::new(&url, Handle::current()).expect("an origin"));
        Self { address, origin, connections: Arc::default(), is_unreachable: Arc::default() }
    }

    /// It has spoken HTTP/2, its connection wasn't used for too long, and there is no other.
    async fn that_became_unreachable() -> Self {
        let server = Self::start().await;
        server.call().await;
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(130)).await;
        server.is_unreachable.store(true, Ordering::SeqCst);
        server
    }

    fn connect(&self) -> impl Future<Output = Result<Connected, SendError>> + Send + use<> {
        let (address, is_unreachable) = (self.address, Arc::clone(&self.is_unreachable));
        let connections = Arc::clone(&self.connections);
        async move {
            connections.fetch_add(1, Ordering::SeqCst);
            if is_unreachable.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_secs(10)).await;
                return Err(SendError::NotConnected("unreachable".into()));
            }
            let stream = TcpStream::connect(address).await.expect("connected");
            Ok(Connected { stream: TokioIo::new(stream).into(), speaks_http2: true })
        }
    }

    async fn checkout(&self) -> Result<Checkout, SendError> {
        match self.origin.take() {
            Some(kept) => Ok(kept),
            None => self.origin.new_connection(self.connect()).await,
        }
    }

    async fn call(&self) -> String {
        let Connection::Http2(mut sender) = self.checkout().await.expect("connected").connection else {
            panic!("another version");
        };
        let uri = format!("http://{}/x", self.address);
        let request = Request::builder().uri(&uri).body(full(Bytes::new())).expect("a request");
        let (request, _) = crate::upstream::when_sent(request);
        let response = sender.send_request(request).await.expect("a response");
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(body, uri);
        uri
    }
}

#[tokio::test]
async fn calls_share_a_connection() {
    let server = Http2::start().await;
    for _ in 0..3 {
        server.call().await;
    }
    join_all((0..10).map(|_| server.call())).await;
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    assert!(server.checkout().await.expect("connected").is_reused);
}

#[tokio::test]
async fn of_several_that_were_made_at_the_same_time_one_is_kept() {
    let server = Http2::start().await;
    join_all((0..10).map(|_| server.call())).await;
    let first = server.connections.load(Ordering::SeqCst);
    join_all((0..10).map(|_| server.call())).await;
    assert_eq!(server.connections.load(Ordering::SeqCst), first);
}

#[tokio::test]
async fn it_is_dropped_when_it_is_not_used_and_one_call_makes_another_for_all() {
    let server = Http2::start().await;
    server.call().await;
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(130)).await;
    tokio::time::resume();
    assert!(server.origin.is_empty());
    join_all((0..10).map(|_| server.call())).await;
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn those_that_wait_for_a_connection_that_fails_try_at_the_same_time() {
    let server = Http2::that_became_unreachable().await;
    let began = Instant::now();
    let failed = join_all((0..10).map(|_| server.checkout())).await;
    assert!(failed.iter().all(Result::is_err));
    assert!(began.elapsed() < Duration::from_secs(21), "{:?}", began.elapsed());
    assert_eq!(server.connections.load(Ordering::SeqCst), 1 + 10);
}

#[tokio::test]
async fn when_the_one_that_connects_leaves_those_that_wait_try_at_the_same_time() {
    let server = Http2::that_became_unreachable().await;
    let began = Instant::now();
    let leaves = tokio::time::timeout(Duration::from_secs(5), server.checkout());
    let (left, failed) = tokio::join!(leaves, join_all((0..10).map(|_| server.checkout())));
    assert!(left.is_err() && failed.iter().all(Result::is_err));
    assert!(began.elapsed() < Duration::from_secs(16), "{:?}", began.elapsed());
}
