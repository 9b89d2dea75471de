use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst},
    },
};

use relink_domain::{
    SyncJobRunId, Timestamp,
    sync::{BatchId, DestinationKind, ErrorHandling, Form, Graph, OnNeedsReauth, ResourceStats},
};
use relink_jsonata::{Bindings, Engines, Limits};
use serde_json::{Value, json, value::RawValue};
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use crate::{
    Account, Call, Commit, Delivery, DeliveryError, Ended, ExpressionError, Head, JournalError, LogLine, Missing,
    NodeProgress, Page, RecordError, RequestError, Run, Runner, Saved, StateWrite, TIMES, Task, Top,
    host::{Clock, Destinations, Expressions, Journal, Observer, Requests, States},
};

static ENGINES: LazyLock<Engines> = LazyLock::new(Engines::default);

type Provider = Box<dyn Fn(&Call<'_>) -> Result<Page, RequestError> + Send + Sync>;

/// Everything that a run needs.
pub(super) struct World {
    provider: Provider,
    pub(super) kept: Mutex<Kept>,
    /// Pages behind the first one wait for it, one by one, if it is there. Each delivery lets one pass.
    pub(super) later_pages: Option<Semaphore>,
    /// Each call: account, resource, method, id, query, body and cursor.
    pub(super) calls: Mutex<Vec<String>>,
    pub(super) delivered: Mutex<Vec<Delivered>>,
    /// What was to be marked or removed: request, resource, path, account, mode and lists, with how many deliveries were before it.
    pub(super) missing: Mutex<Vec<(String, usize)>>,
    /// Destinations that ask for a wait, once for each time that they stand here.
    pub(super) busy: Mutex<Vec<&'static str>>,
    /// The inputs of expressions.
    pub(super) inputs: Mutex<Vec<String>>,
    pub(super) log: Mutex<Vec<String>>,
    /// Crash points until the crash. Below 0: none.
    pub(super) until_crash: AtomicI64,
    pub(super) crash_points: AtomicUsize,
    pub(super) crashed: Notify,
    /// Whether a call is at its crash point.
    pub(super) is_calling: AtomicBool,
    pub(super) commits: AtomicUsize,
}

/// A journal as a database would have it: everything is text.
#[derive(Default)]
pub(super) struct Kept {
    head: Option<String>,
    next_task: u64,
    tasks: Vec<String>,
    spools: BTreeMap<usize, Vec<String>>,
    pub(super) states: BTreeMap<String, Value>,
    pub(super) writes: Vec<StateWrite>,
    pub(super) stats: ResourceStats,
    pub(super) errors: Vec<RecordError>,
    pub(super) most_tasks: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delivered {
    pub(super) id: BatchId,
    pub(super) to: String,
    pub(super) resource: String,
    pub(super) tracked: Option<String>,
    pub(super) config: Option<Value>,
    pub(super) records: Value,
    /// The records as they came.
    pub(super) text: String,
    /// The commits before it.
    pub(super) epoch: usize,
    /// The calls before it.
    pub(super) calls: Vec<String>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic")
}

#[allow(clippy::unnecessary_wraps, reason = "it ends the answers of a provider")]
pub(super) fn page(records: &Value, next: Option<&str>) -> Result<Page, RequestError> {
    let raw = |record: &Value| serde_json::value::to_raw_value(record).expect("JSON");
    let records = records.as_array().expect("a list").iter().map(raw).collect();
    Ok(Page { records, next_cursor: next.map(str::to_owned) })
}

impl World {
    pub(super) fn new(provider: impl Fn(&Call<'_>) -> Result<Page, RequestError> + Send + Sync + 'static) -> Self {
        Self {
            provider: Box::new(provider),
            kept: Mutex::default(),
            later_pages: None,
            calls: Mutex::default(),
            delivered: Mutex::default(),
            missing: Mutex::default(),
            busy: Mutex::default(),
            inputs: Mutex::default(),
            log: Mutex::default(),
            until_crash: AtomicI64::new(-1),
            crash_points: AtomicUsize::new(0),
            crashed: Notify::new(),
            is_calling: AtomicBool::new(false),
            commits: AtomicUsize::new(0),
        }
    }

    /// Repositories on two pages, and the issues of each. Those of `b` can't be read.
    pub(super) fn with_repos() -> Self {
        Self::new(|call| {
            let of = call.query.get("of").and_then(Value::as_str).unwrap_or_default();
            match (call.resource, call.cursor, of) {
                ("code/repos", None, _) => page(&json!([{"id": "a", "tags": ["x", "y"]}, {"id": "b"}]), Some("2")),
                ("code/repos", Some(_), _) => page(&json!([{"id": "c", "tags": ["z"]}]), None),
                ("issues", _, "b") => Err(RequestError::Other(json!({"statusCode": 403, "message": "no"}))),
                ("issues", _, of) => page(&json!([{"n": format!("{of}1")}, {"n": format!("{of}2")}]), None),
                _ => page(&json!([]), None),
            }
        })
    }

    /// Waits for ever if the run is to crash here.
    async fn crash_point(&self) {
        self.crash_points.fetch_add(1, SeqCst);
        if self.until_crash.fetch_sub(1, SeqCst) == 0 {
            self.crashed.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn is_busy(&self, to: &str) -> bool {
        let mut busy = lock(&self.busy);
        let found = busy.iter().position(|busy| *busy == to);
        found.map(|at| busy.remove(at)).is_some()
    }

    /// What each destination has, in the order in which it came: `to resource [records]`.
    pub(super) fn shown(&self) -> Vec<String> {
        let delivered = lock(&self.delivered);
        delivered.iter().map(|it| format!("{} {} {}", it.to, it.resource, it.records)).collect()
    }

    pub(super) fn called(&self) -> Vec<String> {
        lock(&self.calls).clone()
    }
}

pub(super) fn new_run() -> Run {
    let row = json!({"id": "r", "status": "running", "started_at": "2026-11-28T10:00:00.000Z", "finished_at": null});
    Run {
        id: SyncJobRunId::from_uuid(Uuid::from_u128(7)),
        row: row.as_object().expect("an object").clone(),
        args: json!({"from": "2026-01-01", "ids": [3, 4]}).as_object().expect("an object").clone(),
        account: Some("account".to_owned()),
        previous_run_date: None,
        error_handling: ErrorHandling::FailFast,
        on_needs_reauth: OnNeedsReauth::Fail,
    }
}

pub(super) fn graph(resources: &Value) -> Graph {
    Graph::parse(resources, Form::Typed).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a job to its end.
pub(super) async fn run(world: &World, resources: &Value) -> Ended {
    run_as(world, &new_run(), &graph(resources)).await
}

pub(super) async fn run_as(world: &World, run: &Run, graph: &Graph) -> Ended {
    Runner::new(run, graph, world).run(|| false).await.expect("a journal")
}

pub(super) fn request(name: &str, resource: &str, keys: &Value) -> Value {
    let mut node = json!({"name": name, "type": "request", "resource": resource, "method": "list"});
    node.as_object_mut().expect("an object").extend(keys.as_object().expect("an object").clone());
    node
}

/// A webhook that gets the records of some nodes.
pub(super) fn hook(name: &str, of: &[&str]) -> Value {
    json!({"name": name, "type": "destination", "destination_type": "webhook", "resources_to_persist": of, "config": {"id": "h"}})
}

/// A table that gets the records of some nodes.
pub(super) fn table(name: &str, of: &[&str]) -> Value {
    json!({"name": name, "type": "destination", "destination_type": "file", "resources_to_persist": of,
        "config": {"path": name, "format": "sqlite", "key": "id"}})
}

impl Requests for World {
    async fn page(&self, call: Call<'_>) -> Result<Page, RequestError> {
        let id = call.id.as_ref().map(|id| format!("/{id}")).unwrap_or_default();
        let body = call.body.as_ref().map(|body| format!(" {body}")).unwrap_or_default();
        let cursor = call.cursor.map(|cursor| format!(" @{cursor}")).unwrap_or_default();
        let query = Value::Object(call.query.clone());
        let line = format!("{} {}.{}{id} {query}{body}{cursor}", call.account, call.resource, call.method);
        lock(&self.calls).push(line);
        self.is_calling.store(true, SeqCst);
        self.crash_point().await;
        self.is_calling.store(false, SeqCst);
        if let Some(gate) = self.later_pages.as_ref().filter(|_| call.cursor.is_some()) {
            gate.acquire().await.expect("open").forget();
        }
        (self.provider)(&call)
    }

    async fn account(&self, id: &str) -> Result<Account, Value> {
        if id == "gone" {
            return Err(json!({"statusCode": 404, "message": "no such account"}));
        }
        let context = json!({"site": format!("site-of-{id}"), "args": "hidden"});
        Ok(Account { context: context.as_object().expect("an object").clone(), tenant_id: format!("tenant-of-{id}") })
    }
}

impl Expressions for World {
    async fn evaluate(&self, expression: &str, input: Box<RawValue>) -> Result<Option<Box<RawValue>>, ExpressionError> {
        lock(&self.inputs).push(input.get().to_owned());
        let bindings = Bindings::default().with_dates(TIMES.iter().map(|path| path.iter().copied()));
        let result = ENGINES.eval(Arc::from(expression), Some(input), bindings, Limits::default()).await;
        result.map_err(|error| ExpressionError(error.message))
    }
}

impl Destinations for World {
    async fn deliver(&self, delivery: Delivery<'_>) -> Result<(), DeliveryError> {
        self.crash_point().await;
        let to = match delivery.kind {
            DestinationKind::Run => "run".to_owned(),
            _ => delivery.destination.to_owned(),
        };
        if self.is_busy(&to) {
            return Err(DeliveryError::RetryAfter { seconds: 3 });
        }
        if to == "broken" {
            return Err(DeliveryError::Failed(json!({"statusCode": 502, "message": "broken"})));
        }
        if let Some(gate) = &self.later_pages {
            gate.add_permits(1);
        }
        let records =
            delivery.records.iter().map(|it| serde_json::from_str::<Value>(it.get()).expect("JSON")).collect();
        lock(&self.delivered).push(Delivered {
            id: delivery.id,
            to,
            resource: delivery.resource.to_owned(),
            tracked: delivery.tracked.map(str::to_owned),
            config: delivery.config,
            records,
            text: delivery.records.iter().map(|record| record.get()).collect(),
            epoch: self.commits.load(SeqCst),
            calls: self.called(),
        });
        self.crash_point().await;
        Ok(())
    }

    /// It finds two rows each time.
    async fn delete_missing(&self, missing: Missing<'_>) -> Result<u64, DeliveryError> {
        self.crash_point().await;
        let path = missing.config["path"].as_str().unwrap_or_default();
        if self.is_busy(path) {
            return Err(DeliveryError::RetryAfter { seconds: 3 });
        }
        if path == "broken" {
            return Err(DeliveryError::Failed(json!({"statusCode": 502, "message": "broken"})));
        }
        let Missing { request, resource, account, mode, lists, .. } = missing;
        let lists = serde_json::to_string(lists).expect("JSON");
        let line = format!("{request} {resource} {path} {account} {mode:?} {lists}");
        let before = lock(&self.delivered).len();
        lock(&self.missing).push((line, before));
        self.crash_point().await;
        Ok(2)
    }
}

impl States for World {
    async fn get(&self, key: &str) -> Result<Option<Value>, JournalError> {
        Ok(lock(&self.kept).states.get(key).cloned())
    }
}

impl Kept {
    fn load(&self) -> Option<Saved> {
        let head: Head = serde_json::from_str(self.head.as_ref()?).expect("a head");
        let tasks = self.tasks.iter().map(|text| serde_json::from_str(text).expect("a task")).collect();
        Some(Saved { head, next_task: self.next_task, tasks })
    }

    fn keep(&mut self, commit: &Commit) {
        if commit.clear {
            self.tasks.clear();
            self.spools.clear();
        }
        match (&commit.top, self.tasks.last_mut()) {
            (Top::Moved(place), Some(last)) => {
                let task: Task = serde_json::from_str(last).expect("a task");
                *last = serde_json::to_string(&Task { place: place.clone(), ..task }).expect("JSON");
            }
            (Top::Done, _) => {
                self.tasks.pop();
            }
            _ => {}
        }
        self.tasks.extend(commit.push.iter().map(|task| serde_json::to_string(task).expect("JSON")));
        self.most_tasks = self.most_tasks.max(self.tasks.len());
        self.next_task = commit.next_task;
        if let Some(head) = &commit.head {
            self.head = Some(serde_json::to_string(head).expect("JSON"));
        }
        for spooled in &commit.spooled {
            let texts = spooled.records.iter().map(|record| record.get().to_owned());
            self.spools.entry(spooled.spool).or_default().extend(texts);
        }
        if let Some(spool) = commit.released {
            self.spools.remove(&spool);
        }
        for write in &commit.states {
            match write {
                StateWrite::Put { key, value } => self.states.insert(key.clone(), value.clone()),
                StateWrite::Delete { key } => self.states.remove(key),
            };
            self.writes.push(write.clone());
        }
        self.stats.merge(&commit.stats);
        self.errors.extend(commit.errors.iter().cloned());
    }
}

impl Journal for World {
    async fn load(&self) -> Result<Option<Saved>, JournalError> {
        Ok(lock(&self.kept).load())
    }

    async fn commit(&self, commit: &Commit) -> Result<(), JournalError> {
        self.crash_point().await;
        lock(&self.kept).keep(commit);
        self.commits.fetch_add(1, SeqCst);
        self.crash_point().await;
        Ok(())
    }

    async fn spooled(&self, spool: usize) -> Result<Vec<Box<RawValue>>, JournalError> {
        let kept = lock(&self.kept);
        let texts = kept.spools.get(&spool).into_iter().flatten();
        Ok(texts.map(|text| RawValue::from_string(text.clone()).expect("JSON")).collect())
    }
}

impl Observer for World {
    fn log(&self, line: LogLine<'_>) {
        lock(&self.log).push(format!("{}: {}", line.node, line.message));
    }

    fn progress(&self, progress: NodeProgress<'_>) {
        let node = progress.node.unwrap_or_default();
        lock(&self.log).push(format!("{node} {}", serde_json::to_string(progress.added).expect("JSON")));
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        "2026-11-28T11:00:00Z".parse().expect("a time")
    }
}
