//! Triggers: runs by the clock (contract section 9.1).

use relink_domain::{
    SyncJobCronTriggerId, SyncJobRunId, Timestamp,
    caller::Caller,
    sync::{Firing, cron_of},
};
use rusqlite::Transaction;
use serde_json::Value;

use super::{NewRun, RunProblems, SyncJobs, new_run};
use crate::{
    error::{Error, Result},
    store::{
        documents::{self, CronTrigger, Document, Kind},
        sync_jobs::runs,
    },
};

impl SyncJobs {
    /// Schedules a trigger: it fires from its next occurrence on.
    pub async fn schedule(&self, caller: &Caller, id: SyncJobCronTriggerId) -> Result<Timestamp> {
        let trigger = self.get::<CronTrigger>(caller, id).await?;
        let at = cron_of(&trigger.document)?.next_after(self.now()).ok_or_else(never_fires)?;
        self.0.uses.store.write(move |tx| documents::set_planned(tx, id, Some(at))).await?;
        self.0.triggers.set(id, at);
        self.0.changed.notify_one();
        tracing::info!(trigger = %id, ?caller, %at, "a trigger was scheduled");
        Ok(at)
    }

    /// When each scheduled trigger fires next.
    pub async fn planned(&self, _caller: &Caller) -> Result<Vec<(SyncJobCronTriggerId, Timestamp)>> {
        Ok(self.0.uses.store.read(documents::all_planned).await?)
    }

    /// Plans all that are scheduled, as the database has them.
    pub(super) async fn plan_triggers(&self) -> Result<()> {
        for (id, at) in self.planned(&Caller::Internal).await? {
            self.0.triggers.set(id, at);
        }
        Ok(())
    }

    /// Fires the triggers that are due. Gives when the next one is.
    pub(super) async fn fire_due(&self, now: Timestamp) -> Option<Timestamp> {
        let taken = self.0.triggers.take_due(now);
        for id in taken.due {
            match self.fire(id, now).await {
                Ok(Some(next)) => self.0.triggers.set(id, next),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(trigger = %id, code = error.code(), "it couldn't be fired, and is tried again: {error}");
                    self.0.triggers.set(id, now.plus_secs(60));
                }
            }
        }
        taken.next
    }

    /// Makes the run of a trigger, unless it was unscheduled meanwhile. Gives when it fires next.
    async fn fire(&self, id: SyncJobCronTriggerId, now: Timestamp) -> Result<Option<Timestamp>> {
        let read =
            move |c: &rusqlite::Connection| Ok((documents::get::<CronTrigger>(c, id)?, documents::planned(c, id)?));
        let (Some(trigger), Some(planned)) = self.0.uses.store.read(read).await? else { return Ok(None) };
        let Some(Firing { next, .. }) = cron_of(&trigger.document)?.due(planned, now) else {
            return Ok(Some(planned));
        };
        match self.fired(&trigger, next).await {
            Ok(Some(run)) => tracing::info!(trigger = %id, %run, "a trigger fired"),
            Ok(None) => tracing::info!(trigger = %id, "a trigger fired, and its run that waits already serves"),
            Err(RunProblems::Other(error @ (Error::Store(_) | Error::Stopping))) => return Err(error),
            Err(RunProblems::Args(failures)) => {
                let what: Vec<_> = failures.into_iter().map(|failure| failure.message).collect();
                tracing::warn!(trigger = %id, "a {} can't make its run: {}", CronTrigger::WHAT, what.join(" "));
            }
            Err(RunProblems::Other(error)) => {
                tracing::warn!(trigger = %id, code = error.code(), "a {} can't make its run: {error}", CronTrigger::WHAT);
            }
        }
        Ok(Some(next))
    }

    /// Makes the run of a trigger and plans the next one, in one transaction. None: a run of the trigger waits to be started already, and
    /// makes up for this time too.
    async fn fired(
        &self,
        trigger: &Document<CronTrigger>,
        next: Timestamp,
    ) -> Result<Option<SyncJobRunId>, RunProblems> {
        let (id, moment) = (trigger.id, self.moment());
        let prepared = self.prepare_run(&Caller::Internal, run_of(trigger)).await;
        let (run, problems) = match prepared {
            Ok(run) => (Some(run), None),
            Err(RunProblems::Other(error @ (Error::Store(_) | Error::Stopping))) => return Err(error.into()),
            // A trigger that can't make a run, for example because its account is gone, doesn't try each minute.
            Err(problems) => (None, Some(problems)),
        };
        let write = move |tx: &Transaction<'_>| {
            documents::set_planned(tx, id, Some(next))?;
            match run {
                Some(run) if !runs::waits_to_start(tx, id)? => Ok(new_run::admit(tx, moment, run)?.map(Some)),
                _ => Ok(Ok(None)),
            }
        };
        let made = self.0.uses.store.write(write).await??;
        self.0.changed.notify_one();
        match problems {
            Some(problems) => Err(problems),
            None => Ok(made.map(|run| run.id)),
        }
    }
}

pub(super) fn never_fires() -> Error {
    Error::invalid_field("document_invalid", "cron_expression", "cron_expression never fires again.")
}

fn run_of(trigger: &Document<CronTrigger>) -> NewRun {
    let text = |name: &str| trigger.text(name).map(str::to_owned);
    let document = &trigger.document;
    let names = |names: &Vec<Value>| names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    NewRun {
        sync_job_id: text("sync_job_id").unwrap_or_default(),
        integrated_account_id: text("integrated_account_id"),
        trigger: Some(trigger.id),
        args: document.get("args").and_then(Value::as_object).cloned().unwrap_or_default(),
        webhook_id: text("webhook_id"),
        datastore_id: text("datastore_id").filter(|id| !id.is_empty()),
        error_handling: text("error_handling"),
        on_needs_reauth: text("on_needs_reauth"),
        events_to_send: document.get("events_to_send").and_then(Value::as_array).map(names),
        meta: document.get("meta").cloned(),
        ..NewRun::default()
    }
}
