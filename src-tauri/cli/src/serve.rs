//! `relink serve`.

use std::{net::SocketAddr, path::PathBuf};

use relink_api::{ServeError, ServeOptions};
use relink_engine::{
    Engine, Options, StartError, StoreError,
    clock::Clock,
    hardening,
    keychain::{Keychain, KeychainOptions},
};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::{
    exit::CliError,
    terminal::{Log, Stream},
};

pub(crate) fn run(data_dir: PathBuf, listen: Option<SocketAddr>, also_listen: bool) -> Result<(), CliError> {
    hardening::create_private_files_only();
    let filter = EnvFilter::try_from_env("RELINK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Log);
    log.with_ansi(Stream::Errors.is_colored()).init();
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| CliError::new(format!("Relink can't start: {error}.")))?;
    runtime.block_on(serve(data_dir, listen, also_listen))
}

async fn serve(data_dir: PathBuf, listen: Option<SocketAddr>, also_listen: bool) -> Result<(), CliError> {
    // First, so that a signal during the start also leads to a clean stop.
    let stop_signals = StopSignals::listen();
    tracing::info!("starting with the data folder {}", data_dir.display());
    let engine = Engine::start(Options {
        data_dir: data_dir.clone(),
        keychain: Keychain::os(KeychainOptions::default()),
        clock: Clock::system(),
        takes_deep_links: false,
    })
    .await
    .map_err(|error| match error {
        StartError::Store(busy @ StoreError::Busy(_)) => CliError::data_folder_in_use(busy.to_string()),
        other => CliError::new(other.to_string()),
    })?;
    let runtime_dir = relink_api::runtime_dir();
    let options = ServeOptions { listen, runs_without_port: false, also_listen, data_dir, runtime_dir };
    let serving = match relink_api::serve(engine.clone(), options).await {
        Ok(serving) => serving,
        Err(error) => {
            engine.stop().await;
            return Err(match error {
                ServeError::Port(_) => CliError::port_taken(error.to_string()),
                other => CliError::new(other.to_string()),
            });
        }
    };
    announce(&serving);
    stop_signals.received().await;
    tracing::info!("stopping");
    serving.stop(&engine).await;
    Ok(())
}

/// One line of JSON for the program that started this one (docs/cli.md).
#[derive(Serialize)]
struct ReadyMessage<'a> {
    base_url: &'a str,
    pid: u32,
    /// Always false: a port that is taken ends the program.
    wanted_port_taken: bool,
}

/// Prints the ready message. Relink runs even if no program can read it.
fn announce(serving: &relink_api::Serving) {
    let message = ReadyMessage { base_url: &serving.base_url(), pid: std::process::id(), wanted_port_taken: false };
    if let Err(error) = Stream::Output.json_lines(&[message]) {
        tracing::warn!("the ready message could not be printed: {error}");
    }
}

/// SIGTERM and Ctrl+C, from the moment of [`StopSignals::listen`].
#[cfg(unix)]
struct StopSignals(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl StopSignals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [("SIGTERM", SignalKind::terminate()), ("Ctrl+C", SignalKind::interrupt())];
        let signals = kinds.into_iter().filter_map(|(name, kind)| {
            signal(kind).inspect_err(|error| tracing::warn!("{name} can't be received: {error}")).ok()
        });
        Self(signals.collect())
    }

    async fn received(mut self) {
        std::future::poll_fn(|context| {
            let is_received = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if is_received { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

/// Ctrl+C, from the moment of [`StopSignals::listen`].
#[cfg(windows)]
struct StopSignals(Option<tokio::signal::windows::CtrlC>);

#[cfg(windows)]
impl StopSignals {
    fn listen() -> Self {
        let signal = tokio::signal::windows::ctrl_c();
        Self(signal.inspect_err(|error| tracing::warn!("Ctrl+C can't be received: {error}")).ok())
    }

    async fn received(self) {
        match self.0 {
            Some(mut signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
}
