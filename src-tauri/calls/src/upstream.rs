//! Connections to providers: pooled for each origin, over HTTP/1.1 or HTTP/2. An address is checked when it is connected to,
//! not at each call.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{Either, ready},
};
use http::{Request, Response, header::UPGRADE};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        self,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use relink_domain::{
    destination::{Admits, Consent},
    failure::Cause,
};
use tokio::sync::{OnceCell, oneshot};
use tower_service::Service;
use url::Url;

use crate::{body::Body, deadline::Deadline};

/// The maximum time for connecting: finding the address, TCP and TLS.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// The maximum time from a complete request to the headers of its response. Some providers compute for minutes.
const HEADERS_DEADLINE: Duration = Duration::from_mins(5);
/// How long a connection without a call is kept.
const IDLE: Duration = Duration::from_secs(90);
/// Connections kept for each origin.
const MAX_IDLE: usize = 64;

type Client = legacy::Client<Deadline<HttpsConnector<HttpConnector<CheckedResolver>>>, Body>;

/// The connections to providers. Clones share them. Nothing is read or kept before the first call.
#[derive(Debug, Clone, Default)]
pub struct Upstream(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tls: OnceCell<rustls::ClientConfig>,
    pooled: OnceCell<Clients>,
    /// For connections that change to another protocol, which only HTTP/1.1 can (RFC 9113 §8.6). None is used again.
    upgraded: OnceCell<Clients>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Pooled,
    Upgraded,
}

/// One client for each kind of addresses that a call may be connected to.
#[derive(Debug)]
struct Clients {
    public: Client,
    private: Client,
    loopback: Client,
}

/// Why there was no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no response: {}", .0.code())]
pub struct UpstreamError(pub Cause);

/// Reads the system's certificate authorities, which takes some milliseconds. Fails if there are none.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    Ok(rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .try_with_platform_verifier()?
        .with_no_client_auth())
}

impl Clients {
    fn new(tls: &rustls::ClientConfig, used: Use) -> Self {
        let client = |admits| {
            let mut http = HttpConnector::new_with_resolver(CheckedResolver(admits));
            http.enforce_http(false);
            http.set_nodelay(true);
            // Shared among the addresses of a name, so that one that doesn't answer leaves time for the next.
            http.set_connect_timeout(Some(CONNECT_DEADLINE));
            http.set_keepalive(Some(Duration::from_mins(1)));
            let https = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
            let https = match used {
                Use::Pooled => https.enable_all_versions().wrap_connector(http),
                Use::Upgraded => https.enable_http1().wrap_connector(http),
            };
            legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(if used == Use::Pooled { MAX_IDLE } else { 0 })
                // The caller's own: an idle connection that the provider has closed meanwhile.
                .retry_canceled_requests(true)
                .build(Deadline::new(https, CONNECT_DEADLINE))
        };
        Self { public: client(Admits::Public), private: client(Admits::Private), loopback: client(Admits::Loopback) }
    }
}

impl Upstream {
    async fn clients(&self, used: Use) -> Result<&Clients, UpstreamError> {
        let read = || async {
            match tokio::task::spawn_blocking(tls).await {
                Ok(Ok(tls)) => Ok(tls),
                Ok(Err(error)) => {
                    tracing::error!("no call can be encrypted: {error}");
                    Err(UpstreamError(Cause::Tls))
                }
                Err(_) => Err(UpstreamError(Cause::Reset)),
            }
        };
        let cell = if used == Use::Pooled { &self.0.pooled } else { &self.0.upgraded };
        let make = || async { Ok(Clients::new(self.0.tls.get_or_try_init(read).await?, used)) };
        match cell.get() {
            Some(clients) => Ok(clients),
            None => Box::pin(cell.get_or_try_init(make)).await,
        }
    }

    /// Sends a request to an origin that may be called, and gives the response as soon as its headers are there.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
        base: &Url,
        consent: Consent,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let admits = Admits::of(base, consent);
        if let Some(cause) = admits.refusal_of_host(base, consent) {
            return Err(UpstreamError(cause));
        }
        let used = if request.headers().contains_key(UPGRADE) { Use::Upgraded } else { Use::Pooled };
        let clients = self.clients(used).await?;
        let client = match admits {
            Admits::Public => &clients.public,
            Admits::Private => &clients.private,
            Admits::Loopback => &clients.loopback,
        };
        let (request, sent) = when_sent(request);
        let too_late = async {
            sent.await;
            tokio::time::sleep(HEADERS_DEADLINE).await;
        };
        tokio::select! {
            answered = client.request(request) => answered.map_err(|error| UpstreamError(cause_of(&error))),
            () = too_late => Err(UpstreamError(Cause::Timeout)),
        }
    }
}

/// The request, and what ends when all of its body was sent.
fn when_sent(request: Request<Body>) -> (Request<Body>, impl Future<Output = ()>) {
    if request.body().is_end_stream() {
        return (request, Either::Left(ready(())));
    }
    // Dropped with the body.
    let (being_sent, sent) = oneshot::channel::<()>();
    let request = request.map(|body| {
        let being_sent = Some(being_sent);
        body.map_frame(move |frame| {
            let _ = &being_sent;
            frame
        })
        .boxed_unsync()
    });
    (request, Either::Right(sent.map(|_| ())))
}

/// Leaves out the addresses of a name that may not be called.
#[derive(Debug, Clone, Copy)]
struct CheckedResolver(Admits);

impl Service<Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let admits = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found = found.map_err(|_| LookupFailed(Cause::Dns)).map_err(io::Error::other)?;
            let mut failed = LookupFailed(Cause::Dns);
            let mut allowed = Vec::new();
            for address in found {
                match admits.refusal(address.ip()) {
                    None => allowed.push(address),
                    Some(cause) => failed = LookupFailed(cause),
                }
            }
            if allowed.is_empty() { Err(io::Error::other(failed)) } else { Ok(allowed.into_iter()) }
        })
    }
}

/// A name has no address that may be called.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no address: {}", .0.code())]
struct LookupFailed(Cause);

fn cause_of(error: &legacy::Error) -> Cause {
    let mut cause = if error.is_connect() { Cause::Unreachable } else { Cause::Reset };
    let mut layers: Vec<&(dyn Error + 'static)> = vec![error];
    while let Some(layer) = layers.pop() {
        if let Some(LookupFailed(why)) = layer.downcast_ref::<LookupFailed>() {
            cause = *why;
        } else if layer.is::<rustls::Error>() {
            cause = Cause::Tls;
        } else if layer.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            cause = Cause::Garbled;
        }
        layers.extend(layer.source());
        // An `io::Error` doesn't return the error that it wraps as its source.
        let wrapped = layer.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        layers.extend(wrapped.map(|inner| inner as &(dyn Error + 'static)));
    }
    cause
}
