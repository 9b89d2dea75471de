//! Searches for secrets in places that must not contain any.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Result, ensure};

/// The minimum length of a secret. Shorter texts could be found by chance.
const MIN_SECRET_LENGTH: usize = 16;

/// The secrets that were actually used, each with its kind.
#[derive(Debug, Default)]
pub struct Canaries(BTreeMap<String, &'static str>);

impl Canaries {
    /// Adds a secret. A secret that is already known keeps its kind.
    pub fn add(&mut self, kind: &'static str, secret: &str) -> Result<()> {
        ensure!(secret.len() >= MIN_SECRET_LENGTH, "a {kind} of {} characters could be found by chance", secret.len());
        self.0.entry(secret.to_owned()).or_insert(kind);
        Ok(())
    }

    /// The number of secrets of each kind.
    pub fn kinds(&self) -> BTreeMap<&'static str, usize> {
        let mut kinds = BTreeMap::new();
        for kind in self.0.values() {
            *kinds.entry(*kind).or_default() += 1;
        }
        kinds
    }

    /// The secrets themselves.
    pub fn texts(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Which secrets a text contains. Reports their kinds, never the secrets.
    pub fn in_text(&self, place: &str, text: &str) -> Vec<String> {
        let found = self.0.iter().filter(|(secret, _)| text.contains(secret.as_str()));
        found.map(|(_, kind)| format!("{kind} in {place}")).collect()
    }

    /// The places in these folders, and in these processes' arguments and environments, that contain a secret.
    pub fn found(&self, folders: &[&Path], processes: &[u32]) -> Vec<String> {
        found(&self.texts(), folders, processes.iter().copied())
    }
}

/// The places in this folder, or in a process's arguments and environment, that contain one of these texts.
pub fn found(secrets: &[String], folders: &[&Path], processes: impl IntoIterator<Item = u32>) -> Vec<String> {
    let mut places = Vec::new();
    for folder in folders {
        search(folder, secrets, &mut places);
    }
    for process in processes {
        for name in ["cmdline", "environ"] {
            search(Path::new(&format!("/proc/{process}/{name}")), secrets, &mut places);
        }
    }
    places
}

/// Every process that has this folder in its arguments or environment, which includes every process of a session.
pub fn processes_of(folder: &Path) -> Vec<u32> {
    let folder = [folder.display().to_string()];
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|process| !found(&folder, &[], [*process]).is_empty()).collect()
}

fn search(path: &Path, secrets: &[String], places: &mut Vec<String>) {
    // Don't follow links: the target is searched in its own place.
    if path.is_symlink() {
        return;
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            search(&entry.path(), secrets, places);
        }
        return;
    }
    // Reading a pipe would block. A socket, or a file that was just removed, contains nothing.
    if !path.is_file() {
        return;
    }
    let Ok(mut bytes) = fs::read(path) else { return };
    // Some programs store texts in UTF-16.
    bytes.retain(|byte| *byte != 0);
    let text = String::from_utf8_lossy(&bytes);
    for secret in secrets {
        if text.contains(secret.as_str()) {
            places.push(format!("{}: {}…", path.display(), secret.chars().take(4).collect::<String>()));
        }
    }
}
