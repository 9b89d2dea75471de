//! What a twin remembers beside the grants. It is gone after a restart.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::scenario::Limit;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// What callers changed, by collection and parents.
    pub(crate) changes: BTreeMap<String, Changes>,
    /// How many calls each sign-in made in the current window.
    pub(crate) usage: BTreeMap<String, Usage>,
}

/// Records that callers created or changed, by their number. None: the record was deleted.
pub(crate) type Changes = BTreeMap<u64, Option<Value>>;

/// The calls of a sign-in in the current window.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// In milliseconds.
    began_at: i64,
    calls: u64,
}

/// How a call counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) is_over: bool,
    used: u64,
    /// In milliseconds.
    resets_at: i64,
    now: i64,
}

impl Usage {
    pub(crate) fn count(&mut self, limit: &Limit, now: i64) -> Counted {
        let window = limit.window_secs.saturating_mul(1000);
        if now.saturating_sub(self.began_at) >= window {
            *self = Self { began_at: now, calls: 0 };
        }
        self.calls = self.calls.saturating_add(1);
        let used = self.calls.min(limit.calls);
        Counted { is_over: self.calls > limit.calls, used, resets_at: self.began_at.saturating_add(window), now }
    }
}

impl Counted {
    /// What templates name as `limit`. `retry_after_secs`: what a fault says.
    pub(crate) fn values(self, limit: &Limit, retry_after_secs: Option<u32>) -> Value {
        let seconds = |millis: i64| millis.saturating_add(999) / 1000;
        let wait = retry_after_secs.map_or_else(|| seconds(self.resets_at.saturating_sub(self.now)), i64::from);
        let used = if retry_after_secs.is_some() { limit.calls } else { self.used };
        json!({ "limit": {
            "calls": limit.calls,
            "used": used,
            "remaining": limit.calls - used,
            "reset": seconds(self.now.saturating_add(wait.saturating_mul(1000))),
            "reset_after": wait,
            "retry_after": wait,
        } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_per_window() {
        let limit = Limit { calls: 2, window_secs: 60, headers: BTreeMap::new() };
        let mut usage = Usage::default();
        let mut call = |now| {
            let counted = usage.count(&limit, now);
            (counted.is_over, counted.values(&limit, None)["limit"].clone())
        };
        let now = 1_000_000_000;
        let first = call(now);
        assert_eq!((first.0, &first.1["remaining"], &first.1["reset"]), (false, &json!(1), &json!(1_000_060)));
        assert_eq!(call(now + 1).1["remaining"], 0);
        let third = call(now + 30_500);
        assert_eq!((third.0, &third.1["remaining"], &third.1["retry_after"]), (true, &json!(0), &json!(30)));
        assert!(!call(now + 60_000).0, "a new window");
    }
}
