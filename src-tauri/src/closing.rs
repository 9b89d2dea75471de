//! Closing the main window. Where there is a tray, Relink keeps running in it.

use std::sync::atomic::{AtomicBool, Ordering};

use tauri::{AppHandle, Manager, async_runtime};
use tauri_plugin_dialog::{DialogExt, MessageDialogBuilder, MessageDialogButtons};

use crate::{
    app, notifications,
    quit::{is_quitting, quit},
    tray, windows,
};

/// The stored name of the explanation that Relink keeps running in the tray.
const TRAY_EXPLAINED: &str = "told_of_tray";
const TRAY_TITLE: &str = "Relink is still running in the tray";
const TRAY_BODY: &str = "It keeps your accounts connected. Open or quit it from its tray icon.";

/// Whether the dialog that asks whether to quit is open.
static DIALOG_OPEN: AtomicBool = AtomicBool::new(false);

/// Whether the main window may close now. With a tray it may, and the first time, a notification explains that Relink keeps
/// running there. Without a tray, a dialog asks whether to quit.
pub(crate) fn may_close(handle: &AppHandle) -> bool {
    if is_quitting() {
        return true;
    }
    if tray::is_shown(handle) {
        explain_tray_once(handle.clone());
        return true;
    }
    if !DIALOG_OPEN.swap(true, Ordering::SeqCst) {
        let quitting = handle.clone();
        dialog(
            handle,
            "Quit Relink?",
            "While Relink isn’t running, tokens aren’t refreshed and you aren’t notified when an account needs attention.",
        )
        .buttons(MessageDialogButtons::OkCancelCustom("Quit".to_owned(), "Keep running".to_owned()))
        .show(move |confirmed| {
            DIALOG_OPEN.store(false, Ordering::SeqCst);
            if confirmed {
                quit(&quitting);
            }
        });
    }
    false
}

/// A dialog in front of the main window, if that is open.
fn dialog(handle: &AppHandle, title: &str, message: &str) -> MessageDialogBuilder<tauri::Wry> {
    let dialog = handle.dialog().message(message).title(title);
    match handle.get_webview_window(windows::MAIN) {
        Some(window) => dialog.parent(&window),
        None => dialog,
    }
}

fn explain_tray_once(handle: AppHandle) {
    static EXPLAINING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    async_runtime::spawn(async move {
        let _one_at_a_time = EXPLAINING.lock().await;
        let app = app(&handle);
        // Explain it later, when notifications are no longer paused.
        if app.current_preferences().notifications_paused {
            return;
        }
        let recorded = match app.was_explained(TRAY_EXPLAINED).await {
            Ok(true) => return,
            Ok(false) => {
                if notifications::show_plain(&handle, TRAY_TITLE, TRAY_BODY).await.is_err() {
                    handle.dialog().message(TRAY_BODY).title(TRAY_TITLE).show(|_| ());
                }
                app.mark_explained(TRAY_EXPLAINED).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = recorded {
            tracing::debug!("whether the tray was explained could not be read or stored: {}", error.message);
        }
    });
}
