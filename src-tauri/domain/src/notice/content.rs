//! What a notification says. Its texts come from the table of causes and its names from the person: nothing that a
//! provider wrote is shown as it is.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{DisabledWebhook, Disabling, Episode, FailingAccount, NoticeId, Subject};
use crate::{AccountId, account::Verdict, failure::Explanation, provider_text};

/// A longer name is shortened.
const MAX_NAME_CHARS: usize = 60;

/// The most names in a notification about several accounts.
const MAX_NAMES: usize = 3;

/// A notification in plain text. A desktop that reads markup needs it escaped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    pub id: NoticeId,
    /// The first line.
    pub title: String,
    pub body: String,
    /// In their order.
    pub buttons: Vec<Button>,
    /// What a click on it opens.
    pub opens: Opens,
    /// The accounts that it is about, in its order.
    pub about: Vec<Subject>,
    /// The webhooks that it is about, in its order.
    pub webhooks: Vec<Disabling>,
}

/// A button of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Button {
    /// Opens the provider's consent page for this account.
    Reauthorize(AccountId),
    /// Reminds tomorrow, or when the machine is next unlocked.
    RemindLater,
}

impl Button {
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
    Account(AccountId),
    /// The list of accounts.
    Accounts,
    /// The list of webhooks.
    Webhooks,
}

impl Notice {
    /// The notification about these accounts, in this order. There must be at least one. `about`: the same accounts, as they
    /// are announced.
    pub(super) fn new(id: NoticeId, accounts: &[&FailingAccount], about: Vec<Subject>) -> Self {
        match accounts {
            [account] => Self::about_one(id, account, about),
            accounts => Self::about_several(id, accounts, about),
        }
    }

    /// For [`super::DesktopSignal::RemindLater`].
    pub fn episodes(&self) -> Vec<Episode> {
        self.about.iter().map(|subject| subject.episode).collect()
    }

    fn about_one(id: NoticeId, account: &FailingAccount, about: Vec<Subject>) -> Self {
        let verdict = account.trouble.verdict();
        let Explanation { title, message, hint } =
            account.trouble.failure.explain(&shortened(&account.integration), verdict);
        let buttons = match verdict {
            Verdict::NeedsPerson => vec![Button::Reauthorize(account.id), Button::RemindLater],
            Verdict::NeedsClient | Verdict::Retrying => vec![Button::RemindLater],
        };
        Self {
            id,
            title: format!("{}: {title}", name(account)),
            body: format!("{message} {hint}{}", waiting(&[account])),
            buttons,
            opens: Opens::Account(account.id),
            about,
            webhooks: Vec::new(),
        }
    }

    fn about_several(id: NoticeId, accounts: &[&FailingAccount], about: Vec<Subject>) -> Self {
        let retrying = accounts.iter().filter(|account| account.trouble.verdict() == Verdict::Retrying).count();
        let title = match (accounts.len() - retrying, retrying) {
            (needing, 0) => format!("{needing} accounts need attention"),
            (0, retrying) => format!("{retrying} accounts have stopped working"),
            (1, retrying) => format!("1 account needs attention, {retrying} retrying"),
            (needing, retrying) => format!("{needing} accounts need attention, {retrying} retrying"),
        };
        let names = list(accounts);
        let retries = if retrying == accounts.len() { " Relink will retry." } else { "" };
        let body = format!("{names}.{retries}{}", waiting(accounts));
        let buttons = vec![Button::RemindLater];
        Self { id, title, body, buttons, opens: Opens::Accounts, about, webhooks: Vec::new() }
    }

    /// The notification about webhooks that Relink disabled, in this order. There must be at least one.
    pub(super) fn about_webhooks(id: NoticeId, webhooks: &[&DisabledWebhook]) -> Self {
        let hosts: Vec<_> = webhooks.iter().map(|webhook| shortened(&webhook.host)).collect();
        let (title, body) = match hosts.as_slice() {
            [host] => (
                format!("Relink disabled a webhook: {host}"),
                "No delivery has succeeded for a day, so no more are sent. Fix the receiver, then resume the webhook."
                    .to_owned(),
            ),
            several => (
                format!("Relink disabled {} webhooks", several.len()),
                format!(
                    "{}. No delivery has succeeded for a day, so no more are sent. Fix the receivers, then resume the \
                     webhooks.",
                    enumerated(hosts)
                ),
            ),
        };
        let webhooks = webhooks.iter().map(|webhook| webhook.disabling).collect();
        Self { id, title, body, buttons: Vec::new(), opens: Opens::Webhooks, about: Vec::new(), webhooks }
    }
}

/// " my-agent is waiting.", " 2 programs are waiting.", or nothing.
fn waiting(accounts: &[&FailingAccount]) -> String {
    let programs: BTreeSet<&String> = accounts.iter().flat_map(|account| &account.awaited_by).collect();
    match (programs.first(), programs.len()) {
        (None, _) => String::new(),
        (Some(program), 1) => format!(" {} is waiting.", shortened(program)),
        (Some(_), several) => format!(" {several} programs are waiting."),
    }
}

fn list(accounts: &[&FailingAccount]) -> String {
    let names = accounts.iter().map(|account| format!("{} ({})", name(account), shortened(&account.integration)));
    enumerated(names.collect())
}

/// "A, B and C", or "A, B, C and 4 more".
fn enumerated(mut names: Vec<String>) -> String {
    if names.len() > MAX_NAMES {
        let more = names.len() - MAX_NAMES;
        names.truncate(MAX_NAMES);
        names.push(format!("{more} more"));
    }
    let last = names.pop().unwrap_or_default();
    if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) }
}

fn name(account: &FailingAccount) -> String {
    let name = shortened(&account.name);
    if name.is_empty() { shortened(&account.integration) } else { name }
}

fn shortened(text: &str) -> String {
    let line = provider_text::single_line(text, MAX_NAME_CHARS + 1);
    if line.chars().count() <= MAX_NAME_CHARS {
        return line;
    }
    let mut short: String = line.chars().take(MAX_NAME_CHARS - 1).collect();
    short.push('…');
    short
}
