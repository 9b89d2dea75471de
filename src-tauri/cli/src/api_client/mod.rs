//! The client of the running Relink's HTTP API: on this machine only, blocking, without a runtime or a thread.

mod agent;
mod discovery;
mod operations;
mod routes;
pub(crate) mod sandbox;
#[cfg(unix)]
mod socket;
mod sync;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, path::PathBuf, thread, time::Duration};

use relink_contract::{ErrorBody, WireSecret, data_folder::EngineFile};
use serde::{Serialize, de::DeserializeOwned};
use ureq::{
    Agent, AsSendBody,
    http::{HeaderMap, Method, Request, Response, Uri, header},
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{NextTimeout, TcpConnector},
    },
};

pub(crate) use self::agent::AgentAnswer;
use self::{operations::Call, sandbox::Refusal};
use crate::exit::CliError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bounds a whole request. A long poll waits 25 seconds, and a refresh or a check waits for the provider.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(75);
const MAX_RESPONSE_BYTES: u64 = 64 * 1024 * 1024;
/// Most responses fit into one read of this size.
const INPUT_BUFFER_BYTES: usize = 16 * 1024;
/// Holds a request's head; a larger body is sent in several writes.
const OUTPUT_BUFFER_BYTES: usize = 2 * 1024;

/// After a failed request: how often, and at most how many times, to check whether Relink is still running. A killed process
/// loses its connections shortly before its lock.
const LIVENESS_POLL_INTERVAL: Duration = Duration::from_millis(20);
const MAX_LIVENESS_POLLS: u32 = 25;

/// How the engine is reached.
#[derive(Debug)]
enum Server {
    /// Its Unix socket, which no other user's program can take.
    #[cfg(unix)]
    Socket(String),
    /// Where there is no such socket.
    Tcp(SocketAddr),
}

/// A client of the Relink that runs with one data folder.
#[derive(Debug)]
pub(crate) struct ApiClient {
    /// The request's `Host`.
    host: String,
    engine: EngineFile,
    data_dir: PathBuf,
    agent: Agent,
}

/// A request to a provider's API.
#[derive(Debug, Clone)]
pub(crate) struct ProviderRequest {
    pub(crate) method: Method,
    /// At Relink, below `/via/`.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl ApiClient {
    fn new(server: Server, engine: EngineFile, data_dir: PathBuf) -> Self {
        let config = Agent::config_builder()
            // By default, the proxy is read from the environment. The token must not pass through a proxy.
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            // Most commands send one request, so a connection pool would only cost time.
            .max_idle_connections(0)
            .input_buffer_size(INPUT_BUFFER_BYTES)
            .output_buffer_size(OUTPUT_BUFFER_BYTES)
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .build();
        let (agent, host) = match server {
            Server::Tcp(address) => {
                (Agent::with_parts(config, TcpConnector::default(), FixedAddress(address)), address.to_string())
            }
            #[cfg(unix)]
            Server::Socket(path) => {
                let unused = FixedAddress(SocketAddr::from(([127, 0, 0, 1], 0)));
                (Agent::with_parts(config, socket::SocketConnector(path), unused), "localhost".to_owned())
            }
        };
        Self { host, engine, data_dir, agent }
    }

    /// The base URL for browsers, without a trailing slash. An error while another program has Relink's port.
    pub(crate) fn base_url(&self) -> Result<&str, CliError> {
        let base_url = self.engine.base_url.as_deref();
        base_url.ok_or_else(|| CliError::no_connect_pages(self.engine.port_problem.as_deref()))
    }

    fn token(&self) -> &WireSecret {
        &self.engine.token
    }

    /// Sends a call without a body.
    fn call<T: DeserializeOwned>(&self, call: impl Into<Call>) -> Result<T, CliError> {
        let call = call.into();
        let body = (*call.method() == Method::POST).then(Vec::new);
        self.request(&call, body)
    }

    fn call_with<T: DeserializeOwned>(&self, call: impl Into<Call>, body: &impl Serialize) -> Result<T, CliError> {
        self.request(&call.into(), Some(encode(body)?))
    }

    fn request<T: DeserializeOwned>(&self, call: &Call, body: Option<Vec<u8>>) -> Result<T, CliError> {
        let (is_success, body) = self.send(call, body).map_err(|error| self.error_from(&error))?;
        if !is_success {
            return Err(CliError::from_error_body(&decode_error(&body)));
        }
        serde_json::from_slice(&body).map_err(|error| CliError::unexpected_response(&error))
    }

    /// Whether the response is a success (2xx), and its body.
    fn send(&self, call: &Call, body: Option<Vec<u8>>) -> Result<(bool, Vec<u8>), ureq::Error> {
        let request = Request::builder()
            .method(call.method())
            .uri(format!("http://{}{}", self.host, call.path()))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token().expose()))
            .header(header::CONNECTION, "close");
        let mut response: Response<ureq::Body> = match body {
            Some(body) => self.agent.run(request.header(header::CONTENT_TYPE, "application/json").body(body)?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let body = response.body_mut().with_config().limit(MAX_RESPONSE_BYTES).read_to_vec()?;
        Ok((response.status().is_success(), body))
    }

    /// Sends a request to a provider's API, through Relink. However long it takes, and whatever the status is.
    pub(crate) fn call_provider(
        &self,
        ProviderRequest { method, path, headers }: ProviderRequest,
        body: impl AsSendBody,
    ) -> Result<Response<ureq::Body>, CliError> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.host));
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let request = request
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token().expose()))
            .header(header::CONNECTION, "close");
        let request =
            request.body(body).map_err(|error| CliError::new(format!("The request can't be sent: {error}.")))?;
        let request =
            self.agent.configure_request(request).timeout_global(None).allow_non_standard_methods(true).build();
        self.agent.run(request).map_err(|error| self.error_from(&error))
    }

    fn error_from(&self, error: &ureq::Error) -> CliError {
        if is_connect_error(error) {
            return CliError::not_running(&self.data_dir);
        }
        if self.has_stopped() {
            return CliError::stopped();
        }
        CliError::new(format!("Relink did not respond: {error}. Its log may say more."))
    }

    /// Whether the process that got the request no longer runs with this data folder.
    fn has_stopped(&self) -> bool {
        let has_stopped = || match Self::locate(&self.data_dir) {
            Ok(current) => current.token() != self.token(),
            Err(error) => error == CliError::not_running(&self.data_dir),
        };
        (0..MAX_LIVENESS_POLLS).any(|_| {
            let stopped = has_stopped();
            if !stopped {
                thread::sleep(LIVENESS_POLL_INTERVAL);
            }
            stopped
        })
    }
}

fn encode(body: &impl Serialize) -> Result<Vec<u8>, CliError> {
    serde_json::to_vec(body).map_err(|error| CliError::new(format!("The request could not be encoded: {error}.")))
}

/// Error responses of the Sandbox, which the API forwards, contain only a message.
fn decode_error(body: &[u8]) -> ErrorBody {
    serde_json::from_slice(body).or_else(|_| serde_json::from_slice(body).map(Refusal::into)).unwrap_or_default()
}

/// Whether nothing listens at the address: Relink stopped between the check of its lock and the request.
fn is_connect_error(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => {
            matches!(error.kind(), std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::NotFound)
        }
        ureq::Error::Timeout(timeout) => *timeout == ureq::Timeout::Connect,
        _ => false,
    }
}

/// Resolves to the address that was read from the data folder. Because of the timeout, the default resolver would start a
/// thread to look it up.
#[derive(Debug)]
struct FixedAddress(SocketAddr);

impl Resolver for FixedAddress {
    fn resolve(&self, _: &Uri, _: &ureq::config::Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(self.0);
        Ok(addresses)
    }
}

/// Percent-encodes one path segment or query value (RFC 3986 §2.3).
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for nibble in [byte >> 4, byte & 0xf] {
                encoded.extend(char::from_digit(nibble.into(), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    encoded
}
