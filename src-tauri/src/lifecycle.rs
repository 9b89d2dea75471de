//! Starts and stops what the windows need: the engine, its API and the app.

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use relink_api::{ServeOptions, Serving};
use relink_app::{App, RuntimeInfo, notifications::Request};
use relink_contract::window::CHANGED_EVENT;
use relink_engine::{
    Engine, Options,
    clock::Clock,
    keychain::{Keychain, KeychainOptions},
};
use tauri::{AppHandle, Emitter, Manager, async_runtime};
use tauri_plugin_dialog::{DialogExt, MessageDialogKind};
use tokio::sync::mpsc;

use crate::{StartError, app, desktop::TauriDesktop, notifications, web_data, windows};

/// The running components, which are stopped in this order when the app exits.
struct Running {
    engine: Engine,
    serving: Mutex<Option<Serving>>,
}

pub(crate) fn start(handle: &AppHandle) -> Result<(), Box<dyn Error>> {
    let data_dir = data_dir(handle)?;
    web_data::prepare(handle, &data_dir)?;
    let (requests, received) = mpsc::channel(64);
    let desktop = TauriDesktop(handle.clone());
    let (engine, serving, app) = async_runtime::block_on(start_engine(data_dir, desktop, requests))?;
    handle.manage(serving.redirect_test().clone());
    handle.manage(Running { engine, serving: Mutex::new(Some(serving)) });
    handle.manage(app.clone());
    notifications::start(handle, received);
    async_runtime::spawn(forward_changes(handle.clone(), app));
    Ok(())
}

/// Shows in a dialog why Relink can't start, then exits. An app that is started from a menu has no terminal.
pub(crate) fn give_up(handle: &AppHandle, error: &dyn Error) {
    tracing::error!("{error}");
    let exiting = handle.clone();
    handle
        .dialog()
        .message(error.to_string())
        .title("Relink can’t start")
        .kind(MessageDialogKind::Error)
        .show(move |_| exiting.exit(1));
}

const DATA_DIR_VARIABLE: &str = "RELINK_DATA_DIR";

/// The user's data folder, or the one in `RELINK_DATA_DIR`, for tests and second profiles.
fn data_dir(handle: &AppHandle) -> tauri::Result<PathBuf> {
    match std::env::var_os(DATA_DIR_VARIABLE) {
        Some(folder) => Ok(folder.into()),
        None => handle.path().app_data_dir(),
    }
}

async fn start_engine(
    data_dir: PathBuf,
    desktop: TauriDesktop,
    requests: mpsc::Sender<Request>,
) -> Result<(Engine, Serving, App), StartError> {
    let options = Options {
        data_dir: data_dir.clone(),
        keychain: Keychain::os(KeychainOptions::default()),
        clock: Clock::system(),
        takes_deep_links: true,
    };
    let engine = Engine::start(options).await.map_err(|error| StartError::Engine(error.to_string()))?;
    let listen = match listen_address(&engine).await {
        Ok(listen) => listen,
        Err(error) => {
            engine.stop().await;
            return Err(error);
        }
    };
    let wanted = ServeOptions {
        listen: Some(listen),
        // The window shows the problem, and the port can be changed there.
        runs_without_port: true,
        also_listen: false,
        data_dir: data_dir.clone(),
        runtime_dir: relink_api::runtime_dir(),
    };
    let serving = match relink_api::serve(engine.clone(), wanted).await {
        Ok(serving) => serving,
        Err(error) => {
            engine.stop().await;
            return Err(StartError::Engine(error.to_string()));
        }
    };
    let runtime_info = RuntimeInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api_port: serving.port().clone(),
        // See screen_lock.rs.
        detects_unlock: cfg!(target_os = "linux"),
        data_dir,
        has_own_data_dir: std::env::var_os(DATA_DIR_VARIABLE).is_some(),
    };
    let sandbox_runner = serving.sandbox_runner().clone();
    let local_calls = serving.local_calls().clone();
    match App::start(engine.clone(), sandbox_runner, local_calls, runtime_info, Arc::new(desktop), requests).await {
        Ok(app) => Ok((engine, serving, app)),
        Err(error) => {
            serving.stop(&engine).await;
            Err(StartError::Engine(error.message))
        }
    }
}

/// The address in `RELINK_LISTEN`, for tests and second profiles, or the preferred port.
async fn listen_address(engine: &Engine) -> Result<SocketAddr, StartError> {
    if let Some(text) = std::env::var("RELINK_LISTEN").ok().filter(|text| !text.is_empty()) {
        return text.parse().map_err(|_| StartError::Engine(format!("RELINK_LISTEN is not an address: {text}")));
    }
    // Unreadable preferences must not prevent the start.
    let port = relink_app::preferred_port(engine).await.unwrap_or(relink_api::PORT);
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Sends changes to the main window, as its `changed` event.
async fn forward_changes(handle: AppHandle, app: App) {
    let mut changes = app.changes();
    while let Some(change) = changes.next().await {
        if let Err(error) = handle.emit_to(windows::MAIN, CHANGED_EVENT, change) {
            tracing::debug!("the window did not receive a change: {error}");
        }
    }
}

/// Stops everything. Waits for refreshes in flight, because the provider may already have rotated their tokens.
pub(crate) fn stop(handle: &AppHandle) {
    let Some(running) = handle.try_state::<Running>() else { return };
    app(handle).clear_copied_secret();
    let serving = running.serving.lock().ok().and_then(|mut serving| serving.take());
    async_runtime::block_on(async {
        match serving {
            Some(serving) => serving.stop(&running.engine).await,
            None => running.engine.stop().await,
        }
    });
}
