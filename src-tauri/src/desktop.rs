//! The `Desktop` that the app runs on, implemented with Tauri.

use std::path::{Path, PathBuf};

use relink_app::{Desktop, DesktopFuture};
use relink_domain::Secret;
use tauri::{AppHandle, Manager};
use tauri_plugin_autostart::ManagerExt;
use tauri_plugin_clipboard_manager::ClipboardExt;
use tauri_plugin_dialog::DialogExt;
use tauri_plugin_opener::OpenerExt;
use tokio::sync::oneshot;
use url::Url;

use crate::{deep_link, notifications, windows};

#[derive(Debug)]
pub(crate) struct TauriDesktop(pub(crate) AppHandle);

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn message(error: impl ToString) -> String {
    error.to_string()
}

impl Desktop for TauriDesktop {
    fn copy_to_clipboard(&self, text: &Secret) -> Result<(), String> {
        self.0.clipboard().write_text(text.expose()).map_err(message)
    }

    fn clear_clipboard_of(&self, text: &Secret) -> Result<(), String> {
        // Without a text there is nothing to clear. That is an error here, as are other contents.
        let Ok(present) = self.0.clipboard().read_text().map(Secret::new) else { return Ok(()) };
        if present == *text { self.0.clipboard().clear().map_err(message) } else { Ok(()) }
    }

    fn open_in_browser<'a>(&'a self, url: &'a Url) -> DesktopFuture<'a, ()> {
        Box::pin(async move { windows::open_in_browser(&self.0, url).await.map_err(message) })
    }

    fn open_connect_window(&self, link: &Url) -> Result<(), String> {
        windows::open_connect(&self.0, link).map_err(message)
    }

    fn bring_to_front(&self) {
        windows::focus_main(&self.0);
    }

    fn open_folder(&self, folder: &Path) -> Result<(), String> {
        self.0.opener().open_path(folder.display().to_string(), None::<&str>).map_err(message)
    }

    fn choose_folder(&self, start: Option<PathBuf>) -> DesktopFuture<'_, Option<PathBuf>> {
        Box::pin(async move {
            let mut dialog = self.0.dialog().file().set_title("Choose a folder for the files of sync jobs");
            if let Some(start) = start {
                dialog = dialog.set_directory(start);
            }
            if let Some(window) = self.0.get_webview_window(windows::MAIN) {
                dialog = dialog.set_parent(&window);
            }
            let (chosen, answer) = oneshot::channel();
            // The window may be gone before the dialog.
            dialog.pick_folder(|folder| drop(chosen.send(folder)));
            let folder = answer.await.map_err(|_| "The dialog for folders can’t be opened.".to_owned())?;
            folder.map(|folder| folder.into_path().map_err(message)).transpose()
        })
    }

    fn set_start_at_login(&self, enabled: bool) -> Result<(), String> {
        let autostart = self.0.autolaunch();
        if enabled { autostart.enable() } else { autostart.disable() }.map_err(message)
    }

    fn test_notification(&self) -> DesktopFuture<'_, ()> {
        Box::pin(notifications::test(&self.0))
    }

    fn test_sign_in_redirect(&self) -> DesktopFuture<'_, String> {
        Box::pin(deep_link::test(&self.0))
    }
}
