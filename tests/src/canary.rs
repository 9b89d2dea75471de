//! Looks for secrets where none may be.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Result, ensure};

/// Shorter texts could be found by chance.
const LEAST: usize = 16;

/// Secrets that were really used, and what each is.
#[derive(Debug, Default)]
pub struct Canaries(BTreeMap<String, &'static str>);

impl Canaries {
    /// One more; what is known already stays what it is.
    pub fn add(&mut self, what: &'static str, secret: &str) -> Result<()> {
        ensure!(secret.len() >= LEAST, "a {what} of {} characters could be found by chance", secret.len());
        self.0.entry(secret.to_owned()).or_insert(what);
        Ok(())
    }

    /// How many there are of each kind.
    pub fn kinds(&self) -> BTreeMap<&'static str, usize> {
        let mut kinds = BTreeMap::new();
        for what in self.0.values() {
            *kinds.entry(*what).or_default() += 1;
        }
        kinds
    }

    /// Their texts.
    pub fn texts(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Which of them a text holds. It is said what they are, and not what they read.
    pub fn in_text(&self, place: &str, text: &str) -> Vec<String> {
        let held = self.0.iter().filter(|(secret, _)| text.contains(secret.as_str()));
        held.map(|(_, what)| format!("{what} in {place}")).collect()
    }

    /// The places below a folder, and in the arguments and environments of these processes, that hold one of them.
    pub fn found(&self, folders: &[&Path], processes: &[u32]) -> Vec<String> {
        found(&self.texts(), folders, processes.iter().copied())
    }
}

/// The places below a folder, or in a process's arguments and environment, that hold one of these texts.
pub fn found(secrets: &[String], folders: &[&Path], processes: impl IntoIterator<Item = u32>) -> Vec<String> {
    let mut places = Vec::new();
    for folder in folders {
        look(folder, secrets, &mut places);
    }
    for process in processes {
        for name in ["cmdline", "environ"] {
            look(Path::new(&format!("/proc/{process}/{name}")), secrets, &mut places);
        }
    }
    places
}

/// Every process that knows this folder by its arguments or its environment: all that a session has.
pub fn processes_of(folder: &Path) -> Vec<u32> {
    let folder = [folder.display().to_string()];
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|process| !found(&folder, &[], [*process]).is_empty()).collect()
}

fn look(path: &Path, secrets: &[String], places: &mut Vec<String>) {
    // What a link leads to is found where it is.
    if path.is_symlink() {
        return;
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            look(&entry.path(), secrets, places);
        }
        return;
    }
    // A pipe would wait for its writer; a socket, or a file that has just gone, holds nothing.
    if !path.is_file() {
        return;
    }
    let Ok(mut bytes) = fs::read(path) else { return };
    // Some programs keep texts in UTF-16.
    bytes.retain(|byte| *byte != 0);
    let text = String::from_utf8_lossy(&bytes);
    for secret in secrets {
        if text.contains(secret.as_str()) {
            places.push(format!("{}: {}…", path.display(), secret.chars().take(4).collect::<String>()));
        }
    }
}
