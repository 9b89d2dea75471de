//! `relink serve`.

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
};

use relink_api::ServeOptions;
use relink_engine::{
    Engine, Options, StartError,
    clock::Clock,
    keychain::{Keychain, KeychainOptions},
    store::StoreError,
};
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::exit::Failed;

/// Runs until it is told to stop.
pub(crate) fn run(data_dir: PathBuf, listen: Option<SocketAddr>) -> Result<(), Failed> {
    let filter = EnvFilter::try_from_env("RELINK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(io::stderr).init();
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| Failed::new(format!("Relink can't start: {error}")))?;
    runtime.block_on(serve(data_dir, listen))
}

async fn serve(data_dir: PathBuf, listen: Option<SocketAddr>) -> Result<(), Failed> {
    // Before anything else: whoever stops it while it still starts gets a clean end too, a little later.
    let stop = Stop::new();
    tracing::info!("starting with the data folder {}", data_dir.display());
    let engine = Engine::start(Options {
        data_dir: data_dir.clone(),
        keychain: Keychain::os(KeychainOptions::default()),
        clock: Clock::system(),
        takes_deep_links: false,
    })
    .await
    .map_err(|error| match error {
        StartError::Store(busy @ StoreError::Busy(_)) => Failed::busy(busy.to_string()),
        other => Failed::new(other.to_string()),
    })?;
    let serving = match relink_api::serve(engine.clone(), ServeOptions { listen, data_dir }).await {
        Ok(serving) => serving,
        Err(error) => {
            engine.stop().await;
            return Err(Failed::new(error.to_string()));
        }
    };
    announce(&serving);
    stop.asked_for().await;
    tracing::info!("stopping");
    serving.stop().await;
    engine.stop().await;
    Ok(())
}

/// One line of JSON, for whoever started it. Nobody may be there to read it; it serves all the same.
fn announce(serving: &relink_api::Serving) {
    let line = json!({
        "base_url": serving.base_url(),
        "pid": std::process::id(),
        "wanted_port_taken": serving.wanted_port_taken(),
    });
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        tracing::warn!("that it is ready could not be printed: {error}");
    }
}

/// SIGTERM and Ctrl C, heard from the moment that this is made.
#[cfg(unix)]
struct Stop(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Stop {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [("SIGTERM", SignalKind::terminate()), ("Ctrl C", SignalKind::interrupt())];
        let heard = kinds.into_iter().filter_map(|(name, kind)| {
            signal(kind).inspect_err(|error| tracing::warn!("{name} can't be heard: {error}")).ok()
        });
        Self(heard.collect())
    }

    async fn asked_for(mut self) {
        std::future::poll_fn(|context| {
            let asked = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if asked { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

/// Ctrl C, heard from the moment that this is made.
#[cfg(windows)]
struct Stop(Option<tokio::signal::windows::CtrlC>);

#[cfg(windows)]
impl Stop {
    fn new() -> Self {
        let heard = tokio::signal::windows::ctrl_c();
        Self(heard.inspect_err(|error| tracing::warn!("Ctrl C can't be heard: {error}")).ok())
    }

    async fn asked_for(self) {
        match self.0 {
            Some(mut heard) => drop(heard.recv().await),
            None => std::future::pending().await,
        }
    }
}
