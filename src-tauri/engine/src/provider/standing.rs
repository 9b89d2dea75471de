//! Which answers to calls would change an account, so that no other one is written down.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use relink_domain::{
    Timestamp,
    account::{Account, CallOutcome, Status},
    caller::Caller,
};
use tokio::sync::Notify;

use crate::sync::lock;

/// Another refusal of the same kind within that time changes nothing (contract section 6).
const REPORTED_AGAIN_MILLIS: i64 = 60_000;

/// How an account stands with its provider, as far as answers to calls would change that. All calls with the account share it, and
/// each commit of the account brings it up to date: an answer counts against what the account is when it arrives.
///
/// Answers that are reported are committed one after the other, in the order in which they arrived, and each is judged as if those
/// before it were committed already.
#[derive(Debug)]
pub(crate) struct Standing {
    /// Whether an accepted call may be worth a report. While the account is well, nothing else is looked at.
    looks_at_success: AtomicBool,
    state: Mutex<State>,
    /// That a report was committed.
    committed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// When a call was last known to be answered with 401 and with 403.
    refused_at: Option<Timestamp>,
    forbidden_at: Option<Timestamp>,
    /// Whether an accepted call ends a trouble of the account.
    recovers: bool,
    is_active: bool,
    /// How often the account has become active again.
    recoveries: u64,
    /// What the report says that is being committed.
    committing: Option<Answer>,
    /// The reports behind it.
    waiting: VecDeque<Report>,
}

/// A call's answer, to be committed.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) caller: Caller,
    /// Of the credentials that the call was made with.
    pub(crate) generation: u64,
    pub(crate) outcome: CallOutcome,
}

/// The kind of an answer that is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accepted,
    Refused,
    Forbidden,
}

impl Report {
    const fn answer(&self) -> Answer {
        match self.outcome {
            CallOutcome::Unauthorized { .. } => Answer::Refused,
            CallOutcome::Forbidden { .. } => Answer::Forbidden,
            CallOutcome::Accepted | CallOutcome::AcceptedAsAnother(_) | CallOutcome::Inconclusive(_) => {
                Answer::Accepted
            }
        }
    }
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reported {
    /// It changes nothing.
    Not,
    /// It is committed after those before it.
    Behind,
    /// Nothing is before it: whoever reported it commits it, and what follows it, with [`Standing::next_report`].
    First,
}

impl State {
    /// What was reported and isn't committed yet, in the order in which it arrived.
    fn under_way(&self) -> impl DoubleEndedIterator<Item = Answer> {
        self.committing.into_iter().chain(self.waiting.iter().map(Report::answer))
    }

    /// The latest of these that says whether the credential is accepted.
    fn latest(&self) -> Option<Answer> {
        self.under_way().rfind(|answer| *answer != Answer::Forbidden)
    }

    fn has_refusal_under_way(&self) -> bool {
        self.under_way().any(|answer| answer == Answer::Refused)
    }

    fn add(&mut self, report: Report) -> Reported {
        let has_begun = self.committing.is_some() || !self.waiting.is_empty();
        let is_of_credential = |it: &Report| it.answer() != Answer::Forbidden;
        // A provider that changes its mind all the time makes no long queue: behind two, an answer only takes back the latter.
        if is_of_credential(&report)
            && self.waiting.iter().filter(|it| is_of_credential(it)).count() > 1
            && let Some(latter) = self.waiting.iter().rposition(is_of_credential)
        {
            self.waiting.remove(latter);
            return Reported::Behind;
        }
        self.waiting.push_back(report);
        if has_begun { Reported::Behind } else { Reported::First }
    }
}

impl Standing {
    pub(crate) fn of(account: &Account) -> Self {
        let standing =
            Self { looks_at_success: AtomicBool::new(false), state: Mutex::default(), committed: Notify::new() };
        standing.update(account);
        standing
    }

    /// The account was committed like this.
    pub(crate) fn update(&self, account: &Account) {
        let mut state = lock(&self.state);
        let is_active = account.status() == Status::Active;
        state.recoveries += u64::from(is_active && !state.is_active);
        state.is_active = is_active;
        state.refused_at = account.refusal_known_at();
        state.forbidden_at = account.profile.last_forbidden_error.as_ref().map(|forbidden| forbidden.seen.at);
        state.recovers = account.recovers_by_accepted_call();
        let looks = account.waits_for_accepted_call() || state.has_refusal_under_way();
        self.looks_at_success.store(looks, Ordering::SeqCst);
    }

    /// How often the account has become active again. A call's account that was prepared at a lower number worked again since.
    pub(crate) fn recoveries(&self) -> u64 {
        lock(&self.state).recoveries
    }

    /// The next report to commit. The one before is committed, or came to nothing.
    pub(crate) fn next_report(&self) -> Option<Report> {
        let mut state = lock(&self.state);
        let report = state.waiting.pop_front();
        state.committing = report.as_ref().map(Report::answer);
        drop(state);
        self.committed.notify_waiters();
        report
    }

    /// Waits until the refusals that were reported are committed.
    pub(crate) async fn refusal_committed(&self) {
        loop {
            let committed = self.committed.notified();
            if !lock(&self.state).has_refusal_under_way() {
                return;
            }
            committed.await;
        }
    }

    /// Reports an accepted call, if that says something new now. A 403 is kept for a minute, however often other calls are accepted.
    pub(crate) fn report_success(&self, now: Timestamp, report: impl FnOnce() -> Report) -> Reported {
        if !self.looks_at_success.load(Ordering::SeqCst) {
            return Reported::Not;
        }
        let mut state = lock(&self.state);
        let is_new = match state.latest() {
            Some(latest) => latest == Answer::Refused,
            None => state.recovers || state.forbidden_at.is_some() && !is_recent(state.forbidden_at, now),
        };
        if is_new { state.add(report()) } else { Reported::Not }
    }

    /// The same for a 401.
    pub(crate) fn report_refusal(&self, now: Timestamp, report: impl FnOnce() -> Report) -> Reported {
        let mut state = lock(&self.state);
        let is_new = match state.latest() {
            Some(latest) => latest == Answer::Accepted,
            None => !is_recent(state.refused_at, now),
        };
        if !is_new {
            return Reported::Not;
        }
        // A call that is accepted from now on ends the trouble, also before that is committed.
        self.looks_at_success.store(true, Ordering::SeqCst);
        state.add(report())
    }

    /// The same for a 403.
    pub(crate) fn report_forbidden(&self, now: Timestamp, report: impl FnOnce() -> Report) -> Reported {
        let mut state = lock(&self.state);
        let is_under_way = state.under_way().any(|answer| answer == Answer::Forbidden);
        if is_under_way || is_recent(state.forbidden_at, now) { Reported::Not } else { state.add(report()) }
    }
}

fn is_recent(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| (0..REPORTED_AGAIN_MILLIS).contains(&now.millis_since(at)))
}
