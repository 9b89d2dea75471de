//! `relink events`.

use relink_contract::event::Event;

use super::LONG_POLL_SECS;
use crate::{
    api_client::ApiClient,
    exit::CliError,
    output::Output,
    table::{Cell, Table},
};

pub(super) fn run(client: &ApiClient, after: Option<i64>, once: bool, output: Output) -> Result<(), CliError> {
    let mut after = match after {
        Some(after) => after,
        None if once => 0,
        // Following starts with the next event.
        None => client.latest_event()?,
    };
    let wait_secs = if once { 0 } else { LONG_POLL_SECS };
    loop {
        let events = client.events_after(after, wait_secs)?.result;
        output.entries(&events, |events| events.iter().map(row).collect::<Table>().unaligned())?;
        match events.last() {
            Some(last) => after = last.seq,
            None if once => return Ok(()),
            None => {}
        }
    }
}

fn row(event: &Event) -> [Cell; 3] {
    // The payload depends on the kind of event. Nearly every payload has an ID.
    let subject = event.payload["id"].as_str().unwrap_or_default();
    [event.created_at.to_string().into(), event.event.as_str().into(), subject.into()]
}
