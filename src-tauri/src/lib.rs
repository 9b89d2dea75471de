//! The desktop shell: windows, tray, notifications and deep link, with Tauri. It is the only crate that knows Tauri.
//!
//! **Invariant:** the shell contains no rules. It decodes, calls one method of [`relink_app::App`], and encodes or draws
//! the result.

#[cfg(target_os = "linux")]
mod bus;
mod closing;
mod commands;
mod concealment;
mod deep_link;
mod desktop;
mod lifecycle;
mod notifications;
mod quit;
pub mod remote_control;
mod screen_lock;
mod tray;
mod web_data;
mod windows;

use tauri::{Manager, RunEvent};
use tauri_plugin_window_state::StateFlags;

/// Why the desktop program could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No X11 or Wayland display can be reached.
    #[error(
        "Relink needs a graphical session, and no display can be reached.\n\
         Start it from your desktop, or run `relink serve` to use Relink without a window."
    )]
    NoDisplay,
    /// The window system or the webview failed.
    #[error("Relink's window could not be opened: {0}")]
    Window(#[from] tauri::Error),
    /// The engine or its API failed.
    #[error("{0}")]
    Engine(String),
}

/// How the program is started.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Whether no window is opened, as at login: Relink stays in the tray.
    pub hidden: bool,
}

/// Runs the desktop app until it quits.
pub fn run(start: &Start) -> Result<(), StartError> {
    ensure_display()?;
    let hidden = start.hidden;
    let app = tauri::Builder::default()
        // Registered first, so that a second start ends before it does anything.
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _| deep_link::second_start(app, &arguments)))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_autostart::Builder::new().arg(HIDDEN).app_name("Relink").build())
        .plugin(tauri_plugin_clipboard_manager::init())
        .plugin(tauri_plugin_dialog::init())
        // Called from Rust only: no page has a permission for its commands.
        .plugin(tauri_plugin_opener::Builder::new().open_js_links_on_click(false).build())
        .plugin(window_state())
        .invoke_handler(commands::handler())
        .setup(move |app| {
            let handle = app.handle().clone();
            if let Err(error) = lifecycle::start(&handle) {
                lifecycle::give_up(&handle, error.as_ref());
                return Ok(());
            }
            deep_link::listen(&handle);
            tray::start(&handle);
            screen_lock::listen(&handle);
            quit::quit_on_signals(&handle);
            if hidden {
                tauri::async_runtime::spawn(async move {
                    if !tray::appears(&handle).await {
                        windows::show_main(&handle);
                    }
                });
            } else if let Err(error) = windows::open_main(&handle) {
                lifecycle::give_up(&handle, &error);
            }
            Ok(())
        })
        .build(tauri::generate_context!())?;
    app.run(|app, event| match event {
        // The last window was closed, which is not quitting: Relink keeps running in the tray or, without one, its window.
        RunEvent::ExitRequested { code: None, api, .. } if is_running(app) => {
            api.prevent_exit();
            if !tray::is_shown(app) {
                windows::show_main(app);
            }
        }
        RunEvent::Exit => {
            quit::flush_display();
            notifications::stop(app);
            lifecycle::stop(app);
        }
        RunEvent::WindowEvent { label, event: tauri::WindowEvent::CloseRequested { api, .. }, .. }
            if label == windows::MAIN && !closing::may_close(app) =>
        {
            api.prevent_close();
        }
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => windows::show_main(app),
        _ => {}
    });
    Ok(())
}

/// Restores a window's size and position. Not its visibility: the main window is shown when its page is ready.
fn window_state<R: tauri::Runtime>() -> tauri::plugin::TauriPlugin<R> {
    tauri_plugin_window_state::Builder::new()
        .with_state_flags(StateFlags::all() - StateFlags::VISIBLE)
        .with_denylist(&[windows::CONNECT])
        .build()
}

/// The argument with which the system starts Relink at login.
pub const HIDDEN: &str = "--hidden";

/// Checks for a display first, because Tauri panics without one, for example when started over SSH.
#[cfg(target_os = "linux")]
fn ensure_display() -> Result<(), StartError> {
    gtk::init().map_err(|_| StartError::NoDisplay)
}

#[cfg(not(target_os = "linux"))]
fn ensure_display() -> Result<(), StartError> {
    Ok(())
}

/// Whether everything has started, so that there is something to show.
fn is_running<R: tauri::Runtime>(manager: &impl Manager<R>) -> bool {
    manager.try_state::<relink_app::App>().is_some()
}

/// The app, which [`lifecycle::start`] has put into Tauri's state.
fn app<R: tauri::Runtime>(manager: &impl Manager<R>) -> relink_app::App {
    manager.state::<relink_app::App>().inner().clone()
}
