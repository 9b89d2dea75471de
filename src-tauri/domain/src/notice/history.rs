//! What the person has been shown, and what they said to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Action, Episode, FailingAccount, GATHER_MILLIS, GATHER_PASSING_MILLIS, Notice};
use crate::{AccountId, Timestamp, account::Verdict};

/// Names one notification; a replaced one has another name than the one in its place, so that a click on what is no
/// longer there can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NoticeId(pub u64);

/// What the person has been shown. It is stored, so that a restart tells nothing twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeHistory {
    /// What is up.
    pub(super) up: Option<Up>,
    /// Whose present episode was told.
    pub(super) told: BTreeMap<AccountId, Told>,
    /// Who was put off.
    pub(super) later: BTreeMap<AccountId, Later>,
    /// When something new was last put up.
    pub(super) last_alert: Option<Timestamp>,
    /// The number of the next notification.
    pub(super) next_id: u64,
}

/// The notification that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Up {
    /// Its name.
    pub id: NoticeId,
    /// What it is about, in the order in which it names them.
    pub subjects: Vec<Subject>,
}

/// An account in a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subject {
    /// The account and its episode.
    pub episode: Episode,
    /// What the trouble was said to ask for.
    pub verdict: Verdict,
}

/// That an episode was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// When it began.
    pub since: Timestamp,
    /// What the trouble was said to ask for.
    pub verdict: Verdict,
    /// When it was told.
    pub at: Timestamp,
}

/// That the person wants to be reminded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Later {
    /// The episode that they put off.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Whether they have unlocked the machine meanwhile.
    pub unlocked: bool,
}

/// What the person did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DesktopSignal {
    /// The notification was closed: dismissed, acted upon, or run out.
    Closed(NoticeId),
    /// What was up went without an answer, with the program or the desktop's session. It counts as not told.
    Lost,
    /// "Remind me later", from a notification ([`Notice::about`]) or from the window.
    RemindLater {
        /// Whom it was said of.
        about: Vec<Episode>,
        /// When to remind at the latest; the next unlock may come before.
        until: Timestamp,
    },
    /// The machine was unlocked.
    Unlocked,
}

impl NoticeHistory {
    /// The notification that is up, as far as is known.
    pub fn up(&self) -> Option<NoticeId> {
        self.up.as_ref().map(|up| up.id)
    }

    /// With what the person did taken in. [`super::decide`] follows.
    #[must_use]
    pub fn receive(mut self, received: DesktopSignal) -> Self {
        match received {
            DesktopSignal::Closed(id) => drop(self.up.take_if(|up| up.id == id)),
            DesktopSignal::Lost => {
                for Subject { episode, .. } in self.up.take().into_iter().flat_map(|up| up.subjects) {
                    self.told.remove(&episode.account);
                }
            }
            DesktopSignal::RemindLater { about, until } => {
                let later =
                    |episode: Episode| (episode.account, Later { since: episode.since, until, unlocked: false });
                self.later.extend(about.into_iter().map(later));
            }
            DesktopSignal::Unlocked => self.later.values_mut().for_each(|later| later.unlocked = true),
        }
        self
    }

    /// Without what belongs to episodes that have ended.
    pub(super) fn without_ended(mut self, troubled: &[FailingAccount]) -> Self {
        let present: BTreeMap<AccountId, Timestamp> =
            troubled.iter().map(|troubled| (troubled.id, troubled.trouble.since)).collect();
        self.told.retain(|account, told| present.get(account) == Some(&told.since));
        self.later.retain(|account, later| present.get(account) == Some(&later.since));
        self
    }

    /// Until when the person wants to be left alone about this account, at the latest.
    pub fn remind_at(&self, account: AccountId) -> Option<Timestamp> {
        self.later.get(&account).filter(|later| !later.unlocked).map(|later| later.until)
    }

    /// Until when the account is put off, if it is.
    pub(super) fn deferred_until(&self, account: AccountId, now: Timestamp) -> Option<Timestamp> {
        let Later { until, unlocked, .. } = self.later.get(&account)?;
        (!unlocked && *until > now).then_some(*until)
    }

    /// Until when news of this kind waits for more to join it, if it does.
    pub(super) fn gathers_until(&self, verdict: Verdict, now: Timestamp) -> Option<Timestamp> {
        let pause = match verdict {
            Verdict::NeedsPerson | Verdict::NeedsClient => GATHER_MILLIS,
            Verdict::Retrying => GATHER_PASSING_MILLIS,
        };
        // A clock set back makes nobody wait.
        let last = self.last_alert.filter(|last| *last <= now)?;
        Some(last.plus_millis(pause)).filter(|until| *until > now)
    }

    /// Puts up those who stay and those who are new, in the place of what was up.
    pub(super) fn put_up(
        &mut self,
        was_up: Option<Up>,
        staying: Vec<(&FailingAccount, Verdict)>,
        new: &[&FailingAccount],
        now: Timestamp,
    ) -> Vec<Action> {
        let alert = !new.is_empty();
        for troubled in new {
            let told = Told { since: troubled.trouble.since, verdict: troubled.trouble.verdict(), at: now };
            self.told.insert(troubled.id, told);
            self.later.remove(&troubled.id);
        }
        let mut all: Vec<(&FailingAccount, Verdict)> =
            staying.into_iter().filter(|(staying, _)| new.iter().all(|new| new.id != staying.id)).collect();
        all.extend(new.iter().map(|new| (*new, new.trouble.verdict())));
        all.sort_by_key(|(troubled, verdict)| (*verdict == Verdict::Retrying, troubled.trouble.since, troubled.id));

        let replaces = was_up.as_ref().map(|up| up.id);
        if all.is_empty() {
            return replaces.map(Action::Withdraw).into_iter().collect();
        }
        let subjects: Vec<Subject> =
            all.iter().map(|(troubled, verdict)| Subject { episode: troubled.episode(), verdict: *verdict }).collect();
        if !alert && was_up.as_ref().is_some_and(|up| up.subjects == subjects) {
            self.up = was_up;
            return vec![];
        }
        let id = NoticeId(self.next_id);
        self.next_id += 1;
        self.up = Some(Up { id, subjects });
        if alert {
            self.last_alert = Some(now);
        }
        let troubled: Vec<&FailingAccount> = all.into_iter().map(|(troubled, _)| troubled).collect();
        vec![Action::Show { notice: Notice::about(id, &troubled), replaces, alert }]
    }
}
