//! How much an account is used.

use std::{fmt, ops::Sub};

use super::{Call, Latency};
use crate::Timestamp;

const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// A day in UTC, as the number of days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    pub const fn of(at: Timestamp) -> Self {
        Self(at.as_millis().div_euclid(MILLIS_PER_DAY))
    }

    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    pub const fn number(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    const fn begin(self) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_mul(MILLIS_PER_DAY))
    }
}

impl Sub<i64> for Day {
    type Output = Self;

    fn sub(self, days: i64) -> Self {
        Self(self.0.saturating_sub(days))
    }
}

/// Such as `2026-01-31`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = self.begin().to_string();
        f.write_str(begin.split_once('T').map_or(begin.as_str(), |(date, _)| date))
    }
}

/// The calls of some time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    pub calls: u64,
    /// How many of them failed ([`Call::failed`]).
    pub errors: u64,
    /// From the beginning of each call to its response's headers. A call without them isn't counted.
    pub latency: Latency,
    /// When the last call began.
    pub last_at: Option<Timestamp>,
}

impl Usage {
    pub fn add(&mut self, call: &Call) {
        self.calls = self.calls.saturating_add(1);
        self.errors = self.errors.saturating_add(u64::from(call.failed()));
        if let Some(micros) = call.headers_micros {
            self.latency.add(micros);
        }
        self.last_at = self.last_at.max(Some(call.at));
    }

    pub fn merge(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.errors = self.errors.saturating_add(other.errors);
        self.latency.merge(&other.latency);
        self.last_at = self.last_at.max(other.last_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        call::{CallRoute, Program},
        caller::Caller,
    };

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let day = Day::of(at("2026-03-01T00:00:00.000Z"));
        assert_eq!(Day::of(at("2026-03-01T23:59:59.999Z")), day);
        assert_eq!(Day::of(at("2026-02-28T23:59:59.999Z")), day - 1);
        assert_eq!((day.to_string(), (day - 1).to_string()), ("2026-03-01".to_owned(), "2026-02-28".to_owned()));
        assert_eq!(Day::of(at("1969-12-31T12:00:00.000Z")).to_string(), "1969-12-31");
        assert_eq!(Day::from_number(day.number()), day);
    }

    #[test]
    fn a_usage_counts_calls_errors_and_latency() {
        let call = |millis, status, headers_micros| Call {
            at: Timestamp::from_millis(millis),
            program: Program::from(&Caller::Person),
            route: CallRoute::Via,
            method: "GET".to_owned(),
            path: "/".to_owned(),
            status,
            headers_micros,
            total_micros: 9,
            sent_bytes: 0,
            received_bytes: 0,
            error: None,
        };
        let mut first = Usage::default();
        first.add(&call(2, Some(200), Some(700)));
        first.add(&call(1, None, None));
        let mut second = Usage::default();
        second.add(&call(5, Some(429), Some(300)));
        first.merge(&second);
        assert_eq!((first.calls, first.errors, first.last_at), (3, 1, Some(Timestamp::from_millis(5))));
        assert_eq!(first.latency.percentile(100), Some(1_000));
        assert_eq!(first.latency.percentile(50), Some(500), "a call without a response has no latency");
    }
}
