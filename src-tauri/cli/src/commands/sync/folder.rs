//! The folder of sync jobs.

use std::path::{PathBuf, absolute};

use relink_contract::sync::SyncFolder;

use crate::{api_client::ApiClient, exit::CliError, output::Output};

/// Shows the folder, or chooses one.
pub(super) fn run(client: &ApiClient, folder: Option<PathBuf>, none: bool, output: Output) -> Result<(), CliError> {
    let now = match folder {
        None if !none => client.sync_folder()?,
        folder => {
            // The API knows no current folder. What can't be made whole is refused there.
            let folder = folder.map(|folder| absolute(&folder).unwrap_or(folder));
            let folder = folder.map(|folder| folder.to_string_lossy().into_owned());
            client.set_sync_folder(&SyncFolder { folder })?
        }
    };
    output.text(&now, |now| match &now.folder {
        Some(folder) => format!("Sync jobs may write files to {folder}."),
        None => "Sync jobs may write no files. To choose a folder: relink sync folder PATH".to_owned(),
    })
}
