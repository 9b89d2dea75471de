//! Programs that print their figures as JSON: Node, and this one.

use std::{collections::BTreeMap, path::PathBuf, process::Stdio};

use anyhow::{Context, Result, ensure};
use relink_tests::process;

use crate::figures::Figures;

/// A task of `node.mjs`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Task {
    Measure,
    First,
    Memory,
    Mixed,
}

/// Figures by name.
pub(super) struct Printed(BTreeMap<String, Vec<f64>>);

impl Printed {
    pub(super) fn add_to(&self, name: &str, figures: &mut Figures) -> Result<()> {
        self.0.get(name).with_context(|| format!("no figures {name}"))?.iter().for_each(|figure| figures.add(*figure));
        Ok(())
    }
}

/// What the benchmark evaluates.
pub(super) fn folder() -> PathBuf {
    process::workspace().join("benches/jsonata")
}

/// The records, one a line.
pub(super) fn records(count: usize) -> Result<String> {
    let mut command = process::command("node");
    command.arg(folder().join("records.mjs")).arg(count.to_string());
    let output = command.output().context("node")?;
    ensure!(output.status.success(), "records.mjs: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

pub(super) async fn run(task: Task) -> Result<Printed> {
    let packages = process::workspace().join("src-tauri/jsonata/js");
    ensure!(packages.join("node_modules").exists(), "run npm ci --prefix {}", packages.display());
    let name = match task {
        Task::Measure => "measure",
        Task::First => "first",
        Task::Memory => "memory",
        Task::Mixed => "mixed",
    };
    let mut command = process::command("node");
    command.arg(folder().join("node.mjs")).arg(name);
    printed_by(command).await
}

pub(super) async fn printed_by(mut command: std::process::Command) -> Result<Printed> {
    command.stdout(Stdio::piped());
    let output = process::spawn(command)?.wait_with_output().await?;
    ensure!(output.status.success(), "a measuring program ended with {}", output.status);
    Ok(Printed(serde_json::from_slice(&output.stdout)?))
}

/// Prints figures for [`printed_by`].
pub(super) fn print(figures: &[(&str, f64)]) {
    let figures: BTreeMap<_, _> = figures.iter().map(|(name, figure)| (*name, [*figure])).collect();
    println!("{}", serde_json::json!(figures));
}
