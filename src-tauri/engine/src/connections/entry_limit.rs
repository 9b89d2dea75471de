//! Limits the timeline entries that one page, flow or link can cause.

use std::{collections::HashMap, sync::Mutex};

use relink_domain::{FlowId, LinkTokenId, Timestamp};

use crate::sync::lock;

/// The maximum number of entries of one source within [`WINDOW_SECS`].
const MAX_ENTRIES: u32 = 5;
const WINDOW_SECS: i64 = 60 * 60;
/// The maximum number of sources to remember.
const MAX_SOURCES: usize = 1000;

/// What causes entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// Callbacks that belong to no flow. Every web page can send a browser here with one.
    NoFlow,
    /// Refused callbacks of a flow.
    Flow(FlowId),
    /// Failed flows of a link.
    Link(LinkTokenId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Add,
    /// Add it, as the last one for now.
    AddLast,
    Skip,
}

/// The entries of each source, since the first one of its hour.
#[derive(Debug, Default)]
pub(super) struct EntryLimit(Mutex<HashMap<Source, (Timestamp, u32)>>);

impl EntryLimit {
    pub(super) fn count(&self, source: Source, now: Timestamp) -> Verdict {
        let mut sources = lock(&self.0);
        // A clock that was set back begins a new hour.
        let is_current = |since: Timestamp| (0..WINDOW_SECS * 1000).contains(&now.millis_since(since));
        sources.retain(|_, (since, _)| is_current(*since));
        if sources.len() >= MAX_SOURCES
            && !sources.contains_key(&source)
            && let Some(oldest) = sources.iter().min_by_key(|(_, (since, _))| *since).map(|(source, _)| *source)
        {
            sources.remove(&oldest);
        }
        let (_, count) = sources.entry(source).or_insert((now, 0));
        *count += 1;
        match (*count).cmp(&MAX_ENTRIES) {
            std::cmp::Ordering::Less => Verdict::Add,
            std::cmp::Ordering::Equal => Verdict::AddLast,
            std::cmp::Ordering::Greater => Verdict::Skip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_adds_five_entries_an_hour() {
        let limit = EntryLimit::default();
        let (start, other) = (Timestamp::from_millis(0), Source::Link(LinkTokenId::from_uuid(uuid::Uuid::nil())));
        let verdicts: Vec<_> = (0..32).map(|_| limit.count(Source::NoFlow, start)).collect();
        assert!(verdicts[..4].iter().all(|verdict| *verdict == Verdict::Add), "{verdicts:?}");
        assert_eq!(verdicts[4], Verdict::AddLast);
        assert!(verdicts[5..].iter().all(|verdict| *verdict == Verdict::Skip), "{verdicts:?}");
        assert_eq!(limit.count(other, start), Verdict::Add, "another source has entries of its own");
        let almost = start.plus_secs(WINDOW_SECS).plus_millis(-1);
        assert_eq!(limit.count(Source::NoFlow, almost), Verdict::Skip);
        assert_eq!(limit.count(Source::NoFlow, start.plus_secs(WINDOW_SECS)), Verdict::Add);
        assert_eq!(limit.count(Source::NoFlow, start.plus_secs(-1)), Verdict::Add, "after the clock was set back");
    }

    #[test]
    fn the_oldest_source_is_forgotten_when_there_are_too_many() {
        let limit = EntryLimit::default();
        for at in 0..=MAX_SOURCES {
            let flow = FlowId::from_uuid(uuid::Uuid::from_u128(at as u128));
            limit.count(Source::Flow(flow), Timestamp::from_millis(i64::try_from(at).expect("small")));
        }
        assert_eq!(lock(&limit.0).len(), MAX_SOURCES);
        assert!(!lock(&limit.0).contains_key(&Source::Flow(FlowId::from_uuid(uuid::Uuid::from_u128(0)))));
    }
}
