//! When a refresh is due, and how long to wait after a failure.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, failure::Failure};

/// A random number in 0..1, passed in so that the rules stay pure. It spreads work that would fall due together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    /// No spreading at all.
    pub const NONE: Self = Self(0.0);

    /// From 64 random bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits of a spread are plenty")]
    pub fn from_bits(bits: u64) -> Self {
        Self((bits >> 11) as f64 / (1_u64 << 53) as f64)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "spans are hours at most")]
    fn of(self, millis: i64) -> i64 {
        (millis as f64 * self.0) as i64
    }

    /// Somewhere within `span_secs` after `from`.
    pub fn within(self, from: Timestamp, span_secs: i64) -> Timestamp {
        from.plus_millis(self.of(span_secs * 1000))
    }
}

/// An access token's life: when it was issued, and when it ends, where the provider said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLifetime {
    /// When the exchange was answered.
    pub issued_at: Timestamp,
    /// When the access token ends. `None`: the provider did not say.
    pub expires_at: Option<Timestamp>,
}

const MINUTE: i64 = 60 * 1000;

/// How long before its end a token of this lifetime is refreshed: a tenth of the lifetime, at least a minute, at most a
/// quarter of an hour, and never more than half the lifetime.
pub fn margin_millis(lifetime_millis: i64) -> i64 {
    (lifetime_millis / 10).clamp(MINUTE, 15 * MINUTE).min(lifetime_millis / 2).max(0)
}

/// Two refreshes that nobody asked for are at least so far apart, however short a provider makes its tokens' lives.
const APART: i64 = 5 * 1000;

/// When the token should be refreshed: its end minus the margin, earlier by up to a tenth of the margin.
pub fn due_at(lifetime: TokenLifetime, jitter: Jitter) -> Option<Timestamp> {
    let expires_at = lifetime.expires_at?;
    let margin = margin_millis(expires_at.millis_since(lifetime.issued_at));
    let due = expires_at.plus_millis(-margin - jitter.of(margin / 10));
    Some(due.max(lifetime.issued_at.plus_millis(APART)))
}

/// Whether a refresh of this lifetime may be due by now, however it was spread.
pub fn may_be_due(lifetime: TokenLifetime, now: Timestamp) -> bool {
    is_ahead(lifetime, now) || due_at(lifetime, Jitter(1.0)).is_some_and(|due| due <= now)
}

/// Whether the token was issued by a clock that was ahead of this one: its life can't be told any more.
pub fn is_ahead(lifetime: TokenLifetime, now: Timestamp) -> bool {
    lifetime.issued_at.millis_since(now) > MINUTE
}

/// Whether a caller may still be given the token: it must outlive the call that it is wanted for.
pub fn is_fresh(lifetime: TokenLifetime, now: Timestamp) -> bool {
    let Some(expires_at) = lifetime.expires_at else {
        return true;
    };
    let life = expires_at.millis_since(lifetime.issued_at);
    let spare = (MINUTE / 2).min(life / 4);
    // A clock set back must not make an old token look fresh for ever.
    !is_ahead(lifetime, now) && expires_at.millis_since(now) > spare
}

/// When to try again after the `tries`-th failure in a row (counted from 1): half a minute, doubling to a quarter of an
/// hour. `at_once`: an answer may have been lost for the first time, and providers with a grace period still take the old
/// token now. A `Retry-After` is obeyed, up to a day.
pub fn retry_at(failure: &Failure, tries: u32, at_once: bool, now: Timestamp, jitter: Jitter) -> Timestamp {
    let base = if at_once { 1000 } else { ((MINUTE / 2) << tries.saturating_sub(1).min(5)).min(15 * MINUTE) };
    let backoff = base + jitter.of(base / 5);
    let asked = failure.retry_after_secs.map_or(0, |secs| i64::from(secs.min(24 * 60 * 60)) * 1000);
    now.plus_millis(backoff.max(asked))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::failure::Cause;

    const T0: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn lifetime(secs: i64) -> TokenLifetime {
        TokenLifetime { issued_at: T0, expires_at: Some(T0.plus_secs(secs)) }
    }

    #[test]
    fn the_margin_is_a_tenth_within_its_bounds() {
        for (lifetime_secs, margin_secs) in [(3600, 360), (300, 60), (86_400, 900), (60, 30), (10, 5)] {
            assert_eq!(margin_millis(lifetime_secs * 1000), margin_secs * 1000, "{lifetime_secs} s");
        }
    }

    #[test]
    fn a_token_without_a_known_end_is_never_due_and_always_fresh() {
        let endless = TokenLifetime { issued_at: T0, expires_at: None };
        assert_eq!(due_at(endless, Jitter::NONE), None);
        assert!(is_fresh(endless, T0.plus_secs(1_000_000)));
    }

    #[test]
    fn a_clock_set_back_by_a_day_makes_no_token_fresh() {
        assert!(!is_fresh(lifetime(3600), T0.plus_secs(-86_400)));
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let failure = Failure::new(Cause::ServerError);
        let pause = |tries| retry_at(&failure, tries, false, T0, Jitter::NONE).millis_since(T0) / 1000;
        assert_eq!([1, 2, 3, 4, 5, 6, 60].map(pause), [30, 60, 120, 240, 480, 900, 900]);
    }

    #[test]
    fn retry_after_is_obeyed() {
        let failure = Failure { retry_after_secs: Some(3600), ..Failure::new(Cause::RateLimited) };
        assert_eq!(retry_at(&failure, 1, false, T0, Jitter::NONE), T0.plus_secs(3600));
    }

    proptest! {
        #[test]
        fn a_refresh_is_due_while_the_token_still_lives(secs in 10_i64..10_000_000, bits: u64) {
            let due = due_at(lifetime(secs), Jitter::from_bits(bits)).expect("it ends");
            prop_assert!(due < T0.plus_secs(secs));
        }

        #[test]
        fn however_short_a_tokens_life_refreshes_keep_apart(secs in -1000_i64..1000, bits: u64) {
            prop_assert!(due_at(lifetime(secs), Jitter::from_bits(bits)).expect("it ends") >= T0.plus_millis(APART));
        }

        #[test]
        fn what_is_not_yet_due_is_still_fresh(secs in 10_i64..10_000_000, bits: u64, at in 0.0_f64..1.0) {
            let due = due_at(lifetime(secs), Jitter::from_bits(bits)).expect("it ends");
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
            let now = T0.plus_millis((due.millis_since(T0) as f64 * at) as i64);
            prop_assert!(is_fresh(lifetime(secs), now));
        }
    }
}
