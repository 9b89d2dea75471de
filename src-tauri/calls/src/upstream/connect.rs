//! New connections: finding an address that may be called, TCP and TLS.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{Connection as _, HttpConnector, dns::Name},
    rt::TokioIo,
};
use relink_domain::{destination::Admits, failure::Cause};
use tokio::net::TcpStream;
use tower_service::Service;

use super::SendError;
use crate::deadline::Deadline;

/// The maximum time for connecting: finding the address, TCP and TLS.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// A connection to a provider, perhaps encrypted.
pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A new connection, on which nothing was sent yet.
pub(super) struct Connected {
    pub(super) stream: Stream,
    /// Whether both sides chose HTTP/2 during the TLS handshake (ALPN, RFC 7301).
    pub(super) speaks_http2: bool,
}

/// The versions of HTTP that a connection may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versions {
    All,
    Http1,
}

/// Connects to the addresses that [`Admits`] allows.
#[derive(Debug, Clone)]
pub(super) struct Connector(Deadline<HttpsConnector<HttpConnector<CheckedResolver>>>);

impl Connector {
    pub(super) fn new(tls: &rustls::ClientConfig, versions: Versions, admits: Admits) -> Self {
        let mut http = HttpConnector::new_with_resolver(CheckedResolver(admits));
        http.enforce_http(false);
        http.set_nodelay(true);
        // Shared among the addresses of a name, so that one that doesn't answer leaves time for the next.
        http.set_connect_timeout(Some(CONNECT_DEADLINE));
        http.set_keepalive(Some(Duration::from_mins(1)));
        let https = HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
        let https = match versions {
            Versions::All => https.enable_all_versions().wrap_connector(http),
            Versions::Http1 => https.enable_http1().wrap_connector(http),
        };
        Self(Deadline::new(https, CONNECT_DEADLINE))
    }

    /// Connects to the origin of this URI.
    pub(super) fn connect(&self, uri: Uri) -> impl Future<Output = Result<Connected, SendError>> + Send + use<> {
        let mut connector = self.0.clone();
        async move {
            poll_fn(|context| connector.poll_ready(context)).await.map_err(SendError::NotConnected)?;
            let stream = connector.call(uri).await.map_err(SendError::NotConnected)?;
            let speaks_http2 = stream.connected().is_negotiated_h2();
            Ok(Connected { stream, speaks_http2 })
        }
    }
}

/// Reads the system's certificate authorities, which takes some milliseconds. Fails if there are none.
pub(super) fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    Ok(rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .try_with_platform_verifier()?
        .with_no_client_auth())
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
pub(super) struct LookupFailed(pub(super) Cause);
