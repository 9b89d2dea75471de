//! `relink-desktop`: Relink with its window.

// No console window beside the program on Windows; debug builds keep it for the log.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::{env, io, process::ExitCode};

use relink_desktop::{HIDDEN, Start, StartError, remote_control};
use tracing_subscriber::EnvFilter;

/// The exit code when no display can be reached, so that a caller can fall back (`make run` does).
const NO_DISPLAY: u8 = 3;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("RELINK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(io::stderr).init();
    if let Err(error) = remote_control::restart_without_it() {
        tracing::error!("Relink can't start without remote control of its pages: {error}");
        return ExitCode::FAILURE;
    }
    if let Err(error) = relink_engine::hardening::protect_memory() {
        tracing::error!("Relink can't keep its memory out of crash dumps: {error}");
        return ExitCode::FAILURE;
    }
    let start = Start { hidden: env::args().skip(1).any(|argument| argument == HIDDEN) };
    match relink_desktop::run(&start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            if matches!(error, StartError::NoDisplay) { ExitCode::from(NO_DISPLAY) } else { ExitCode::FAILURE }
        }
    }
}
