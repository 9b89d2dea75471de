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
    store::StoreError,
    vault::{Vault, VaultOptions},
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
    let engine = Engine::start(Options {
        data_dir: data_dir.clone(),
        vault: Vault::os(VaultOptions::default()),
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
    asked_to_stop().await;
    tracing::info!("stopping");
    serving.stop().await;
    engine.stop().await;
    Ok(())
}

/// One line of JSON, for whoever started it.
#[expect(clippy::print_stdout, reason = "this is the command line")]
fn announce(serving: &relink_api::Serving) {
    let line = json!({
        "base_url": serving.base_url(),
        "pid": std::process::id(),
        "wanted_port_taken": serving.wanted_port_taken(),
    });
    println!("{line}");
    // Whoever started it may have closed its end; it serves all the same.
    let _ = io::stdout().flush();
}

#[cfg(unix)]
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(error) => {
            tracing::warn!("SIGTERM can't be heard ({error}); stop it with Ctrl C");
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!("Ctrl C can't be heard: {error}");
        std::future::pending::<()>().await;
    }
}
