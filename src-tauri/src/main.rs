//! `relink-desktop`: Relink with its window.

// No console window beside the program on Windows; debug builds keep it for the log.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use relink_desktop::{HIDDEN, Start, StartError, remote_control};
use relink_domain::provider_text;
use tracing_subscriber::EnvFilter;

/// The exit code when no display can be reached, so that a caller can fall back (`make run` does).
const NO_DISPLAY: u8 = 3;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("RELINK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Log).init();
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
            let _ = writeln!(Log, "{error}");
            if matches!(error, StartError::NoDisplay) { ExitCode::from(NO_DISPLAY) } else { ExitCode::FAILURE }
        }
    }
}

/// Standard error, on which no text from outside can control a terminal.
struct Log;

impl Write for Log {
    #[expect(clippy::disallowed_methods, reason = "the text is sanitized")]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = provider_text::multi_line(&String::from_utf8_lossy(bytes));
        io::stderr().write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
