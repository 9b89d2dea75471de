//! Requests to providers and webhooks: the host is resolved once, checked, and connected to at that address. No redirects, no proxy.

use std::{
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use relink_domain::{
    destination::{Admits, Consent},
    failure::{Cause, Failure},
};
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

/// The maximum time from the start of a request to the end of its response.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// The maximum time for connecting.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// The maximum length of a response.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// One client for each kind of addresses that a request may be connected to.
#[derive(Debug, Clone)]
pub struct Outbound {
    public: Client,
    private: Client,
    loopback: Client,
}

/// Looks up the addresses of a name.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Why there was no complete response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct RequestFailed {
    pub failure: Failure,
}

/// A complete response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: http::StatusCode,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// `Retry-After` in seconds, from either of its forms (RFC 9110 §10.2.3), at `now`.
    pub fn retry_after_secs(&self, now: relink_domain::Timestamp) -> Option<u32> {
        let text = self.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
        relink_domain::http_date::retry_after_secs(text, now)
    }
}

impl Outbound {
    /// Creates the clients, with the built-in TLS provider.
    pub fn new() -> Result<Self, reqwest::Error> {
        let lookup: Lookup = Arc::new(system_lookup);
        Self::with_lookup(&lookup)
    }

    fn with_lookup(lookup: &Lookup) -> Result<Self, reqwest::Error> {
        // The only error is that a provider is already installed, which works too.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = |admits| client(Resolver { admits, lookup: Arc::clone(lookup) });
        Ok(Self {
            public: client(Admits::Public)?,
            private: client(Admits::Private)?,
            loopback: client(Admits::Loopback)?,
        })
    }

    /// For building a request. [`Self::send`] decides which client sends it.
    pub const fn client(&self, consent: Consent) -> &Client {
        match consent {
            Consent::Public => &self.public,
            Consent::Local => &self.private,
        }
    }

    /// The client for requests to this URL, which connects to no other kind of address.
    pub fn client_for(&self, url: &url::Url, consent: Consent) -> Result<&Client, Cause> {
        let admits = Admits::of(url, consent);
        admits.refusal_of_host(url, consent).map_or_else(|| Ok(self.client_of(admits)), Err)
    }

    const fn client_of(&self, admits: Admits) -> &Client {
        match admits {
            Admits::Public => &self.public,
            Admits::Private => &self.private,
            Admits::Loopback => &self.loopback,
        }
    }

    /// Sends a request and reads the complete response.
    pub async fn send(&self, request: reqwest::Request, consent: Consent) -> Result<HttpResponse, RequestFailed> {
        let admits = Admits::of(request.url(), consent);
        if let Some(cause) = admits.refusal_of_host(request.url(), consent) {
            return Err(RequestFailed { failure: Failure::new(cause) });
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
        let client = self.client_of(Admits::of(request.url(), consent));
        let mut response = client.execute(request).await.map_err(|error| no_answer(&error))?;
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

fn client(resolver: Resolver) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("Relink/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_DEADLINE)
        // A refresh must never be repeated implicitly: the first request may have used up its token.
        .retry(reqwest::retry::never())
        // A proxy would resolve the name itself, so the checked address would not be the one that is connected to.
        .no_proxy()
        .dns_resolver(Arc::new(resolver))
        .build()
}

/// Resolves names and leaves out addresses that may not be called, so that a name with several addresses is called only at
/// those that may. The check and the connection use the same result.
struct Resolver {
    admits: Admits,
    lookup: Lookup,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (admits, found) = (self.admits, (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let found = found.await.map_err(|_| LookupFailed(Cause::Dns))?;
            let mut failed = LookupFailed(Cause::Dns);
            let mut allowed = Vec::new();
            for address in found {
                match admits.refusal(address) {
                    // The port is the URL's.
                    None => allowed.push(SocketAddr::new(address, 0)),
                    Some(cause) => failed = LookupFailed(cause),
                }
            }
            if allowed.is_empty() {
                return Err(failed.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn system_lookup(name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
    Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
}

/// A name has no address that may be called.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no address: {}", .0.code())]
struct LookupFailed(Cause);

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
        if let Some(LookupFailed(why)) = layer.downcast_ref::<LookupFailed>() {
            cause = *why;
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

    fn get(url: &str) -> reqwest::Request {
        reqwest::Request::new(http::Method::GET, url.parse().expect("an address"))
    }

    async fn cause_of(url: &str, consent: Consent) -> Cause {
        outbound().send(get(url), consent).await.expect_err("no answer").failure.cause
    }

    /// Every name has these addresses.
    fn with_addresses(addresses: &[&str]) -> Outbound {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        let lookup: Lookup = Arc::new(move |_| Box::pin(std::future::ready(Ok(addresses.clone()))));
        Outbound::with_lookup(&lookup).expect("clients")
    }

    /// A server that answers every connection with this, and its port.
    async fn serve(response: &'static str) -> u16 {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _ = socket.read(&mut [0; 4096]).await;
                let _ = socket.write_all(response.as_bytes()).await;
            }
        });
        port
    }

    #[tokio::test]
    async fn a_name_is_called_only_at_addresses_that_may_be_called() {
        let port = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let plain = format!("http://foo.localhost:{port}/");
        let encrypted = format!("https://example.com:{port}/");
        for (addresses, url, consent, expected) in [
            // A bad address beside a good one: only the good one is called.
            (&["10.9.8.7", "127.0.0.1"][..], &plain, Consent::Local, None),
            (&["127.0.0.1", "10.9.8.7"], &plain, Consent::Local, None),
            (&["169.254.169.254", "127.0.0.1", "8.8.8.8"], &plain, Consent::Local, None),
            (&["10.9.8.7"], &plain, Consent::Local, Some(Cause::Unencrypted)),
            (&["8.8.8.8"], &plain, Consent::Local, Some(Cause::Unencrypted)),
            (&["64:ff9b::7f00:1"], &plain, Consent::Local, Some(Cause::Unencrypted)),
            (&["127.0.0.1"], &plain, Consent::Public, Some(Cause::PrivateAddress)),
            // The server speaks no TLS, which shows that it was connected to.
            (&["127.0.0.1"], &encrypted, Consent::Local, Some(Cause::Tls)),
            (&["10.9.8.7", "127.0.0.1"], &encrypted, Consent::Public, Some(Cause::PrivateAddress)),
            (&["64:ff9b::a09:807"], &encrypted, Consent::Public, Some(Cause::PrivateAddress)),
            (&["2002:a09:807::1"], &encrypted, Consent::Public, Some(Cause::PrivateAddress)),
            (&["fec0::1", "100::1", "192.0.0.192"], &encrypted, Consent::Public, Some(Cause::PrivateAddress)),
            (&["168.63.129.16"], &encrypted, Consent::Local, Some(Cause::PrivateAddress)),
            (&["198.18.0.1"], &encrypted, Consent::Public, Some(Cause::PrivateAddress)),
            (&["100.100.100.200", "fd20:ce::254"], &encrypted, Consent::Local, Some(Cause::PrivateAddress)),
            (&[], &encrypted, Consent::Local, Some(Cause::Dns)),
        ] {
            let sent = with_addresses(addresses).send(get(url), consent).await;
            assert_eq!(sent.err().map(|error| error.failure.cause), expected, "{url} at {addresses:?}");
        }
    }

    #[tokio::test]
    async fn an_address_in_another_notation_is_the_same_address() {
        for host in ["0x7f.1", "0177.1", "2130706433", "127.1", "[::ffff:7f00:1]"] {
            for scheme in ["http", "https"] {
                let cause = cause_of(&format!("{scheme}://{host}:9/"), Consent::Public).await;
                assert_eq!(cause, Cause::PrivateAddress, "{scheme}://{host}");
            }
        }
        for host in ["0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]"] {
            assert_eq!(cause_of(&format!("https://{host}/"), Consent::Local).await, Cause::PrivateAddress, "{host}");
        }
        for host in ["0x0a090807", "10.591879", "[64:ff9b::7f00:1]"] {
            assert_eq!(cause_of(&format!("http://{host}/"), Consent::Local).await, Cause::Unencrypted, "{host}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        for location in ["http://169.254.169.254/latest/", "http://10.9.8.7/", "/elsewhere"] {
            let response = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
            let port = serve(response.leak()).await;
            let response = outbound().send(get(&format!("http://127.0.0.1:{port}/")), Consent::Local).await;
            assert_eq!(response.expect("a response").status, 302, "{location}");
        }
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
