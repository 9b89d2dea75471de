//! What becomes of a run, and the events of that.

use relink_domain::{
    EnvironmentId, SyncJobRunId, Timestamp,
    sync::{ErrorHandling, RefusedChange, RunChange, RunEvent, RunStatus},
};
use relink_sync::RecordError;
use rusqlite::Transaction;
use serde_json::{Value, json};

use crate::store::{
    self,
    outbox::{self, Payload},
    sync_jobs::{
        journal,
        log::{self, NewLine},
        runs::{self, StoredRun},
    },
};

/// Errors that one event carries. More are sent in further ones.
const MAX_ERRORS: usize = 1000;

/// When and where a change happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) environment: EnvironmentId,
    pub(super) now: Timestamp,
}

impl Moment {
    /// Adds a run, with its event.
    pub(super) fn create(self, tx: &Transaction<'_>, run: &StoredRun) -> store::Result<()> {
        runs::put(tx, run)?;
        self.announce(tx, run, RunStatus::ON_CREATE)
    }

    /// Changes a run, with its events. Refused, if it is over.
    pub(super) fn change(
        self,
        tx: &Transaction<'_>,
        run: &mut StoredRun,
        change: RunChange,
    ) -> store::Result<Result<(), RefusedChange>> {
        let (status, events) = match run.status.change(change) {
            Ok(Some(changed)) => changed,
            Ok(None) => {
                // One that was only stopped can't be resumed any more.
                if change == RunChange::Delete {
                    journal::forget(tx, run.id)?;
                }
                runs::put(tx, run)?;
                return Ok(Ok(()));
            }
            Err(refused) => return Ok(Err(refused)),
        };
        (run.status, run.updated_at) = (status, self.now);
        // One that is resumed has begun already.
        let begins_again = change == RunChange::Start && run.started_at.is_some();
        if change == RunChange::Start {
            run.started_at.get_or_insert(self.now);
        }
        run.finished_at = status.is_over().then_some(self.now);
        if status.is_over() {
            (run.wait_until, run.waits_for_account) = (None, None);
            self.send_errors(tx, run)?;
            if change == RunChange::Stop {
                journal::keep(tx, run.id)?;
            } else {
                journal::forget(tx, run.id)?;
            }
        }
        runs::put(tx, run)?;
        let events: Vec<_> = events.iter().copied().filter(|it| !begins_again || *it != RunEvent::Started).collect();
        self.announce(tx, run, &events)?;
        Ok(Ok(()))
    }

    fn announce(self, tx: &Transaction<'_>, run: &StoredRun, events: &[RunEvent]) -> store::Result<()> {
        let payload = Payload::of(&run.row(self.environment))?;
        events.iter().try_for_each(|event| self.send(tx, run, *event, &payload))
    }

    fn send(self, tx: &Transaction<'_>, run: &StoredRun, event: RunEvent, payload: &Payload) -> store::Result<()> {
        if run.sends(event) {
            let subject = run.id.to_string();
            outbox::enqueue_event_with(tx, event.into(), Some(&subject), payload, self.now, run.spec.webhook_id)?;
        }
        Ok(())
    }

    /// Errors of a run that goes on.
    pub(super) fn report_errors(
        self,
        tx: &Transaction<'_>,
        run: SyncJobRunId,
        errors: &[RecordError],
    ) -> store::Result<()> {
        let Some(run) = runs::get(tx, run)?.filter(|_| !errors.is_empty()) else { return Ok(()) };
        for error in errors {
            log::add(tx, run.id, &line_of("warn", error), self.now)?;
        }
        if run.spec.error_handling == ErrorHandling::Batch {
            return journal::add_errors(tx, run.id, errors);
        }
        for error in errors {
            let payload = json!({ "resource": error.resource, "error": error.error, "meta": run.meta() });
            self.send(tx, &run, RunEvent::RecordError, &Payload::of(&payload)?)?;
        }
        Ok(())
    }

    /// The errors that are sent together (contract section 9.4).
    fn send_errors(self, tx: &Transaction<'_>, run: &StoredRun) -> store::Result<()> {
        let mut sent = 0;
        loop {
            let errors = journal::errors(tx, run.id, sent, MAX_ERRORS)?;
            if errors.is_empty() {
                return Ok(());
            }
            sent += errors.len();
            let shown: Vec<_> = errors.iter().map(|it| json!({ "resource": it.resource, "error": it.error })).collect();
            let payload = json!({ "errors": shown, "meta": run.meta() });
            self.send(tx, run, RunEvent::RecordError, &Payload::of(&payload)?)?;
        }
    }

    /// Adds a line to a run's log.
    pub(super) fn log(
        self,
        tx: &Transaction<'_>,
        run: SyncJobRunId,
        level: &'static str,
        message: &str,
    ) -> store::Result<()> {
        log::add(tx, run, &NewLine { level, node: None, message: message.to_owned() }, self.now)
    }
}

/// The line for an error.
pub(super) fn line_of(level: &'static str, error: &RecordError) -> NewLine {
    let status = error.error.get("statusCode").map(|status| format!("{status}: ")).unwrap_or_default();
    let message = error.error.get("message").and_then(Value::as_str);
    let message = message.map_or_else(|| error.error.to_string(), str::to_owned);
    let of = if error.resource.is_empty() { String::new() } else { format!("{}: ", error.resource) };
    NewLine {
        level,
        node: Some(error.node.clone()).filter(|node| !node.is_empty()),
        message: format!("{of}{status}{message}"),
    }
}
