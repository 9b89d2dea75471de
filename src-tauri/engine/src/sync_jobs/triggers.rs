//! Triggers: runs by the clock (contract section 9.1).

use relink_domain::{
    SyncJobCronTriggerId, SyncJobRunId, Timestamp,
    caller::Caller,
    sync::{Firing, cron_of},
};
use rusqlite::Transaction;
use serde_json::Value;
use uuid::Uuid;

use super::{NewRun, RunProblems, SyncJobs, new_run};
use crate::{
    error::{Error, Result},
    store::{
        documents::{self, CronTrigger, Document, Kind},
        sync_jobs::{
            runs,
            triggers::{self, TriggerError},
        },
    },
};

impl SyncJobs {
    /// Schedules a trigger: it fires from its next occurrence on.
    pub async fn schedule(&self, caller: &Caller, id: SyncJobCronTriggerId) -> Result<Timestamp> {
        let trigger = self.get::<CronTrigger>(caller, id).await?;
        let at = cron_of(&trigger.document)?.next_after(self.now()).ok_or_else(never_fires)?;
        self.0.uses.store.write(move |tx| triggers::schedule(tx, id, at)).await?;
        self.0.triggers.set(id, at);
        self.0.changed.notify_one();
        tracing::info!(trigger = %id, ?caller, %at, "a trigger was scheduled");
        Ok(at)
    }

    /// When each scheduled trigger fires next.
    pub async fn planned(&self, _caller: &Caller) -> Result<Vec<(SyncJobCronTriggerId, Timestamp)>> {
        Ok(self.0.uses.store.read(triggers::all_planned).await?)
    }

    /// The triggers whose last run couldn't be made, and why. An error goes when a run is made, or the trigger is scheduled again.
    pub async fn trigger_errors(&self, _caller: &Caller) -> Result<Vec<(SyncJobCronTriggerId, TriggerError)>> {
        Ok(self.0.uses.store.read(triggers::errors).await?)
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
            move |c: &rusqlite::Connection| Ok((documents::get::<CronTrigger>(c, id)?, triggers::planned(c, id)?));
        let (Some(trigger), Some(planned)) = self.0.uses.store.read(read).await? else { return Ok(None) };
        let Some(Firing { next, .. }) = cron_of(&trigger.document)?.due(planned, now) else {
            return Ok(Some(planned));
        };
        match self.fired(&trigger, planned, next).await? {
            Fired::Made(run) => tracing::info!(trigger = %id, %run, "a trigger fired"),
            Fired::Waits => tracing::info!(trigger = %id, "a trigger fired, and its run that waits already serves"),
            Fired::Failed(why) => tracing::warn!(trigger = %id, "a {} can't make its run: {why}", CronTrigger::WHAT),
            // Whoever did it has planned what follows.
            Fired::Rescheduled => return Ok(None),
        }
        Ok(Some(next))
    }

    /// Makes the run of a trigger and plans the next one, in one transaction. If there is no run, the trigger's row says why.
    async fn fired(&self, trigger: &Document<CronTrigger>, planned: Timestamp, next: Timestamp) -> Result<Fired> {
        let (id, moment) = (trigger.id, self.moment());
        let prepared = match self.prepare_run(&Caller::Internal, run_of(trigger)).await {
            Ok(run) => Ok(run),
            Err(RunProblems::Other(error @ (Error::Store(_) | Error::Stopping))) => return Err(error),
            // A trigger that can't make a run, for example because its account is gone, doesn't try each minute.
            Err(problems) => Err(why(&problems)),
        };
        let write = move |tx: &Transaction<'_>| {
            if triggers::planned(tx, id)? != Some(planned) {
                return Ok(Fired::Rescheduled);
            }
            triggers::set_planned(tx, id, Some(next))?;
            let admitted = match prepared {
                Ok(_) if runs::waits_to_start(tx, id)? => return Ok(Fired::Waits),
                Ok(run) => new_run::admit(tx, moment, run)?.map_err(|error| why(&error.into())),
                Err(message) => Err(message),
            };
            let error = admitted.as_ref().err();
            let error =
                error.map(|message| TriggerError { id: Uuid::now_v7(), message: message.clone(), at: moment.now });
            triggers::set_error(tx, id, error.as_ref())?;
            Ok(match admitted {
                Ok(run) => Fired::Made(run.id),
                Err(message) => Fired::Failed(message),
            })
        };
        let fired = self.0.uses.store.write(write).await?;
        self.0.changed.notify_one();
        Ok(fired)
    }
}

/// What became of a trigger's time.
enum Fired {
    Made(SyncJobRunId),
    /// A run of the trigger waits to be started already, and makes up for this time too.
    Waits,
    /// There is no run, in words.
    Failed(String),
    /// It was scheduled anew or unscheduled meanwhile.
    Rescheduled,
}

/// Why a trigger can't make its run, and what to do about it.
fn why(problems: &RunProblems) -> String {
    let gone = |what: &str, other: &str| {
        format!("The trigger's {what} was deleted. Remove the trigger, and add one {other} {what}.")
    };
    let not_taken = |problem: &str| {
        let end = if problem.ends_with(['.', '!', '?']) { "" } else { "." };
        format!(
            "The job doesn't take the trigger's arguments: {problem}{end} Remove the trigger, and add one with other arguments."
        )
    };
    match problems {
        RunProblems::Args(failures) => {
            not_taken(&failures.iter().map(|failure| failure.message.as_str()).collect::<Vec<_>>().join(" "))
        }
        RunProblems::Other(Error::Invalid { code, field, message }) => match (*code, field.as_deref()) {
            ("unknown_id", Some("integrated_account_id")) => gone("account", "for another"),
            ("unknown_id", Some("webhook_id")) => gone("webhook", "with another"),
            ("unknown_id", Some("datastore_id")) => gone("datastore", "with another"),
            (new_run::NO_TARGET, _) => NO_TARGET.to_owned(),
            (new_run::ARGS_INVALID, _) => not_taken(message),
            _ => format!("The job can't run: {message} Correct the job."),
        },
        RunProblems::Other(error) => error.to_string(),
    }
}

const NO_TARGET: &str = "The records of the job go to a run's webhook or datastore, and the trigger names neither. \
                         Remove the trigger, and add one with a webhook or a datastore.";

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
