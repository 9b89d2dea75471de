//! What a notification says. Nothing in it comes from the provider: its words are the table's, the names the person's.

use serde::Serialize;

use super::{Episode, FailingAccount, NoticeId};
use crate::{AccountId, account::Verdict, failure::Explanation};

/// Longest name that a notification shows whole.
const LONGEST_NAME: usize = 60;

/// Most names that a joined notification gives.
const MOST_NAMES: usize = 3;

/// A notification, as plain text: whoever draws it on a desktop that reads markup escapes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Its name.
    pub id: NoticeId,
    /// The first line.
    pub title: String,
    /// What follows.
    pub body: String,
    /// Its buttons, in order.
    pub buttons: Vec<Button>,
    /// What a click on it opens.
    pub opens: Opens,
    /// Whom it is about: what [`super::DesktopSignal::RemindLater`] takes.
    pub about: Vec<Episode>,
}

/// A button of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Button {
    /// Straight to the provider's page for this account.
    Reauthorize(AccountId),
    /// Tomorrow, or when the machine is next unlocked.
    RemindLater,
}

impl Button {
    /// What it says.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Reauthorize(_) => "Reauthorize",
            Self::RemindLater => "Remind me later",
        }
    }
}

/// What a click on a notification opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Opens {
    /// This account.
    Account(AccountId),
    /// The list of accounts.
    Accounts,
}

impl Notice {
    /// The notification about these accounts, in this order. There is at least one.
    pub(super) fn about(id: NoticeId, troubled: &[&FailingAccount]) -> Self {
        let about = troubled.iter().map(|troubled| troubled.episode()).collect();
        match troubled {
            [one] => Self::about_one(id, one, about),
            several => Self::about_several(id, several, about),
        }
    }

    fn about_one(id: NoticeId, one: &FailingAccount, about: Vec<Episode>) -> Self {
        let verdict = one.trouble.verdict();
        let Explanation { title, message, hint } =
            one.trouble.failure.cause.explain(&printable(&one.integration), verdict);
        let buttons = match verdict {
            Verdict::NeedsPerson => vec![Button::Reauthorize(one.id), Button::RemindLater],
            Verdict::NeedsClient | Verdict::Retrying => vec![Button::RemindLater],
        };
        let body = format!("{}: {message} {hint}", name(one));
        Self { id, title, body, buttons, opens: Opens::Account(one.id), about }
    }

    fn about_several(id: NoticeId, several: &[&FailingAccount], about: Vec<Episode>) -> Self {
        let passing = several.iter().filter(|one| one.trouble.verdict() == Verdict::Retrying).count();
        let title = match (several.len() - passing, passing) {
            (needing, 0) => format!("{needing} accounts need you"),
            (0, passing) => format!("{passing} accounts have stopped working"),
            (1, passing) => format!("1 account needs you, {passing} tried again"),
            (needing, passing) => format!("{needing} accounts need you, {passing} tried again"),
        };
        let names = list(several);
        let body = if passing == several.len() {
            format!("{names}. Relink tries again by itself.")
        } else {
            format!("{names}.")
        };
        Self { id, title, body, buttons: vec![Button::RemindLater], opens: Opens::Accounts, about }
    }
}

/// "A, B and C", or "A, B, C and 4 more".
fn list(several: &[&FailingAccount]) -> String {
    let mut parts: Vec<String> =
        several.iter().take(MOST_NAMES).map(|one| format!("{} ({})", name(one), printable(&one.integration))).collect();
    if several.len() > MOST_NAMES {
        parts.push(format!("{} more", several.len() - MOST_NAMES));
    }
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) }
}

fn name(one: &FailingAccount) -> String {
    let name = printable(&one.name);
    if name.is_empty() { printable(&one.integration) } else { name }
}

/// On one line, and not endless.
fn printable(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    if line.chars().count() <= LONGEST_NAME {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(LONGEST_NAME - 1).collect();
    short.push('…');
    short
}
