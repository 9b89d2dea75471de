//! Relink beside its peers, in one run. Prints tables for docs/benchmarks.md; asserts nothing.

mod calls;
mod figures;
mod idle;
mod processes;
mod screen;
mod stage;
mod start;

use std::{env, process::ExitCode};

use anyhow::Result;

const SECTIONS: &[&str] = &["start", "idle", "calls"];

#[tokio::main]
async fn main() -> ExitCode {
    let asked: Vec<String> = env::args().skip(1).collect();
    if asked == [calls::STATIC] {
        return told(calls::serve_statically().await);
    }
    if let Some(unknown) = asked.iter().find(|name| !SECTIONS.contains(&name.as_str())) {
        eprintln!("{unknown} is not one of {}", SECTIONS.join(", "));
        return ExitCode::FAILURE;
    }
    told(measure(|name| asked.is_empty() || asked.iter().any(|it| it == name)).await)
}

async fn measure(wanted: impl Fn(&str) -> bool) -> Result<()> {
    if wanted("start") {
        start::measure().await?;
    }
    if wanted("idle") {
        idle::measure().await?;
    }
    if wanted("calls") {
        calls::measure().await?;
    }
    Ok(())
}

fn told(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
