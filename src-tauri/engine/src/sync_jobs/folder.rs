//! The folder that sync jobs may write files to (**ours**). There is none until the person chooses one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use relink_destinations::Files;
use relink_domain::{caller::Caller, permission::Permission};

use super::SyncJobs;
use crate::{
    error::{Error, Result},
    store::settings,
};

const FOLDER: &str = "sync.folder";

impl SyncJobs {
    /// The folder that jobs may write to.
    pub async fn folder(&self, _caller: &Caller) -> Result<Option<PathBuf>> {
        Ok(self.0.uses.store.read(|c| settings::get(c, FOLDER)).await?)
    }

    /// Chooses the folder that jobs may write to, or none. It must be there, and be for them alone: what is in it can be overwritten.
    pub async fn allow_folder(&self, caller: &Caller, folder: Option<PathBuf>) -> Result<Option<PathBuf>> {
        caller.require(Permission::AllowFolders)?;
        let data_dir = self.0.uses.data_dir.clone();
        let checked = tokio::task::spawn_blocking(move || folder.map(|folder| check(&folder, &data_dir)).transpose());
        let folder = checked.await.map_err(|_| Error::Stopping)??;
        let kept = folder.clone();
        self.0.uses.store.write(move |tx| settings::set(tx, FOLDER, &kept)).await?;
        self.use_folder(folder.clone());
        tracing::info!(?caller, is_allowed = folder.is_some(), "the folder of sync jobs was chosen");
        Ok(folder)
    }

    pub(super) fn use_folder(&self, folder: Option<PathBuf>) {
        self.0.files.store(folder.map(|folder| Arc::new(Files::new(folder))));
    }
}

/// The folder without symbolic links, if it may be written to.
fn check(folder: &Path, data_dir: &Path) -> Result<PathBuf> {
    let refused = |message: String| Err(Error::invalid_field("folder_invalid", "folder", message));
    let shown = folder.display();
    if !folder.is_absolute() {
        return refused(format!("{shown} isn't a whole path. Give one such as /home/ada/relink-exports."));
    }
    let real = match fs::canonicalize(folder) {
        Ok(real) if real.is_dir() => real,
        Ok(_) => return refused(format!("{shown} is no folder. Choose a folder.")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return refused(format!("There is no folder {shown}. Make it first, then choose it again."));
        }
        Err(error) => return refused(format!("The folder {shown} can't be opened: {error}.")),
    };
    let own = fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    if own.starts_with(&real) || real.starts_with(&own) {
        return refused(format!("{shown} has Relink's own data. Choose a folder for the files of sync jobs alone."));
    }
    let home = std::env::home_dir().and_then(|home| fs::canonicalize(home).ok());
    if home.is_some_and(|home| home.starts_with(&real)) {
        return refused(format!(
            "{shown} has more than the files of sync jobs, which could be overwritten. Choose a folder of their own in it."
        ));
    }
    Ok(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_for_the_files_of_jobs_alone() {
        let root = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(root.path()).expect("it is there");
        let [data, exports] = ["data", "exports"].map(|name| root.join(name));
        for folder in [&data, &exports, &data.join("inner")] {
            fs::create_dir(folder).expect("made");
        }
        fs::write(root.join("file"), "x").expect("written");
        assert_eq!(check(&exports, &data).expect("allowed"), exports);
        for (folder, problem) in [
            (PathBuf::from("exports"), "isn't a whole path"),
            (root.join("nothing"), "There is no folder"),
            (root.join("file"), "is no folder"),
            (data.clone(), "Relink's own data"),
            (data.join("inner"), "Relink's own data"),
            (root.clone(), "Relink's own data"),
            (PathBuf::from("/"), "Choose a folder"),
        ] {
            let error = check(&folder, &data).expect_err(problem).to_string();
            assert!(error.contains(problem), "{error}");
        }
        let home = std::env::home_dir().expect("a home");
        let error = check(&home, &data).expect_err("home").to_string();
        assert!(error.contains("Choose a folder of their own"), "{error}");
    }
}
