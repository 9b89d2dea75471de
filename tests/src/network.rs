//! A network of a test's own, which can be taken away.

use std::{
    fs,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Result, ensure};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::provider::Provider;

/// The interface's address.
const ADDRESS: &str = "10.77.0.1";

/// A network namespace with loopback, and one interface that reaches nowhere.
#[derive(Debug)]
pub struct Network(String);

impl Network {
    /// Makes one that is up. Wants the right to make namespaces, as root has it.
    pub fn new() -> Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("relink-{}-{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        ip(&["netns", "add", &name])?;
        let network = Self(name);
        network.inside(&["link", "set", "lo", "up"])?;
        // A cable whose other end is here too. Not every kernel has `dummy`; each that has namespaces has this.
        network.inside(&["link", "add", "cable", "type", "veth", "peer", "name", "end"])?;
        network.inside(&["addr", "add", &format!("{ADDRESS}/24"), "dev", "cable"])?;
        network.inside(&["link", "set", "end", "up"])?;
        network.up()?;
        Ok(network)
    }

    /// Online.
    pub fn up(&self) -> Result<()> {
        self.inside(&["link", "set", "cable", "up"])
    }

    /// Offline: loopback stays.
    pub fn down(&self) -> Result<()> {
        self.inside(&["link", "set", "cable", "down"])
    }

    /// What a program is started behind to be inside.
    pub fn prefix(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.0]
    }

    /// From now on this thread is inside: its sockets, and every program that it starts.
    pub fn enter(&self) -> Result<()> {
        let namespace = fs::File::open(Path::new("/run/netns").join(&self.0))?;
        Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
    }

    fn inside(&self, arguments: &[&str]) -> Result<()> {
        ip(&[&["-n", &self.0], arguments].concat())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Nothing can be done about one that stays.
        let _ = ip(&["netns", "del", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output()?;
    ensure!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// A provider as it is in the world: another machine's address, and TLS.
#[derive(Debug)]
pub struct FarProvider {
    definition: String,
    certificate: PathBuf,
}

impl FarProvider {
    /// Puts one in front of this provider. It ends with the test.
    pub async fn start(provider: &Provider, folder: &Path) -> Result<Self> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([ADDRESS.to_owned()])?;
        let certificate = folder.join("certificate.pem");
        fs::write(&certificate, cert.pem())?;
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key)?;
        let listener = TcpListener::bind((ADDRESS, 0)).await?;
        let base_url = format!("https://{ADDRESS}:{}", listener.local_addr()?.port());
        let pass = Pass { client: reqwest::Client::new(), to: provider.base_url().to_owned() };
        let router = Router::new().fallback(pass_on).with_state(pass);
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), router));
        // Its person signs in on loopback; what Relink calls is far away.
        let definition = provider
            .definition()
            .replace(&format!("\"tokenHost\": \"{}", provider.base_url()), &format!("\"tokenHost\": \"{base_url}"))
            .replace(&format!("\"base_url\": \"{}", provider.base_url()), &format!("\"base_url\": \"{base_url}"));
        Ok(Self { definition, certificate })
    }

    /// Its definition.
    pub fn definition(&self) -> &str {
        &self.definition
    }

    /// What a program needs in its environment to trust its certificate.
    pub fn trust(&self) -> [(&'static str, String); 1] {
        [("SSL_CERT_FILE", self.certificate.display().to_string())]
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, router: Router) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, service) = (tls.clone(), TowerToHyperService::new(router.clone()));
        tokio::spawn(async move {
            // Who doesn't speak TLS, or goes away, is not answered.
            let Ok(stream) = tls.accept(stream).await else { return };
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[derive(Debug, Clone)]
struct Pass {
    client: reqwest::Client,
    to: String,
}

async fn pass_on(State(pass): State<Pass>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let url = format!("{}{}", pass.to, parts.uri);
    let Ok(body) = to_bytes(body, 1024 * 1024).await else {
        return axum::http::StatusCode::BAD_REQUEST.into_response();
    };
    let mut headers = parts.headers;
    headers.remove("host");
    match pass.client.request(parts.method, url).headers(headers).body(body).send().await {
        Ok(answer) => {
            (answer.status(), answer.headers().clone(), Body::from_stream(answer.bytes_stream())).into_response()
        }
        Err(_) => axum::http::StatusCode::BAD_GATEWAY.into_response(),
    }
}
