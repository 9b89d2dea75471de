//! The desktop services that the app uses, and their last known status.

use std::{
    fmt,
    path::{Path, PathBuf},
    pin::Pin,
};

use relink_contract::window::Change;
use relink_domain::Secret;
use url::Url;

use crate::{App, Result, error::desktop_error};

/// The result of a desktop service. The error is a sentence to show.
pub type DesktopFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// Services that only the toolkit provides. The shell implements them with Tauri, tests with a fake. Errors are sentences to
/// show.
pub trait Desktop: fmt::Debug + Send + Sync + 'static {
    fn copy_to_clipboard(&self, text: &Secret) -> Result<(), String>;
    /// Clears the clipboard if this text is in it. Blocks.
    fn clear_clipboard_of(&self, text: &Secret) -> Result<(), String>;
    fn open_in_browser<'a>(&'a self, url: &'a Url) -> DesktopFuture<'a, ()>;
    /// Opens the connect UI in its own window.
    fn open_connect_window(&self, link: &Url) -> Result<(), String>;
    /// Brings the main window to the front, if it is open and the desktop allows it.
    fn bring_to_front(&self);
    fn open_folder(&self, folder: &Path) -> Result<(), String>;
    /// Lets the person choose a folder in the desktop's dialog, which opens at `start`. None: they closed it.
    fn choose_folder(&self, start: Option<PathBuf>) -> DesktopFuture<'_, Option<PathBuf>>;
    fn set_start_at_login(&self, enabled: bool) -> Result<(), String>;
    /// Shows a test notification.
    fn test_notification(&self) -> DesktopFuture<'_, ()>;
    /// Tests the sign-in redirect: opens a page that redirects to a deep link, and waits until the link arrives. The output
    /// is a sentence, too.
    fn test_sign_in_redirect(&self) -> DesktopFuture<'_, String>;
}

/// The last known status of the desktop's services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DesktopStatus {
    /// Why the latest notification could not be shown.
    pub notifications_trouble: Option<String>,
    /// Whether the desktop shows Relink's tray icon.
    pub tray: bool,
}

impl App {
    pub fn update_desktop_status(&self, update: impl FnOnce(&mut DesktopStatus)) {
        let changed = self.0.desktop_status.send_if_modified(|status| {
            let before = status.clone();
            update(status);
            before != *status
        });
        if changed {
            self.publish(Change::Overview);
        }
    }

    pub(crate) async fn open_in_browser(&self, url: &Url) -> Result<()> {
        self.0.desktop.open_in_browser(url).await.map_err(|reason| desktop_error("browser", &reason))
    }
}
