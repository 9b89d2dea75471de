//! Requests to providers and webhooks: the host is resolved once, checked, and connected to at that address. No redirects, no proxy.

use std::{error::Error, net::IpAddr, sync::Arc, time::Duration};

use relink_domain::failure::{Cause, Failure};
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use url::{Host, Url};

use crate::network::{self, Consent};

/// The maximum time from the start of a request to the end of its response.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// The maximum time for connecting.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// The maximum length of a response.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// Two clients: one for public addresses, one for addresses with consent.
#[derive(Debug, Clone)]
pub struct Outbound {
    public: Client,
    local: Client,
}

/// Why there was no complete response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct RequestFailed {
    pub failure: Failure,
}

/// A complete response.
#[derive(Debug)]
pub struct HttpResponse {
    pub status: http::StatusCode,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// `Retry-After` in seconds, from either of its forms (RFC 9110 §10.2.3), at `now`.
    pub fn retry_after_secs(&self, now: relink_domain::Timestamp) -> Option<u32> {
        let text = self.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(secs) = text.parse::<u32>() {
            return Some(secs);
        }
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        let wait = relink_domain::Timestamp::from(at).millis_since(now).max(0) / 1000;
        u32::try_from(wait).ok()
    }
}

impl Outbound {
    /// Creates the clients, with the built-in TLS provider.
    pub fn new() -> Result<Self, reqwest::Error> {
        // The only error is that a provider is already installed, which works too.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self { public: client(Consent::Public)?, local: client(Consent::Local)? })
    }

    pub const fn client(&self, consent: Consent) -> &Client {
        match consent {
            Consent::Public => &self.public,
            Consent::Local => &self.local,
        }
    }

    /// Sends a request and reads the complete response.
    pub async fn send(&self, request: reqwest::Request, consent: Consent) -> Result<HttpResponse, RequestFailed> {
        if !host_is_allowed(request.url(), consent) {
            return Err(RequestFailed { failure: Failure::new(Cause::PrivateAddress) });
        }
        tokio::time::timeout(DEADLINE, self.send_at_leisure(request, consent))
            .await
            .unwrap_or_else(|_| Err(RequestFailed { failure: Failure::new(Cause::Timeout) }))
    }

    async fn send_at_leisure(
        &self,
        request: reqwest::Request,
        consent: Consent,
    ) -> Result<HttpResponse, RequestFailed> {
        let mut response = self.client(consent).execute(request).await.map_err(|error| no_answer(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(&error))? {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(RequestFailed { failure: Failure::new(Cause::Garbled).status(response.status().as_u16()) });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status: response.status(), headers: response.headers().clone(), body })
    }
}

fn client(consent: Consent) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("Relink/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_DEADLINE)
        // A refresh must never be repeated implicitly: the first request may have used up its token.
        .retry(reqwest::retry::never())
        // A proxy would resolve the name itself, so the checked address would not be the one that is connected to.
        .no_proxy()
        .dns_resolver(Arc::new(Resolver(consent)))
        .build()
}

/// A literal IP address never reaches the resolver, so it is checked here.
fn host_is_allowed(url: &Url, consent: Consent) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => network::is_allowed(IpAddr::V4(address), consent),
        Some(Host::Ipv6(address)) => network::is_allowed(IpAddr::V6(address), consent),
        Some(Host::Domain(_)) => true,
        None => false,
    }
}

/// Resolves names and omits addresses that aren't allowed. The check and the connection use the same result.
struct Resolver(Consent);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let consent = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| LookupFailed::Unknown)?;
            let (allowed, refused): (Vec<_>, Vec<_>) =
                found.partition(|address| network::is_allowed(address.ip(), consent));
            if allowed.is_empty() {
                let why = if refused.is_empty() { LookupFailed::Unknown } else { LookupFailed::Private };
                return Err(why.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Why a name has no allowed address.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum LookupFailed {
    #[error("the name could not be looked up")]
    Unknown,
    #[error("the name has no address that may be reached")]
    Private,
}

/// Maps an error of the client to a cause.
fn no_answer(error: &reqwest::Error) -> RequestFailed {
    let mut cause = if error.is_timeout() {
        if error.is_connect() { Cause::Unreachable } else { Cause::Timeout }
    } else if error.is_connect() {
        Cause::Unreachable
    } else if error.is_decode() {
        Cause::Garbled
    } else {
        Cause::Reset
    };
    let mut layers: Vec<&(dyn Error + 'static)> = vec![error];
    while let Some(layer) = layers.pop() {
        if let Some(why) = layer.downcast_ref::<LookupFailed>() {
            cause = match why {
                LookupFailed::Unknown => Cause::Dns,
                LookupFailed::Private => Cause::PrivateAddress,
            };
        } else if layer.is::<rustls::Error>() {
            cause = Cause::Tls;
        }
        layers.extend(layer.source());
        // An `io::Error` doesn't return the error that it wraps as its source.
        let wrapped = layer.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        layers.extend(wrapped.map(|inner| inner as &(dyn Error + 'static)));
    }
    RequestFailed { failure: Failure::new(cause) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound() -> Outbound {
        Outbound::new().expect("clients")
    }

    async fn cause_of(url: &str, consent: Consent) -> Cause {
        let request = reqwest::Request::new(http::Method::GET, url.parse().expect("an address"));
        outbound().send(request, consent).await.expect_err("no answer").failure.cause
    }

    #[tokio::test]
    async fn a_private_address_is_refused_without_consent_and_reported_as_such() {
        assert_eq!(cause_of("http://localhost:9/", Consent::Public).await, Cause::PrivateAddress);
        assert_eq!(cause_of("http://127.0.0.1:9/", Consent::Public).await, Cause::PrivateAddress);
        assert_eq!(cause_of("http://localhost:9/", Consent::Local).await, Cause::Unreachable, "by consent it is");
    }

    #[tokio::test]
    async fn an_unknown_name_is_not_found() {
        // RFC 6761 §6.4: `.invalid` never exists.
        assert_eq!(cause_of("https://nowhere.invalid/", Consent::Public).await, Cause::Dns);
    }

    #[tokio::test]
    async fn metadata_addresses_are_not_reached_even_by_consent() {
        assert_eq!(cause_of("http://169.254.169.254/latest/", Consent::Local).await, Cause::PrivateAddress);
    }

    #[tokio::test]
    async fn a_closed_port_is_unreachable_and_a_broken_answer_is_a_reset() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let url = format!("http://127.0.0.1:{port}/");
        let server = tokio::spawn(async move {
            let (socket, _) = listener.accept().await.expect("a connection");
            drop(socket);
        });
        assert_eq!(cause_of(&url, Consent::Local).await, Cause::Reset);
        server.await.expect("served");
        assert_eq!(cause_of(&url, Consent::Local).await, Cause::Unreachable);
    }

    #[tokio::test]
    async fn plain_text_instead_of_tls_is_a_tls_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            }
        });
        assert_eq!(cause_of(&format!("https://127.0.0.1:{port}/"), Consent::Local).await, Cause::Tls);
    }
}
