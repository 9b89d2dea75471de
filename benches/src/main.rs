//! Measures Relink and its baselines in one run. Prints the tables of docs/benchmarks.md and asserts nothing.

mod apps;
mod calls;
mod detection;
mod figures;
mod idle;
mod jsonata;
mod processes;
mod scale;
mod screen;
mod seed;
mod start;
mod sync;
mod via;

use std::{env, process::ExitCode};

use anyhow::Result;

const SECTIONS: &[&str] = &["start", "idle", "calls", "via", "scale", "jsonata", "sync", "detection"];

#[tokio::main]
async fn main() -> ExitCode {
    let sections: Vec<String> = env::args().skip(1).collect();
    if sections == [calls::STATIC] {
        return exit_code(calls::serve_static_response().await);
    }
    if sections == [jsonata::MEMORY] {
        return exit_code(jsonata::print_memory().await);
    }
    if sections == [sync::PROVIDER] {
        return exit_code(sync::serve().await);
    }
    if let Some(unknown) = sections.iter().find(|name| !SECTIONS.contains(&name.as_str())) {
        eprintln!("{unknown} is not one of {}", SECTIONS.join(", "));
        return ExitCode::FAILURE;
    }
    exit_code(measure(|name| sections.is_empty() || sections.iter().any(|it| it == name)).await)
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
    if wanted("via") {
        via::measure().await?;
    }
    if wanted("scale") {
        scale::measure().await?;
    }
    if wanted("jsonata") {
        jsonata::measure().await?;
    }
    if wanted("sync") {
        sync::measure().await?;
    }
    if wanted("detection") {
        detection::measure().await?;
    }
    Ok(())
}

fn exit_code(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
