//! Providers that asked for quiet: until their time is over, nothing is sent to them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use relink_domain::{AccountId, Timestamp, http_date::whole_secs};
use tokio::sync::watch;
use url::Url;

use crate::rate_limit::RateLimits;

/// Nobody is held for longer, whatever a provider says: after an hour a call shows whether it still wants quiet.
const MAX_WAIT_MILLIS: i64 = 60 * 60 * 1000;
/// Waits that are kept. With more, those that are over first are given up.
const MAX_WAITS: usize = 10_000;

/// Who waits for which origin, in memory: a new start asks the provider again.
#[derive(Debug, Default)]
pub struct Quiet {
    waits: Mutex<HashMap<Waiter, Asked>>,
    /// Notified when a wait begins or gets another end.
    changed: watch::Sender<()>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Waiter {
    /// A provider counts each account's calls for itself, unless it says otherwise.
    account: Option<AccountId>,
    origin: String,
}

/// What a provider asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    until: Timestamp,
    /// The account whose call was answered so.
    account: AccountId,
}

/// A wait that a provider asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} asked for no calls in the next {} seconds", .secs)]
pub struct Wait {
    pub host: String,
    pub until: Timestamp,
    /// From now on, at least 1.
    pub secs: u32,
}

impl Quiet {
    /// Keeps what an answer of a call at this URL asks for.
    pub fn heed(&self, account: AccountId, url: &Url, limits: &RateLimits, now: Timestamp) {
        let Some(secs) = limits.retry_after_secs.filter(|secs| *secs > 0) else { return };
        let asked = Asked { until: now.plus_millis((i64::from(secs) * 1000).min(MAX_WAIT_MILLIS)), account };
        let waiter = Waiter { account: (!limits.is_for_everybody).then_some(account), origin: origin(url) };
        let mut waits = self.waits();
        if waits.len() >= MAX_WAITS && !waits.contains_key(&waiter) {
            waits.retain(|_, asked| asked.is_in_force(now));
            if waits.len() >= MAX_WAITS {
                let soonest = waits.iter().min_by_key(|(_, asked)| asked.until).map(|(waiter, _)| waiter.clone());
                soonest.map(|soonest| waits.remove(&soonest));
            }
        }
        waits.insert(waiter, asked);
        drop(waits);
        self.changed.send_replace(());
    }

    /// The wait that a call at this URL would break.
    pub fn wait(&self, account: AccountId, url: &Url, now: Timestamp) -> Option<Wait> {
        let mut waits = self.waits();
        if waits.is_empty() {
            return None;
        }
        let origin = origin(url);
        let mut longest = None;
        for account in [Some(account), None] {
            let waiter = Waiter { account, origin: origin.clone() };
            match waits.get(&waiter) {
                Some(asked) if asked.is_in_force(now) => longest = longest.max(Some(asked.until)),
                Some(_) => {
                    waits.remove(&waiter);
                }
                None => {}
            }
        }
        longest.map(|until| Wait::until(until, url.host_str().unwrap_or_default(), now))
    }

    /// The accounts that wait, each with its longest wait, for people. Of a wait of everybody, only the account is known whose
    /// call showed it.
    pub fn waiting(&self, now: Timestamp) -> BTreeMap<AccountId, Wait> {
        let mut waiting: BTreeMap<AccountId, Wait> = BTreeMap::new();
        for (waiter, asked) in self.waits().iter().filter(|(_, asked)| asked.is_in_force(now)) {
            if waiting.get(&asked.account).is_none_or(|known| known.until < asked.until) {
                let url: Option<Url> = waiter.origin.parse().ok();
                let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
                waiting.insert(asked.account, Wait::until(asked.until, host, now));
            }
        }
        waiting
    }

    /// Notified when a wait begins or gets another end. None is sent when one is over.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn waits(&self) -> MutexGuard<'_, HashMap<Waiter, Asked>> {
        // Each change is one insertion or removal.
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    fn until(until: Timestamp, host: &str, now: Timestamp) -> Self {
        let secs = u32::try_from(whole_secs(until.millis_since(now))).unwrap_or(u32::MAX).max(1);
        Self { host: host.to_owned(), until, secs }
    }
}

impl Asked {
    /// One that is longer than any that was kept is from before the clock was set back.
    fn is_in_force(self, now: Timestamp) -> bool {
        (1..=MAX_WAIT_MILLIS).contains(&self.until.millis_since(now))
    }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn account(number: u128) -> AccountId {
        uuid::Uuid::from_u128(number).to_string().parse().expect("an id")
    }

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    fn asks(secs: u32) -> RateLimits {
        RateLimits { retry_after_secs: Some(secs), ..RateLimits::default() }
    }

    fn secs(quiet: &Quiet, number: u128, at: &str, after_millis: i64) -> Option<u32> {
        quiet.wait(account(number), &url(at), NOW.plus_millis(after_millis)).map(|wait| wait.secs)
    }

    const API: &str = "https://api.example.com/v1";

    #[test]
    fn an_account_waits_at_the_origin_that_asked() {
        let quiet = Quiet::default();
        assert_eq!(secs(&quiet, 1, API, 0), None);
        quiet.heed(account(1), &url(API), &asks(20), NOW);
        assert_eq!(secs(&quiet, 1, "https://api.example.com/other", 0), Some(20));
        assert_eq!(secs(&quiet, 1, API, 19_001), Some(1));
        assert_eq!(secs(&quiet, 2, API, 0), None, "another account");
        assert_eq!(secs(&quiet, 1, "https://files.example.com", 0), None, "another origin");
        let waiting = quiet.waiting(NOW);
        let shown: Vec<_> = waiting.iter().map(|(id, wait)| (*id, wait.host.as_str(), wait.until)).collect();
        assert_eq!(shown, [(account(1), "api.example.com", NOW.plus_secs(20))]);
        assert_eq!(secs(&quiet, 1, API, 20_000), None, "it is over");
        assert!(quiet.waits().is_empty(), "and forgotten");
        assert!(quiet.waiting(NOW).is_empty());
    }

    #[test]
    fn a_limit_of_everybody_holds_every_account() {
        let quiet = Quiet::default();
        quiet.heed(account(1), &url(API), &RateLimits { is_for_everybody: true, ..asks(20) }, NOW);
        quiet.heed(account(2), &url(API), &asks(30), NOW);
        assert_eq!((secs(&quiet, 1, API, 0), secs(&quiet, 2, API, 0)), (Some(20), Some(30)));
        let shown: Vec<_> = quiet.waiting(NOW).into_iter().map(|(id, wait)| (id, wait.secs)).collect();
        assert_eq!(shown, [(account(1), 20), (account(2), 30)], "who showed it");
    }

    #[test]
    fn whoever_shows_waits_is_notified_of_a_new_one() {
        let quiet = Quiet::default();
        let mut changes = quiet.changes();
        assert!(!changes.has_changed().expect("it is there"));
        quiet.heed(account(1), &url(API), &asks(20), NOW);
        assert!(changes.has_changed().expect("it is there"));
        changes.mark_unchanged();
        quiet.heed(account(1), &url(API), &asks(0), NOW);
        assert!(!changes.has_changed().expect("it is there"), "no wait");
    }

    #[test]
    fn a_later_answer_counts_and_one_without_a_wait_changes_nothing() {
        let quiet = Quiet::default();
        quiet.heed(account(1), &url(API), &asks(20), NOW);
        quiet.heed(account(1), &url(API), &RateLimits::default(), NOW);
        quiet.heed(account(1), &url(API), &asks(0), NOW);
        assert_eq!(secs(&quiet, 1, API, 0), Some(20));
        quiet.heed(account(1), &url(API), &asks(5), NOW);
        assert_eq!(secs(&quiet, 1, API, 0), Some(5));
    }

    #[test]
    fn nobody_is_held_for_more_than_an_hour() {
        let quiet = Quiet::default();
        quiet.heed(account(1), &url(API), &asks(u32::MAX), NOW);
        assert_eq!(secs(&quiet, 1, API, 0), Some(3600));
        assert_eq!(secs(&quiet, 1, API, -1), None, "the clock was set back");
    }

    #[test]
    fn the_waits_are_bounded() {
        let quiet = Quiet::default();
        for number in 0..MAX_WAITS as u128 {
            quiet.heed(account(number), &url(API), &asks(if number == 7 { 5 } else { 20 }), NOW);
        }
        quiet.heed(account(8), &url(API), &asks(30), NOW);
        assert_eq!(secs(&quiet, 7, API, 0), Some(5), "one that is renewed takes no place");
        quiet.heed(account(99_999), &url(API), &asks(20), NOW);
        assert_eq!(secs(&quiet, 7, API, 0), None, "the soonest is given up");
        assert_eq!(quiet.waits().len(), MAX_WAITS);
        quiet.heed(account(99_998), &url(API), &asks(20), NOW.plus_secs(25));
        assert_eq!(quiet.waits().len(), 2, "and those that are over before any other");
    }
}
