//! Which answers to calls would change an account, so that no other one is written down.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use relink_domain::{Timestamp, account::Account};
use tokio::sync::Notify;

use crate::sync::lock;

/// Another refusal of the same kind within that time changes nothing (contract section 6).
const REPORTED_AGAIN_MILLIS: i64 = 60_000;

/// How an account stands with its provider, as far as answers to calls would change that. All calls with the account share it, and
/// each commit of the account brings it up to date: an answer counts against what the account is when it arrives.
#[derive(Debug)]
pub(crate) struct Standing {
    /// Whether an accepted call may be worth a report. While the account is well, nothing else is looked at.
    looks_at_success: AtomicBool,
    state: Mutex<State>,
    /// That a reported refusal was committed.
    committed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// When a call was last known to be answered with 401 and with 403.
    refused_at: Option<Timestamp>,
    forbidden_at: Option<Timestamp>,
    /// Whether an accepted call ends a trouble of the account.
    recovers: bool,
    reported: Reported,
    /// How many refusals were reported and aren't committed yet.
    refusals_under_way: usize,
}

/// The kinds of answers that were reported and aren't committed yet.
#[derive(Debug, Default)]
struct Reported {
    accepted: bool,
    refused: bool,
    forbidden: bool,
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
        *state = State {
            refused_at: account.refusal_known_at(),
            forbidden_at: account.profile.last_forbidden_error.as_ref().map(|forbidden| forbidden.seen.at),
            recovers: account.recovers_by_accepted_call(),
            reported: Reported::default(),
            refusals_under_way: state.refusals_under_way,
        };
        self.looks_at_success.store(account.waits_for_accepted_call(), Ordering::SeqCst);
    }

    /// What was reported was committed, or came to nothing: the next answer may be reported.
    pub(crate) fn report_ended(&self, is_refusal: bool) {
        let mut state = lock(&self.state);
        state.reported = Reported::default();
        state.refusals_under_way -= usize::from(is_refusal);
        drop(state);
        self.committed.notify_waiters();
    }

    /// Waits until the refusals that were reported are committed.
    pub(crate) async fn refusal_committed(&self) {
        loop {
            let committed = self.committed.notified();
            if lock(&self.state).refusals_under_way == 0 {
                return;
            }
            committed.await;
        }
    }

    /// Whether an accepted call now is to be reported. A 403 is kept for a minute, however often other calls are accepted.
    pub(crate) fn reports_success(&self, now: Timestamp) -> bool {
        if !self.looks_at_success.load(Ordering::SeqCst) {
            return false;
        }
        let mut state = lock(&self.state);
        let ends_trouble = state.recovers || state.reported.refused;
        let ends_forbidden = state.forbidden_at.is_some() && !is_recent(state.forbidden_at, now);
        (ends_trouble || ends_forbidden) && !std::mem::replace(&mut state.reported.accepted, true)
    }

    /// The same for a 401. It says something new, too, after an accepted call that isn't committed yet.
    pub(crate) fn reports_refusal(&self, now: Timestamp) -> bool {
        let mut state = lock(&self.state);
        let is_new = state.reported.accepted || !is_recent(state.refused_at, now);
        let reports = is_new && !std::mem::replace(&mut state.reported.refused, true);
        if reports {
            state.refusals_under_way += 1;
            // A call that is accepted from now on ends the trouble, also before that is committed.
            self.looks_at_success.store(true, Ordering::SeqCst);
        }
        reports
    }

    /// The same for a 403.
    pub(crate) fn reports_forbidden(&self, now: Timestamp) -> bool {
        let mut state = lock(&self.state);
        !is_recent(state.forbidden_at, now) && !std::mem::replace(&mut state.reported.forbidden, true)
    }
}

fn is_recent(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| (0..REPORTED_AGAIN_MILLIS).contains(&now.millis_since(at)))
}
