//! Looks for secrets where none may be.

use std::{fs, path::Path};

/// The places below a folder, or in a process's arguments and environment, that hold one of these texts.
pub fn found(secrets: &[String], folders: &[&Path], pid: Option<u32>) -> Vec<String> {
    let mut places = Vec::new();
    for folder in folders {
        look(folder, secrets, &mut places);
    }
    for name in ["cmdline", "environ"] {
        if let Some(pid) = pid {
            look(Path::new(&format!("/proc/{pid}/{name}")), secrets, &mut places);
        }
    }
    places
}

fn look(path: &Path, secrets: &[String], places: &mut Vec<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            look(&entry.path(), secrets, places);
        }
        return;
    }
    // A socket, or a file that has just gone, holds nothing.
    let Ok(bytes) = fs::read(path) else { return };
    for secret in secrets {
        if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
            places.push(format!("{}: {}…", path.display(), secret.chars().take(4).collect::<String>()));
        }
    }
}
