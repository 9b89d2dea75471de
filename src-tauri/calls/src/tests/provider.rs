//! A provider on loopback.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming as Received;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::body::{Body, full};

/// A request that the provider has received whole.
pub(super) struct Got {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A provider's server.
pub(super) struct Provider {
    pub(super) origin: String,
    requests: Arc<AtomicUsize>,
}

impl Provider {
    /// `answer` gets each request, and the server's own origin.
    pub(super) async fn start(answer: impl Fn(Got, &str) -> Response<Body> + Clone + Send + Sync + 'static) -> Self {
        Self::streaming(move |request, own| {
            let answer = answer.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.expect("a body").to_bytes();
                answer(Got { method: parts.method, uri: parts.uri, headers: parts.headers, body }, &own)
            }
        })
        .await
    }

    pub(super) async fn streaming<F>(
        answer: impl Fn(Request<Received>, String) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("bound"));
        let requests = Arc::new(AtomicUsize::new(0));
        let (own, counted) = (origin.clone(), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, own, counted) = (answer.clone(), own.clone(), Arc::clone(&counted));
                let service = hyper::service::service_fn(move |request| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    let answered = answer(request, own.clone());
                    async move { Ok::<_, Infallible>(answered.await) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { origin, requests }
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

pub(super) fn text(status: StatusCode, text: &str, headers: &[(&'static str, &str)]) -> Response<Body> {
    let mut response = Response::new(full(Bytes::from(text.to_owned())));
    *response.status_mut() = status;
    for (name, value) in headers {
        response.headers_mut().append(*name, HeaderValue::from_str(value).expect("a value"));
    }
    response
}
