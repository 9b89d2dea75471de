//! Providers that asked for quiet: until their time is over, nothing is sent to them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use relink_domain::{AccountId, Timestamp, http_date::whole_secs};
use url::Url;

use crate::rate_limit::RateLimits;

/// Nobody is held for longer, whatever a provider says: after an hour a call shows whether it still wants quiet.
const MAX_WAIT_MILLIS: i64 = 60 * 60 * 1000;
/// Waits that are kept. With more, those that are over first are given up.
const MAX_WAITS: usize = 10_000;

/// Who waits for which origin, in memory: a new start asks the provider again.
#[derive(Debug, Default)]
pub struct Quiet(Mutex<HashMap<Waiter, Timestamp>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Waiter {
    /// A provider counts each account's calls for itself, unless it says otherwise.
    account: Option<AccountId>,
    origin: String,
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
        let account = (!limits.is_for_everybody).then_some(account);
        let until = now.plus_millis((i64::from(secs) * 1000).min(MAX_WAIT_MILLIS));
        let waiter = Waiter { account, origin: origin(url) };
        let mut waits = self.waits();
        if waits.len() >= MAX_WAITS && !waits.contains_key(&waiter) {
            waits.retain(|_, until| is_in_force(*until, now));
            if waits.len() >= MAX_WAITS {
                let soonest = waits.iter().min_by_key(|(_, until)| **until).map(|(waiter, _)| waiter.clone());
                soonest.map(|soonest| waits.remove(&soonest));
            }
        }
        waits.insert(waiter, until);
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
                Some(until) if is_in_force(*until, now) => longest = longest.max(Some(*until)),
                Some(_) => {
                    waits.remove(&waiter);
                }
                None => {}
            }
        }
        longest.map(|until| Wait::until(until, url.host_str().unwrap_or_default(), now))
    }

    /// The longest wait of an account, for people.
    pub fn of_account(&self, account: AccountId, now: Timestamp) -> Option<Wait> {
        let waits = self.waits();
        let own = waits.iter().filter(|(waiter, until)| waiter.account == Some(account) && is_in_force(**until, now));
        let (waiter, until) = own.max_by_key(|(_, until)| **until)?;
        let url: Url = waiter.origin.parse().ok()?;
        Some(Wait::until(*until, url.host_str().unwrap_or_default(), now))
    }

    fn waits(&self) -> MutexGuard<'_, HashMap<Waiter, Timestamp>> {
        // Each change is one insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    fn until(until: Timestamp, host: &str, now: Timestamp) -> Self {
        let secs = u32::try_from(whole_secs(until.millis_since(now))).unwrap_or(u32::MAX).max(1);
        Self { host: host.to_owned(), until, secs }
    }
}

/// One that is longer than any that was kept is from before the clock was set back.
fn is_in_force(until: Timestamp, now: Timestamp) -> bool {
    (1..=MAX_WAIT_MILLIS).contains(&until.millis_since(now))
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
        let shown = quiet.of_account(account(1), NOW).expect("a wait");
        assert_eq!((shown.host.as_str(), shown.until), ("api.example.com", NOW.plus_secs(20)));
        assert_eq!(secs(&quiet, 1, API, 20_000), None, "it is over");
        assert!(quiet.waits().is_empty(), "and forgotten");
        assert_eq!(quiet.of_account(account(1), NOW), None);
    }

    #[test]
    fn a_limit_of_everybody_holds_every_account() {
        let quiet = Quiet::default();
        quiet.heed(account(1), &url(API), &RateLimits { is_for_everybody: true, ..asks(20) }, NOW);
        quiet.heed(account(2), &url(API), &asks(30), NOW);
        assert_eq!((secs(&quiet, 1, API, 0), secs(&quiet, 2, API, 0)), (Some(20), Some(30)));
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
