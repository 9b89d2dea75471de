//! When a refresh is due, and how long to wait after a failure.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, failure::Failure};

/// A random number from 0 to 1 (exclusive), passed in so that the rules stay pure. It spreads work that would fall due at
/// the same time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    pub const NONE: Self = Self(0.0);

    /// From 64 random bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits of randomness are plenty")]
    pub fn from_bits(bits: u64) -> Self {
        Self((bits >> 11) as f64 / (1_u64 << 53) as f64)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "spans are hours at most")]
    fn share_of(self, millis: i64) -> i64 {
        (millis as f64 * self.0) as i64
    }

    /// A time within `span_secs` after `from`.
    pub fn within(self, from: Timestamp, span_secs: i64) -> Timestamp {
        from.plus_millis(self.share_of(span_secs * 1000))
    }
}

/// When an access token was issued and when it expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLifetime {
    /// When the token response arrived.
    pub issued_at: Timestamp,
    /// `None`: unknown.
    pub expires_at: Option<Timestamp>,
    /// Whether the provider didn't say when the token expires (see [`TokenLifetime::or_assumed`]).
    #[serde(default)]
    pub is_assumed: bool,
    /// Whether the token is refreshed once a day however long it lives, so that a revoked sign-in is noticed.
    #[serde(default = "yes")]
    pub is_refreshed_daily: bool,
}

const fn yes() -> bool {
    true
}

impl TokenLifetime {
    pub const fn new(issued_at: Timestamp, expires_at: Option<Timestamp>) -> Self {
        Self { issued_at, expires_at, is_assumed: false, is_refreshed_daily: true }
    }

    /// The same lifetime by a clock that is this much ahead.
    #[must_use]
    pub fn moved(self, millis: i64) -> Self {
        let expires_at = self.expires_at.map(|at| at.plus_millis(millis));
        Self { issued_at: self.issued_at.plus_millis(millis), expires_at, ..self }
    }

    /// The lifetime of a token that can be refreshed. If it is unknown, the account's `last` one is assumed, or an hour: no
    /// token may count as endless.
    #[must_use]
    pub fn or_assumed(self, last: Option<Self>) -> Self {
        if self.expires_at.is_some() {
            return self;
        }
        let last = last.and_then(|last| Some(last.expires_at?.millis_since(last.issued_at)));
        let millis = last.filter(|millis| *millis > 0).unwrap_or(ASSUMED_LIFETIME_MILLIS);
        Self { expires_at: Some(self.issued_at.plus_millis(millis)), is_assumed: true, ..self }
    }
}

const MINUTE_MILLIS: i64 = 60 * 1000;
const ASSUMED_LIFETIME_MILLIS: i64 = 60 * MINUTE_MILLIS;
/// The longest time between two refreshes of a token.
const DAILY_MILLIS: i64 = 24 * 60 * MINUTE_MILLIS;
/// Daily refreshes are spread over this time before.
const DAILY_SPREAD_MILLIS: i64 = 30 * MINUTE_MILLIS;

/// How long before its expiry a token of this lifetime is refreshed: a tenth of the lifetime, at least a minute, at most 15
/// minutes, and never more than half the lifetime.
pub fn margin_millis(lifetime_millis: i64) -> i64 {
    (lifetime_millis / 10).clamp(MINUTE_MILLIS, 15 * MINUTE_MILLIS).min(lifetime_millis / 2).max(0)
}

/// The least time between two refreshes that nobody asked for, however short the tokens' lifetimes are.
const MIN_REFRESH_INTERVAL_MILLIS: i64 = 5 * 1000;

/// When the token should be refreshed: its expiry minus the margin, earlier by up to a tenth of the margin; a day after it
/// was issued at the latest, unless the definition says otherwise.
pub fn due_at(lifetime: TokenLifetime, jitter: Jitter) -> Timestamp {
    // An earlier version of Relink stored unknown lifetimes.
    let lifetime = lifetime.or_assumed(None);
    let issued_at = lifetime.issued_at;
    let lifetime_millis = lifetime.expires_at.map_or(0, |at| at.millis_since(issued_at));
    let margin = margin_millis(lifetime_millis);
    let mut due_millis = lifetime_millis - margin - jitter.share_of(margin / 10);
    if lifetime.is_refreshed_daily {
        due_millis = due_millis.min(DAILY_MILLIS - jitter.share_of(DAILY_SPREAD_MILLIS));
    }
    issued_at.plus_millis(due_millis.max(MIN_REFRESH_INTERVAL_MILLIS))
}

/// Whether a refresh of this token may be due by now, whatever its jitter was.
pub fn may_be_due(lifetime: TokenLifetime, now: Timestamp) -> bool {
    is_issued_in_future(lifetime, now) || due_at(lifetime, Jitter(1.0)) <= now
}

/// Whether the token was issued while the clock was ahead of where it is now. Its expiry is unknown then.
pub fn is_issued_in_future(lifetime: TokenLifetime, now: Timestamp) -> bool {
    is_in_future(lifetime.issued_at, now)
}

/// Whether a time that is past was recorded while the clock was ahead of where it is now.
pub fn is_in_future(at: Timestamp, now: Timestamp) -> bool {
    at.millis_since(now) > MINUTE_MILLIS
}

/// Whether a caller may be given the token: it must outlive the call that it is needed for.
pub fn is_fresh(lifetime: TokenLifetime, now: Timestamp) -> bool {
    let Some(expires_at) = lifetime.expires_at else {
        return true;
    };
    let lifetime_millis = expires_at.millis_since(lifetime.issued_at);
    let reserve = (MINUTE_MILLIS / 2).min(lifetime_millis / 4);
    // A clock that is set back must not make an old token look fresh.
    !is_issued_in_future(lifetime, now) && expires_at.millis_since(now) > reserve
}

/// When to retry after the `tries`-th failure in a row (counted from 1): after 30 seconds, doubling up to 15 minutes.
/// `at_once`: the response may have been lost, and a provider with a grace period still accepts the old token now. A
/// `Retry-After` is obeyed, up to a day.
pub fn retry_at(failure: &Failure, tries: u32, at_once: bool, now: Timestamp, jitter: Jitter) -> Timestamp {
    let base =
        if at_once { 1000 } else { ((MINUTE_MILLIS / 2) << tries.saturating_sub(1).min(5)).min(15 * MINUTE_MILLIS) };
    let delay = base + jitter.share_of(base / 5);
    let retry_after = failure.retry_after_secs.map_or(0, |secs| i64::from(secs.min(24 * 60 * 60)) * 1000);
    now.plus_millis(delay.max(retry_after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::failure::Cause;

    const T0: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn lifetime(secs: i64) -> TokenLifetime {
        TokenLifetime::new(T0, Some(T0.plus_secs(secs)))
    }

    #[test]
    fn the_margin_is_a_tenth_within_its_bounds() {
        for (lifetime_secs, margin_secs) in [(3600, 360), (300, 60), (86_400, 900), (60, 30), (10, 5)] {
            assert_eq!(margin_millis(lifetime_secs * 1000), margin_secs * 1000, "{lifetime_secs} s");
        }
        assert_eq!(margin_millis(-1), 0);
    }

    #[test]
    fn a_refresh_is_due_a_margin_before_the_expiry() {
        assert_eq!(due_at(lifetime(3600), Jitter::NONE), T0.plus_secs(3600 - 360));
        assert_eq!(due_at(lifetime(3600), Jitter(0.5)), T0.plus_secs(3600 - 360 - 18));
        assert_eq!(due_at(lifetime(5), Jitter::NONE), T0.plus_secs(5), "no sooner than the least interval");
    }

    #[test]
    fn a_refresh_may_be_due_from_its_earliest_time_on() {
        let earliest = T0.plus_secs(3600 - 360 - 36);
        assert!(!may_be_due(lifetime(3600), earliest.plus_millis(-1)));
        assert!(may_be_due(lifetime(3600), earliest));
        assert!(may_be_due(lifetime(3600), T0.plus_secs(-86_400)), "the clock was set back");
    }

    #[test]
    fn a_token_is_issued_in_the_future_only_beyond_a_minute() {
        assert!(!is_issued_in_future(lifetime(3600), T0.plus_secs(-60)));
        assert!(is_issued_in_future(lifetime(3600), T0.plus_secs(-60).plus_millis(-1)));
    }

    #[test]
    fn an_unknown_lifetime_is_the_last_one_or_an_hour_and_counts_as_assumed() {
        let unknown = TokenLifetime::new(T0.plus_secs(7200), None);
        for (last, secs) in [
            (None, 3600),
            (Some(lifetime(600)), 600),
            (Some(lifetime(1_000_000)), 1_000_000),
            (Some(TokenLifetime::new(T0, None)), 3600),
            (Some(lifetime(0)), 3600),
            (Some(lifetime(-5)), 3600),
        ] {
            let assumed = unknown.or_assumed(last);
            assert_eq!(assumed.expires_at, Some(T0.plus_secs(7200 + secs)), "{last:?}");
            assert!(assumed.is_assumed);
        }
        assert_eq!(lifetime(60).or_assumed(Some(lifetime(600))), lifetime(60), "a known one stays");
    }

    #[test]
    fn a_stored_token_without_an_expiry_is_due_within_an_hour() {
        let stored = r#"{"issued_at":"2023-11-14T22:13:20.000Z","expires_at":null}"#;
        let stored: TokenLifetime = serde_json::from_str(stored).expect("read");
        assert_eq!(stored, TokenLifetime::new(T0, None));
        assert_eq!(due_at(stored, Jitter::NONE), T0.plus_secs(3600 - 360));
        assert!(may_be_due(stored, T0.plus_secs(3600)));
    }

    #[test]
    fn a_token_is_refreshed_daily_unless_the_definition_says_otherwise() {
        let month = lifetime(30 * 86_400);
        assert_eq!(due_at(month, Jitter::NONE), T0.plus_secs(86_400));
        assert_eq!(due_at(month, Jitter(0.5)), T0.plus_secs(86_400 - 900), "spread over half an hour");
        let month = TokenLifetime { is_refreshed_daily: false, ..month };
        assert_eq!(due_at(month, Jitter::NONE), T0.plus_secs(30 * 86_400 - 900));
    }

    #[test]
    fn a_token_is_fresh_until_a_reserve_before_its_expiry() {
        for (lifetime_secs, reserve_millis) in [(3600, 30_000), (120, 30_000), (60, 15_000), (10, 2500)] {
            let last = T0.plus_secs(lifetime_secs).plus_millis(-reserve_millis - 1);
            assert!(is_fresh(lifetime(lifetime_secs), last), "{lifetime_secs} s");
            assert!(!is_fresh(lifetime(lifetime_secs), last.plus_millis(1)), "{lifetime_secs} s");
        }
    }

    #[test]
    fn a_clock_set_back_by_a_day_makes_no_token_fresh() {
        assert!(!is_fresh(lifetime(3600), T0.plus_secs(-86_400)));
    }

    #[test]
    fn delays_between_retries_grow_and_are_bounded() {
        let failure = Failure::new(Cause::ServerError);
        let delay = |tries| retry_at(&failure, tries, false, T0, Jitter::NONE).millis_since(T0) / 1000;
        assert_eq!([1, 2, 3, 4, 5, 6, 60].map(delay), [30, 60, 120, 240, 480, 900, 900]);
    }

    #[test]
    fn a_retry_at_once_waits_a_second() {
        let failure = Failure::new(Cause::Timeout);
        assert_eq!(retry_at(&failure, 4, true, T0, Jitter::NONE), T0.plus_secs(1));
    }

    #[test]
    fn jitter_delays_a_retry_by_up_to_a_fifth() {
        let failure = Failure::new(Cause::ServerError);
        assert_eq!(retry_at(&failure, 1, false, T0, Jitter(0.5)), T0.plus_secs(33));
    }

    #[test]
    fn retry_after_is_obeyed_up_to_a_day() {
        for (asked_secs, delay_secs) in [(3600, 3600), (1, 30), (u32::MAX, 86_400)] {
            let failure = Failure { retry_after_secs: Some(asked_secs), ..Failure::new(Cause::RateLimited) };
            assert_eq!(retry_at(&failure, 1, false, T0, Jitter::NONE), T0.plus_secs(delay_secs), "{asked_secs} s");
        }
    }

    #[test]
    fn jitter_comes_evenly_from_random_bits() {
        assert_eq!(Jitter::from_bits(0), Jitter::NONE);
        assert_eq!(Jitter::from_bits(1 << 63), Jitter(0.5));
        assert!(Jitter::from_bits(u64::MAX).0 < 1.0);
        assert_eq!(Jitter(0.5).within(T0, 10), T0.plus_secs(5));
    }

    proptest! {
        #[test]
        fn a_refresh_is_due_while_the_token_is_valid(secs in 10_i64..10_000_000, bits: u64) {
            let due = due_at(lifetime(secs), Jitter::from_bits(bits));
            prop_assert!(due < T0.plus_secs(secs));
        }

        #[test]
        fn a_refresh_is_due_within_a_day(secs in any::<i64>(), bits: u64) {
            prop_assert!(due_at(lifetime(secs), Jitter::from_bits(bits)) <= T0.plus_secs(86_400));
        }

        #[test]
        fn refreshes_keep_their_least_interval(secs in -1000_i64..1000, bits: u64) {
            let due = due_at(lifetime(secs), Jitter::from_bits(bits));
            prop_assert!(due >= T0.plus_millis(MIN_REFRESH_INTERVAL_MILLIS));
        }

        #[test]
        fn a_token_that_is_not_yet_due_is_fresh(secs in 10_i64..10_000_000, bits: u64, at in 0.0_f64..1.0) {
            let due = due_at(lifetime(secs), Jitter::from_bits(bits));
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
            let now = T0.plus_millis((due.millis_since(T0) as f64 * at) as i64);
            prop_assert!(is_fresh(lifetime(secs), now));
        }
    }
}
