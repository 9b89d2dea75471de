//! Files and standard input.

use std::{
    fs,
    io::{self, IsTerminal},
    path::Path,
};

use crate::{exit::CliError, terminal::Stream};

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

/// Asks the person in the terminal to confirm. `undone`: what was not done if they don't, as a sentence.
pub(super) fn confirm(question: &str, undone: &str) -> Result<(), CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::new(format!("{undone} Pass --yes, or run this in a terminal.")));
    }
    // If the question can't be written, the read that follows fails.
    let _ = Stream::Errors.question(&format!("{question} Type yes to confirm:"));
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| CliError::new(format!("The answer could not be read: {error}.")))?;
    if answer.trim() == "yes" { Ok(()) } else { Err(CliError::new(undone)) }
}
