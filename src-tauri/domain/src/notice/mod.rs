//! When the person is disturbed: the policy of the desktop notification.
//!
//! [`decide`] is called after everything that can change its result (an account's trouble began, changed or ended; an
//! account was renamed or deleted; the network, the pause or the clock changed; the person responded) and at
//! [`Decision::next_decision_at`]. It has no effects: it returns what to show and withdraw, and a reason for every failing
//! account.
//!
//! The rules:
//! - A cause that only the person can fix (terminal, or a wrong client) is announced at once, once per episode.
//! - A cause that may go away is announced once per episode, and only if the account no longer works (its access token has
//!   expired, or no token with a known expiry is there), the trouble has lasted [`OUTLASTED_MILLIS`] online, the machine is
//!   online and has settled after waking, and no retry is due. A token of unknown expiry counts as expired: it is never
//!   refreshed ahead of time, so a refresh of it means that a caller already needed a new one.
//! - A transient trouble that becomes final is announced once more. A final one that becomes transient is not.
//! - There is at most one notification about accounts. The first is shown at once. Accounts that fail soon after join it by replacing it,
//!   at most every [`DEBOUNCE_MILLIS`] (for transient causes every [`TRANSIENT_DEBOUNCE_MILLIS`], because a provider's
//!   outage reaches its accounts one by one as their tokens expire).
//! - That a program waits for an account is said in its notification, and changes the displayed one quietly.
//! - An account that recovers, is deleted or is snoozed leaves the notification. With the last one it is withdrawn.
//! - "Remind me later" holds an account back, whatever happens to it, until that time or the next unlock.
//! - A notification that was on display when the program ended is lost, and its accounts are announced again.
//! - While notifications are paused, none is on display. What was on display unanswered is shown again after the pause,
//!   together with what came meanwhile.
//!
//! A notification of its own is about webhooks that Relink disabled (`webhooks`).
//!
//! Invariants:
//! - The notification on display names only failing accounts, each in the episode that it was announced for.
//! - Deciding again with nothing changed changes nothing.

mod content;
mod history;
mod log;
mod reason;
mod webhooks;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod content_tests;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod log_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod webhooks_tests;

use serde::{Deserialize, Serialize};

pub use content::{Button, Notice, Opens};
pub use history::{DesktopSignal, NoticeHistory, NoticeId, Subject};
pub use log::{LoggedNotice, NoticeLog};
pub use reason::{AlertReason, NoticeReason};
pub use webhooks::{DisabledWebhook, Disabling};

use crate::{
    AccountId, Timestamp,
    account::{Account, Credential, Trouble, Verdict},
};
use history::{Announcement, Displayed};

/// How long a transient trouble must have lasted online before it is announced.
pub const OUTLASTED_MILLIS: i64 = 15 * 60 * 1000;

/// How long the next alert waits after one, so that accounts that fail together share a notification.
pub const DEBOUNCE_MILLIS: i64 = 2 * 1000;

/// The same for transient causes: they have waited long already, and aren't worth a series of interruptions.
pub const TRANSIENT_DEBOUNCE_MILLIS: i64 = 5 * 60 * 1000;

/// One episode of trouble of one account. An account that recovers and fails again is in another episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Episode {
    pub account: AccountId,
    /// When the episode began ([`Trouble::since`]).
    pub since: Timestamp,
}

/// A failing account, as the policy sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingAccount {
    pub id: AccountId,
    /// The name that the person gave it.
    pub name: String,
    /// The integration's label.
    pub integration: String,
    pub trouble: Trouble,
    /// When the current access token expires; `None` if there is none or its expiry is unknown.
    pub access_expires_at: Option<Timestamp>,
    /// The programs whose calls wait until it works again.
    pub awaited_by: Vec<String>,
}

impl FailingAccount {
    /// The account, if it is failing and that has been announced. `integration` is the integration's label.
    pub fn of(account: &Account, integration: &str) -> Option<Self> {
        let trouble = account.state.trouble().filter(|trouble| trouble.withheld_until.is_none())?.clone();
        let access_expires_at = match account.state.credential() {
            Credential::Renewing(renewing) => renewing.lifetime.expires_at,
            Credential::Fixed(fixed) => fixed.expires_at,
        };
        let name = account.profile.name.clone();
        Some(Self {
            id: account.id(),
            name,
            integration: integration.to_owned(),
            trouble,
            access_expires_at,
            awaited_by: Vec::new(),
        })
    }

    /// The same, with the programs whose calls wait until it works again.
    #[must_use]
    pub fn awaited_by(self, programs: Vec<String>) -> Self {
        Self { awaited_by: programs, ..self }
    }

    /// Its current episode.
    pub const fn episode(&self) -> Episode {
        Episode { account: self.id, since: self.trouble.since }
    }
}

/// The state of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    Online,
    Offline,
    /// The machine has just woken, and the network may not be up yet.
    JustWoken {
        /// When the network is expected to be up.
        settled_at: Timestamp,
    },
}

/// What the policy looks at beside the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// Every failing account, each once.
    pub failing: Vec<FailingAccount>,
    /// Every webhook that Relink disabled, each once.
    pub disabled_webhooks: Vec<DisabledWebhook>,
    pub network: Network,
    /// Whether the person has paused notifications.
    pub paused: bool,
}

/// Something to do on the desktop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Show {
        notice: Notice,
        /// The notification on display, which this one replaces.
        replaces: Option<NoticeId>,
        /// Whether it brings news. Otherwise it replaces the other one without sound or pop-up.
        alert: bool,
    },
    Withdraw(NoticeId),
}

/// The result of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The next history. Store it before carrying out the actions.
    pub next: NoticeHistory,
    /// At most one about accounts, and one about webhooks.
    pub actions: Vec<Action>,
    /// A reason for every failing account and every one that has just left the notification.
    pub reasons: Vec<(AccountId, NoticeReason)>,
    /// When to decide again if nothing happens before.
    pub next_decision_at: Option<Timestamp>,
}

/// Decides what the person is shown.
pub fn decide(history: &NoticeHistory, situation: &Situation, now: Timestamp) -> Decision {
    let mut next = history.clone().without_ended(&situation.failing);
    let previous = next.displayed.take();
    let (staying, recovered) = still_displayed(&next, previous.as_ref(), situation);
    if let (true, Some(displayed)) = (situation.paused, &previous) {
        next.announced
            .retain(|account, _| displayed.subjects.iter().all(|subject| subject.episode.account != *account));
    }

    let mut reasons: Vec<(AccountId, NoticeReason)> =
        recovered.into_iter().map(|id| (id, NoticeReason::Recovered)).collect();
    let mut ready: Vec<(&FailingAccount, AlertReason)> = vec![];
    for account in &situation.failing {
        let on_display = staying.iter().any(|(staying, _)| staying.id == account.id);
        match reason_to_alert(&next, account, on_display, situation, now) {
            Ok(reason) => ready.push((account, reason)),
            Err(reason) => reasons.push((account.id, reason)),
        }
    }
    let debounced_until = |account: &FailingAccount| next.debounced_until(account.trouble.verdict(), now);
    if !ready.iter().any(|(account, _)| debounced_until(account).is_none()) {
        let waiting = std::mem::take(&mut ready);
        reasons.extend(waiting.into_iter().filter_map(|(account, _)| {
            debounced_until(account).map(|until| (account.id, NoticeReason::Debounced { until }))
        }));
    }
    reasons.extend(ready.iter().map(|(account, reason)| (account.id, NoticeReason::Announced(*reason))));

    let new: Vec<&FailingAccount> = ready.into_iter().map(|(account, _)| account).collect();
    let mut actions = next.display(previous, staying, &new, now);
    actions.extend(next.display_webhooks(situation));
    let next_decision_at = reasons.iter().filter_map(|(_, reason)| reason.until()).min();
    Decision { next, actions, reasons, next_decision_at }
}

/// Of the accounts on display: those that stay, with the verdict to display them with, and those that recovered.
fn still_displayed<'a>(
    history: &NoticeHistory,
    displayed: Option<&Displayed>,
    situation: &'a Situation,
) -> (Vec<(&'a FailingAccount, Verdict)>, Vec<AccountId>) {
    let (mut staying, mut recovered) = (vec![], vec![]);
    for Subject { episode, verdict } in displayed.iter().flat_map(|displayed| &displayed.subjects) {
        match situation.failing.iter().find(|account| account.id == episode.account) {
            None => recovered.push(episode.account),
            Some(account) if account.episode() != *episode => {}
            // A snoozed account leaves even if its time has already come: the reminder is a notification of its own.
            Some(_) if situation.paused || history.snoozed.contains_key(&episode.account) => {}
            Some(account) => {
                let verdict = match (*verdict, account.trouble.verdict()) {
                    // A trouble that becomes final is news, to be announced rather than slipped in.
                    (Verdict::Retrying, _) => Verdict::Retrying,
                    // A later transient failure doesn't mean that the person is no longer needed.
                    (announced, Verdict::Retrying) => announced,
                    (_, current) => current,
                };
                staying.push((account, verdict));
            }
        }
    }
    (staying, recovered)
}

/// Why the account is announced now, or else why it isn't.
fn reason_to_alert(
    history: &NoticeHistory,
    account: &FailingAccount,
    on_display: bool,
    situation: &Situation,
    now: Timestamp,
) -> Result<AlertReason, NoticeReason> {
    if let Some(until) = history.snoozed_until(account.id, now) {
        return Err(NoticeReason::Snoozed { until });
    }
    let reminder = history.snoozed.contains_key(&account.id);
    let verdict = account.trouble.verdict();
    let announced = history.announced.get(&account.id);
    match announced {
        Some(Announcement { verdict: before, at, .. })
            if !reminder && (*before != Verdict::Retrying || verdict == Verdict::Retrying) =>
        {
            return Err(if on_display {
                NoticeReason::Displayed { at: *at }
            } else {
                NoticeReason::AlreadyAnnounced { at: *at }
            });
        }
        Some(_) | None => {}
    }
    if verdict == Verdict::Retrying {
        check_transient(account, situation.network, now)?;
    }
    if situation.paused {
        return Err(NoticeReason::Paused);
    }
    Ok(match verdict {
        _ if reminder => AlertReason::Reminder,
        Verdict::NeedsPerson => AlertReason::NeedsPerson,
        Verdict::NeedsClient => AlertReason::NeedsClient,
        Verdict::Retrying => AlertReason::Outlasted,
    })
}

/// Checks whether a transient trouble has become worth an interruption.
fn check_transient(account: &FailingAccount, network: Network, now: Timestamp) -> Result<(), NoticeReason> {
    match network {
        Network::Offline => return Err(NoticeReason::Offline),
        Network::JustWoken { settled_at } if settled_at > now => {
            return Err(NoticeReason::JustWoken { until: settled_at });
        }
        Network::JustWoken { .. } | Network::Online => {}
    }
    if let Some(until) = account.access_expires_at.filter(|expires_at| *expires_at > now) {
        return Err(NoticeReason::StillWorks { until });
    }
    let Trouble { online_since, next_try, .. } = &account.trouble;
    let missing_millis = OUTLASTED_MILLIS - account.trouble.online_millis_by(now);
    if missing_millis > 0 {
        // While the time doesn't count as online, only another failure can start it, and that is followed by a decision.
        return Err(NoticeReason::TooRecent { until: online_since.map(|_| now.plus_millis(missing_millis)) });
    }
    // Typically after a night asleep: by the clock it has lasted, but the retry comes first.
    if next_try.is_some_and(|at| at <= now) {
        return Err(NoticeReason::RetryDue);
    }
    Ok(())
}
