use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use relink_domain::{AccountId, SyncJobRunId, sync::RunStatus};
use relink_sync::{Call, ExpressionError, Page, RequestError};
use serde_json::{Map, Value, json, value::RawValue};

use super::*;
use crate::{
    error::Error,
    outbox,
    step_runner::RunnerFuture,
    store::{
        documents::{CronTrigger, SyncJob},
        sync_jobs::{
            log::LogFilter,
            runs::{RunFilter, StoredRun},
        },
    },
    sync::lock,
    testing::{NOWHERE, PERSON, SIGN_IN, START, Services, WAIT_TIMEOUT},
};

/// Answers calls as a test says, and evaluates an expression that is JSON, or the name of what it sees.
#[derive(Debug, Default)]
struct Script {
    pages: Mutex<VecDeque<Result<Page, RequestError>>>,
    calls: Mutex<Vec<String>>,
    /// Calls wait for it, one by one, if it is there.
    gate: Option<tokio::sync::Semaphore>,
}

impl RunCalls for Script {
    fn page<'a>(&'a self, _: AccountId, call: Call<'a>) -> RunnerFuture<'a, Result<Page, RequestError>> {
        lock(&self.calls).push(format!("{} {}", call.resource, call.cursor.unwrap_or("first")));
        Box::pin(async move {
            if let Some(gate) = &self.gate {
                gate.acquire().await.expect("open").forget();
            }
            lock(&self.pages).pop_front().unwrap_or_else(|| Ok(Page::default()))
        })
    }

    fn evaluate<'a>(
        &'a self,
        expression: &'a str,
        input: Box<RawValue>,
    ) -> RunnerFuture<'a, Result<Option<Box<RawValue>>, ExpressionError>> {
        Box::pin(async move {
            let value: Value = match expression {
                "refuse" => json!({"message": "No such project."}),
                "seen" => serde_json::from_str(input.get()).expect("JSON"),
                text => serde_json::from_str(text).map_err(|error| ExpressionError(error.to_string()))?,
            };
            Ok(serde_json::value::to_raw_value(&value).ok())
        })
    }
}

fn page(records: &[Value], next: Option<&str>) -> Result<Page, RequestError> {
    let records = records.iter().map(|record| RawValue::from_string(record.to_string()).expect("JSON")).collect();
    Ok(Page { records, next_cursor: next.map(str::to_owned) })
}

struct World {
    services: Services,
    jobs: SyncJobs,
    account: AccountId,
    script: Arc<Script>,
    _calls: Arc<dyn RunCalls>,
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
            clock: services.clock.clone(),
            tasks: services.tasks.clone(),
            accounts,
            outbox,
            runners: services.runners.clone(),
            environment: services.ids.environment,
        });
        let script = Arc::new(script);
        let calls: Arc<dyn RunCalls> = Arc::clone(&script) as _;
        jobs.set_calls(&PERSON, &calls);
        Self { services, jobs, account, script, _calls: calls }
    }

    async fn with(pages: impl IntoIterator<Item = Result<Page, RequestError>>) -> Self {
        Self::new(Script { pages: Mutex::new(pages.into_iter().collect()), ..Script::default() }).await
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
        let filter = LogFilter { run: Some(id), before: None, limit: 100 };
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

#[tokio::test]
async fn a_run_goes_to_its_end_and_says_so() {
    let world =
        World::with([page(&[json!({"id": 1}), json!({"id": 2})], Some("b")), page(&[json!({"id": 3})], None)]).await;
    let job = world.job(list_job()).await;
    let id = world.run(world.of(&job)).await;
    assert_eq!(world.jobs.run(&PERSON, id).await.expect("a run").status, RunStatus::Created);
    world.start();
    let run = world.over(id).await;
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(json!(run.stats), json!({"people": {"list": {"fetched": 3, "persisted": 0}}}));
    assert_eq!((run.started_at, run.finished_at), (Some(START), Some(START)));
    assert_eq!(*lock(&world.script.calls), ["people first", "people b"]);
    assert_eq!(world.events().await, ["created", "started", "updated", "updated", "completed"]);
    let cell = world.jobs.state(&PERSON, &job, "last").await.expect("written");
    assert_eq!((cell.value, cell.run_id), (json!(3), Some(id)));
    let next = world.run(world.of(&job)).await;
    let known = world.jobs.run(&PERSON, next).await.expect("a run").spec.previous_run_date;
    assert_eq!(known, Some(START), "the next one knows when this one began");
}

#[tokio::test]
async fn a_limited_run_waits_and_goes_on_where_it_was() {
    let limited = Err(RequestError::RateLimited { seconds: 60, error: json!({"statusCode": 429, "message": "Slow"}) });
    let world = World::with([page(&[json!({"id": 1})], Some("b")), limited, page(&[json!({"id": 2})], None)]).await;
    let job = world.job(list_job()).await;
    let id = world.run(world.of(&job)).await;
    world.start();
    let run = world.until(id, |run| run.status == RunStatus::RateLimited).await;
    assert_eq!(run.wait_until, Some(START.plus_secs(60)));
    world.services.clock.advance_secs(60);
    let run = world.over(id).await;
    assert_eq!((run.status, run.wait_until), (RunStatus::Completed, None));
    assert_eq!(*lock(&world.script.calls), ["people first", "people b", "people b"]);
    assert_eq!(
        world.events().await,
        ["created", "started", "updated", "rate_limited", "updated", "updated", "updated", "completed"]
    );
    let line = "info The provider limits calls. The run goes on in 60 s: 429: Slow";
    assert_eq!(world.log(id).await, [line]);
}

#[tokio::test]
async fn an_error_ends_a_run_or_is_reported() {
    let error = || Err(RequestError::Other(json!({"statusCode": 403, "message": "Forbidden here"})));
    let world = World::with([error(), error(), error()]).await;
    let job = world.job(list_job()).await;
    world.start();
    let failed = world.run(world.of(&job)).await;
    assert_eq!(world.over(failed).await.status, RunStatus::Failed);
    assert_eq!(world.log(failed).await, ["error people: 403: Forbidden here"]);
    let kinds = |handling: &str| NewRun { error_handling: Some(handling.to_owned()), ..world.of(&job) };
    let ignored = world.run(kinds("ignore")).await;
    assert_eq!(world.over(ignored).await.status, RunStatus::Completed);
    let batched = world.run(kinds("batch")).await;
    assert_eq!(world.over(batched).await.status, RunStatus::Completed);
    let events = world.services.store.read(|c| crate::store::outbox::after(c, 0, 100)).await.expect("read");
    let sent: Vec<_> = events.iter().filter(|it| it.kind.as_str() == "sync_job_run:record_error").collect();
    let error = json!({"statusCode": 403, "message": "Forbidden here"});
    assert_eq!(sent.len(), 2);
    assert_eq!((&sent[0].payload["resource"], &sent[0].payload["error"]), (&json!("people"), &error));
    assert_eq!(sent[0].payload["meta"]["sync_job_run_id"], json!(ignored));
    assert_eq!(sent[1].payload["errors"], json!([{"resource": "people", "error": error}]));
    let names = ["created", "completed"].map(str::to_owned).to_vec();
    let before = world.events().await.len();
    let quiet = world.run(NewRun { events_to_send: Some(names), ..world.of(&job) }).await;
    world.over(quiet).await;
    assert_eq!(world.events().await[before..], ["created", "completed"]);
}

#[tokio::test]
async fn a_stop_ends_a_run_wherever_it_is() {
    let world = World::new(Script { gate: Some(tokio::sync::Semaphore::new(0)), ..Script::default() }).await;
    let job = world.job(list_job()).await;
    let (calling, waiting) = (world.run(world.of(&job)).await, world.run(world.of(&job)).await);
    world.start();
    world.until(calling, |run| run.status == RunStatus::Running).await;
    for (id, how) in [(calling, Stop::Patch), (waiting, Stop::Delete)] {
        let run = world.jobs.stop(&PERSON, id, how).await.expect("stopped");
        assert_eq!((run.status, run.finished_at), (RunStatus::Stopped, Some(START)));
        assert_eq!(world.log(id).await, ["info Stopped by you."]);
        world.jobs.stop(&PERSON, id, Stop::Delete).await.expect("it stays as it is");
    }
    assert_eq!(world.events().await.last().map(String::as_str), Some("deleted"));
    let again = world.jobs.stop(&PERSON, waiting, Stop::Patch).await.map(|run| run.status);
    assert_eq!(again.expect("nothing changes"), RunStatus::Stopped);
}

#[tokio::test]
async fn runs_with_one_mutex_run_one_after_the_other() {
    let world = World::new(Script { gate: Some(tokio::sync::Semaphore::new(0)), ..Script::default() }).await;
    let mut document = list_job();
    document["mutex_key"] = json!("{{args.project}}");
    let job = world.job(document).await;
    let with = |project: &str, force| {
        let args = Map::from_iter([("project".to_owned(), json!(project))]);
        NewRun { args, force, ..world.of(&job) }
    };
    let first = world.run(with("a", false)).await;
    world.start();
    world.until(first, |run| run.status == RunStatus::Running).await;
    let (second, forced) = (world.run(with("a", false)).await, world.run(with("a", true)).await);
    let other = world.run(with("b", false)).await;
    for id in [forced, other] {
        world.until(id, |run| run.status == RunStatus::Running).await;
    }
    let waiting = world.jobs.run(&PERSON, second).await.expect("a run");
    assert_eq!((waiting.status, waiting.spec.mutex_key.as_deref()), (RunStatus::Created, Some("a")));
    world.script.gate.as_ref().expect("a gate").add_permits(100);
    assert_eq!(world.over(second).await.status, RunStatus::Completed);
}

#[tokio::test]
async fn a_run_goes_on_after_a_restart_with_the_page_in_progress() {
    let gate = tokio::sync::Semaphore::new(1);
    let pages = [page(&[json!({"id": 1})], Some("b")), page(&[json!({"id": 2})], None)];
    let world = World::new(Script { gate: Some(gate), pages: Mutex::new(pages.into()), ..Script::default() }).await;
    let job = world.job(list_job()).await;
    let id = world.run(world.of(&job)).await;
    world.start();
    // The first page is committed, and the second one is asked for.
    let mut changes = world.services.store.changes();
    while lock(&world.script.calls).len() < 2 {
        let _ = tokio::time::timeout(std::time::Duration::from_millis(20), changes.next()).await;
    }
    assert!(world.services.tasks.stop(WAIT_TIMEOUT).await, "all tasks end");
    let stopped = world.jobs.run(&PERSON, id).await.expect("a run");
    assert_eq!(json!(stopped.stats), json!({"people": {"list": {"fetched": 1, "persisted": 0}}}));

    let again = SyncJobs::new(Dependencies {
        store: world.services.store.clone(),
        clock: world.services.clock.clone(),
        tasks: Tasks::default(),
        accounts: world.services.accounts(),
        outbox: world.jobs.0.uses.outbox.clone(),
        runners: world.services.runners.clone(),
        environment: world.services.ids.environment,
    });
    again.set_calls(&PERSON, &world._calls);
    world.script.gate.as_ref().expect("a gate").add_permits(100);
    again.start();
    let run = world.over(id).await;
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(json!(run.stats), json!({"people": {"list": {"fetched": 2, "persisted": 0}}}));
    assert_eq!(*lock(&world.script.calls), ["people first", "people b", "people b"]);
    assert_eq!(world.events().await, ["created", "started", "updated", "updated", "completed"]);
}

#[tokio::test]
async fn a_trigger_fires_once_for_all_that_it_missed() {
    let world = World::with([]).await;
    let job = world.job(list_job()).await;
    let trigger = |cron: &str| {
        let document = json!({"sync_job_id": job, "integrated_account_id": world.account, "cron_expression": cron, "args": {"a": 1}, "meta": {"m": 1}});
        document.as_object().expect("an object").clone()
    };
    let id = world.jobs.add::<CronTrigger>(&PERSON, trigger("0 * * * *")).await.expect("added").id;
    world.start();
    assert_eq!(world.jobs.planned(&PERSON).await.expect("read"), [], "inactive until it is scheduled");
    let first = world.jobs.schedule(&PERSON, id).await.expect("scheduled");
    // The machine slept over a whole day.
    world.services.clock.advance_secs(24 * 60 * 60);
    let next = first.plus_secs(24 * 60 * 60);
    let mut changes = world.services.store.changes();
    while world.jobs.planned(&PERSON).await.expect("read") != [(id, next)] {
        changes.next().await.expect("open");
    }
    let runs = loop {
        let runs = world.jobs.runs(&PERSON, RunFilter::default()).await.expect("read");
        if runs.iter().any(|run| run.status.is_over()) {
            break runs;
        }
        changes.next().await.expect("open");
    };
    let seen: Vec<_> = runs.iter().map(|run| (run.trigger_id, json!(run.spec.args), run.spec.meta.clone())).collect();
    assert_eq!(seen, [(Some(id), json!({"a": 1}), Some(json!({"m": 1})))]);

    world.jobs.change::<CronTrigger>(&PERSON, id, trigger("30 * * * *")).await.expect("changed");
    assert_eq!(world.jobs.planned(&PERSON).await.expect("read"), [], "inactive after each change of the expression");
    world.jobs.schedule(&PERSON, id).await.expect("scheduled");
    world.jobs.delete::<SyncJob>(&PERSON, job.parse().expect("an id")).await.expect("deleted");
    let gone = world.jobs.get::<CronTrigger>(&PERSON, id).await.expect_err("gone with its job");
    assert_eq!(gone.code(), "not_found");
}

#[tokio::test]
async fn what_a_run_is_asked_with_is_checked() {
    let world = World::with([]).await;
    let mut document = list_job();
    document["args_schema"] = json!({"n": {"type": "number", "required": true}});
    document["args_validation"] = json!("refuse");
    let job = world.job(document).await;
    let refused = async |new: NewRun| match world.jobs.start_run(&PERSON, new).await.expect_err("refused") {
        RunProblems::Args(failures) => failures[0].path.clone(),
        RunProblems::Other(Error::Invalid { field, message, .. }) => {
            format!("{}: {message}", field.unwrap_or_default())
        }
        RunProblems::Other(other) => other.to_string(),
    };
    assert_eq!(refused(world.of(&job)).await, "args.n");
    let args = Map::from_iter([("n".to_owned(), json!(1))]);
    let good = NewRun { args, ..world.of(&job) };
    assert_eq!(refused(good.clone()).await, "args: No such project.");
    let plain = world.job(list_job()).await;
    let known = "error_handling \"retry\" isn't known. Use fail_fast, ignore, batch.";
    let uuid = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let missing =
        |what: &str, field: &str| format!("{field}: {field} names no {what}: there is none with the id {uuid}.");
    for (new, problem) in [
        (NewRun { error_handling: Some("retry".to_owned()), ..world.of(&plain) }, format!("error_handling: {known}")),
        (world.of(uuid), missing("sync job", "sync_job_id")),
        (
            NewRun { integrated_account_id: Some(uuid.to_owned()), ..world.of(&plain) },
            missing("integrated account", "integrated_account_id"),
        ),
        (NewRun { webhook_id: Some(uuid.to_owned()), ..world.of(&plain) }, missing("webhook", "webhook_id")),
        (world.of(""), "sync_job_id: sync_job_id is missing. Give the id of a sync job.".to_owned()),
    ] {
        assert_eq!(refused(new).await, problem);
    }
    let flat = world.job(json!({"resources": [{"resource": "people", "method": "list"}]})).await;
    assert!(refused(world.of(&flat)).await.starts_with("webhook_id: webhook_id is missing."), "its records go nowhere");
    assert_eq!(world.jobs.runs(&PERSON, RunFilter::default()).await.expect("read").len(), 0);
}

#[tokio::test]
async fn cells_of_a_state_are_added_changed_and_removed() {
    let world = World::with([]).await;
    let jobs = &world.jobs;
    let cell = jobs.add_state(&PERSON, "k", "a", json!("1")).await.expect("added");
    assert_eq!((cell.value, cell.run_id, cell.created_at), (json!("1"), None, START));
    assert_eq!(jobs.add_state(&PERSON, "k", "a", json!("2")).await.expect_err("there").code(), "state_exists");
    assert_eq!(jobs.change_state(&PERSON, "k", "b", json!("2")).await.expect_err("not there").code(), "not_found");
    jobs.change_state(&PERSON, "k", "a", json!({"b": 1})).await.expect("changed");
    jobs.add_state(&PERSON, "other", "a", json!(1)).await.expect("another state");
    assert_eq!(jobs.states(&PERSON, "k").await.expect("read").len(), 1);
    assert_eq!(jobs.delete_state(&PERSON, "k", "a").await.expect("removed").value, json!({"b": 1}));
    assert_eq!(jobs.state(&PERSON, "k", "a").await.expect_err("gone").code(), "not_found");
    assert_eq!(jobs.add_state(&PERSON, "k", "", json!(1)).await.expect_err("no key").code(), "key_invalid");
}
