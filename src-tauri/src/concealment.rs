//! Makes a window transparent until its page is painted. The page is painted only while its window is shown, and until then the
//! window would be blank.

use tauri::{Manager, WebviewWindow};

/// Whether the window is transparent. Takes effect on X11 with a compositor; elsewhere the window is blank for that time.
#[cfg(target_os = "linux")]
pub(crate) fn set_concealed(window: &WebviewWindow, is_concealed: bool) {
    use gtk::prelude::WidgetExt;
    let concealing = window.clone();
    // Windows belong to the main thread.
    let scheduled = window.app_handle().run_on_main_thread(move || {
        if let Ok(window) = concealing.gtk_window() {
            // GTK ignores the opacity of a window that doesn't exist on the display yet.
            window.realize();
            window.set_opacity(if is_concealed { 0.0 } else { 1.0 });
        }
    });
    if let Err(error) = scheduled {
        tracing::debug!("the window's opacity could not be set: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn set_concealed(_: &WebviewWindow, _: bool) {}
