//! Starts and stops what the windows stand on: the engine, its API, the verbs.

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Mutex,
};

use relink_api::{ServeError, ServeOptions, Serving};
use relink_app::{
    App, RuntimeInfo,
    attention::{Needs, Notifier},
    types::Preferences,
};
use relink_engine::{
    Engine, Options,
    clock::Clock,
    keychain::{Keychain, KeychainOptions},
};
use tauri::{AppHandle, Emitter, Manager, async_runtime};
use tauri_plugin_dialog::{DialogExt, MessageDialogKind};
use tokio::sync::{mpsc, watch};

use crate::{StartError, notify};

/// What is stopped at the end.
struct Running {
    engine: Engine,
    serving: Mutex<Option<Serving>>,
}

/// Who needs the person, for the tray.
pub(crate) struct NeedsYou(pub(crate) watch::Receiver<Vec<Needs>>);

/// Starts everything.
pub(crate) fn start(app: &AppHandle) -> Result<(), Box<dyn Error>> {
    let data_dir = data_dir(app)?;
    let (orders, carried_out) = mpsc::channel(64);
    let (needs, follows) = watch::channel(Vec::new());
    let (engine, serving, logic) = async_runtime::block_on(begin(data_dir, Notifier { orders, needs }))?;
    app.manage(serving.return_test().clone());
    app.manage(Running { engine, serving: Mutex::new(Some(serving)) });
    app.manage(NeedsYou(follows));
    app.manage(crate::windows::Arrival::default());
    app.manage(logic.clone());
    notify::start(app, carried_out);
    async_runtime::spawn(pass_changes_on(app.clone(), logic));
    Ok(())
}

/// Says why it can't start, and ends: who starts an app from a menu sees no terminal.
pub(crate) fn give_up(app: &AppHandle, error: &dyn Error) {
    tracing::error!("{error}");
    let handle = app.clone();
    app.dialog()
        .message(error.to_string())
        .title("Relink can’t start")
        .kind(MessageDialogKind::Error)
        .show(move |_| handle.exit(1));
}

/// Whether everything runs: there is something to show.
pub(crate) fn runs(app: &AppHandle) -> bool {
    app.try_state::<Running>().is_some()
}

/// The person's own place for it, or the one that a test or a second profile names.
fn data_dir(app: &AppHandle) -> tauri::Result<PathBuf> {
    match std::env::var_os("RELINK_DATA_DIR") {
        Some(folder) => Ok(folder.into()),
        None => app.path().app_data_dir(),
    }
}

async fn begin(data_dir: PathBuf, notifier: Notifier) -> Result<(Engine, Serving, App), StartError> {
    let options = Options {
        data_dir: data_dir.clone(),
        keychain: Keychain::os(KeychainOptions::default()),
        clock: Clock::system(),
        takes_deep_links: true,
    };
    let engine = Engine::start(options).await.map_err(|error| StartError::Engine(error.to_string()))?;
    // A port that can't be read is none that was asked for.
    let preferences: Preferences = engine.document("preferences").await.ok().flatten().unwrap_or_default();
    let listen = preferences.port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let wanted = ServeOptions { listen, data_dir: data_dir.clone() };
    let (serving, wanted_port_taken) = match relink_api::serve(engine.clone(), wanted).await {
        Ok(serving) => {
            let taken = serving.wanted_port_taken();
            (serving, taken)
        }
        // A window that doesn't open for a taken port could not say so, nor let it be changed.
        Err(error @ ServeError::Listen { .. }) if listen.is_some() => {
            tracing::warn!("{error}");
            let any = ServeOptions { listen: None, data_dir: data_dir.clone() };
            (relink_api::serve(engine.clone(), any).await.map_err(|error| StartError::Engine(error.to_string()))?, true)
        }
        Err(error) => {
            engine.stop().await;
            return Err(StartError::Engine(error.to_string()));
        }
    };
    let runtime_info = RuntimeInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        base_url: serving.base_url().to_owned(),
        wanted_port_taken,
        wanted_port: preferences.port.unwrap_or(relink_api::PORT),
        // unlock.rs listens there alone.
        hears_unlocking: cfg!(target_os = "linux"),
        data_dir,
    };
    let logic = App::start(engine.clone(), serving.sandbox_runner().clone(), runtime_info, notifier)
        .await
        .map_err(|trouble| StartError::Engine(trouble.message))?;
    Ok((engine, serving, logic))
}

/// Whoever shows something asks anew.
async fn pass_changes_on(app: AppHandle, logic: App) {
    use tokio::sync::broadcast::error::RecvError;
    let mut news = logic.changes();
    loop {
        match news.recv().await {
            Ok(changed) => {
                if let Err(error) = app.emit_to(crate::windows::MAIN, "changed", changed) {
                    tracing::debug!("the window was not told: {error}");
                }
            }
            // What was missed is told again with the next change.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Stops everything: refreshes under way are waited for, because the provider may have answered them already.
pub(crate) fn stop(app: &AppHandle) {
    let Some(running) = app.try_state::<Running>() else { return };
    let serving = running.serving.lock().ok().and_then(|mut serving| serving.take());
    async_runtime::block_on(async {
        if let Some(serving) = serving {
            serving.stop().await;
        }
        running.engine.stop().await;
    });
}
