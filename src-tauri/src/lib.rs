//! The desktop shell: window, tray, notification and deep link around the engine.
//!
//! Invariant: the shell holds no rule of its own. A surface decodes, calls one verb of [`relink_app::App`], and encodes;
//! `relink serve` offers the same engine without it.

#[cfg(target_os = "linux")]
mod bus;
mod commands;
mod core;
mod deep_link;
mod notify;
mod quit;
mod tray;
mod unlock;
mod windows;

use tauri::{Manager, RunEvent};

/// Why the desktop program could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No X11 or Wayland display answers.
    #[error(
        "Relink needs a graphical session, and no display can be reached.\n\
         Start it from your desktop, or run `relink serve` to use Relink without a window."
    )]
    NoDisplay,
    /// The window system or the webview refused.
    #[error("Relink's window could not be opened: {0}")]
    Window(#[from] tauri::Error),
    /// The engine or its API.
    #[error("{0}")]
    Engine(String),
}

/// How the program was started.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// At login: it stays in the tray.
    pub hidden: bool,
}

/// Runs until the person quits.
pub fn run(start: &Start) -> Result<(), StartError> {
    ensure_display()?;
    let hidden = start.hidden;
    let app = tauri::Builder::default()
        // First, so that a second start ends before it does anything.
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _| deep_link::second_start(app, &arguments)))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_autostart::Builder::new().arg(HIDDEN).app_name("Relink").build())
        .plugin(tauri_plugin_clipboard_manager::init())
        .plugin(tauri_plugin_dialog::init())
        // From Rust alone: no page is granted any of its commands.
        .plugin(tauri_plugin_opener::Builder::new().open_js_links_on_click(false).build())
        .plugin(tauri_plugin_window_state::Builder::new().with_denylist(&[windows::CONNECT]).build())
        .invoke_handler(commands::handler())
        .setup(move |app| {
            let handle = app.handle().clone();
            if let Err(error) = core::start(&handle) {
                core::give_up(&handle, error.as_ref());
                return Ok(());
            }
            deep_link::listen(&handle);
            tray::start(&handle);
            unlock::listen(&handle);
            quit::hear_signals(&handle);
            if hidden {
                tauri::async_runtime::spawn(async move {
                    if !tray::comes(&handle).await {
                        windows::show_main(&handle);
                    }
                });
            } else if let Err(error) = windows::open_main(&handle) {
                core::give_up(&handle, &error);
            }
            Ok(())
        })
        .build(tauri::generate_context!())?;
    app.run(|app, event| match event {
        // The last window was closed: without somebody's wish to quit, Relink goes on, in the tray or in its window.
        RunEvent::ExitRequested { code: None, api, .. } if core::runs(app) => {
            api.prevent_exit();
            if !tray::is_there(app) {
                windows::show_main(app);
            }
        }
        RunEvent::Exit => {
            quit::screen_follows();
            notify::stop(app);
            core::stop(app);
        }
        RunEvent::WindowEvent { label, event: tauri::WindowEvent::CloseRequested { api, .. }, .. }
            if label == windows::MAIN && !quit::may_close(app) =>
        {
            api.prevent_close();
        }
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => windows::show_main(app),
        _ => {}
    });
    Ok(())
}

/// The argument with which the system starts Relink at login.
pub const HIDDEN: &str = "--hidden";

/// Tauri panics where there is no display; a person who starts Relink over SSH deserves a sentence instead.
#[cfg(target_os = "linux")]
fn ensure_display() -> Result<(), StartError> {
    gtk::init().map_err(|_| StartError::NoDisplay)
}

#[cfg(not(target_os = "linux"))]
fn ensure_display() -> Result<(), StartError> {
    Ok(())
}

/// The verbs, from wherever the app is at hand.
fn logic<R: tauri::Runtime>(manager: &impl Manager<R>) -> relink_app::App {
    manager.state::<relink_app::App>().inner().clone()
}
