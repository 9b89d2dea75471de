//! `relink`: the command line, and `relink serve`, which is Relink without its window.
//!
//! A command calls the loopback API of the running Relink. It starts no async runtime, so that it takes only milliseconds.
//! Exit codes and JSON output are stable (docs/cli.md).

mod api_client;
mod args;
mod commands;
mod exit;
mod output;
mod serve;
mod table;

use std::process::ExitCode;

use clap::Parser;
use relink_engine::hardening;

use crate::{
    api_client::ApiClient,
    args::{Arguments, Command},
    exit::CliError,
};

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

fn run(arguments: Arguments) -> Result<(), CliError> {
    hardening::protect_memory()
        .map_err(|error| CliError::new(format!("Relink can't keep its memory out of crash dumps: {error}.")))?;
    let data_dir = arguments.data_dir()?;
    let output = arguments.output();
    match arguments.command {
        Command::Serve { listen } => serve::run(data_dir, listen),
        command => commands::run(&ApiClient::locate(&data_dir)?, command, output),
    }
}
