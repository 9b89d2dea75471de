//! Starting a run: what it was asked with is checked, and kept with the nodes as they are now (contract section 9.1).

use std::str::FromStr;

use relink_contract::sync::NewSyncJobRun;
use relink_domain::{
    AccountId, SyncJobCronTriggerId, SyncJobId, SyncJobRunId, WebhookId,
    caller::Caller,
    sync::{
        ArgFailure, DestinationKind, ErrorHandling, EventFilter, Form, Graph, Job, JobError, NodeKind, OnNeedsReauth,
        ResourceStats, RunStatus, UnknownWord, runtime,
    },
    template::{Root, Scope, Template},
};
use rusqlite::Transaction;
use serde_json::{Map, Value, value::to_raw_value};
use uuid::Uuid;

use super::{SyncJobs, changes::Moment, documents::unknown_in_body};
use crate::{
    error::{Error, Result},
    store::{
        self,
        documents::{self, Datastore, Kind, SyncJob},
        sync_jobs::runs::{self, MadeByWorkflow, RunSpec, StoredRun},
        webhooks,
    },
};

/// The code of a run of a flat job that names neither a webhook nor a datastore.
pub(super) const NO_TARGET: &str = "webhook_id_missing";
/// The code of arguments that the job's `args_validation` refuses.
pub(super) const ARGS_INVALID: &str = "args_invalid";

/// What a run is asked with. Ids are texts: one that isn't known is the caller's error.
#[derive(Debug, Clone, Default)]
pub struct NewRun {
    pub sync_job_id: String,
    pub integrated_account_id: Option<String>,
    pub trigger: Option<SyncJobCronTriggerId>,
    pub workflow: Option<MadeByWorkflow>,
    pub args: Map<String, Value>,
    pub resources: Option<Value>,
    pub webhook_id: Option<String>,
    pub datastore_id: Option<String>,
    pub error_handling: Option<String>,
    pub on_needs_reauth: Option<String>,
    pub ignore_previous_run: bool,
    pub force: bool,
    pub events_to_send: Option<Vec<String>>,
    pub mutex_key: Option<String>,
    pub state_key: Option<String>,
    pub version: Option<Value>,
    pub meta: Option<Value>,
}

impl NewRun {
    /// Checks what is wrong by itself. Gives the runtime, if one is named.
    fn check(&self) -> Result<Option<u32>, JobError> {
        if self.resources.as_ref().is_some_and(|resources| !resources.is_array()) {
            return Err(JobError::new("resources", "must be a list of nodes."));
        }
        if self.meta.as_ref().is_some_and(|meta| !meta.is_object()) {
            return Err(JobError::new("meta", "must be an object."));
        }
        runtime(self.version.as_ref(), "version")
    }
}

/// Why there is no run.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "errors are as large everywhere")]
pub enum RunProblems {
    /// Arguments that the job doesn't take, for `details.failures` (contract section 0.4).
    Args(Vec<ArgFailure>),
    Other(Error),
}

impl<E: Into<Error>> From<E> for RunProblems {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

impl SyncJobs {
    /// Makes a run. It starts when nothing with its mutex runs.
    pub async fn start_run(&self, caller: &Caller, new: NewRun) -> Result<StoredRun, RunProblems> {
        let run = self.prepare_run(caller, new).await?;
        let moment = self.moment();
        let run = self.0.uses.store.write(move |tx| admit(tx, moment, run)).await??;
        self.0.changed.notify_one();
        tracing::info!(run = %run.id, job = %run.sync_job_id, ?caller, "a run was made");
        Ok(run)
    }

    /// A run that [`admit`] adds.
    pub(super) async fn prepare_run(&self, caller: &Caller, new: NewRun) -> Result<StoredRun, RunProblems> {
        // Before what it names.
        let version = new.check()?;
        let job_id = id_of::<SyncJobId>("sync job", "sync_job_id", Some(&new.sync_job_id))?;
        let Some(job_id) = job_id else { return Err(unknown_in_body("sync job", "sync_job_id", "").into()) };
        let job = self.0.uses.store.read(move |c| documents::get::<SyncJob>(c, job_id)).await?;
        let job = job.ok_or_else(|| unknown_in_body("sync job", "sync_job_id", &new.sync_job_id))?;
        let job = Job::load(&job.document)?;
        let account_id = new.integrated_account_id.as_deref();
        let account_id = id_of::<AccountId>("integrated account", "integrated_account_id", account_id)?;
        let webhook_id = id_of::<WebhookId>("webhook", "webhook_id", new.webhook_id.as_deref())?;
        let account = match account_id {
            None => None,
            Some(id) => Some(self.0.uses.accounts.get(caller, id).await.map_err(|error| match error {
                Error::NotFound { .. } => {
                    unknown_in_body("integrated account", "integrated_account_id", &id.to_string())
                }
                other => other,
            })?),
        };
        let version = version.unwrap_or(job.version);
        let has_own_resources = new.resources.is_some();
        let resources = new.resources.unwrap_or_else(|| job.resources.clone());
        let form = Form::of_runtime(version);
        // Its own nodes are being written; the job's were checked when they were.
        let graph = if has_own_resources { Graph::parse(&resources, form) } else { Graph::load(&resources, form) };
        let graph = graph.map_err(JobError::from)?;
        let to_run = |it: &relink_domain::sync::Node| matches!(&it.kind, NodeKind::Destination(it) if it.kind == DestinationKind::Run);
        if webhook_id.is_none() && new.datastore_id.is_none() && graph.nodes().iter().any(to_run) {
            let message = "webhook_id is missing. The records of this job go to the run's webhook or datastore: name one in webhook_id or datastore_id.";
            return Err(Error::invalid_field(NO_TARGET, "webhook_id", message).into());
        }
        let failures = job.args.check(&new.args);
        if !failures.is_empty() {
            return Err(RunProblems::Args(failures));
        }
        self.validate(&job, &new.args).await?;
        let none = Map::new();
        let profile = account.as_ref().map(|view| &view.account.profile);
        let context = profile.map_or(&none, |profile| &profile.context);
        let tenant_id = profile.map(|profile| profile.tenant_id.as_str());
        let fill = |given: &Option<String>, of_job: &Option<Template>, name: &'static str| {
            let given = given.as_ref().map(|text| Template::compile(&text.as_str().into()));
            let Some(template) = given.as_ref().or(of_job.as_ref()) else { return Ok(None) };
            filled(template, name, &new.args, context, tenant_id)
        };
        let spec = RunSpec {
            resources,
            has_own_resources,
            version,
            error_handling: word(new.error_handling.as_deref())?.unwrap_or(ErrorHandling::of_runtime(version)),
            on_needs_reauth: word(new.on_needs_reauth.as_deref())?.unwrap_or(OnNeedsReauth::Fail),
            ignore_previous_run: new.ignore_previous_run,
            force: new.force,
            events_to_send: new.events_to_send,
            webhook_id,
            datastore_id: new.datastore_id,
            mutex_key: fill(&new.mutex_key, &job.mutex_key, "mutex_key")?,
            state_key: fill(&new.state_key, &job.state_key, "state_key")?,
            previous_run_date: None,
            meta: new.meta,
            args: new.args,
            workflow: new.workflow,
        };
        let names = spec.events_to_send.as_ref().map(|names| names.iter().map(String::as_str));
        EventFilter::parse(names).map_err(|error| unknown_word(&error))?;
        let now = self.now();
        Ok(StoredRun {
            id: SyncJobRunId::from_uuid(Uuid::now_v7()),
            sync_job_id: job_id,
            account_id,
            trigger_id: new.trigger,
            status: RunStatus::Created,
            spec,
            stats: ResourceStats::default(),
            wait_until: None,
            waits_for_account: None,
            started_at: None,
            finished_at: None,
            created_at: now,
            updated_at: now,
        })
    }

    /// `args_validation`: JSONata over `{args}`. `{message}` refuses them (contract section 9.1).
    async fn validate(&self, job: &Job, args: &Map<String, Value>) -> Result<()> {
        let Some(expression) = &job.args_validation else { return Ok(()) };
        let calls = self.0.calls.get().ok_or(Error::Stopping)?;
        let refused = |message: String| Error::invalid_field(ARGS_INVALID, "args", message);
        let input = to_raw_value(&Map::from_iter([("args".to_owned(), Value::Object(args.clone()))]));
        let input = input.map_err(|error| refused(error.to_string()))?;
        let found = calls.evaluate(expression, input).await;
        let found = found.map_err(|error| refused(format!("The job's args_validation has no result: {error}")))?;
        let found: Value = match found {
            None => return Ok(()),
            Some(found) => serde_json::from_str(found.get()).map_err(|error| refused(error.to_string()))?,
        };
        if !relink_domain::truth::is_truthy(&found) {
            return Ok(());
        }
        let message = found.get("message").and_then(Value::as_str).or(found.as_str());
        Err(refused(message.unwrap_or("The job doesn't take these arguments.").to_owned()))
    }
}

/// Adds a run that was prepared, with its event.
pub(super) fn admit(tx: &Transaction<'_>, moment: Moment, mut run: StoredRun) -> store::Result<Result<StoredRun>> {
    if let Some(id) = run.spec.webhook_id
        && webhooks::get(tx, id)?.is_none()
    {
        return Ok(Err(unknown_in_body("webhook", "webhook_id", &id.to_string())));
    }
    if let Some(id) = &run.spec.datastore_id {
        let known = id.parse().ok().map(|id| documents::get::<Datastore>(tx, id)).transpose()?.flatten();
        if known.is_none() {
            return Ok(Err(unknown_in_body(Datastore::WHAT, "datastore_id", id)));
        }
    }
    if !run.spec.ignore_previous_run {
        run.spec.previous_run_date = runs::last_completed(tx, run.sync_job_id, run.account_id)?;
    }
    moment.create(tx, &run)?;
    Ok(Ok(run))
}

impl From<NewSyncJobRun> for NewRun {
    fn from(new: NewSyncJobRun) -> Self {
        Self {
            sync_job_id: new.sync_job_id,
            integrated_account_id: new.integrated_account_id,
            trigger: None,
            workflow: None,
            args: new.args.unwrap_or_default(),
            resources: new.resources,
            webhook_id: new.webhook_id,
            datastore_id: new.datastore_id.filter(|id| !id.is_empty()),
            error_handling: new.error_handling,
            on_needs_reauth: new.on_needs_reauth,
            ignore_previous_run: new.ignore_previous_run.unwrap_or_default(),
            force: new.force.unwrap_or_default(),
            events_to_send: new.events_to_send,
            mutex_key: new.mutex_key,
            state_key: new.state_key,
            version: new.version,
            meta: new.meta,
        }
    }
}

/// An id in a body. None: there is none.
fn id_of<T: FromStr>(what: &str, field: &'static str, text: Option<&str>) -> Result<Option<T>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| unknown_in_body(what, field, text))
}

fn word<T: FromStr<Err = UnknownWord>>(text: Option<&str>) -> Result<Option<T>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|error| unknown_word(&error))
}

fn unknown_word(error: &UnknownWord) -> Error {
    Error::invalid_field("unknown_word", error.field, error.to_string())
}

/// A key that is a template, filled. An empty one is none.
fn filled(
    template: &Template,
    name: &'static str,
    args: &Map<String, Value>,
    context: &Map<String, Value>,
    tenant_id: Option<&str>,
) -> Result<Option<String>> {
    let none = std::collections::BTreeMap::new();
    let roots = [("args", Root::Object(args))];
    let scope = Scope { tenant_id, roots: &roots, ..Scope::new(context, &none, None) };
    let refused = |message: &str| Error::invalid_field("key_invalid", name, format!("{name}: {message}"));
    let filled = template.fill(&scope).map_err(|error| refused(&error.to_string()))?;
    match filled.into_plain() {
        Ok(None | Some(Value::Null)) => Ok(None),
        Ok(Some(Value::String(text))) => Ok(Some(text).filter(|text| !text.is_empty())),
        Ok(Some(other)) => Ok(Some(other.to_string())),
        Err(_) => Err(refused("it must not contain a secret.")),
    }
}
