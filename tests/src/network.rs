//! A network of a test's own, which can be taken away.
//!
//! A process can't leave its network safely while it has threads. So each such test runs itself once more, alone, in a process
//! that begins in a user and a network namespace of its own: that takes no rights, changes nothing of the machine, and ends with
//! its last program, however the test ends.

use std::{
    any::type_name,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use anyhow::{Context, Result, bail, ensure};
use axum::Router;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{between::Between, provider::Provider};

/// The interface's address.
const ADDRESS: &str = "10.77.0.1";

/// Tells the second process that it is the one inside, and where it says that the test has passed.
const INSIDE: &str = "RELINK_TEST_NETWORK";

/// How a process gets a network of its own: without any rights, and as root where the kernel keeps user namespaces from everybody.
const WAYS: [&[&str]; 2] = [&["--user", "--map-root-user", "--net"], &["--net"]];

/// Runs the test in a network of its own, which is up.
pub fn alone<F: AsyncFnOnce(Network) -> Result<()>>(test: F) -> Result<()> {
    if let Some(passed) = env::var_os(INSIDE) {
        let network = Network::start()?;
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(test(network))?;
        return Ok(fs::write(passed, "")?);
    }
    let way = possible_way()?;
    // The test's path without the crate's name, as the test harness wants it: the closure is named after its function.
    let name = type_name::<F>().split("::").skip(1).take_while(|part| !part.starts_with('{')).collect::<Vec<_>>();
    let folder = tempfile::tempdir()?;
    let passed = folder.path().join("passed");
    let status = Command::new("unshare")
        .args(way)
        // After the namespaces, whose making forgets it.
        .args(["--", "setpriv", "--pdeathsig", "KILL", "--"])
        .arg(env::current_exe()?)
        .args([name.join("::").as_str(), "--exact", "--nocapture"])
        .env(INSIDE, &passed)
        .status()?;
    ensure!(status.success(), "it failed in its own network: {status}");
    ensure!(passed.exists(), "the test has not run in its own network");
    Ok(())
}

fn possible_way() -> Result<&'static [&'static str]> {
    let mut refusals = Vec::new();
    for way in WAYS {
        // Some kernels let everybody make one and nobody use it.
        let try_it = ["--", "ip", "link", "set", "lo", "up"];
        let output = Command::new("unshare").args(way).args(try_it).output().context("util-linux and iproute2")?;
        if output.status.success() {
            return Ok(way);
        }
        refusals.push(format!("unshare {}: {}", way.join(" "), String::from_utf8_lossy(&output.stderr).trim()));
    }
    bail!(
        "This machine lets no test have a network of its own, so this one can't be tried here:\n{}\nWhat allows it, on kernels \
         that have them: sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, or more than \
         0 user.max_user_namespaces; in a container, the capability CAP_SYS_ADMIN.",
        refusals.join("\n")
    )
}

/// The network of this process: loopback, and one interface that reaches nowhere.
#[derive(Debug)]
pub struct Network(());

impl Network {
    fn start() -> Result<Self> {
        ip(&["link", "set", "lo", "up"])?;
        // A cable whose other end is here too. Not every kernel has `dummy`; each that has namespaces has this.
        ip(&["link", "add", "cable", "type", "veth", "peer", "name", "end"])?;
        ip(&["addr", "add", &format!("{ADDRESS}/24"), "dev", "cable"])?;
        ip(&["link", "set", "end", "up"])?;
        let network = Self(());
        network.up()?;
        Ok(network)
    }

    /// Online: the cable is said to lead to the world. Unplugged, that is forgotten.
    pub fn up(&self) -> Result<()> {
        ip(&["link", "set", "cable", "up"])?;
        ip(&["route", "replace", "default", "dev", "cable"])
    }

    /// Offline: loopback stays.
    pub fn down(&self) -> Result<()> {
        ip(&["link", "set", "cable", "down"])
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
        let router = Between::new(provider).router();
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
