//! Sync jobs and their runs, as the window shows and edits them.

use relink_domain::{
    AccountId, DatastoreId, SyncJobCronTriggerId, SyncJobId, SyncJobRunId, Timestamp, WebhookId,
    sync::{ErrorHandling, OnNeedsReauth, RunStatus},
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::DefinitionProblem;

/// A sync job in the list.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct SyncJobEntry {
    pub id: SyncJobId,
    pub label: String,
    /// Whose records it reads, if it says so.
    pub integration: Option<SyncIntegration>,
    /// The run that was made last.
    pub last_run: Option<SyncRunEntry>,
    /// When a trigger starts the next run.
    pub next_run_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncIntegration {
    pub name: String,
    pub label: String,
    /// In CSS syntax.
    pub color: Option<String>,
}

/// A job with all that its page shows but its runs.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct SyncJobView {
    pub id: SyncJobId,
    pub label: String,
    pub integration: Option<SyncIntegration>,
    /// The document, as JSON.
    pub text: String,
    /// The version of the document, for a change of it.
    pub version: Timestamp,
    pub runtime: u32,
    /// `null`: the nodes can't run, see `problem`.
    pub graph: Option<SyncGraph>,
    pub problem: Option<DefinitionProblem>,
    pub args: Vec<SyncArg>,
    /// Whether a node uses the run's account.
    pub needs_account: bool,
    /// Whether records go to the run's webhook or datastore.
    pub needs_target: bool,
    /// Whether a node writes a file.
    pub writes_files: bool,
    pub mutex_key: Option<String>,
    pub state_key: Option<String>,
    pub triggers: Vec<SyncTrigger>,
}

/// The nodes of a job, and what leads from one to the other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, TS)]
pub struct SyncGraph {
    pub nodes: Vec<SyncNode>,
    pub edges: Vec<SyncEdge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncNode {
    pub name: String,
    /// Its `type`.
    pub kind: String,
    /// What it does: `crm/contacts list`, `contacts.sqlite`.
    pub detail: String,
    /// Whether it happens when everything else is done: an event of the end.
    pub is_at_end: bool,
    /// Its condition, if it has one.
    pub run_if: Option<String>,
    /// Where it is in the text, from 1.
    pub line: Option<usize>,
}

/// Nodes by their places in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
pub struct SyncEdge {
    pub from: usize,
    pub to: usize,
}

/// An argument, for a field to give it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncArg {
    pub name: String,
    pub kind: SyncArgKind,
    pub is_required: bool,
    pub description: Option<String>,
    /// The values that it may have, each as JSON, if they are listed.
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SyncArgKind {
    Account,
    Webhook,
    Datastore,
    Date,
    Time,
    Text,
    Number,
    Boolean,
    Json,
}

/// What starts runs by the clock.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct SyncTrigger {
    pub id: SyncJobCronTriggerId,
    pub cron_expression: String,
    /// When it fires, in words. Empty: the expression can't be read.
    pub words: String,
    /// When it fires next; `null`: it isn't scheduled.
    pub next_run_at: Option<Timestamp>,
    /// The next times, if it is scheduled.
    pub upcoming: Vec<Timestamp>,
    pub account: Option<SyncAccount>,
    pub webhook: Option<SyncWebhook>,
    pub datastore: Option<SyncDatastore>,
    /// As JSON; empty: there are none.
    pub args: String,
    pub on_needs_reauth: OnNeedsReauth,
    /// Why it couldn't make its last run.
    pub last_error: Option<SyncTriggerError>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncTriggerError {
    /// What happened and what to do.
    pub message: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncAccount {
    pub id: AccountId,
    pub name: String,
    pub integration_label: String,
    /// Whether it was deleted. Its name is its id then.
    pub is_gone: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncWebhook {
    pub id: WebhookId,
    pub target_url: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncDatastore {
    pub id: DatastoreId,
    pub label: String,
}

/// What a cron expression says.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct CronPreview {
    pub problem: Option<String>,
    pub words: String,
    pub upcoming: Vec<Timestamp>,
}

/// What a run is started with, and a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SyncInputs {
    pub integrated_account_id: Option<AccountId>,
    pub webhook_id: Option<WebhookId>,
    pub datastore_id: Option<DatastoreId>,
    /// A JSON object.
    pub args: String,
    pub on_needs_reauth: OnNeedsReauth,
}

/// What became of a request to start a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct StartedSyncRun {
    /// `null`: there is none, see `problems`.
    pub run: Option<SyncJobRunId>,
    pub problems: Vec<FieldProblem>,
}

/// What is wrong with a field of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct FieldProblem {
    /// `args.from`, `webhook_id`.
    pub field: String,
    pub problem: String,
}

/// A job while it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncDraft {
    pub problem: Option<DefinitionProblem>,
    /// The node with the problem, by its place in the graph.
    pub node: Option<usize>,
    /// `null`: the nodes can't be drawn.
    pub graph: Option<SyncGraph>,
    /// What has no effect.
    pub warnings: Vec<String>,
}

/// A job to begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncExample {
    pub title: String,
    pub description: String,
    pub text: String,
    /// Whether it writes a file, for which a folder must be chosen.
    pub writes_files: bool,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct SyncRunEntry {
    pub id: SyncJobRunId,
    pub status: RunStatus,
    pub account: Option<SyncAccount>,
    /// Whether a trigger made it.
    pub is_triggered: bool,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Until when it waits, because a provider or a destination asked for it, or the computer is offline.
    pub waits_until: Option<Timestamp>,
    /// The account that must be reauthorized for it to go on.
    pub waits_for: Option<SyncAccount>,
    #[ts(type = "number")]
    pub fetched: u64,
    #[ts(type = "number")]
    pub persisted: u64,
}

/// A run with all that its page shows but its log.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct SyncRunView {
    pub run: SyncRunEntry,
    pub job: SyncJobId,
    /// `null`: the job was deleted.
    pub job_label: Option<String>,
    /// `null`: the nodes can't be read.
    pub graph: Option<SyncGraph>,
    /// Of each node of the graph.
    pub counts: Vec<SyncCounts>,
    pub live: Option<SyncLive>,
    /// Why it failed, as the log says.
    pub reason: Option<SyncLogLine>,
    pub destinations: Vec<SyncDestination>,
    /// The webhook that gets its events, and the records of a flat job.
    pub webhook: Option<SyncWebhook>,
    /// The datastore that gets the records of a flat job.
    pub datastore: Option<SyncDatastore>,
    /// As JSON; empty: there are none.
    pub args: String,
    pub on_needs_reauth: OnNeedsReauth,
    pub error_handling: ErrorHandling,
    /// Whether it waits for another run with the same `mutex_key` or trigger.
    pub waits_for_run: bool,
    /// Whether it was stopped, and can go on where it was.
    pub can_resume: bool,
}

/// What a run has done with a node. `null`: that isn't counted for a node of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, TS)]
pub struct SyncCounts {
    #[ts(type = "number | null")]
    pub fetched: Option<u64>,
    /// For a destination: what arrived there. Otherwise what destinations took of it.
    #[ts(type = "number | null")]
    pub persisted: Option<u64>,
    /// What a transform left out.
    #[ts(type = "number | null")]
    pub dropped: Option<u64>,
    /// Rows that destinations have marked or removed, because their records are gone.
    #[ts(type = "number | null")]
    pub deleted: Option<u64>,
    /// Whether another node of the same resource and method is counted with it.
    pub is_shared: bool,
}

/// Where a run is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncLive {
    /// The request that was worked on last, by its place in the graph.
    pub node: Option<usize>,
    /// Requests that wait.
    pub waiting: u32,
}

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncDestination {
    /// Its place in the graph. The destination of a flat job has a webhook, a datastore or both.
    pub node: usize,
    /// `file`, `webhook` or `datastore`.
    pub kind: String,
    /// A path, the URL of a webhook or the label of a datastore, as far as it is known.
    pub target: String,
    /// If it is a webhook.
    pub webhook_id: Option<WebhookId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncLogLine {
    #[ts(type = "number")]
    pub seq: i64,
    pub at: Timestamp,
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    pub node: Option<String>,
    pub message: String,
}

/// Lines of a run's log, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SyncLog {
    pub lines: Vec<SyncLogLine>,
    /// For the lines before; `null`: there are none.
    #[ts(type = "number | null")]
    pub next: Option<i64>,
}
