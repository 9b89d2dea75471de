//! What is wrong with an account that fails.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    failure::{Failure, Severity},
    schedule::{self, Jitter},
};

const HOUR: i64 = 60 * 60 * 1000;

/// An episode of failure: from the first failure to the recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The latest failure.
    pub failure: Failure,
    /// When the episode began. It names the episode.
    pub since: Timestamp,
    /// Failures in a row.
    pub tries: u32,
    /// When Relink tries again by itself; `None` when only a person can mend it.
    pub next_try: Option<Timestamp>,
    /// The unknown refusals of this episode, by which they come to be taken for final.
    pub unknown: Option<UnknownRefusals>,
    /// Milliseconds of this episode during which the machine was online, up to the latest failure.
    pub online_millis: i64,
    /// Since when the machine has been online without a break; `None` while it isn't.
    pub online_since: Option<Timestamp>,
}

/// Unknown refusals in a row: three of them over an hour are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownRefusals {
    /// The first one.
    pub since: Timestamp,
    /// The latest one.
    pub latest: Timestamp,
    /// How many.
    pub count: u32,
}

/// What a trouble asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The person must sign in again.
    NeedsPerson,
    /// The integration's client must be mended.
    NeedsClient,
    /// Relink tries again.
    Retrying,
}

impl Verdict {
    /// What a failure asks for, where it is told without its episode: what is known of that is whether another try is
    /// planned. A refusal that Relink doesn't know has turned final when none is.
    pub fn for_failure(failure: &Failure, next_try: Option<Timestamp>) -> Self {
        match failure.cause.severity() {
            Severity::Terminal => Self::NeedsPerson,
            Severity::Configuration => Self::NeedsClient,
            Severity::Unknown if next_try.is_none() => Self::NeedsPerson,
            Severity::Unknown | Severity::Transient => Self::Retrying,
        }
    }
}

impl Trouble {
    /// The first failure of an episode. `at_once`: see [`schedule::retry_at`].
    pub fn begin(failure: Failure, at_once: bool, now: Timestamp, jitter: Jitter) -> Self {
        let first = Self {
            failure: failure.clone(),
            since: now,
            tries: 0,
            next_try: None,
            unknown: None,
            online_millis: 0,
            online_since: Some(now),
        };
        first.again(failure, at_once, now, jitter)
    }

    /// One more failure of the same episode. `at_once`: see [`schedule::retry_at`].
    #[must_use]
    pub fn again(self, failure: Failure, at_once: bool, now: Timestamp, jitter: Jitter) -> Self {
        let tries = self.tries.saturating_add(1);
        let unknown = match failure.cause.severity() {
            Severity::Unknown => Some(match self.unknown {
                Some(seen) => UnknownRefusals { latest: now, count: seen.count.saturating_add(1), ..seen },
                None => UnknownRefusals { since: now, latest: now, count: 1 },
            }),
            Severity::Transient | Severity::Terminal | Severity::Configuration => None,
        };
        let online = self.online_since.map_or(0, |since| now.millis_since(since).max(0));
        let mut trouble = Self {
            since: self.since,
            tries,
            next_try: None,
            unknown,
            online_millis: self.online_millis.saturating_add(online),
            online_since: Some(now),
            failure,
        };
        if trouble.verdict() == Verdict::Retrying {
            trouble.next_try = Some(schedule::retry_at(&trouble.failure, tries, at_once, now, jitter));
        }
        trouble
    }

    /// The machine went offline: the time until the next failure doesn't count.
    #[must_use]
    pub(super) fn offline(mut self, now: Timestamp) -> Self {
        if let Some(since) = self.online_since.take() {
            self.online_millis = self.online_millis.saturating_add(now.millis_since(since).max(0));
        }
        self
    }

    /// The machine was asleep: nobody knows for how long of the time since the last failure, so none of it counts.
    #[must_use]
    pub(super) fn asleep(self) -> Self {
        Self { online_since: None, ..self }
    }

    /// What the trouble asks for.
    pub fn verdict(&self) -> Verdict {
        match self.failure.cause.severity() {
            Severity::Terminal => Verdict::NeedsPerson,
            Severity::Configuration => Verdict::NeedsClient,
            Severity::Transient => Verdict::Retrying,
            Severity::Unknown => match self.unknown {
                Some(UnknownRefusals { since, latest, count }) if count >= 3 && latest.millis_since(since) >= HOUR => {
                    Verdict::NeedsPerson
                }
                Some(_) | None => Verdict::Retrying,
            },
        }
    }

    /// How long it has lasted while the machine was online.
    pub fn online_for(&self, now: Timestamp) -> i64 {
        let open = self.online_since.map_or(0, |since| now.millis_since(since).max(0));
        self.online_millis.saturating_add(open)
    }
}
