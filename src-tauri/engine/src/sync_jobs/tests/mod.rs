mod lives;
mod rows;
mod workflows;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use relink_domain::{
    AccountId, SyncJobRunId,
    sync::{Counts, ResourceStats, RunStatus},
};
use relink_sync::{Call, ExpressionError, Page, RequestError};
use serde_json::{Map, Value, json, value::RawValue};

use super::*;
use crate::{
    error::Error,
    outbox,
    step_runner::RunnerFuture,
    store::{
        documents::{self, CronTrigger, Datastore, Document, SyncJob},
        sync_jobs::{
            log::LogFilter,
            runs::{RunFilter, StoredRun},
        },
    },
    sync::lock,
    testing::{NOWHERE, PERSON, SIGN_IN, START, Services, WAIT_TIMEOUT},
};

/// Answers calls as a test says, and evaluates an expression that is JSON, a pointer to what it sees (RFC 6901), or "seen", which is all of it.
#[derive(Debug, Default)]
struct Script {
    pages: Mutex<VecDeque<Result<Page, RequestError>>>,
    calls: Mutex<Vec<String>>,
    /// Calls wait for it, one by one, if it is there.
    gate: Option<tokio::sync::Semaphore>,
    /// The same for expressions.
    evaluations: Option<tokio::sync::Semaphore>,
    /// Notified when an expression is about to be evaluated.
    evaluating: tokio::sync::Notify,
    is_offline: AtomicBool,
}

impl RunCalls for Script {
    fn page<'a>(
        &'a self,
        _: SyncJobRunId,
        _: AccountId,
        call: Call<'a>,
    ) -> RunnerFuture<'a, Result<Page, RequestError>> {
        lock(&self.calls).push(format!("{} {}", call.resource, call.cursor.unwrap_or("first")));
        Box::pin(async move {
            if let Some(gate) = &self.gate {
                gate.acquire().await.expect("open").forget();
            }
            lock(&self.pages).pop_front().unwrap_or_else(|| Ok(Page::default()))
        })
    }

    fn is_within_reach(&self, _: AccountId) -> RunnerFuture<'_, bool> {
        Box::pin(async { !self.is_offline.load(SeqCst) })
    }

    fn evaluate<'a>(
        &'a self,
        expression: &'a str,
        input: Box<RawValue>,
    ) -> RunnerFuture<'a, Result<Option<Box<RawValue>>, ExpressionError>> {
        Box::pin(async move {
            self.evaluating.notify_one();
            if let Some(gate) = &self.evaluations {
                gate.acquire().await.expect("open").forget();
            }
            let seen: Value = serde_json::from_str(input.get()).expect("JSON");
            let value: Value = match expression {
                "refuse" => json!({"message": "No such project."}),
                "seen" => seen,
                pointer if pointer.starts_with('/') => {
                    return Ok(seen.pointer(pointer).and_then(|found| serde_json::value::to_raw_value(found).ok()));
                }
                text => serde_json::from_str(text).map_err(|error| ExpressionError(error.to_string()))?,
            };
            Ok(serde_json::value::to_raw_value(&value).ok())
        })
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as the script has them")]
fn page(records: &[Value], next: Option<&str>) -> Result<Page, RequestError> {
    let records = records.iter().map(|record| RawValue::from_string(record.to_string()).expect("JSON")).collect();
    Ok(Page { records, next_cursor: next.map(str::to_owned) })
}

struct World {
    services: Services,
    jobs: SyncJobs,
    account: AccountId,
    script: Arc<Script>,
    calls: Arc<dyn RunCalls>,
}

impl World {
    /// Nothing runs before [`World::start`].
    async fn new(script: Script) -> Self {
        let services = Services::new();
        let accounts = services.accounts();
        let installed = services.install_sandbox(NOWHERE).await;
        let account = services.connect(&accounts, &installed, SIGN_IN).await;
        let outbox = Outbox::new(outbox::Dependencies {
            store: services.store.clone(),
            keychain: services.keychain.clone(),
            clock: services.clock.clone(),
            outbound: Services::outbound(),
            tasks: services.tasks.clone(),
            orphans: services.orphans.clone(),
            environment: services.ids.environment,
        });
        let jobs = SyncJobs::new(Dependencies {
            store: services.store.clone(),
            keychain: services.keychain.clone(),
            clock: services.clock.clone(),
            outbound: Services::outbound(),
            orphans: services.orphans.clone(),
            tasks: services.tasks.clone(),
            accounts,
            outbox,
            runners: services.runners.clone(),
            environment: services.ids.environment,
            data_dir: std::path::PathBuf::new(),
        });
        let script = Arc::new(script);
        let calls: Arc<dyn RunCalls> = Arc::clone(&script) as _;
        jobs.set_calls(&PERSON, &calls);
        Self { services, jobs, account, script, calls }
    }

    async fn with(pages: impl IntoIterator<Item = Result<Page, RequestError>>) -> Self {
        Self::new(Script { pages: Mutex::new(pages.into_iter().collect()), ..Script::default() }).await
    }

    /// A list of two pages, of which the second one waits for the gate.
    async fn with_two_pages() -> Self {
        let pages = [page(&[json!({"id": 1})], Some("b")), page(&[json!({"id": 2})], None)];
        let gate = Some(tokio::sync::Semaphore::new(1));
        Self::new(Script { gate, pages: Mutex::new(pages.into()), ..Script::default() }).await
    }

    fn of(&self, job: &str) -> NewRun {
        NewRun {
            sync_job_id: job.to_owned(),
            integrated_account_id: Some(self.account.to_string()),
            ..NewRun::default()
        }
    }

    fn start(&self) {
        self.jobs.start();
    }

    async fn job(&self, document: Value) -> String {
        let Value::Object(document) = document else { panic!("an object") };
        self.jobs.add::<SyncJob>(&PERSON, document).await.expect("added").id.to_string()
    }

    async fn run(&self, new: NewRun) -> SyncJobRunId {
        self.jobs.start_run(&PERSON, new).await.expect("made").id
    }

    async fn until(&self, id: SyncJobRunId, wanted: impl Fn(&StoredRun) -> bool) -> StoredRun {
        let mut changes = self.services.store.changes();
        let look = async {
            loop {
                let run = self.jobs.run(&PERSON, id).await.expect("a run");
                if wanted(&run) {
                    return run;
                }
                changes.next().await.expect("open");
            }
        };
        tokio::time::timeout(WAIT_TIMEOUT, look).await.expect("it comes to that")
    }

    async fn over(&self, id: SyncJobRunId) -> StoredRun {
        self.until(id, |run| run.status.is_over()).await
    }

    /// The events that were sent, without their family.
    async fn events(&self) -> Vec<String> {
        let events = self.services.store.read(|c| crate::store::outbox::after(c, 0, 100)).await.expect("read");
        let of_runs = events.iter().filter(|event| event.kind.as_str().starts_with("sync_job_run:"));
        of_runs.map(|event| event.kind.as_str().trim_start_matches("sync_job_run:").to_owned()).collect()
    }

    async fn log(&self, id: SyncJobRunId) -> Vec<String> {
        let filter = LogFilter { run: Some(id), before: None, between: None, limit: 100 };
        let lines = self.jobs.run_log(&PERSON, filter).await.expect("read");
        lines.into_iter().rev().map(|line| format!("{} {}", line.level, line.message)).collect()
    }
}

/// A job of one list, whose records are dropped.
fn list_job() -> Value {
    json!({"default_runtime_version": 4, "resources": [
        {"name": "people", "type": "request", "resource": "people", "method": "list"},
        {"name": "mark", "type": "update_state", "depends_on": "people",
         "config": {"key": "last", "value": "{{resources.people.0.id:int}}"}},
    ]})
}
