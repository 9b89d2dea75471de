//! What the person has been shown, and how they responded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Action, DEBOUNCE_MILLIS, Episode, FailingAccount, Notice, TRANSIENT_DEBOUNCE_MILLIS, webhooks::WebhookNotices,
};
use crate::{AccountId, Timestamp, account::Verdict};

/// Identifies a notification. One that replaces another has a new id, so that a click on the old one can be recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NoticeId(pub u64);

/// What the person has been shown. It is stored, so that nothing is announced again after a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeHistory {
    #[serde(alias = "up")]
    pub(super) displayed: Option<Displayed>,
    /// The accounts whose current episode was announced.
    #[serde(alias = "told")]
    pub(super) announced: BTreeMap<AccountId, Announcement>,
    /// The accounts of which the person asked to be reminded later.
    #[serde(alias = "later")]
    pub(super) snoozed: BTreeMap<AccountId, Snooze>,
    /// When news was last shown.
    pub(super) last_alert: Option<Timestamp>,
    pub(super) next_id: u64,
    #[serde(default)]
    pub(super) webhooks: WebhookNotices,
}

/// The notification on display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Displayed {
    pub id: NoticeId,
    /// The accounts that it names, in its order.
    pub subjects: Vec<Subject>,
    /// The programs that it says are waiting, for each of the accounts.
    #[serde(default)]
    pub awaited_by: Vec<Vec<String>>,
}

/// An account in a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub episode: Episode,
    /// The verdict that was announced.
    pub verdict: Verdict,
}

/// An episode that was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Announcement {
    /// When the episode began.
    pub since: Timestamp,
    /// The verdict that was announced.
    pub verdict: Verdict,
    pub at: Timestamp,
}

/// The person asked to be reminded later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Snooze {
    /// When the episode began.
    pub since: Timestamp,
    pub until: Timestamp,
    /// Whether the machine was unlocked meanwhile, which ends the snooze.
    pub unlocked: bool,
}

/// What the person did, or what became of the notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DesktopSignal {
    /// The notification was dismissed, acted upon, or timed out.
    Closed(NoticeId),
    /// The notification on display was lost unanswered, with the program or the desktop session. Its accounts count as not
    /// announced.
    Lost,
    /// "Remind me later", from a notification ([`Notice::about`]) or from the window.
    RemindLater {
        about: Vec<Episode>,
        /// When to remind at the latest. An unlock comes first.
        until: Timestamp,
    },
    /// The machine was unlocked.
    Unlocked,
}

impl NoticeHistory {
    /// The notification on display, as far as is known.
    pub fn displayed(&self) -> Option<NoticeId> {
        self.displayed.as_ref().map(|displayed| displayed.id)
    }

    /// The history after a signal. [`super::decide`] must follow.
    #[must_use]
    pub fn receive(mut self, signal: DesktopSignal) -> Self {
        match signal {
            DesktopSignal::Closed(id) => {
                self.displayed.take_if(|displayed| displayed.id == id);
                self.webhooks.close(id);
            }
            DesktopSignal::Lost => {
                self.webhooks.lose();
                for Subject { episode, .. } in
                    self.displayed.take().into_iter().flat_map(|displayed| displayed.subjects)
                {
                    self.announced.remove(&episode.account);
                }
            }
            DesktopSignal::RemindLater { about, until } => {
                let snooze =
                    |episode: Episode| (episode.account, Snooze { since: episode.since, until, unlocked: false });
                self.snoozed.extend(about.into_iter().map(snooze));
            }
            DesktopSignal::Unlocked => self.snoozed.values_mut().for_each(|snooze| snooze.unlocked = true),
        }
        self
    }

    /// The id of a new notification.
    pub(super) const fn take_id(&mut self) -> NoticeId {
        let id = NoticeId(self.next_id);
        self.next_id += 1;
        id
    }

    /// Drops what belongs to episodes that have ended.
    pub(super) fn without_ended(mut self, failing: &[FailingAccount]) -> Self {
        let current: BTreeMap<AccountId, Timestamp> =
            failing.iter().map(|account| (account.id, account.trouble.since)).collect();
        self.announced.retain(|account, announcement| current.get(account) == Some(&announcement.since));
        self.snoozed.retain(|account, snooze| current.get(account) == Some(&snooze.since));
        self
    }

    /// When the person wants to be reminded of this account at the latest, if they asked for that.
    pub fn remind_at(&self, account: AccountId) -> Option<Timestamp> {
        self.snoozed.get(&account).filter(|snooze| !snooze.unlocked).map(|snooze| snooze.until)
    }

    /// Until when the account is held back, if it is snoozed.
    pub(super) fn snoozed_until(&self, account: AccountId, now: Timestamp) -> Option<Timestamp> {
        self.remind_at(account).filter(|until| *until > now)
    }

    /// Until when an alert with this verdict waits for others to join it, if it does.
    pub(super) fn debounced_until(&self, verdict: Verdict, now: Timestamp) -> Option<Timestamp> {
        let pause = match verdict {
            Verdict::NeedsPerson | Verdict::NeedsClient => DEBOUNCE_MILLIS,
            Verdict::Retrying => TRANSIENT_DEBOUNCE_MILLIS,
        };
        // A last alert in the future comes from a clock that was set back: it delays nothing.
        let last = self.last_alert.filter(|last| *last <= now)?;
        Some(last.plus_millis(pause)).filter(|until| *until > now)
    }

    /// Replaces the notification on display with one about the accounts that stay in it and the new ones.
    pub(super) fn display(
        &mut self,
        previous: Option<Displayed>,
        staying: Vec<(&FailingAccount, Verdict)>,
        new: &[&FailingAccount],
        now: Timestamp,
    ) -> Vec<Action> {
        let alert = !new.is_empty();
        for account in new {
            let announcement =
                Announcement { since: account.trouble.since, verdict: account.trouble.verdict(), at: now };
            self.announced.insert(account.id, announcement);
            self.snoozed.remove(&account.id);
        }
        let mut all: Vec<(&FailingAccount, Verdict)> =
            staying.into_iter().filter(|(staying, _)| new.iter().all(|new| new.id != staying.id)).collect();
        all.extend(new.iter().map(|new| (*new, new.trouble.verdict())));
        all.sort_by_key(|(account, verdict)| (*verdict == Verdict::Retrying, account.trouble.since, account.id));

        let replaces = previous.as_ref().map(|displayed| displayed.id);
        if all.is_empty() {
            return replaces.map(Action::Withdraw).into_iter().collect();
        }
        let subjects: Vec<Subject> =
            all.iter().map(|(account, verdict)| Subject { episode: account.episode(), verdict: *verdict }).collect();
        let awaited_by: Vec<_> = all.iter().map(|(account, _)| account.awaited_by.clone()).collect();
        let is_same = |displayed: &Displayed| displayed.subjects == subjects && displayed.awaited_by == awaited_by;
        if !alert && previous.as_ref().is_some_and(is_same) {
            self.displayed = previous;
            return vec![];
        }
        let id = self.take_id();
        self.displayed = Some(Displayed { id, subjects: subjects.clone(), awaited_by });
        if alert {
            self.last_alert = Some(now);
        }
        let accounts: Vec<&FailingAccount> = all.into_iter().map(|(account, _)| account).collect();
        vec![Action::Show { notice: Notice::new(id, &accounts, subjects), replaces, alert }]
    }
}
