//! A private network for one test, which can be taken down.
//!
//! A process can't leave its network namespace safely while it has threads. So each such test runs itself again, alone,
//! in a process that starts in its own user and network namespaces. That needs no privileges, changes nothing on the
//! machine, and is cleaned up when the last process exits, however the test ends.

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

use crate::{provider::Provider, recording_proxy::RecordingProxy};

/// The address of the test interface.
const ADDRESS: &str = "10.77.0.1";

/// The environment variable that marks the inner process. Its value is the file that the process creates on success.
const INNER_PROCESS: &str = "RELINK_TEST_NETWORK";

/// The arguments of `unshare`, in order of preference. The second needs root; it is for kernels that restrict user
/// namespaces.
const UNSHARE_FLAGS: [&[&str]; 2] = [&["--user", "--map-root-user", "--net"], &["--net"]];

/// Runs the test in its own network, which starts online.
pub fn run_in_own_network<F: AsyncFnOnce(Network) -> Result<()>>(test: F) -> Result<()> {
    if let Some(success_file) = env::var_os(INNER_PROCESS) {
        let network = Network::start()?;
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(test(network))?;
        return Ok(fs::write(success_file, "")?);
    }
    let flags = supported_flags()?;
    // The test's path without the crate name, as libtest expects it. The closure's type name contains the path.
    let name = type_name::<F>().split("::").skip(1).take_while(|part| !part.starts_with('{')).collect::<Vec<_>>();
    let folder = tempfile::tempdir()?;
    let success_file = folder.path().join("passed");
    let status = Command::new("unshare")
        .args(flags)
        // Set after the namespaces, because creating them resets it.
        .args(["--", "setpriv", "--pdeathsig", "KILL", "--"])
        .arg(env::current_exe()?)
        .args([name.join("::").as_str(), "--exact", "--nocapture"])
        .env(INNER_PROCESS, &success_file)
        .status()?;
    ensure!(status.success(), "the test failed in its own network: {status}");
    ensure!(success_file.exists(), "the test did not run in its own network");
    Ok(())
}

fn supported_flags() -> Result<&'static [&'static str]> {
    let mut refusals = Vec::new();
    for flags in UNSHARE_FLAGS {
        // Some kernels allow everybody to create a user namespace, but not to use it.
        let probe = ["--", "ip", "link", "set", "lo", "up"];
        let output = Command::new("unshare").args(flags).args(probe).output().context("unshare and ip are missing")?;
        if output.status.success() {
            return Ok(flags);
        }
        refusals.push(format!("unshare {}: {}", flags.join(" "), String::from_utf8_lossy(&output.stderr).trim()));
    }
    bail!(
        "This test needs its own network namespace, which this machine doesn't allow:\n{}\nTo allow it, set (where the kernel \
         has them) sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0 and a \
         user.max_user_namespaces above 0; in a container, add the capability CAP_SYS_ADMIN.",
        refusals.join("\n")
    )
}

/// The network of this process: loopback, and one interface that isn't connected to anything.
#[derive(Debug)]
pub struct Network(());

impl Network {
    fn start() -> Result<Self> {
        ip(&["link", "set", "lo", "up"])?;
        // A veth pair with both ends in this namespace. Not every kernel has `dummy` interfaces.
        ip(&["link", "add", "cable", "type", "veth", "peer", "name", "end"])?;
        ip(&["addr", "add", &format!("{ADDRESS}/24"), "dev", "cable"])?;
        ip(&["link", "set", "end", "up"])?;
        let network = Self(());
        network.up()?;
        Ok(network)
    }

    /// Goes online: sets the interface up and adds a default route, which is removed when the interface goes down.
    pub fn up(&self) -> Result<()> {
        ip(&["link", "set", "cable", "up"])?;
        ip(&["route", "replace", "default", "dev", "cable"])
    }

    /// Goes offline. Loopback stays up.
    pub fn down(&self) -> Result<()> {
        ip(&["link", "set", "cable", "down"])
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output()?;
    ensure!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// A provider with TLS at a non-loopback address, as in production.
#[derive(Debug)]
pub struct RemoteProvider {
    definition: String,
    certificate: PathBuf,
}

impl RemoteProvider {
    /// Starts it in front of this provider. It stops at the end of the test.
    pub async fn start(provider: &Provider, folder: &Path) -> Result<Self> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([ADDRESS.to_owned()])?;
        let certificate = folder.join("certificate.pem");
        fs::write(&certificate, cert.pem())?;
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key)?;
        let listener = TcpListener::bind((ADDRESS, 0)).await?;
        let base_url = format!("https://{ADDRESS}:{}", listener.local_addr()?.port());
        let router = RecordingProxy::new(provider).router();
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), router));
        // The browser signs in on loopback; Relink calls the other address.
        let definition = provider
            .definition()
            .replace(&format!("\"tokenHost\": \"{}", provider.base_url()), &format!("\"tokenHost\": \"{base_url}"))
            .replace(&format!("\"base_url\": \"{}", provider.base_url()), &format!("\"base_url\": \"{base_url}"));
        Ok(Self { definition, certificate })
    }

    /// The text of its integration definition.
    pub fn definition(&self) -> &str {
        &self.definition
    }

    /// The environment variables that make a program trust its certificate.
    pub fn trust(&self) -> [(&'static str, String); 1] {
        [("SSL_CERT_FILE", self.certificate.display().to_string())]
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, router: Router) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, service) = (tls.clone(), TowerToHyperService::new(router.clone()));
        tokio::spawn(async move {
            // Ignore clients that don't speak TLS or disconnect.
            let Ok(stream) = tls.accept(stream).await else { return };
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
