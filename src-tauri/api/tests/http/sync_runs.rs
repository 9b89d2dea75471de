//! Runs of sync jobs, from the provider to a webhook (contract sections 9.1 to 9.4).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::Query,
    http::StatusCode as Answered,
    routing::{get, post},
};
use relink_domain::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    answering_provider::{Provider, SignIn, name},
    truto_client::text,
    unified_model::Model,
    world::World,
};

/// An account of a provider with five items, and a webhook.
struct Shop {
    world: World,
    account: String,
    webhook: Value,
    /// What the webhook got.
    delivered: Arc<Mutex<Vec<Value>>>,
    _provider: Provider,
}

impl Shop {
    async fn new() -> Self {
        let world = World::new().await;
        let delivered = Arc::<Mutex<Vec<Value>>>::default();
        let noted = Arc::clone(&delivered);
        let hook = async move |Json(event): Json<Value>| noted.lock().expect("not poisoned").push(event);
        let refused = async || (Answered::NOT_FOUND, Json(json!({ "message": "It is gone." })));
        let busy =
            async || (Answered::TOO_MANY_REQUESTS, [("retry-after", "3000")], Json(json!({ "message": "Slow." })));
        let provider = Provider::with_api(true, |_| {
            let router = Router::new().route("/items", get(items)).route("/hook", post(hook));
            router.route("/gone", get(refused)).route("/busy", get(busy))
        });
        let paged =
            json!({ "format": "page", "config": { "page_key": "page", "limit_key": "limit", "max_limit": 100 } });
        let provider = provider.await.with_resources(json!({
            "items": { "list": { "path": "/items", "pagination": paged } }, "gone": { "list": { "path": "/gone" } },
            "busy": { "list": { "path": "/busy" } },
        }));
        let account = provider.connect(&world, SignIn::OAuth, 0).await;
        let hook = json!({ "target_url": provider.url("/hook"), "event_types": ["integrated_account:deleted"] });
        let webhook = world.post("/webhook", hook).await["id"].clone();
        Self { world, account, webhook, delivered, _provider: provider }
    }

    /// Adds a job, runs it, and gives its run's events and the run when it is over.
    async fn run(&self, job: Value, args: Value) -> (Vec<String>, Value) {
        self.run_until(&["completed", "failed"], job, args).await
    }

    /// The same until one of these events.
    async fn run_until(&self, ends: &[&str], job: Value, args: Value) -> (Vec<String>, Value) {
        let job = self.world.post("/sync-job", job).await;
        let seq = self.world.latest_event();
        let new = json!({
            "sync_job_id": job["id"], "integrated_account_id": self.account, "webhook_id": self.webhook, "args": args,
        });
        let run = self.world.post("/sync-job-run", new).await;
        let (mut after, mut events) = (json!(seq), Vec::new());
        loop {
            let page = self.world.get(&format!("/relink/events?after={after}&wait=25")).await;
            for event in page["result"].as_array().expect("a list") {
                after = event["seq"].clone();
                if event["payload"]["id"] != run["id"] && event["payload"]["meta"]["sync_job_run_id"] != run["id"] {
                    continue;
                }
                let name = text(&event["event"]).trim_start_matches("sync_job_run:").to_owned();
                events.push(name.clone());
                if ends.contains(&name.as_str()) {
                    let row = self.world.get(&format!("/sync-job-run/{}", text(&run["id"]))).await;
                    assert_eq!(event["payload"], row, "an event's payload is the row");
                    return (events, row);
                }
            }
        }
    }

    /// The payloads of the records that were delivered.
    fn records(&self) -> Vec<Value> {
        let delivered = self.delivered.lock().expect("not poisoned");
        let records = delivered.iter().filter(|event| event["event"] == "sync_job_run:record");
        records.map(|event| event["payload"].clone()).collect()
    }
}

async fn items(Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    let number = |name: &str, default| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (page, limit) = (number("page", 1), number("limit", 100));
    let first = (page - 1) * limit + 1;
    Json((first..=5.min(first + limit - 1)).map(|id| json!({ "id": id })).collect())
}

#[tokio::test]
async fn a_flat_job_sends_each_page_to_the_runs_webhook() {
    let shop = Shop::new().await;
    let job = json!({ "resources": [{ "resource": "items", "method": "list", "query": { "limit": 2 } }] });
    let (events, row) = shop.run(job, json!({ "from": "x" })).await;
    assert_eq!(events, ["created", "started", "updated", "record", "record", "record", "updated", "completed"]);
    assert_eq!((&row["status"], &row["error_handling"]), (&json!("completed"), &json!("ignore")));
    assert_eq!(row["resource_stats"], json!({ "items": { "list": { "fetched": 5, "persisted": 5 } } }));
    let meta = json!({
        "sync_job_run_id": row["id"], "sync_job_id": row["sync_job_id"], "integrated_account_id": shop.account,
        "args": { "from": "x" },
    });
    let batch = |ids: &[u8]| {
        let records: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
        json!({ "resource": "items", "records": records, "meta": meta })
    };
    assert_eq!(shop.records(), [batch(&[1, 2]), batch(&[3, 4]), batch(&[5])]);
    let one = format!("/sync-job-run/{}", text(&row["id"]));
    for (wanted, expected) in [("stopped", 409), ("created", 409), ("running", 400)] {
        let (status, error) = shop.world.ask(Method::PATCH, &one, json!({ "status": wanted })).await;
        assert_eq!(status.as_u16(), expected, "{wanted}: {error}");
    }
    let (status, _) = shop.world.ask(Method::DELETE, &one, Value::Null).await;
    assert_eq!((status, &shop.world.get(&one).await["status"]), (StatusCode::OK, &json!("completed")));
}

#[tokio::test]
async fn a_typed_job_sends_what_its_destination_names() {
    let shop = Shop::new().await;
    let account = "{{args.account}}";
    let job = json!({ "default_runtime_version": 4, "state_key": "shop", "resources": [
        { "name": "items", "type": "request", "resource": "items", "method": "list", "integrated_account_id": account },
        { "name": "odd", "type": "transform", "depends_on": "items",
          "config": { "expression": "[resources.items[id % 2 = 1].{ \"number\": id }]" } },
        { "name": "out", "type": "destination", "destination_type": "webhook", "resources_to_persist": ["odd"],
          "config": { "id": "{{args.webhook}}" } },
        { "name": "end", "type": "event", "config": { "name": "complete" } },
        { "name": "keep", "type": "update_state", "depends_on": "end",
          "config": { "key": "runs", "value_expression": "sync_job_run.status" } },
    ] });
    let (events, row) = shop.run(job, json!({ "account": shop.account, "webhook": shop.webhook })).await;
    assert_eq!(events, ["created", "started", "updated", "record", "updated", "completed"]);
    assert_eq!((&row["status"], &row["state_key"]), (&json!("completed"), &json!("shop")));
    let records: Vec<_> = shop.records().iter().map(|payload| payload["records"].clone()).collect();
    assert_eq!(records, [json!([{ "number": 1 }, { "number": 3 }, { "number": 5 }])]);
    let cell = shop.world.get("/sync-job-run-state/runs?state_key=shop").await;
    assert_eq!(cell["sync_job_run_id"], row["id"], "{cell}");
}

#[tokio::test]
async fn a_job_writes_files_where_the_person_allows_it() {
    let shop = Shop::new().await;
    let out = |name: &str, config: Value| {
        json!({ "name": name, "type": "destination", "destination_type": "file", "resources_to_persist": ["items"],
                "config": config })
    };
    let job = json!({ "default_runtime_version": 4, "resources": [
        { "name": "items", "type": "request", "resource": "items", "method": "list", "query": { "limit": 2 } },
        out("lines", json!({ "path": "shop/items.jsonl", "format": "jsonl" })),
        out("table", json!({ "path": "shop/items.sqlite", "format": "sqlite", "key": "id" })),
    ] });
    let (_, refused) = shop.run(job.clone(), json!({})).await;
    assert_eq!(refused["status"], "failed", "no folder is allowed yet");

    let folder = tempfile::tempdir().expect("a folder");
    let chosen = json!({ "folder": folder.path() });
    let (status, _) = shop.world.ask(Method::PUT, "/relink/sync-folder", chosen.clone()).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "it is the person's to choose");
    let (status, answer) = shop.world.as_person(Method::PUT, "/relink/sync-folder", chosen).await;
    assert_eq!((status, &answer), (StatusCode::OK, &shop.world.get("/relink/sync-folder").await));

    let (_, row) = shop.run(job, json!({})).await;
    assert_eq!(row["status"], "completed", "{row}");
    assert_eq!(row["resource_stats"], json!({ "items": { "list": { "fetched": 5, "persisted": 10 } } }));
    let lines = std::fs::read_to_string(folder.path().join("shop/items.jsonl")).expect("written");
    assert_eq!(lines, "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n{\"id\":4}\n{\"id\":5}\n");
    let database = rusqlite::Connection::open(folder.path().join("shop/items.sqlite")).expect("written");
    let sum: (i64, i64) = database
        .query_row("SELECT count(*), sum(id) FROM items", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("a table");
    assert_eq!(sum, (5, 15));
}

#[tokio::test]
async fn a_failed_run_says_why_in_its_log() {
    let shop = Shop::new().await;
    let gone = |runtime: u32| {
        let mut node = json!({ "resource": "gone", "method": "list" });
        if runtime == 4 {
            node["type"] = json!("request");
            node["name"] = json!("gone");
            node["integrated_account_id"] = json!(shop.account);
        }
        json!({ "default_runtime_version": runtime, "resources": [node] })
    };
    let (events, ignored) = shop.run(gone(3), json!({})).await;
    assert_eq!(events, ["created", "started", "updated", "record_error", "updated", "completed"]);
    let (events, failed) = shop.run(gone(4), json!({})).await;
    assert_eq!(events, ["created", "started", "updated", "updated", "failed"]);
    let log = async |filter: &str| {
        let page = shop.world.get(&format!("/log?log_type=rapid_bridge&{filter}")).await;
        page["result"].as_array().expect("a list").clone()
    };
    let of = |run: &Value| format!("log_type_filter%5Bsync_job_run_id%5D={}", text(&run["id"]));
    let lines = log(&of(&failed)).await;
    let error = lines.iter().find(|line| line["level"] == "error").unwrap_or_else(|| panic!("{lines:?}"));
    assert!(text(&error["message"]).contains("It is gone."), "{error}");
    assert_eq!((&error["sync_job_id"], &error["node"]), (&failed["sync_job_id"], &json!("gone")));
    assert!(lines.iter().all(|line| line["sync_job_run_id"] == failed["id"]), "{lines:?}");
    let warnings = log(&format!("{}&log_type_filter%5Blevel%5D=warn", of(&ignored))).await;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let newest = log("limit=1").await;
    assert_eq!((newest.len(), &newest[0]["sync_job_run_id"]), (1, &failed["id"]));
    assert_eq!(log("created_at%5Blt%5D=2026-01-01").await, Vec::<Value>::new());
    let other = "log_type_filter%5Bsync_job_run_id%5D=0190aaaa-0000-7000-8000-000000000001";
    assert_eq!(log(other).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_run_whose_provider_limits_calls_waits_as_long_as_it_says() {
    let shop = Shop::new().await;
    let world = &shop.world;
    Model::new(world).await.map(&name(SignIn::OAuth, 0), "items", "list", json!({ "resource": "busy" })).await;
    for resource in ["busy", "sales/items"] {
        let job = json!({ "resources": [{ "resource": resource, "method": "list" }] });
        let (_, row) = shop.run_until(&["rate_limited"], job, json!({})).await;
        let time = |name: &str| text(&row[name]).parse::<Timestamp>().expect("a time");
        // The second one is answered by Relink, which remembers what the provider said.
        assert!(time("waits_until") >= time("started_at").plus_secs(2990), "{resource}: {row}");
        let path = format!("/sync-job-run/{}", text(&row["id"]));
        let (status, stopped) = world.ask(Method::PATCH, &path, json!({ "status": "stopped" })).await;
        assert!(status.is_success(), "{stopped}");
        assert_eq!((&stopped["status"], stopped["finished_at"].is_null()), (&json!("stopped"), false), "{stopped}");
        let (status, resumed) = world.ask(Method::PATCH, &path, json!({ "status": "created" })).await;
        assert_eq!(
            (status, &resumed["status"], &resumed["finished_at"]),
            (StatusCode::OK, &json!("created"), &Value::Null)
        );
        let (status, _) = world.ask(Method::DELETE, &path, Value::Null).await;
        assert!(status.is_success());
        let (status, error) = world.ask(Method::PATCH, &path, json!({ "status": "created" })).await;
        assert_eq!((status, &error["code"]), (StatusCode::CONFLICT, &json!("run_is_over")), "{error}");
    }
}

#[tokio::test]
async fn a_run_waits_for_its_person_and_goes_on_or_fails() {
    let world = World::new().await;
    let provider = Provider::start(true).await;
    let account = provider.connect(&world, SignIn::ApiKey, 0).await;
    let node = json!({ "name": "items", "type": "request", "resource": "items", "method": "list" });
    let job = world.post("/sync-job", json!({ "default_runtime_version": 4, "resources": [node] })).await;
    provider.with(|state| state.api = [401].into());
    let run = async |on_needs_reauth: &str| {
        let new =
            json!({ "sync_job_id": job["id"], "integrated_account_id": account, "on_needs_reauth": on_needs_reauth });
        world.post("/sync-job-run", new).await["id"].clone()
    };
    let until = async |id: &Value, is_so: &dyn Fn(&Value) -> bool| {
        let mut changes = world.engine.changes(&relink_domain::caller::Caller::Person);
        loop {
            let row = world.get(&format!("/sync-job-run/{}", text(id))).await;
            if is_so(&row) {
                return row;
            }
            changes.next().await.expect("the engine runs");
        }
    };
    let failed = until(&run("fail").await, &|row| row["finished_at"].is_string()).await;
    assert_eq!(failed["status"], "failed", "{failed}");

    let id = run("wait").await;
    let waiting = until(&id, &|row| row["waits_for_integrated_account_id"].is_string()).await;
    assert_eq!((&waiting["waits_for_integrated_account_id"], &waiting["status"]), (&json!(account), &json!("running")));
    provider.with(|state| state.api = [200].into());
    let name = crate::answering_provider::name(SignIn::ApiKey, 0);
    Provider::sign_in(&world, SignIn::ApiKey, &name, json!({ "integrated_account_id": account })).await;
    let row = until(&id, &|row| row["finished_at"].is_string()).await;
    assert_eq!((&row["status"], &row["waits_for_integrated_account_id"]), (&json!("completed"), &Value::Null), "{row}");
    assert_eq!(row["resource_stats"]["items"]["list"]["fetched"], 1, "{row}");
}
