//! Where the web view stores what its pages store, among it the keys of sign-ins that were begun in the connect UI's window.
//! The web view creates its files with the system's usual modes, so its folder is private.

use std::path::{Path, PathBuf};

use relink_engine::private_files;
use tauri::{AppHandle, Manager};

use crate::StartError;

/// The name of the folder in the data folder.
const NAME: &str = "webview";

struct WebData(PathBuf);

/// Creates the folder. Windows can be opened only afterwards.
pub(crate) fn prepare(handle: &AppHandle, data_dir: &Path) -> Result<(), StartError> {
    let folder = data_dir.join(NAME);
    let absolute = std::path::absolute(&folder).and_then(|absolute| {
        private_files::ensure_folder(&absolute)?;
        Ok(absolute)
    });
    let absolute =
        absolute.map_err(|error| StartError::Engine(format!("{} can't be used: {error}", folder.display())))?;
    handle.manage(WebData(absolute));
    Ok(())
}

pub(crate) fn folder(handle: &AppHandle) -> PathBuf {
    handle.state::<WebData>().0.clone()
}
