//! Records what each committed transaction changed, so that a subscriber reloads only that.
//!
//! Temporary triggers of the writing connection record the changes, so that no statement can omit one. They are not part
//! of the database. A subscriber never blocks the writer: its pending changes are merged into one bounded set.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use relink_domain::AccountId;
use rusqlite::{Connection, functions::FunctionFlags};
use tokio::sync::watch;

use super::Result;

/// A set with more accounts than this becomes [`ChangedAccounts::All`].
pub const MAX_CHANGED_ACCOUNTS: usize = 500;

/// The changes of one or several transactions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for a list of its own")]
pub struct ChangeSet {
    /// Accounts that were added, changed, used or deleted, or whose integration changed. An account that is listed here and
    /// can't be found was deleted.
    pub accounts: ChangedAccounts,
    /// Whether a timeline changed: an account's, or the one that belongs to no account.
    pub timeline: bool,
    /// Whether integrations changed, or how many accounts one has.
    pub integrations: bool,
    /// Whether webhooks or their deliveries changed.
    pub webhooks: bool,
    pub api_tokens: bool,
    /// Whether unified models changed, or their mappings.
    pub unified_models: bool,
    /// Whether programs' calls were recorded.
    pub calls: bool,
    /// Whether sync jobs changed, their triggers, workflows or runs.
    pub sync_jobs: bool,
}

/// The accounts of a [`ChangeSet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedAccounts {
    /// These accounts; none if it is empty.
    Ids(BTreeSet<AccountId>),
    /// All accounts may have changed.
    All,
}

impl Default for ChangedAccounts {
    fn default() -> Self {
        Self::Ids(BTreeSet::new())
    }
}

impl ChangedAccounts {
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Ids(ids) if ids.is_empty())
    }

    pub fn contains(&self, account: AccountId) -> bool {
        match self {
            Self::Ids(ids) => ids.contains(&account),
            Self::All => true,
        }
    }

    fn add(&mut self, account: AccountId) {
        if let Self::Ids(ids) = self {
            ids.insert(account);
        }
        self.limit();
    }

    fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Ids(ids), Self::Ids(others)) => ids.extend(others),
            (_, Self::All) => *self = Self::All,
            (Self::All, Self::Ids(_)) => {}
        }
        self.limit();
    }

    fn limit(&mut self) {
        if matches!(self, Self::Ids(ids) if ids.len() > MAX_CHANGED_ACCOUNTS) {
            *self = Self::All;
        }
    }
}

impl ChangeSet {
    pub fn is_empty(&self) -> bool {
        let Self { accounts, timeline, integrations, webhooks, api_tokens, unified_models, calls, sync_jobs } = self;
        let lists = [timeline, integrations, webhooks, api_tokens, unified_models, calls, sync_jobs];
        accounts.is_empty() && !lists.into_iter().any(|changed| *changed)
    }

    /// Adds the changes of a later set.
    pub fn merge(&mut self, later: Self) {
        let Self { accounts, timeline, integrations, webhooks, api_tokens, unified_models, calls, sync_jobs } = later;
        self.accounts.merge(accounts);
        self.timeline |= timeline;
        self.integrations |= integrations;
        self.webhooks |= webhooks;
        self.api_tokens |= api_tokens;
        self.unified_models |= unified_models;
        self.calls |= calls;
        self.sync_jobs |= sync_jobs;
    }
}

type Record = fn(&mut ChangeSet);

/// SQL functions without an argument that triggers call, and what they record.
const FUNCTIONS: &[(&str, Record)] = &[
    ("all_accounts_changed", |changes| changes.accounts = ChangedAccounts::All),
    ("timeline_changed", |changes| changes.timeline = true),
    ("integrations_changed", |changes| changes.integrations = true),
    ("webhooks_changed", |changes| changes.webhooks = true),
    ("api_tokens_changed", |changes| changes.api_tokens = true),
    ("unified_models_changed", |changes| changes.unified_models = true),
    ("calls_changed", |changes| changes.calls = true),
    ("sync_jobs_changed", |changes| changes.sync_jobs = true),
];

/// Table, statement, and the functions that its trigger calls.
const TRIGGERS: &[(&str, &str, &[&str])] = &[
    ("integrated_account", "UPDATE", &["account_changed(NEW.id)"]),
    // An integration is shown with its number of accounts.
    ("integrated_account", "INSERT", &["account_changed(NEW.id)", "integrations_changed()"]),
    ("integrated_account", "DELETE", &["account_changed(OLD.id)", "integrations_changed()"]),
    ("timeline", "INSERT", &["timeline_changed()"]),
    ("timeline", "UPDATE", &["timeline_changed()"]),
    ("timeline", "DELETE", &["timeline_changed()"]),
    // An account is shown with its integration's label and color. One that is added or removed has no accounts.
    ("integration", "INSERT", &["integrations_changed()"]),
    ("integration", "UPDATE", &["integrations_changed()", "all_accounts_changed()"]),
    ("integration", "DELETE", &["integrations_changed()"]),
    ("environment_integration", "INSERT", &["integrations_changed()"]),
    ("environment_integration", "UPDATE", &["integrations_changed()", "all_accounts_changed()"]),
    ("environment_integration", "DELETE", &["integrations_changed()"]),
    ("webhook", "INSERT", &["webhooks_changed()"]),
    ("webhook", "UPDATE", &["webhooks_changed()"]),
    ("webhook", "DELETE", &["webhooks_changed()"]),
    ("delivery", "INSERT", &["webhooks_changed()"]),
    ("delivery", "UPDATE", &["webhooks_changed()"]),
    ("delivery", "DELETE", &["webhooks_changed()"]),
    ("api_token", "INSERT", &["api_tokens_changed()"]),
    ("api_token", "UPDATE", &["api_tokens_changed()"]),
    ("api_token", "DELETE", &["api_tokens_changed()"]),
    ("unified_model", "INSERT", &["unified_models_changed()"]),
    ("unified_model", "UPDATE", &["unified_models_changed()"]),
    ("unified_model", "DELETE", &["unified_models_changed()"]),
    ("environment_unified_model", "INSERT", &["unified_models_changed()"]),
    ("environment_unified_model", "UPDATE", &["unified_models_changed()"]),
    ("environment_unified_model", "DELETE", &["unified_models_changed()"]),
    ("unified_mapping", "INSERT", &["unified_models_changed()"]),
    ("unified_mapping", "UPDATE", &["unified_models_changed()"]),
    ("unified_mapping", "DELETE", &["unified_models_changed()"]),
    ("environment_unified_mapping", "INSERT", &["unified_models_changed()"]),
    ("environment_unified_mapping", "UPDATE", &["unified_models_changed()"]),
    ("environment_unified_mapping", "DELETE", &["unified_models_changed()"]),
    // An MCP server is shown with its account.
    ("mcp_token", "INSERT", &["account_changed(NEW.account_id)"]),
    ("mcp_token", "UPDATE", &["account_changed(NEW.account_id)"]),
    ("mcp_token", "DELETE", &["account_changed(OLD.account_id)"]),
    // Every recorded call is counted there.
    ("call_usage", "INSERT", &["calls_changed()"]),
    ("call_usage", "UPDATE", &["calls_changed()"]),
    ("sync_job", "INSERT", &["sync_jobs_changed()"]),
    ("sync_job", "UPDATE", &["sync_jobs_changed()"]),
    ("sync_job", "DELETE", &["sync_jobs_changed()"]),
    ("sync_job_cron_trigger", "INSERT", &["sync_jobs_changed()"]),
    ("sync_job_cron_trigger", "UPDATE", &["sync_jobs_changed()"]),
    ("sync_job_cron_trigger", "DELETE", &["sync_jobs_changed()"]),
    ("workflow", "INSERT", &["sync_jobs_changed()"]),
    ("workflow", "UPDATE", &["sync_jobs_changed()"]),
    ("workflow", "DELETE", &["sync_jobs_changed()"]),
    ("workflow_run", "INSERT", &["sync_jobs_changed()"]),
    ("workflow_run", "UPDATE", &["sync_jobs_changed()"]),
    ("workflow_run", "DELETE", &["sync_jobs_changed()"]),
    // Datastores are shown where runs are started.
    ("datastore", "INSERT", &["sync_jobs_changed()"]),
    ("datastore", "UPDATE", &["sync_jobs_changed()"]),
    ("datastore", "DELETE", &["sync_jobs_changed()"]),
    ("sync_job_run", "INSERT", &["sync_jobs_changed()"]),
    // Not the counts of each batch: `SyncJobs::live_runs` says that.
    ("sync_job_run", "UPDATE OF status", &["sync_jobs_changed()"]),
    ("sync_job_run", "DELETE", &["sync_jobs_changed()"]),
];

/// The changes that the triggers of the writing connection recorded since they were last taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorder(Arc<Mutex<ChangeSet>>);

impl Recorder {
    /// Installs the functions and triggers on the writing connection.
    pub(super) fn install(connection: &Connection) -> Result<Self> {
        let recorder = Self::default();
        for &(name, record) in FUNCTIONS {
            let changes = Arc::clone(&recorder.0);
            connection.create_scalar_function(name, 0, FunctionFlags::SQLITE_UTF8, move |_| {
                record(&mut lock(&changes));
                Ok(0)
            })?;
        }
        let changes = Arc::clone(&recorder.0);
        connection.create_scalar_function("account_changed", 1, FunctionFlags::SQLITE_UTF8, move |call| {
            match call.get_raw(0).as_str().ok().and_then(|id| id.parse().ok()) {
                Some(id) => lock(&changes).accounts.add(id),
                None => lock(&changes).accounts = ChangedAccounts::All,
            }
            Ok(0)
        })?;
        for (table, statement, calls) in TRIGGERS {
            connection.execute_batch(&format!(
                "CREATE TEMP TRIGGER \"record_{table}_{statement}\" AFTER {statement} ON main.{table}
                 BEGIN SELECT {}; END",
                calls.join(", ")
            ))?;
        }
        Ok(recorder)
    }

    pub(super) fn take(&self) -> ChangeSet {
        std::mem::take(&mut lock(&self.0))
    }
}

type Mailbox = Mutex<ChangeSet>;

/// Sends the changes of each committed transaction to every subscription.
#[derive(Debug)]
pub(super) struct Publisher {
    mailboxes: Mutex<Vec<Weak<Mailbox>>>,
    published: watch::Sender<()>,
}

impl Publisher {
    pub(super) fn new() -> Self {
        Self { mailboxes: Mutex::default(), published: watch::Sender::new(()) }
    }

    pub(super) fn publish(&self, changes: &ChangeSet) {
        if changes.is_empty() {
            return;
        }
        lock(&self.mailboxes).retain(|mailbox| {
            let Some(mailbox) = mailbox.upgrade() else { return false };
            lock(&mailbox).merge(changes.clone());
            true
        });
        self.published.send_replace(());
    }

    pub(super) fn subscribe(&self) -> Changes {
        let mailbox = Arc::new(Mailbox::default());
        lock(&self.mailboxes).push(Arc::downgrade(&mailbox));
        Changes { mailbox, published: self.published.subscribe() }
    }
}

/// A subscription to the changes of committed transactions.
#[derive(Debug)]
pub struct Changes {
    mailbox: Arc<Mailbox>,
    published: watch::Receiver<()>,
}

impl Changes {
    /// Waits for a change and takes everything that changed since the last call. `None`: the store is closed. Cancel safe.
    pub async fn next(&mut self) -> Option<ChangeSet> {
        loop {
            self.published.mark_unchanged();
            if let Some(changes) = self.take() {
                return Some(changes);
            }
            if self.published.changed().await.is_err() {
                return self.take();
            }
        }
    }

    /// Takes what changed since the last call, without waiting.
    pub fn take(&mut self) -> Option<ChangeSet> {
        Some(std::mem::take(&mut *lock(&self.mailbox))).filter(|changes| !changes.is_empty())
    }
}

/// The locks of this module are held for a merge, never for a statement or an await. A panic can't leave a set half-merged
/// in a way that matters: a set is only read as "may have changed".
fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
