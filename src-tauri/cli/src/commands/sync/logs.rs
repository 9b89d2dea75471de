//! The logs of runs.

use std::thread;

use relink_contract::log::{LogEntry, RunLogEntry};

use super::POLL_INTERVAL;
use crate::{
    api_client::ApiClient,
    exit::CliError,
    output::Output,
    table::{Cell, Table, Tone},
};

pub(super) fn show(client: &ApiClient, run: &str, follow: bool, output: Output) -> Result<(), CliError> {
    let mut last = None;
    loop {
        // Asked first: what it logs at its end is there when it is over.
        let is_over = client.sync_job_run(run)?.status.is_over();
        let lines = lines_after(client, run, last.as_deref())?;
        output.entries(&lines, |lines| lines.iter().map(row).collect::<Table>().unaligned())?;
        last = lines.last().map(|line| line.id.clone()).or(last);
        if is_over || !follow {
            return Ok(());
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// The lines after one, oldest first.
fn lines_after(client: &ApiClient, run: &str, last: Option<&str>) -> Result<Vec<RunLogEntry>, CliError> {
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = client.sync_job_run_log(run, cursor.as_deref())?;
        for entry in page.result {
            let LogEntry::Run(line) = entry else { continue };
            if last == Some(line.id.as_str()) {
                found.reverse();
                return Ok(found);
            }
            found.push(line);
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            found.reverse();
            return Ok(found);
        }
    }
}

fn row(line: &RunLogEntry) -> [Cell; 4] {
    let tone = match line.level.as_str() {
        "error" => Tone::Bad,
        "warn" => Tone::Warning,
        _ => Tone::Plain,
    };
    let node = line.node.clone().unwrap_or_default();
    [line.created_at.to_string().into(), Cell::new(&line.level, tone), node.into(), line.message.as_str().into()]
}
