//! Runs wrk, which sends requests one after the other on each of its connections.

use anyhow::{Context, Result, ensure};
use relink_tests::process;

/// Of each run; the first second isn't special, since both servers have run before.
const SECONDS: &str = "4s";

/// What a run of wrk found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Report {
    pub(super) requests: f64,
    pub(super) requests_per_second: f64,
    pub(super) p50_micros: f64,
    pub(super) p99_micros: f64,
}

pub(super) async fn run(url: &str, token: Option<&str>, connections: usize) -> Result<Report> {
    let mut command = process::command("wrk");
    command.args(["--threads", "1", "--duration", SECONDS, "--latency", "--connections", &connections.to_string()]);
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    command.arg(url);
    let output = tokio::process::Command::from(command).output().await.context("wrk")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success() && !text.contains("Non-2xx"), "wrk on {url}: {text}");
    parse(&text).with_context(|| format!("wrk printed {text}"))
}

fn parse(text: &str) -> Option<Report> {
    let after = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    let total = text.lines().find(|line| line.contains(" requests in "))?;
    Some(Report {
        requests: total.split_whitespace().next()?.parse().ok()?,
        requests_per_second: after("Requests/sec:")?.parse().ok()?,
        p50_micros: micros(after("50%")?)?,
        p99_micros: micros(after("99%")?)?,
    })
}

/// Of a time such as `1.20ms`.
fn micros(text: &str) -> Option<f64> {
    let units = [("us", 1.0), ("ms", 1_000.0), ("s", 1_000_000.0)];
    let (number, factor) = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    Some(number.parse::<f64>().ok()? * factor)
}
