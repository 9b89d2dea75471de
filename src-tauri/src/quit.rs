//! Closing and quitting: closing keeps Relink in the tray, where there is one.

use std::sync::atomic::{AtomicBool, Ordering};

use tauri::{AppHandle, async_runtime};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons};

use crate::{desk, notify, tray};

const TOLD: &str = "told_of_tray";

/// Whether the person asked to quit.
static QUITTING: AtomicBool = AtomicBool::new(false);

/// Ends the app; what is under way is finished first.
pub(crate) fn quit(app: &AppHandle) {
    QUITTING.store(true, Ordering::SeqCst);
    app.exit(0);
}

/// Whether the main window may close now. In the tray Relink goes on, which is said once; without a tray, closing asks.
pub(crate) fn may_close(app: &AppHandle) -> bool {
    if QUITTING.load(Ordering::SeqCst) {
        return true;
    }
    if tray::is_there(app) {
        tell_once(app.clone());
        return true;
    }
    let handle = app.clone();
    app.dialog()
        .message("Without Relink, tokens aren’t refreshed and nobody is told when an account needs you.")
        .title("Quit Relink?")
        .buttons(MessageDialogButtons::OkCancelCustom("Quit".to_owned(), "Keep running".to_owned()))
        .show(move |quits| {
            if quits {
                quit(&handle);
            }
        });
    false
}

fn tell_once(app: AppHandle) {
    async_runtime::spawn(async move {
        let desk = desk(&app);
        match desk.first_time(TOLD).await {
            Ok(true) => {
                let body = "Your accounts stay fresh. Open or quit it from its icon.";
                notify::say(&app, "Relink goes on in the tray", body).await;
            }
            Ok(false) => {}
            Err(trouble) => tracing::debug!("whether the tray was explained is not known: {}", trouble.message),
        }
    });
}
