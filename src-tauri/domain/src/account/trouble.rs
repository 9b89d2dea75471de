//! An episode of failures of one account.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    failure::{Failure, Severity},
    schedule::{self, Jitter},
    verdict::Verdict,
};

const MINUTE_MILLIS: i64 = 60 * 1000;
/// At most one event about refused calls is sent in that time (contract section 6).
pub(super) const CALL_EVENTS_MILLIS: i64 = MINUTE_MILLIS;
const HOUR_MILLIS: i64 = 60 * MINUTE_MILLIS;

/// An episode: from the first failure to the recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The latest failure.
    pub failure: Failure,
    /// When the episode began. Together with the account it identifies the episode.
    pub since: Timestamp,
    /// How often it has failed.
    pub tries: u32,
    /// When Relink retries; `None` if only the person can fix it.
    pub next_try: Option<Timestamp>,
    /// The latest failures, as long as they are refusals that Relink doesn't know.
    pub unknown: Option<UnknownRefusals>,
    /// Milliseconds of this episode during which the machine was online, up to the latest failure.
    pub online_millis: i64,
    /// Since when the machine has been online without a break; `None` while it isn't.
    pub online_since: Option<Timestamp>,
    /// How often in a row it has failed in a way that Relink doesn't retry.
    #[serde(default)]
    pub final_failures: u32,
    /// Until when programs that need a token get this failure without a further try: 1, 2, 4 … 60 minutes after each failure
    /// that only the person can fix (contract section 6), a minute if the client is wrong.
    #[serde(default)]
    pub programs_wait_until: Option<Timestamp>,
    /// When the latest event about it was sent.
    #[serde(default)]
    pub announced_at: Option<Timestamp>,
    /// Until when no event about it is sent, because one about a refused call was sent less than a minute ago and the account
    /// has recovered since. If the trouble lasts until then, its event is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld_until: Option<Timestamp>,
}

/// Refusals in a row that Relink doesn't know: three of them over an hour are taken as final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownRefusals {
    pub since: Timestamp,
    pub latest: Timestamp,
    pub count: u32,
}

impl Trouble {
    /// Begins an episode. `at_once`: see [`schedule::retry_at`].
    pub fn begin(failure: Failure, at_once: bool, now: Timestamp, jitter: Jitter) -> Self {
        let first = Self {
            failure: failure.clone(),
            since: now,
            tries: 0,
            next_try: None,
            unknown: None,
            online_millis: 0,
            online_since: Some(now),
            final_failures: 0,
            programs_wait_until: None,
            announced_at: None,
            withheld_until: None,
        };
        first.failed_again(failure, at_once, now, jitter)
    }

    /// Adds a failure to the episode. `at_once`: see [`schedule::retry_at`].
    #[must_use]
    pub fn failed_again(self, failure: Failure, at_once: bool, now: Timestamp, jitter: Jitter) -> Self {
        let tries = self.tries.saturating_add(1);
        let unknown = match failure.cause.severity() {
            Severity::Unknown => Some(match self.unknown {
                Some(earlier) => UnknownRefusals { latest: now, count: earlier.count.saturating_add(1), ..earlier },
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
            final_failures: 0,
            programs_wait_until: None,
            announced_at: self.announced_at,
            withheld_until: None,
            failure,
        };
        if trouble.verdict() == Verdict::Retrying {
            trouble.next_try = Some(schedule::retry_at(&trouble.failure, tries, at_once, now, jitter));
        } else {
            let wait = match trouble.verdict() {
                // The client may be corrected at any time, for all accounts.
                Verdict::NeedsClient => MINUTE_MILLIS,
                Verdict::NeedsPerson | Verdict::Retrying => {
                    (MINUTE_MILLIS << self.final_failures.min(6)).min(HOUR_MILLIS)
                }
            };
            trouble.final_failures = self.final_failures.saturating_add(1);
            trouble.programs_wait_until = Some(now.plus_millis(wait));
        }
        trouble
    }

    /// The machine went offline: the time until the next failure doesn't count as online.
    #[must_use]
    pub(super) fn went_offline(mut self, now: Timestamp) -> Self {
        if let Some(since) = self.online_since.take() {
            self.online_millis = self.online_millis.saturating_add(now.millis_since(since).max(0));
        }
        self
    }

    /// The machine was asleep for an unknown part of the time since the last failure, so none of it counts as online.
    #[must_use]
    pub(super) fn was_asleep(self) -> Self {
        Self { online_since: None, ..self }
    }

    /// The same with the times that are waited for, or measured from, moved. `since` identifies the episode and stays.
    #[must_use]
    pub(super) fn moved(self, millis: i64) -> Self {
        let moved = |at: Option<Timestamp>| at.map(|at| at.plus_millis(millis));
        Self {
            next_try: moved(self.next_try),
            unknown: self.unknown.map(|unknown| UnknownRefusals {
                since: unknown.since.plus_millis(millis),
                latest: unknown.latest.plus_millis(millis),
                ..unknown
            }),
            online_since: moved(self.online_since),
            programs_wait_until: moved(self.programs_wait_until),
            announced_at: moved(self.announced_at),
            withheld_until: moved(self.withheld_until),
            ..self
        }
    }

    pub fn verdict(&self) -> Verdict {
        match self.failure.cause.severity() {
            Severity::Terminal => Verdict::NeedsPerson,
            Severity::Configuration => Verdict::NeedsClient,
            Severity::Transient => Verdict::Retrying,
            Severity::Unknown => match self.unknown {
                Some(UnknownRefusals { since, latest, count })
                    if count >= 3 && latest.millis_since(since) >= HOUR_MILLIS =>
                {
                    Verdict::NeedsPerson
                }
                Some(_) | None => Verdict::Retrying,
            },
        }
    }

    /// Whether a program that needs a token is to get this failure without a further try. A clock that was set back doesn't
    /// prolong the wait.
    pub fn makes_programs_wait(&self, now: Timestamp) -> bool {
        self.programs_wait_until.is_some_and(|until| (1..=HOUR_MILLIS).contains(&until.millis_since(now)))
    }

    /// For how many milliseconds it has lasted while the machine was online.
    pub fn online_millis_by(&self, now: Timestamp) -> i64 {
        let open = self.online_since.map_or(0, |since| now.millis_since(since).max(0));
        self.online_millis.saturating_add(open)
    }
}
