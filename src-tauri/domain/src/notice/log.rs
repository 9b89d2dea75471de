//! The notifications that were shown, as the window lists them under Activity.
//!
//! An entry stands for episodes of trouble, not for a pop-up: the same episode that is shown again (after a restart, after a
//! pause, as a reminder, or because another account has left the notification) adds no entry. Whether an entry is resolved
//! is never stored: it follows from the accounts that are failing.

use serde::{Deserialize, Serialize};

use super::{DisabledWebhook, Disabling, FailingAccount, Notice, NoticeId, Opens, Subject};
use crate::{AccountId, Timestamp};

const MAX_ENTRIES: usize = 200;

/// A notification that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedNotice {
    pub id: NoticeId,
    /// When it was first shown.
    pub at: Timestamp,
    pub title: String,
    pub body: String,
    /// The account that it opens, if it is about a single one.
    pub account_id: Option<AccountId>,
    /// What it was about. Empty in an entry that an earlier version wrote.
    #[serde(default)]
    pub about: Vec<Subject>,
    /// The webhooks that it was about.
    #[serde(default)]
    pub webhooks: Vec<Disabling>,
    /// Whether the desktop has accepted it. It is listed either way.
    pub delivered: bool,
}

impl LoggedNotice {
    /// How many accounts or webhooks it is about, and for how many of them that is over.
    pub fn resolved(&self, failing: &[FailingAccount], disabled: &[DisabledWebhook]) -> (usize, usize) {
        if !self.webhooks.is_empty() {
            let lasts = |it: &&Disabling| disabled.iter().any(|webhook| webhook.disabling == **it);
            return (self.webhooks.len(), self.webhooks.len() - self.webhooks.iter().filter(lasts).count());
        }
        let of_earlier_version = self.account_id.filter(|_| self.about.is_empty());
        if let Some(id) = of_earlier_version {
            // The account has been failing since before this entry, so it is about the current episode.
            let lasts = failing.iter().any(|account| account.id == id && account.trouble.since <= self.at);
            return (1, usize::from(!lasts));
        }
        let lasts = |subject: &&Subject| failing.iter().any(|account| account.episode() == subject.episode);
        (self.about.len(), self.about.len() - self.about.iter().filter(lasts).count())
    }
}

/// The entries, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NoticeLog(Vec<LoggedNotice>);

impl NoticeLog {
    pub fn entries(&self) -> &[LoggedNotice] {
        &self.0
    }

    /// Records that a notification was shown, or that the desktop didn't accept it.
    pub fn add(&mut self, notice: &Notice, at: Timestamp, delivered: bool) {
        let is_known = |subject: &Subject| self.0.iter().any(|entry| entry.about.contains(subject));
        let is_known_webhook = |it: &Disabling| self.0.iter().any(|entry| entry.webhooks.contains(it));
        if notice.about.iter().all(is_known) && notice.webhooks.iter().all(is_known_webhook) {
            let shown_again = self.0.iter_mut().filter(|entry| {
                !(entry.about.is_empty() && entry.webhooks.is_empty())
                    && entry.about.iter().all(|subject| notice.about.contains(subject))
                    && entry.webhooks.iter().all(|webhook| notice.webhooks.contains(webhook))
            });
            shown_again.for_each(|entry| entry.delivered |= delivered);
            return;
        }
        let account_id = match notice.opens {
            Opens::Account(id) => Some(id),
            Opens::Accounts | Opens::Webhooks => None,
        };
        let Notice { id, title, body, about, webhooks, .. } = notice.clone();
        self.0.insert(0, LoggedNotice { id, at, title, body, account_id, about, webhooks, delivered });
        self.0.truncate(MAX_ENTRIES);
    }
}
