//! The notification about webhooks that Relink disabled.
//!
//! It is another one than that about accounts, because nothing about it may go away by itself: a webhook that was disabled
//! stays so until the person resumes or removes it. The rules:
//! - A webhook that was disabled is announced at once, once. Another one joins the notification by replacing it.
//! - One that was resumed or removed leaves the notification. With the last one it is withdrawn.
//! - While notifications are paused, none is on display. What was on display unanswered is shown again after the pause,
//!   together with what came meanwhile. What was on display when the program ended is shown again, too.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Action, Notice, NoticeHistory, NoticeId, Situation};
use crate::{Timestamp, WebhookId};

/// A webhook that Relink disabled, because no delivery had succeeded for a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisabledWebhook {
    pub disabling: Disabling,
    /// The host of its target. The rest of the URL may be a secret.
    pub host: String,
}

/// That a webhook was disabled. One that is resumed and disabled again is announced again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Disabling {
    pub webhook: WebhookId,
    pub at: Timestamp,
}

/// What the person has been shown of disabled webhooks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WebhookNotices {
    /// The notification on display.
    displayed: Option<NoticeId>,
    /// What the notification on display is about.
    subjects: BTreeSet<Disabling>,
    /// What was announced, on display or not.
    announced: BTreeSet<Disabling>,
}

impl WebhookNotices {
    /// The notification was dismissed, acted upon, or timed out.
    pub(super) fn close(&mut self, id: NoticeId) {
        if self.displayed == Some(id) {
            self.displayed = None;
            self.subjects.clear();
        }
    }

    /// The notification on display was lost unanswered: its webhooks count as not announced.
    pub(super) fn lose(&mut self) {
        self.displayed = None;
        let lost = std::mem::take(&mut self.subjects);
        self.announced.retain(|announced| !lost.contains(announced));
    }
}

impl NoticeHistory {
    /// Brings the notification about disabled webhooks up to date.
    pub(super) fn display_webhooks(&mut self, situation: &Situation) -> Option<Action> {
        let replaces = self.webhooks.displayed;
        if situation.paused {
            self.webhooks.lose();
            return replaces.map(Action::Withdraw);
        }
        let current: BTreeSet<Disabling> = situation.disabled_webhooks.iter().map(|it| it.disabling).collect();
        let known = &mut self.webhooks;
        let is_news = current.iter().any(|it| !known.announced.contains(it));
        let subjects: BTreeSet<Disabling> =
            current.iter().copied().filter(|it| known.subjects.contains(it) || !known.announced.contains(it)).collect();
        known.announced = current;
        if subjects == known.subjects {
            return None;
        }
        known.subjects.clone_from(&subjects);
        known.displayed = None;
        let webhooks: Vec<_> =
            situation.disabled_webhooks.iter().filter(|it| subjects.contains(&it.disabling)).collect();
        if webhooks.is_empty() {
            return replaces.map(Action::Withdraw);
        }
        let id = self.take_id();
        self.webhooks.displayed = Some(id);
        Some(Action::Show { notice: Notice::about_webhooks(id, &webhooks), replaces, alert: is_news })
    }
}
