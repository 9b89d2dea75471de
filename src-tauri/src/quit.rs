//! Quitting, from the tray, a dialog or a signal.

use std::sync::atomic::{AtomicBool, Ordering};

use tauri::{AppHandle, Manager, async_runtime};

/// Set when the person asks to quit.
static QUITTING: AtomicBool = AtomicBool::new(false);

/// Ends the app. The windows are hidden at once, because work in flight is finished first.
pub(crate) fn quit(handle: &AppHandle) {
    QUITTING.store(true, Ordering::SeqCst);
    for window in handle.webview_windows().into_values() {
        if let Err(error) = window.hide() {
            tracing::debug!("a window could not be hidden: {error}");
        }
    }
    handle.exit(0);
}

/// Makes the display hide the windows now: while the app waits for work in flight it draws nothing.
#[cfg(target_os = "linux")]
pub(crate) fn flush_display() {
    if let Some(display) = gtk::gdk::Display::default() {
        display.sync();
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) const fn flush_display() {}

/// Quits on SIGTERM and SIGINT, which the user's session or a terminal sends.
#[cfg(unix)]
pub(crate) fn quit_on_signals(handle: &AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    let handle = handle.clone();
    async_runtime::spawn(async move {
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                quit(&handle);
            }
            (Err(error), _) | (_, Err(error)) => tracing::warn!("a signal will end Relink at once: {error}"),
        }
    });
}

/// Windows sends messages to a program's windows instead.
#[cfg(not(unix))]
pub(crate) const fn quit_on_signals(_: &AppHandle) {}

/// Whether the person has asked to quit.
pub(crate) fn is_quitting() -> bool {
    QUITTING.load(Ordering::SeqCst)
}
