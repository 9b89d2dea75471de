//! The rows that programs write whole: jobs, templates, triggers, and workflows, whose rules are in `workflows`.

use std::str::FromStr;

use relink_domain::{
    Timestamp,
    caller::Caller,
    integration::NOT_IN_RELINK,
    sync::{ErrorHandling, EventFilter, Job, JobError, OnNeedsReauth, UnknownWord, check_types, cron_of},
};
use rusqlite::Transaction;
use serde_json::{Map, Value};

use super::SyncJobs;
use crate::{
    error::{Error, Result},
    store::{
        self, accounts,
        documents::{self, CronTrigger, Datastore, Document, Kind, SyncJob, SyncJobTemplate},
        sync_jobs::triggers,
        webhooks,
    },
};

/// A kind of row with rules.
pub trait Checked: Kind {
    /// Checks a document that is being written. Gives its JSONata expressions with their places.
    fn check(document: &Map<String, Value>) -> Result<Vec<(String, String)>, JobError>;

    /// Checks what a document names, before it is written, and changes what depends on it. `before`: what the row was; none if it is new.
    fn admit(
        _tx: &Transaction<'_>,
        _row: &Document<Self>,
        _before: Option<&Map<String, Value>>,
    ) -> store::Result<Result<()>>
    where
        Self: Sized,
    {
        Ok(Ok(()))
    }

    /// Adds what belongs to a row that was written.
    fn written(_tx: &Transaction<'_>, _row: &Document<Self>, _before: Option<&Map<String, Value>>) -> store::Result<()>
    where
        Self: Sized,
    {
        Ok(())
    }

    /// Removes what belongs to a row.
    fn deleted(_tx: &Transaction<'_>, _id: Self::Id) -> store::Result<()> {
        Ok(())
    }
}

impl Checked for SyncJob {
    fn check(document: &Map<String, Value>) -> Result<Vec<(String, String)>, JobError> {
        Job::check(document)
    }

    fn deleted(tx: &Transaction<'_>, id: Self::Id) -> store::Result<()> {
        for trigger in documents::all::<CronTrigger>(tx)? {
            if trigger.text("sync_job_id") == Some(&id.to_string()) {
                documents::delete::<CronTrigger>(tx, trigger.id)?;
            }
        }
        Ok(())
    }
}

impl Checked for SyncJobTemplate {
    fn check(document: &Map<String, Value>) -> Result<Vec<(String, String)>, JobError> {
        check_types(document, &["description", "sharing"], &[])?;
        Job::check(document)
    }
}

impl Checked for CronTrigger {
    fn check(document: &Map<String, Value>) -> Result<Vec<(String, String)>, JobError> {
        let texts = ["sync_job_id", "integrated_account_id", "cron_expression", "webhook_id", "datastore_id"];
        check_types(document, &texts, &["args", "super_query", "meta"])?;
        word_of::<ErrorHandling>(document, "error_handling")?;
        word_of::<OnNeedsReauth>(document, "on_needs_reauth")?;
        if let Some(events) = document.get("events_to_send") {
            let names = events.as_array().and_then(|names| names.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
            let names = names.ok_or_else(|| JobError::new("events_to_send", "must be an array of strings."))?;
            EventFilter::parse(Some(names)).map_err(|error| unknown_word("events_to_send", &error))?;
        }
        cron_of(document)?;
        Ok(Vec::new())
    }

    fn admit(
        tx: &Transaction<'_>,
        row: &Document<Self>,
        before: Option<&Map<String, Value>>,
    ) -> store::Result<Result<()>> {
        let named = |key: &str| match row.text(key) {
            None | Some("") if key == JOB => Some(""),
            named => named.filter(|id| !id.is_empty()),
        };
        if let Err(unknown) = require_known(tx, "", named)? {
            return Ok(Err(unknown));
        }
        // Inactive until it is scheduled again (contract section 9.1).
        if before.is_some_and(|before| before.get("cron_expression") != row.document.get("cron_expression")) {
            triggers::set_planned(tx, row.id, None)?;
        }
        Ok(Ok(()))
    }
}

const JOB: &str = "sync_job_id";

/// Refuses a job, an account, a webhook or a datastore that isn't there. `place` is where the members are, with a dot at its end.
pub(super) fn require_known<'d>(
    tx: &Transaction<'_>,
    place: &str,
    named: impl Fn(&str) -> Option<&'d str>,
) -> store::Result<Result<()>> {
    let unknown = |what: &str, key: &str, id: &str| Ok(Err(unknown_in_body(what, &format!("{place}{key}"), id)));
    if let Some(id) = named(JOB) {
        let found = id.parse().ok().map(|id| documents::get::<SyncJob>(tx, id)).transpose()?.flatten();
        if found.is_none() {
            return unknown(SyncJob::WHAT, JOB, id);
        }
    }
    if let Some(id) = named("integrated_account_id") {
        let found = id.parse().ok().map(|id| accounts::get(tx, id)).transpose()?.flatten();
        if found.is_none() {
            return unknown("integrated account", "integrated_account_id", id);
        }
    }
    if let Some(id) = named("webhook_id") {
        let found = id.parse().ok().map(|id| webhooks::get(tx, id)).transpose()?.flatten();
        if found.is_none() {
            return unknown("webhook", "webhook_id", id);
        }
    }
    if let Some(id) = named("datastore_id") {
        let found = id.parse().ok().map(|id| documents::get::<Datastore>(tx, id)).transpose()?.flatten();
        if found.is_none() {
            return unknown(Datastore::WHAT, "datastore_id", id);
        }
    }
    Ok(Ok(()))
}

/// Checks a member that is one of some words. An empty one is none.
fn word_of<T: FromStr<Err = UnknownWord>>(document: &Map<String, Value>, name: &str) -> Result<(), JobError> {
    match document.get(name) {
        None => Ok(()),
        Some(Value::String(text)) if text.is_empty() => Ok(()),
        Some(Value::String(text)) => text.parse::<T>().map(|_| ()).map_err(|error| unknown_word(name, &error)),
        Some(_) => Err(JobError::new(name, "must be a string.")),
    }
}

/// The error's message begins with the name of the member.
fn unknown_word(name: &str, error: &UnknownWord) -> JobError {
    let message = error.to_string();
    JobError::new(name, message.trim_start_matches(name).trim_start())
}

fn changed_meanwhile<K: Kind>() -> Error {
    let message = format!("The {} was changed by somebody else just now. Read it again.", K::WHAT);
    Error::conflict("changed_meanwhile", message)
}

/// A body that names what isn't there.
pub(super) fn unknown_in_body(what: &str, field: &str, given: &str) -> Error {
    let message = if given.is_empty() {
        format!("{field} is missing. Give the id of a {what}.")
    } else {
        format!("{field} names no {what}: there is none with the id {given}.")
    };
    Error::invalid_field("unknown_id", field, message)
}

impl From<JobError> for Error {
    fn from(error: JobError) -> Self {
        let code = if error.is_unsupported { NOT_IN_RELINK } else { "document_invalid" };
        Self::invalid_field(code, error.path.clone(), error.to_string())
    }
}

impl SyncJobs {
    /// All rows of a kind, oldest first.
    pub async fn all<K: Kind>(&self, _caller: &Caller) -> Result<Vec<Document<K>>> {
        Ok(self.0.uses.store.read(documents::all).await?)
    }

    pub async fn get<K: Kind>(&self, _caller: &Caller, id: K::Id) -> Result<Document<K>> {
        self.0.uses.store.read(move |c| documents::get(c, id)).await?.ok_or_else(|| Error::not_found(K::WHAT, &id))
    }

    /// Adds a row.
    pub async fn add<K: Checked>(&self, caller: &Caller, mut document: Map<String, Value>) -> Result<Document<K>> {
        document.retain(|_, value| !value.is_null());
        self.check::<K>(&document).await?;
        let row = Document::<K>::new(document, self.now());
        let written = row.clone();
        let write = move |tx: &Transaction<'_>| {
            if let Err(refused) = K::admit(tx, &written, None)? {
                return Ok(Err(refused));
            }
            documents::put(tx, &written)?;
            K::written(tx, &written, None)?;
            Ok(Ok(()))
        };
        self.0.uses.store.write(write).await??;
        self.0.workflows_changed.notify_one();
        tracing::info!(id = %row.id, ?caller, "a {} was added", K::WHAT);
        Ok(row)
    }

    /// Changes a row: null removes a key, anything else replaces it, and what is left out stays.
    pub async fn change<K: Checked>(
        &self,
        caller: &Caller,
        id: K::Id,
        change: Map<String, Value>,
    ) -> Result<Document<K>> {
        let before = self.get::<K>(caller, id).await?;
        let mut row = before.clone();
        for (key, value) in change {
            if value.is_null() {
                row.document.shift_remove(&key);
            } else {
                row.document.insert(key, value);
            }
        }
        self.check::<K>(&row.document).await?;
        row.updated_at = self.now();
        let written = row.clone();
        let write = move |tx: &Transaction<'_>| {
            // It may have changed or gone since it was read.
            let Some(now) = documents::get::<K>(tx, id)? else { return Ok(Err(Error::not_found(K::WHAT, &id))) };
            if now.document != before.document {
                return Ok(Err(changed_meanwhile::<K>()));
            }
            if let Err(refused) = K::admit(tx, &written, Some(&before.document))? {
                return Ok(Err(refused));
            }
            documents::put(tx, &written)?;
            K::written(tx, &written, Some(&before.document))?;
            Ok(Ok(()))
        };
        self.0.uses.store.write(write).await??;
        self.0.changed.notify_one();
        self.0.workflows_changed.notify_one();
        tracing::info!(%id, ?caller, "a {} was changed", K::WHAT);
        Ok(row)
    }

    /// Replaces all of a row's document. `version`: the row's `updated_at` when it was read. One that was changed since stays as it is.
    pub async fn replace<K: Checked>(
        &self,
        caller: &Caller,
        id: K::Id,
        version: Timestamp,
        mut document: Map<String, Value>,
    ) -> Result<Document<K>> {
        let before = self.get::<K>(caller, id).await?;
        if before.updated_at != version {
            return Err(changed_meanwhile::<K>());
        }
        for name in before.document.keys().filter(|name| !document.contains_key(*name)).cloned().collect::<Vec<_>>() {
            document.insert(name, Value::Null);
        }
        self.change(caller, id, document).await
    }

    /// Checks a document as if it were written. Nothing is.
    pub async fn check_document<K: Checked>(&self, _caller: &Caller, document: &Map<String, Value>) -> Result<()> {
        self.check::<K>(document).await
    }

    pub async fn delete<K: Checked>(&self, caller: &Caller, id: K::Id) -> Result<()> {
        self.get::<K>(caller, id).await?;
        let write = move |tx: &Transaction<'_>| {
            documents::delete::<K>(tx, id)?;
            K::deleted(tx, id)
        };
        self.0.uses.store.write(write).await?;
        self.0.changed.notify_one();
        tracing::info!(%id, ?caller, "a {} was deleted", K::WHAT);
        Ok(())
    }

    /// Checks a document and the syntax of its expressions.
    async fn check<K: Checked>(&self, document: &Map<String, Value>) -> Result<()> {
        for (place, expression) in K::check(document)? {
            let Some(runner) = self.0.uses.runners.get() else { return Ok(()) };
            if let Err(error) = runner.check(&expression).await {
                let message = format!("{place}: the expression can't be used: {error}");
                return Err(Error::invalid_field("expression_invalid", place, message));
            }
        }
        Ok(())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.uses.clock.now()
    }
}
