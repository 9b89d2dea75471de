//! When the person is disturbed: the policy of the desktop notification.
//!
//! [`decide`] is asked after everything that can change its answer (an account's trouble began, changed or ended; an
//! account was renamed or deleted; the network, the pause or the clock changed; the person answered) and at
//! [`Decision::next_decision_at`]. It does nothing itself: it returns what to put up and take down, and for every troubled
//! account why.
//!
//! The rules:
//! - Whoever only the person can help (a terminal cause, or a wrong client) is told at once, once per episode.
//! - What may pass is told once per episode, and only when the account no longer works (its access token has ended, or
//!   none with a known end is there), the trouble has lasted [`OUTLASTED_MILLIS`] online, the machine is online and has
//!   settled after waking, and no further try is just due. A token whose end is unknown counts as ended: it is never
//!   refreshed ahead of time, so a refresh of it means that somebody already needed a new one.
//! - A passing trouble that turns out to need the person is news, once more. The other way round is not.
//! - There is never more than one notification. The first is shown at once; what comes soon after joins it in its
//!   place, at most every [`GATHER_MILLIS`] (what may pass: every [`GATHER_PASSING_MILLIS`], because one provider's
//!   outage reaches its accounts one by one as their tokens end).
//! - Who recovers, is deleted or put off leaves the notification; with the last of them it goes.
//! - Remind me later holds an account back, whatever happens to it, until that time or the next unlock.
//! - What was up when the program ended is lost, and told anew by the rules when it runs again.
//! - Paused means nothing is up. What was up unanswered is shown again on resuming, as one with what came meanwhile.
//!
//! Invariants:
//! - What is up names only accounts that are in trouble, in the very episode that it was put up for.
//! - Deciding again with nothing changed changes nothing.

mod content;
mod history;
mod reason;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod properties;

use serde::{Deserialize, Serialize};

pub use content::{Button, Notice, Opens};
pub use history::{DesktopSignal, NoticeHistory, NoticeId};
pub use reason::{AlertReason, NoticeReason};

use crate::{
    AccountId, Timestamp,
    account::{Account, Credential, Trouble, Verdict},
};
use history::{Subject, Told, Up};

/// How long a trouble that may pass must have lasted online before it is told.
pub const OUTLASTED_MILLIS: i64 = 15 * 60 * 1000;

/// How long after one notification the next waits, so that accounts that fail together make one.
pub const GATHER_MILLIS: i64 = 2 * 1000;

/// The same for what may pass: it has waited long already, and is never worth a row of interruptions.
pub const GATHER_PASSING_MILLIS: i64 = 5 * 60 * 1000;

/// One account's one episode of trouble. An account that recovers and fails anew is in another episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Episode {
    /// The account.
    pub account: AccountId,
    /// When the episode began ([`Trouble::since`]).
    pub since: Timestamp,
}

/// An account in trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingAccount {
    /// Its id.
    pub id: AccountId,
    /// What the person calls it.
    pub name: String,
    /// The integration's label.
    pub integration: String,
    /// What is wrong.
    pub trouble: Trouble,
    /// Until when the access token at hand still works; `None` when there is none, or its end is unknown.
    pub access_ends: Option<Timestamp>,
}

impl FailingAccount {
    /// The account as the policy sees it, if it is in trouble. `integration` is the integration's label.
    pub fn of(account: &Account, integration: &str) -> Option<Self> {
        let trouble = account.state.trouble()?.clone();
        let access_ends = match account.state.credential() {
            Credential::Renewing(renewing) => renewing.lifetime.expires_at,
            Credential::Fixed(fixed) => fixed.expires_at,
        };
        let name = account.profile.name.clone();
        Some(Self { id: account.id(), name, integration: integration.to_owned(), trouble, access_ends })
    }

    /// Its present episode.
    pub const fn episode(&self) -> Episode {
        Episode { account: self.id, since: self.trouble.since }
    }
}

/// What the network is known to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It is there.
    Online,
    /// It isn't.
    Offline,
    /// The machine has just woken: the network is given time.
    JustWoken {
        /// Until when.
        settled_at: Timestamp,
    },
}

/// All that the policy looks at, beside what it has shown already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// Every account in trouble, each once.
    pub failing: Vec<FailingAccount>,
    /// The network.
    pub network: Network,
    /// Whether the person has paused notifications.
    pub paused: bool,
}

/// Something to do on the desktop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Put this up.
    Show {
        /// What.
        notice: Notice,
        /// The one that is up now, whose place it takes.
        replaces: Option<NoticeId>,
        /// Whether it brings news. Without any, it takes the other's place without sound or pop-up.
        alert: bool,
    },
    /// Take this down.
    Withdraw(NoticeId),
}

/// The policy's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What has been shown from now on; store it before carrying out the actions.
    pub next: NoticeHistory,
    /// What to do. Never more than one.
    pub actions: Vec<Action>,
    /// For every troubled account, and every one that has just left the notification: why.
    pub reasons: Vec<(AccountId, NoticeReason)>,
    /// When to ask again if nothing happens before.
    pub next_decision_at: Option<Timestamp>,
}

/// Decides what the person is shown.
pub fn decide(shown: &NoticeHistory, situation: &Situation, now: Timestamp) -> Decision {
    let mut next = shown.clone().without_ended(&situation.failing);
    let was_up = next.up.take();
    let (staying, recovered) = still_up(&next, was_up.as_ref(), situation);
    if let (true, Some(up)) = (situation.paused, &was_up) {
        next.told.retain(|account, _| up.subjects.iter().all(|subject| subject.episode.account != *account));
    }

    let mut why: Vec<(AccountId, NoticeReason)> =
        recovered.into_iter().map(|id| (id, NoticeReason::Recovered)).collect();
    let mut ready: Vec<(&FailingAccount, AlertReason)> = vec![];
    for troubled in &situation.failing {
        let on_display = staying.iter().any(|(staying, _)| staying.id == troubled.id);
        match consider(&next, troubled, on_display, situation, now) {
            Ok(reason) => ready.push((troubled, reason)),
            Err(held) => why.push((troubled.id, held)),
        }
    }
    let gathers_until = |troubled: &FailingAccount| next.gathers_until(troubled.trouble.verdict(), now);
    if !ready.iter().any(|(troubled, _)| gathers_until(troubled).is_none()) {
        let waiting = std::mem::take(&mut ready);
        why.extend(waiting.into_iter().filter_map(|(troubled, _)| {
            gathers_until(troubled).map(|until| (troubled.id, NoticeReason::Gathering { until }))
        }));
    }
    why.extend(ready.iter().map(|(troubled, reason)| (troubled.id, NoticeReason::Shown(*reason))));

    let new: Vec<&FailingAccount> = ready.into_iter().map(|(troubled, _)| troubled).collect();
    let actions = next.put_up(was_up, staying, &new, now);
    let next_decision_at = why.iter().filter_map(|(_, why)| why.until()).min();
    Decision { next, actions, reasons: why, next_decision_at }
}

/// Of what is up: who stays, with the verdict that it was put up for, and who recovered.
fn still_up<'a>(
    shown: &NoticeHistory,
    up: Option<&Up>,
    situation: &'a Situation,
) -> (Vec<(&'a FailingAccount, Verdict)>, Vec<AccountId>) {
    let (mut staying, mut recovered) = (vec![], vec![]);
    for Subject { episode, verdict } in up.iter().flat_map(|up| &up.subjects) {
        match situation.failing.iter().find(|troubled| troubled.id == episode.account) {
            None => recovered.push(episode.account),
            Some(troubled) if troubled.episode() != *episode => {}
            // Put off, it leaves even when its time has come already: the reminder is a notification of its own.
            Some(_) if situation.paused || shown.later.contains_key(&episode.account) => {}
            Some(troubled) => {
                let verdict = match (*verdict, troubled.trouble.verdict()) {
                    // Its turn to worse is news: it is told anew, not slipped in here.
                    (Verdict::Retrying, _) => Verdict::Retrying,
                    // A later failure of another kind doesn't take back that the person is needed.
                    (told, Verdict::Retrying) => told,
                    (_, present) => present,
                };
                staying.push((troubled, verdict));
            }
        }
    }
    (staying, recovered)
}

/// Whether the account is to be told now, and if not, why.
fn consider(
    shown: &NoticeHistory,
    troubled: &FailingAccount,
    on_display: bool,
    situation: &Situation,
    now: Timestamp,
) -> Result<AlertReason, NoticeReason> {
    if let Some(until) = shown.deferred_until(troubled.id, now) {
        return Err(NoticeReason::RemindLater { until });
    }
    let reminder = shown.later.contains_key(&troubled.id);
    let verdict = troubled.trouble.verdict();
    let told = shown.told.get(&troubled.id);
    match told {
        Some(Told { verdict: before, at, .. })
            if !reminder && (*before != Verdict::Retrying || verdict == Verdict::Retrying) =>
        {
            return Err(if on_display {
                NoticeReason::OnDisplay { at: *at }
            } else {
                NoticeReason::ToldAlready { at: *at }
            });
        }
        Some(_) | None => {}
    }
    if verdict == Verdict::Retrying {
        may_disturb(troubled, situation.network, now)?;
    }
    if situation.paused {
        return Err(NoticeReason::Paused);
    }
    Ok(match verdict {
        _ if reminder => AlertReason::Reminder,
        Verdict::NeedsPerson | Verdict::NeedsClient if told.is_some() => AlertReason::TurnedFinal,
        Verdict::NeedsPerson => AlertReason::NeedsPerson,
        Verdict::NeedsClient => AlertReason::NeedsClient,
        Verdict::Retrying => AlertReason::Outlasted,
    })
}

/// Whether a trouble that may pass has become worth an interruption.
fn may_disturb(troubled: &FailingAccount, network: Network, now: Timestamp) -> Result<(), NoticeReason> {
    match network {
        Network::Offline => return Err(NoticeReason::Offline),
        Network::JustWoken { settled_at } if settled_at > now => {
            return Err(NoticeReason::JustWoken { until: settled_at });
        }
        Network::JustWoken { .. } | Network::Online => {}
    }
    if let Some(until) = troubled.access_ends.filter(|ends| *ends > now) {
        return Err(NoticeReason::StillWorks { until });
    }
    let Trouble { online_since, next_try, .. } = &troubled.trouble;
    let lacks = OUTLASTED_MILLIS - troubled.trouble.online_millis_by(now);
    if lacks > 0 {
        // While the time isn't running, the next failure sets it going, and that is asked about anyway.
        return Err(NoticeReason::NotYetLasted { until: online_since.map(|_| now.plus_millis(lacks)) });
    }
    // Typically after a night asleep: the clock says that it has lasted, but nobody has looked yet.
    if next_try.is_some_and(|at| at <= now) {
        return Err(NoticeReason::TryDue);
    }
    Ok(())
}
