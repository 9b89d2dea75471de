//! `relink`: the command line, and `relink serve`, which is Relink without its window.
//!
//! A command calls the loopback API of the running Relink. It starts no async runtime, so that it takes only milliseconds.
//! `relink eval` needs no running Relink.
//! Exit codes and JSON output are stable (docs/cli.md).

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod agent;
mod api_client;
mod args;
mod commands;
mod eval;
mod exit;
mod output;
mod serve;
mod table;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use relink_engine::hardening;

use crate::{
    api_client::ApiClient,
    args::{Arguments, Command},
    exit::CliError,
    terminal::Stream,
};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let stream = if error.use_stderr() { Stream::Errors } else { Stream::Output };
            // If the stream is closed, only the exit code remains.
            let _ = stream.clap(&error);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1));
        }
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

fn run(arguments: Arguments) -> Result<(), CliError> {
    hardening::protect_memory()
        .map_err(|error| CliError::new(format!("Relink can't keep its memory out of crash dumps: {error}.")))?;
    let data_dir = arguments.data_dir();
    let output = arguments.output();
    match arguments.command {
        // It needs no running Relink, and so no data folder.
        Command::Eval { arguments } => eval::run(arguments.0),
        Command::Mcp { arguments } if arguments.0.command.is_none() => agent::run(&data_dir?, arguments.0.offer),
        Command::Serve { listen, also_listen } => serve::run(data_dir?, listen, also_listen),
        command => commands::run(&ApiClient::locate(&data_dir?)?, command, output),
    }
}
