//! The desktop shell: a window around the interface, and nothing that the engine could do instead.
//!
//! Invariant: the shell holds no rule of its own. It opens the window and hands over; `relink serve` offers the same
//! engine without it.

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
}

/// Opens the main window and returns when the person quits.
pub fn run() -> Result<(), StartError> {
    ensure_display()?;
    tauri::Builder::default().build(tauri::generate_context!())?.run(|_app, _event| {});
    Ok(())
}

/// Tauri panics where there is no display; a person who starts Relink over SSH deserves a sentence instead.
#[cfg(target_os = "linux")]
fn ensure_display() -> Result<(), StartError> {
    gtk::init().map_err(|_| StartError::NoDisplay)
}

#[cfg(not(target_os = "linux"))]
fn ensure_display() -> Result<(), StartError> {
    Ok(())
}
