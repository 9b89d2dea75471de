//! Calls to providers: over HTTP/1.1 or HTTP/2, on connections that are kept for each origin. An address is checked when it is connected
//! to, not at each call.
//!
//! A call over HTTP/1.1 drives its connection itself, from [`Upstream::send`] to the end of the response's body ([`ProviderBody`]):
//! there is no task that it would have to exchange messages with. A connection of HTTP/2 is used by several calls at the same time,
//! so it has a task.

mod connect;
mod http1;
mod origin;
mod outgoing;
mod pool;
mod provider_body;
#[cfg(test)]
mod tests;

use std::{error::Error, fmt, io, sync::Arc};

use http::{Request, Response, header::UPGRADE};
use relink_domain::{
    destination::{Admits, Consent},
    failure::Cause,
};
use tokio::{runtime::Handle, sync::OnceCell};
use url::Url;

use crate::body::{Body, BoxError};
use connect::{Connector, LookupFailed, Versions};
use outgoing::{Outgoing, RequestSent, when_sent};
use pool::Pool;
pub(crate) use provider_body::ProviderBody;

/// The connections to providers. Clones share them. Nothing is read or kept before the first call.
#[derive(Clone)]
pub struct Upstream(Arc<Inner>);

struct Inner {
    /// Drives the connections that calls on all threads share.
    runtime: Handle,
    tls: OnceCell<rustls::ClientConfig>,
    pooled: OnceCell<ForEach<Pool>>,
    /// For connections that change to another protocol, which only HTTP/1.1 can (RFC 9113 §8.6). None is used again.
    upgraded: OnceCell<ForEach<Connector>>,
}

/// One for each kind of addresses that a call may be connected to.
struct ForEach<T> {
    public: T,
    private: T,
    loopback: T,
}

/// Why there was no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no response: {}", .0.code())]
pub struct UpstreamError(pub Cause);

/// Why a request got no response.
#[derive(Debug)]
enum SendError {
    NotConnected(BoxError),
    /// The connection ended, or the provider didn't answer in HTTP.
    Broken(hyper::Error),
    /// The response's headers were not there in time.
    TooLate,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Upstream").finish_non_exhaustive()
    }
}

impl<T> ForEach<T> {
    fn new(make: impl Fn(Admits) -> T) -> Self {
        Self { public: make(Admits::Public), private: make(Admits::Private), loopback: make(Admits::Loopback) }
    }

    fn of(&self, admits: Admits) -> &T {
        match admits {
            Admits::Public => &self.public,
            Admits::Private => &self.private,
            Admits::Loopback => &self.loopback,
        }
    }
}

impl Upstream {
    /// Connections that calls on all threads share are driven by the current runtime.
    pub fn on_this_runtime() -> Self {
        let (tls, pooled, upgraded) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self(Arc::new(Inner { runtime: Handle::current(), tls, pooled, upgraded }))
    }

    /// Sends a request to an origin that may be called, and gives the response as soon as its headers are there.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
        base: &Url,
        consent: Consent,
    ) -> Result<Response<ProviderBody>, UpstreamError> {
        let admits = Admits::of(base, consent);
        if let Some(cause) = admits.refusal_of_host(base, consent) {
            return Err(UpstreamError(cause));
        }
        let is_upgrade = request.headers().contains_key(UPGRADE);
        let (request, sent) = when_sent(request);
        let answered = if is_upgrade {
            Box::pin(send_upgrade(self.connectors().await?.of(admits), request, sent, base)).await
        } else {
            self.pools().await?.of(admits).send(request, sent, base).await
        };
        answered.map_err(|error| UpstreamError(error.cause()))
    }

    async fn pools(&self) -> Result<&ForEach<Pool>, UpstreamError> {
        if let Some(pools) = self.0.pooled.get() {
            return Ok(pools);
        }
        let make = || async {
            let tls = self.tls().await?;
            let connector = |admits| Connector::new(tls, Versions::All, admits);
            Ok(ForEach::new(|admits| Pool::new(connector(admits), self.0.runtime.clone())))
        };
        Box::pin(self.0.pooled.get_or_try_init(make)).await
    }

    async fn connectors(&self) -> Result<&ForEach<Connector>, UpstreamError> {
        let make = || async {
            let tls = self.tls().await?;
            Ok(ForEach::new(|admits| Connector::new(tls, Versions::Http1, admits)))
        };
        Box::pin(self.0.upgraded.get_or_try_init(make)).await
    }

    async fn tls(&self) -> Result<&rustls::ClientConfig, UpstreamError> {
        let read = || async {
            match tokio::task::spawn_blocking(connect::tls).await {
                Ok(Ok(tls)) => Ok(tls),
                Ok(Err(error)) => {
                    tracing::error!("no call can be encrypted: {error}");
                    Err(UpstreamError(Cause::Tls))
                }
                Err(_) => Err(UpstreamError(Cause::Reset)),
            }
        };
        self.0.tls.get_or_try_init(read).await
    }
}

/// Sends a request that asks for another protocol, over a connection of its own. A task drives the connection, because that may outlive
/// the response.
async fn send_upgrade(
    connector: &Connector,
    mut request: Request<Outgoing>,
    mut sent: RequestSent,
    base: &Url,
) -> Result<Response<ProviderBody>, SendError> {
    let uri = request.uri().clone();
    let host = origin::host(base)?;
    let stream = connector.connect(uri).await?.stream;
    let (mut sender, driver) = hyper::client::conn::http1::handshake(stream).await.map_err(SendError::Broken)?;
    tokio::spawn(driver.with_upgrades());
    pool::for_http1(&mut request, || host);
    tokio::select! {
        answered = sender.send_request(request) => Ok(answered.map_err(SendError::Broken)?.map(ProviderBody::new)),
        () = sent.until_too_late() => Err(SendError::TooLate),
    }
}

impl SendError {
    fn cause(&self) -> Cause {
        match self {
            Self::NotConnected(error) => cause_of(error.as_ref(), Cause::Unreachable),
            Self::Broken(error) => cause_of(error, Cause::Reset),
            Self::TooLate => Cause::Timeout,
        }
    }
}

/// The innermost known cause of an error, or the usual one.
fn cause_of(error: &(dyn Error + 'static), usual: Cause) -> Cause {
    let mut cause = usual;
    let mut layers = vec![error];
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
