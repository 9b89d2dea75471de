//! Closing and quitting: closing keeps Relink in the tray, where there is one.

use std::sync::atomic::{AtomicBool, Ordering};

use tauri::{AppHandle, Manager, async_runtime};
use tauri_plugin_dialog::{DialogExt, MessageDialogBuilder, MessageDialogButtons};

use crate::{logic, notify, tray, windows};

const TOLD: &str = "told_of_tray";
const TRAY_TITLE: &str = "Relink is still running in the tray";
const TRAY_BODY: &str = "It keeps your accounts connected. Open or quit it from its tray icon.";

/// Whether the person asked to quit.
static QUITTING: AtomicBool = AtomicBool::new(false);
/// Whether they are being asked.
static ASKING: AtomicBool = AtomicBool::new(false);

/// Ends the app; what is under way is finished first, which nobody has to look at.
pub(crate) fn quit(app: &AppHandle) {
    QUITTING.store(true, Ordering::SeqCst);
    for window in app.webview_windows().into_values() {
        if let Err(error) = window.hide() {
            tracing::debug!("a window stays to the end: {error}");
        }
    }
    app.exit(0);
}

/// What was hidden is gone from the screen, too, before something is waited for: nothing is drawn any more then.
#[cfg(target_os = "linux")]
pub(crate) fn screen_follows() {
    if let Some(display) = gtk::gdk::Display::default() {
        display.sync();
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) const fn screen_follows() {}

/// Ends the app as the person's session ends it, or a terminal.
#[cfg(unix)]
pub(crate) fn hear_signals(app: &AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    let app = app.clone();
    async_runtime::spawn(async move {
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(mut terminated), Ok(mut interrupted)) => {
                tokio::select! {
                    _ = terminated.recv() => {}
                    _ = interrupted.recv() => {}
                }
                quit(&app);
            }
            (Err(error), _) | (_, Err(error)) => tracing::warn!("a signal would end Relink at once: {error}"),
        }
    });
}

/// Windows tells a program's windows.
#[cfg(not(unix))]
pub(crate) const fn hear_signals(_: &AppHandle) {}

/// Whether the main window may close now. In the tray Relink goes on, which is said once; without a tray, closing asks.
pub(crate) fn may_close(app: &AppHandle) -> bool {
    if QUITTING.load(Ordering::SeqCst) {
        return true;
    }
    if tray::is_there(app) {
        tell_once(app.clone());
        return true;
    }
    if !ASKING.swap(true, Ordering::SeqCst) {
        let handle = app.clone();
        dialog(
            app,
            "Quit Relink?",
            "While Relink isn’t running, tokens aren’t refreshed and you aren’t notified when an account needs attention.",
        )
        .buttons(MessageDialogButtons::OkCancelCustom("Quit".to_owned(), "Keep running".to_owned()))
        .show(move |quits| {
            ASKING.store(false, Ordering::SeqCst);
            if quits {
                quit(&handle);
            }
        });
    }
    false
}

/// One that stands before the main window, if that is open.
fn dialog(app: &AppHandle, title: &str, message: &str) -> MessageDialogBuilder<tauri::Wry> {
    let dialog = app.dialog().message(message).title(title);
    match app.get_webview_window(windows::MAIN) {
        Some(window) => dialog.parent(&window),
        None => dialog,
    }
}

fn tell_once(app: AppHandle) {
    static TELLING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    async_runtime::spawn(async move {
        let _one_at_a_time = TELLING.lock().await;
        let logic = logic(&app);
        // Another time, when they want to be told something.
        if logic.preferences().notifications_paused {
            return;
        }
        let noted = match logic.was_shown_once(TOLD).await {
            Ok(true) => return,
            Ok(false) => {
                if notify::say(&app, TRAY_TITLE, TRAY_BODY).await.is_err() {
                    app.dialog().message(TRAY_BODY).title(TRAY_TITLE).show(|_| ());
                }
                logic.note_shown_once(TOLD).await
            }
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = noted {
            tracing::debug!("whether the tray was explained is not known: {}", trouble.message);
        }
    });
}
