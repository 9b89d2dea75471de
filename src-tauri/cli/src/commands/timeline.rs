//! `relink timeline`.

use relink_contract::{Results, timeline::TimelineEntry};
use relink_domain::account;

use super::lookup::find_account_id;
use crate::{
    api_client::ApiClient,
    exit::CliError,
    output::{Output, relative_time},
    table::{Cell, Tone},
};

pub(super) fn run(client: &ApiClient, id: Option<&str>, limit: u32, output: Output) -> Result<(), CliError> {
    let id = id.map(|id| find_account_id(client, id)).transpose()?;
    let rows = |timeline: &Results<TimelineEntry>| timeline.result.iter().map(row).collect();
    output.list(&client.timeline(id.as_deref(), limit)?, rows, "Nothing has happened yet.")
}

fn row(entry: &TimelineEntry) -> [Cell; 5] {
    let mark = match entry.tone {
        account::Tone::Good => Cell::new("✓", Tone::Good),
        account::Tone::Warning => Cell::new("○", Tone::Warning),
        account::Tone::Bad => Cell::new("!", Tone::Bad),
    };
    let detail = entry.detail.as_deref().unwrap_or_default();
    let by = entry.by.as_deref().unwrap_or_default();
    [relative_time(Some(entry.at)).into(), mark, entry.title.as_str().into(), by.into(), detail.into()]
}
