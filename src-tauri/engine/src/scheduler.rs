//! An ordered set of (due, key) with a wake-up. It serves refreshes and checks (by account), deliveries (by webhook)
//! and retention (by kind of record).

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::Mutex,
    time::Duration,
};

use relink_domain::Timestamp;
use tokio::sync::Notify;

use crate::sync::lock;

/// The due times of keys. Each key has at most one.
#[derive(Debug)]
pub(crate) struct Scheduler<K> {
    entries: Mutex<Entries<K>>,
    changed: Notify,
}

#[derive(Debug)]
struct Entries<K> {
    order: BTreeSet<(Timestamp, K)>,
    due: HashMap<K, Timestamp>,
}

/// The result of [`Scheduler::take_due`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken<K> {
    /// The keys that were due, earliest first. They are no longer scheduled.
    pub(crate) due: Vec<K>,
    /// When the next key will be due.
    pub(crate) next: Option<Timestamp>,
}

impl<K> Default for Scheduler<K> {
    fn default() -> Self {
        Self { entries: Mutex::new(Entries { order: BTreeSet::new(), due: HashMap::new() }), changed: Notify::new() }
    }
}

impl<K: Copy + Ord + Hash> Entries<K> {
    fn set(&mut self, key: K, at: Option<Timestamp>) {
        let before = match at {
            Some(at) => self.due.insert(key, at),
            None => self.due.remove(&key),
        };
        if let Some(before) = before {
            self.order.remove(&(before, key));
        }
        if let Some(at) = at {
            self.order.insert((at, key));
        }
    }
}

impl<K: Copy + Ord + Hash> Scheduler<K> {
    /// Schedules a key, in place of any earlier time.
    pub(crate) fn set(&self, key: K, at: Timestamp) {
        lock(&self.entries).set(key, Some(at));
        self.changed.notify_one();
    }

    /// Schedules a key that has no time yet.
    pub(crate) fn set_if_absent(&self, key: K, at: Timestamp) {
        {
            let mut entries = lock(&self.entries);
            if entries.due.contains_key(&key) {
                return;
            }
            entries.set(key, Some(at));
        }
        self.changed.notify_one();
    }

    /// Schedules a key for `at`, unless it is due earlier.
    pub(crate) fn set_no_later(&self, key: K, at: Timestamp) {
        {
            let mut entries = lock(&self.entries);
            if entries.due.get(&key).is_some_and(|known| *known <= at) {
                return;
            }
            entries.set(key, Some(at));
        }
        self.changed.notify_one();
    }

    pub(crate) fn remove(&self, key: K) {
        lock(&self.entries).set(key, None);
    }

    /// Takes the keys that are due by now.
    pub(crate) fn take_due(&self, now: Timestamp) -> Taken<K> {
        let mut entries = lock(&self.entries);
        let mut due = Vec::new();
        while let Some(&(at, key)) = entries.order.first() {
            if at > now {
                return Taken { due, next: Some(at) };
            }
            entries.set(key, None);
            due.push(key);
        }
        Taken { due, next: None }
    }

    /// Returns when a key was scheduled or [`Scheduler::wake`] was called since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Wakes the waiters in [`Scheduler::changed`].
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }
}

/// How long a loop may sleep until `next`, but at most `at_most`: timers stop while the machine sleeps, so the
/// wall clock has to be read from time to time.
pub(crate) fn pause_until(next: Option<Timestamp>, now: Timestamp, at_most: Duration) -> Duration {
    next.map_or(at_most, |next| Duration::from_millis(u64::try_from(next.millis_since(now)).unwrap_or(0)).min(at_most))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_due_key_is_taken_once_and_the_next_time_is_returned() {
        let scheduler = Scheduler::default();
        scheduler.set(1, NOW.plus_secs(-1));
        scheduler.set(2, NOW.plus_secs(60));
        assert_eq!(scheduler.take_due(NOW), Taken { due: vec![1], next: Some(NOW.plus_secs(60)) });
        assert!(scheduler.take_due(NOW).due.is_empty());
    }

    #[test]
    fn keys_are_taken_earliest_first() {
        let scheduler = Scheduler::default();
        scheduler.set(1, NOW.plus_secs(-1));
        scheduler.set(2, NOW.plus_secs(-3));
        scheduler.set(3, NOW.plus_secs(-2));
        assert_eq!(scheduler.take_due(NOW).due, [2, 3, 1]);
    }

    #[test]
    fn a_new_time_replaces_the_old_one() {
        let scheduler = Scheduler::default();
        scheduler.set(1, NOW.plus_secs(-1));
        scheduler.set(1, NOW.plus_secs(60));
        assert_eq!(scheduler.take_due(NOW), Taken { due: vec![], next: Some(NOW.plus_secs(60)) });
        scheduler.remove(1);
        assert_eq!(scheduler.take_due(NOW.plus_secs(3600)), Taken { due: vec![], next: None });
    }

    #[test]
    fn a_time_is_kept_or_moved_forward_as_asked() {
        let scheduler = Scheduler::default();
        scheduler.set(1, NOW.plus_secs(60));
        scheduler.set_if_absent(1, NOW.plus_secs(30));
        assert_eq!(scheduler.take_due(NOW).next, Some(NOW.plus_secs(60)));
        scheduler.set_no_later(1, NOW.plus_secs(90));
        assert_eq!(scheduler.take_due(NOW).next, Some(NOW.plus_secs(60)));
        scheduler.set_no_later(1, NOW.plus_secs(30));
        assert_eq!(scheduler.take_due(NOW).next, Some(NOW.plus_secs(30)));
    }

    #[tokio::test]
    async fn a_loop_that_waits_is_woken_by_a_new_time() {
        let scheduler = Scheduler::default();
        scheduler.set(1, NOW);
        scheduler.changed().await;
    }
}
