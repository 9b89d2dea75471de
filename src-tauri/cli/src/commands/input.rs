//! Files and standard input.

use std::{fs, io, path::Path};

use crate::exit::CliError;

/// Reads a file, or standard input if the path is `-`.
pub(super) fn read_file(path: &Path) -> Result<String, CliError> {
    if path.as_os_str() == "-" {
        return read_stdin();
    }
    fs::read_to_string(path).map_err(|error| CliError::new(format!("{} can't be read: {error}.", path.display())))
}

pub(super) fn read_stdin() -> Result<String, CliError> {
    io::read_to_string(io::stdin()).map_err(|error| CliError::new(format!("Standard input can't be read: {error}.")))
}
