//! What a run needs, out of the engine's parts (`relink_sync::host`).

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use relink_destinations::{Files, Origin};
use relink_domain::{AccountId, Timestamp, WebhookId, caller::Caller, sync::DestinationKind};
use relink_sync::{
    Account, Call, Commit, Delivery, DeliveryError, ExpressionError, JournalError, Level, LogLine, Missing,
    NodeProgress, Page, RequestError, Saved, StateWrite,
    host::{Clock, Destinations, Expressions, Journal, Observer, Requests, States},
};
use rusqlite::Transaction;
use serde_json::{Value, json, value::RawValue};

use super::{SyncJobs, documents::unknown_in_body};
use crate::{
    crash::CrashPoint,
    error::Error,
    run_calls::RunCalls,
    store::sync_jobs::{
        journal,
        log::{self, NewLine},
        runs::{self, StoredRun},
        states,
    },
    sync::lock,
};

/// A run that is worked on.
pub(super) struct RunHost<'a> {
    pub(super) jobs: &'a SyncJobs,
    pub(super) run: &'a StoredRun,
    pub(super) calls: Arc<dyn RunCalls>,
    /// For the log, with the next commit.
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    kept: Vec<NewLine>,
    left_out: usize,
}

/// Lines of a step that are kept. It has few, unless all nodes are debugged.
const MAX_LINES: usize = 200;
/// The maximum length of a line, in characters.
const MAX_LINE: usize = 4000;

impl<'a> RunHost<'a> {
    pub(super) fn new(jobs: &'a SyncJobs, run: &'a StoredRun, calls: Arc<dyn RunCalls>) -> Self {
        Self { jobs, run, calls, lines: Mutex::default() }
    }

    /// Whether the network reaches an account's provider. `looks_again`: what was seen a moment ago doesn't count.
    async fn reaches(&self, account: AccountId, looks_again: bool) -> bool {
        let reaches = &self.jobs.0.reaches;
        if !looks_again && reaches.are_fresh(account, Instant::now()) {
            return true;
        }
        let is_there = self.calls.is_within_reach(account).await;
        reaches.saw(account, is_there, Instant::now());
        is_there
    }

    /// Where files go, in the folder that the person allowed.
    fn files(&self) -> Result<Arc<Files>, DeliveryError> {
        self.jobs.0.files.load_full().ok_or_else(|| {
            let message = "No folder is allowed for the files of sync jobs. Choose one under Sync jobs in the window, or by relink sync folder PATH.";
            DeliveryError::Failed(refused(409, "Conflict", message))
        })
    }

    /// Whose records the rows of a request with `delete_tracking` are.
    fn origin(&self, request: &str, account: &str) -> Origin {
        Origin {
            job: self.run.sync_job_id.to_string(),
            run: self.run.id,
            account: account.to_owned(),
            request: request.to_owned(),
            at: self.now(),
        }
    }

    /// What the step has logged. A wait has no commit that keeps it.
    pub(super) fn take_lines(&self) -> Vec<NewLine> {
        let Lines { mut kept, left_out } = std::mem::take(&mut *lock(&self.lines));
        if left_out > 0 {
            let message = format!("{left_out} more lines of this step are left out.");
            kept.push(NewLine { level: "info", node: None, message });
        }
        kept
    }
}

/// An error of Relink's own, in Truto's form.
fn refused(status: u16, error: &str, message: &str) -> Value {
    json!({ "statusCode": status, "error": error, "message": message })
}

fn bad_request(message: &str) -> Value {
    refused(400, "Bad Request", message)
}

fn unusable(error: &crate::store::StoreError) -> JournalError {
    JournalError(error.to_string())
}

impl Requests for RunHost<'_> {
    async fn page(&self, call: Call<'_>) -> Result<Page, RequestError> {
        let account = call.account.parse().map_err(|_| RequestError::Other(no_account(call.account)))?;
        if !self.reaches(account, false).await {
            // A call could only fail, and so would a refresh for it.
            let message = "There is no network that reaches the provider.";
            return Err(RequestError::Offline(refused(503, "Service Unavailable", message)));
        }
        match self.calls.page(self.run.id, account, call).await {
            Ok(page) => {
                CrashPoint::RunFetched.here(&self.run.id).await;
                Ok(page)
            }
            Err(RequestError::NoResponse(error)) => {
                self.reaches(account, true).await;
                let is_offline = self.jobs.0.reaches.explains(account, Instant::now());
                Err(if is_offline { RequestError::Offline(error) } else { RequestError::Other(error) })
            }
            Err(error) => Err(error),
        }
    }

    async fn account(&self, id: &str) -> Result<Account, Value> {
        let account: AccountId = id.parse().map_err(|_| no_account(id))?;
        let view = self.jobs.0.uses.accounts.get(&Caller::Internal, account).await;
        let view = view.map_err(|error| match error {
            Error::NotFound { .. } => no_account(id),
            other => refused(500, "Internal Server Error", &other.to_string()),
        })?;
        let profile = view.account.profile;
        Ok(Account { context: profile.context, tenant_id: profile.tenant_id })
    }
}

/// A line that is too long says so.
fn cut(message: &str) -> String {
    match message.char_indices().nth(MAX_LINE) {
        None => message.to_owned(),
        Some((end, _)) => format!("{}… ({} characters)", &message[..end], message.chars().count()),
    }
}

fn no_account(id: &str) -> Value {
    bad_request(&unknown_in_body("integrated account", "integrated_account_id", id).to_string())
}

impl Expressions for RunHost<'_> {
    async fn evaluate(&self, expression: &str, input: Box<RawValue>) -> Result<Option<Box<RawValue>>, ExpressionError> {
        self.calls.evaluate(expression, input).await
    }
}

impl Destinations for RunHost<'_> {
    async fn deliver(&self, delivery: Delivery<'_>) -> Result<(), DeliveryError> {
        let webhook = match delivery.kind {
            DestinationKind::Run => self.run.records_webhook(),
            DestinationKind::Webhook => {
                let id = delivery.config.as_ref().and_then(|config| config.get("id")).and_then(Value::as_str);
                let id = id.unwrap_or_default();
                let parsed: Option<WebhookId> = id.parse().ok();
                let unknown =
                    || DeliveryError::Failed(bad_request(&unknown_in_body("webhook", "config.id", id).to_string()));
                Some(parsed.ok_or_else(unknown)?)
            }
            DestinationKind::File { .. } => {
                let origin = delivery.tracked.map(|request| self.origin(request, delivery.account.unwrap_or_default()));
                self.files()?.deliver(self.run.id, &delivery, origin).await?;
                CrashPoint::RunDelivered.here(&self.run.id).await;
                return Ok(());
            }
            DestinationKind::Datastore { .. } => None,
        };
        let datastore = match delivery.kind {
            DestinationKind::Datastore { .. } => {
                let id = delivery.config.as_ref().and_then(|config| config.get("id")).and_then(Value::as_str);
                Some(id.unwrap_or_default().to_owned())
            }
            DestinationKind::Run => self.run.spec.datastore_id.clone(),
            DestinationKind::Webhook | DestinationKind::File { .. } => None,
        };
        // A run can name both: each batch goes to both.
        if let Some(datastore) = datastore {
            self.jobs.deliver_to_datastore(&datastore, &delivery).await?;
            CrashPoint::RunDelivered.here(&self.run.id).await;
        }
        let Some(webhook) = webhook else { return Ok(()) };
        let payload = json!({
            "resource": delivery.resource,
            "records": delivery.records,
            "meta": self.run.meta(),
        });
        self.jobs.0.uses.outbox.deliver_records(webhook, delivery.id, &payload).await?;
        CrashPoint::RunDelivered.here(&self.run.id).await;
        Ok(())
    }

    async fn delete_missing(&self, missing: Missing<'_>) -> Result<u64, DeliveryError> {
        // A run that works has begun.
        let Some(since) = self.run.started_at else { return Ok(0) };
        let origin = self.origin(missing.request, missing.account);
        self.files()?.delete_missing(&missing, origin, since).await
    }
}

impl States for RunHost<'_> {
    async fn get(&self, key: &str) -> Result<Option<Value>, JournalError> {
        let (state_key, key) = (self.run.state_key(), key.to_owned());
        let cell = self.jobs.0.uses.store.read(move |c| states::get(c, &state_key, &key)).await;
        Ok(cell.map_err(|error| unusable(&error))?.map(|cell| cell.value))
    }
}

impl Journal for RunHost<'_> {
    async fn load(&self) -> Result<Option<Saved>, JournalError> {
        let id = self.run.id;
        self.jobs.0.uses.store.read(move |c| journal::load(c, id)).await.map_err(|error| unusable(&error))
    }

    async fn commit(&self, commit: &Commit) -> Result<(), JournalError> {
        let (id, state_key, moment, commit) = (self.run.id, self.run.state_key(), self.jobs.moment(), commit.clone());
        let lines = self.take_lines();
        let write = move |tx: &Transaction<'_>| {
            if !runs::add_stats(tx, id, &commit.stats, moment.now)? {
                return Ok(false);
            }
            journal::commit(tx, id, &commit)?;
            for write in &commit.states {
                match write {
                    StateWrite::Put { key, value } => states::put(tx, (&state_key, key), value, Some(id), moment.now)?,
                    StateWrite::Delete { key } => states::delete(tx, &state_key, key)?,
                }
            }
            for line in &lines {
                log::add(tx, id, line, moment.now)?;
            }
            moment.report_errors(tx, id, &commit.errors)?;
            Ok(true)
        };
        match self.jobs.0.uses.store.write_unsynced(write).await {
            Ok(true) => {
                CrashPoint::RunCommitted.here(&self.run.id).await;
                Ok(())
            }
            Ok(false) => Err(JournalError("the run is over".to_owned())),
            Err(error) => Err(unusable(&error)),
        }
    }

    async fn spooled(&self, spool: usize) -> Result<Vec<Box<RawValue>>, JournalError> {
        let id = self.run.id;
        self.jobs.0.uses.store.read(move |c| journal::spooled(c, id, spool)).await.map_err(|error| unusable(&error))
    }
}

impl Observer for RunHost<'_> {
    fn log(&self, line: LogLine<'_>) {
        let level = match line.level {
            Level::Debug => "debug",
            Level::Warn => "warn",
        };
        let mut lines = lock(&self.lines);
        if lines.kept.len() < MAX_LINES {
            lines.kept.push(NewLine { level, node: Some(line.node.to_owned()), message: cut(line.message) });
        } else {
            lines.left_out += 1;
        }
    }

    fn progress(&self, progress: NodeProgress<'_>) {
        self.jobs.went_on(self.run.id, progress.node, progress.waiting);
    }
}

impl Clock for RunHost<'_> {
    fn now(&self) -> Timestamp {
        self.jobs.now()
    }
}
