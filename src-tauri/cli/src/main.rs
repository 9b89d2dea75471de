//! `relink`: the command line, and `relink serve`, the engine and its API without a window.
//!
//! A client command asks the running engine over its loopback API and starts no runtime: it takes milliseconds.
//! Exit codes and JSON shapes are stable (docs/cli.md).

mod args;
mod client;
mod commands;
mod exit;
mod sandbox;
mod serve;
mod show;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let data_dir = match arguments.data_dir() {
        Ok(data_dir) => data_dir,
        Err(failed) => return failed.report(),
    };
    let done = match arguments.command {
        Command::Serve { listen } => serve::run(data_dir, listen),
        command => client::Engine::find(&data_dir).and_then(|engine| commands::run(&engine, command, arguments.json)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => failed.report(),
    }
}
