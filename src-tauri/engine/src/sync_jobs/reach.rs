//! Whether this machine's network reaches the providers of runs: offline is no error of a run.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use relink_domain::AccountId;

use crate::sync::lock;

/// So long what the system says counts. Asking costs a run more than a small page.
const FRESH: Duration = Duration::from_secs(2);
/// So long after the network was missing, a call without a response counts as offline: a route is there before names are resolved.
const SETTLING: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Reaches(Mutex<HashMap<AccountId, Reach>>);

#[derive(Debug, Clone, Copy)]
struct Reach {
    looked_at: Instant,
    is_there: bool,
    missing_at: Option<Instant>,
}

impl Reaches {
    /// Whether the network reached the provider of an account a moment ago. If not, ask again, and [`Reaches::saw`] the answer.
    pub(super) fn are_fresh(&self, account: AccountId, now: Instant) -> bool {
        lock(&self.0).get(&account).is_some_and(|it| it.is_there && now.saturating_duration_since(it.looked_at) < FRESH)
    }

    pub(super) fn saw(&self, account: AccountId, is_there: bool, now: Instant) {
        let mut known = lock(&self.0);
        let missing_at = known.get(&account).and_then(|reach| reach.missing_at);
        let missing_at = if is_there { missing_at } else { Some(now) };
        known.insert(account, Reach { looked_at: now, is_there, missing_at });
    }

    /// Whether a call that had no response counts as offline, after the reach was looked at again.
    pub(super) fn explains(&self, account: AccountId, now: Instant) -> bool {
        let missing_at = lock(&self.0).get(&account).and_then(|reach| reach.missing_at);
        missing_at.is_some_and(|at| now.saturating_duration_since(at) < SETTLING)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_answer_counts_for_a_moment_and_a_missing_network_explains_failures_for_longer() {
        let (reaches, account) = (Reaches::default(), AccountId::from_uuid(Uuid::from_u128(1)));
        let start = Instant::now();
        let at = |secs: u64| start + Duration::from_secs(secs);
        assert!(!reaches.are_fresh(account, at(0)) && !reaches.explains(account, at(0)));
        reaches.saw(account, true, at(0));
        assert!(reaches.are_fresh(account, at(1)) && !reaches.are_fresh(account, at(2)));
        assert!(!reaches.explains(account, at(1)), "a provider that doesn't respond");
        reaches.saw(account, false, at(10));
        assert!(!reaches.are_fresh(account, at(10)) && reaches.explains(account, at(11)));
        reaches.saw(account, true, at(20));
        assert!(reaches.are_fresh(account, at(20)) && reaches.explains(account, at(39)));
        assert!(!reaches.explains(account, at(40)), "it has settled");
    }
}
