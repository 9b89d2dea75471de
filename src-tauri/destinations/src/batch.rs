//! A batch that can go to another thread.

use relink_domain::{SyncJobRunId, sync::BatchId};
use relink_sync::Delivery;
use serde_json::value::RawValue;
use twox_hash::XxHash3_64;

use crate::Origin;

/// The records of a delivery, one after the other, each on a line of its own. So this is JSON Lines as well.
pub(crate) struct Batch {
    pub id: BatchId,
    pub run: SyncJobRunId,
    pub resource: String,
    /// If rows are to have it.
    pub origin: Option<Origin>,
    lines: String,
    /// Where each line ends, after its line feed.
    ends: Vec<usize>,
}

impl Batch {
    pub fn new(run: SyncJobRunId, delivery: &Delivery<'_>, origin: Option<Origin>) -> Self {
        let (lines, ends) = one_per_line(delivery.records);
        Self { id: delivery.id, run, resource: delivery.resource.to_owned(), origin, lines, ends }
    }

    pub fn lines(&self) -> &str {
        &self.lines
    }

    /// Another one for other records: the provider's page may change between two deliveries of the batch.
    pub fn digest(&self) -> u64 {
        digest(self.lines.as_bytes())
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn records(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.lines[start..end - 1])
    }
}

pub(crate) fn digest(lines: &[u8]) -> u64 {
    XxHash3_64::oneshot(lines)
}

/// JSON Lines, and where each line ends, after its line feed.
pub(crate) fn one_per_line(records: &[Box<RawValue>]) -> (String, Vec<usize>) {
    let size = records.iter().map(|record| record.get().len() + 1).sum();
    let (mut lines, mut ends) = (String::with_capacity(size), Vec::with_capacity(records.len()));
    for record in records {
        push_on_one_line(&mut lines, record.get());
        lines.push('\n');
        ends.push(lines.len());
    }
    (lines, ends)
}

/// A string has no line break in JSON (RFC 8259 §7), so each one stands between tokens, where white space may be left out.
fn push_on_one_line(lines: &mut String, json: &str) {
    let bytes = json.as_bytes();
    if !bytes.contains(&b'\n') && !bytes.contains(&b'\r') {
        return lines.push_str(json);
    }
    for part in json.split(['\n', '\r']) {
        lines.push_str(part.trim_start_matches([' ', '\t']));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_several_lines_becomes_one() {
        for (json, line) in [
            ("{\"a\": 1}", "{\"a\": 1}"),
            ("{\n  \"a\": [\r\n\t1,\r2\n  ],\n  \"b\": \"x  \\n y\"\n}", "{\"a\": [1,2],\"b\": \"x  \\n y\"}"),
        ] {
            let mut lines = String::new();
            push_on_one_line(&mut lines, json);
            assert_eq!(lines, line);
        }
    }
}
