//! Datastores (contract section 10.4): npm's `s3rver`, which stores objects for an access key that it knows.

use std::{path::Path, process::Stdio};

use axum::{Json, Router, routing::get};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::{
    answering_provider::{Provider, SignIn},
    truto_client::{Sdk, refused_with, text},
    world::World,
};

/// The one that the server knows. Its secret is the same.
const KEY: &str = "S3RVER";
/// Keys of another datastore, which must be nowhere.
const CANARIES: [&str; 2] = ["AKIACANARYOFAKEY0001", "canary-of-a-secret-access-key"];

/// A server with the bucket `exports`.
struct Store {
    folder: TempDir,
    url: String,
    _server: Child,
    /// It ends when nobody can read what it prints.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Store {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/node_modules/s3rver/bin/s3rver.js");
        let mut server = Command::new("node")
            .args([script, "--address", "127.0.0.1", "--port", "0", "--configure-bucket", "exports", "--directory"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("starts Node.js");
        let mut output = BufReader::new(server.stdout.take().expect("is piped")).lines();
        let port = loop {
            let line =
                output.next_line().await.expect("reads").expect("npm's modules in tests/ are missing; run make setup");
            if let Some(port) = line.rsplit(':').next().and_then(|end| end.trim().parse::<u16>().ok()) {
                break port;
            }
        };
        Self { folder, url: format!("http://127.0.0.1:{port}"), _server: server, _output: output }
    }

    fn row(&self, [id, key]: [&str; 2]) -> Value {
        json!({ "type": "s3", "label": "Exports", "config": {
            "access_key_id": id, "secret_access_key": key, "region": "eu-central-1", "bucket": "exports", "base_url": self.url,
        } })
    }

    /// What is in the objects below a path, line by line.
    fn lines_in(&self, path: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let Ok(files) = std::fs::read_dir(self.folder.path().join("exports").join(path)) else { return found };
        for file in files.map(|file| file.expect("reads").path()) {
            if file.to_string_lossy().ends_with(".jsonl._S3rver_object") {
                let lines = std::fs::read_to_string(file).expect("reads");
                found.extend(lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")));
            }
        }
        found.sort_by_key(|record| record["id"].as_u64());
        found
    }
}

/// `datastore` LGCUD, `test` ‡†
#[tokio::test]
async fn datastore() {
    let (world, store) = (World::new().await, Store::new().await);
    let sdk = Sdk::new(&world);
    let new = store.row([KEY, KEY]);
    let row = sdk.create("datastore", &new).await.json();
    let shown = json!({ "region": "eu-central-1", "bucket": "exports", "base_url": store.url });
    assert_eq!((&row["type"], &row["label"], &row["config"]), (&json!("s3"), &json!("Exports"), &shown));
    assert_eq!(row["secrets"], json!(["access_key_id", "secret_access_key"]), "set, and not shown");
    let id = &row["id"];
    assert_eq!(sdk.get("datastore", id).await.json(), row);
    assert_eq!(sdk.list("datastore", "type=s3").await, std::slice::from_ref(&row));
    let test = format!("datastore/{}/test/uploadObject", text(id));
    assert_eq!(sdk.request(Method::POST, &test, None).await.json(), json!({ "success": true }));
    let (status, error) = sdk.request(Method::POST, &test.replace("uploadObject", "drop"), None).await.refused();
    assert_eq!(status, 400, "{error}");

    let updated = sdk.update("datastore", id, &json!({ "config": { "bucket": "missing" } })).await.json();
    assert_eq!(
        (&updated["config"]["bucket"], &updated["config"]["region"]),
        (&json!("missing"), &json!("eu-central-1"))
    );
    let (_, error) = sdk.request(Method::POST, &test, None).await.refused();
    assert!(text(&error["message"]).contains("NoSuchBucket"), "{error}");
    // The keys are given for an address.
    let (status, error) =
        sdk.update("datastore", id, &json!({ "config": { "base_url": "https://s3.example.com" } })).await.refused();
    assert_eq!((status, &error["code"]), (400, &json!("keys_missing")), "{error}");
    let other = json!({ "config": { "bucket": "exports", "access_key_id": "wrong" } });
    sdk.update("datastore", id, &other).await.json();
    let (_, error) = sdk.request(Method::POST, &test, None).await.refused();
    assert!(text(&error["message"]).contains("InvalidAccessKeyId"), "{error}");
    sdk.delete("datastore", id).await;
    refused_with(404, sdk.get("datastore", id).await);
    refused_with(404, sdk.request(Method::POST, &test, None).await);
}

#[tokio::test]
async fn what_a_datastore_must_not_have_is_refused_with_its_place() {
    let world = World::new().await;
    let full = json!({ "access_key_id": CANARIES[0], "secret_access_key": CANARIES[1], "region": "r", "bucket": "b" });
    let with = |key: &str, value: Value| {
        let mut config = full.clone();
        config[key] = value;
        json!({ "type": "s3", "config": config })
    };
    for (body, status, field) in [
        (json!({}), 400, "type"),
        (json!({ "type": "ftp", "config": full }), 400, "type"),
        (json!({ "type": "qdrant", "config": {} }), 501, "type"),
        (json!({ "type": "mongo_data_api", "config": {} }), 501, "type"),
        (json!({ "type": "google_cloud_storage", "config": {} }), 501, "type"),
        (json!({ "type": "s3" }), 400, "config"),
        (with("access_key_id", Value::Null), 400, "config.access_key_id"),
        (with("secret_access_key", json!("")), 400, "config.secret_access_key"),
        (with("secret_access_key", json!([CANARIES[1]])), 400, "config.secret_access_key"),
        (with("bucket", json!("a/b")), 400, "config.bucket"),
        (with("region", Value::Null), 400, "config.region"),
        (with("base_url", json!("ftp://x")), 400, "config.base_url"),
        (with("base_url", json!("http://example.com")), 400, "config.base_url"),
        (with("base_url", json!("https://192.168.1.5")), 400, "config.base_url"),
    ] {
        let (found, error) = world.ask(Method::POST, "/datastore", body).await;
        assert_eq!((found.as_u16(), &error["field"]), (status, &json!(field)), "{error}");
        assert!(CANARIES.iter().all(|canary| !error.to_string().contains(canary)), "{error}");
    }
    // Consent to a private address is the person's.
    let mut private = with("base_url", json!("https://192.168.1.5"));
    private["allow_private"] = json!(true);
    let (status, error) = world.ask(Method::POST, "/datastore", private.clone()).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{error}");
    let (status, row) = world.as_person(Method::POST, "/datastore", private).await;
    assert_eq!((status, &row["allow_private"]), (StatusCode::OK, &json!(true)), "{row}");
}

#[tokio::test]
async fn keys_are_in_no_row_no_event_no_error_and_no_file() {
    let (world, store) = (World::new().await, Store::new().await);
    let row = world.post("/datastore", store.row(CANARIES)).await;
    let path = format!("/datastore/{}", text(&row["id"]));
    let (_, changed) = world.ask(Method::PATCH, &path, json!({ "label": "Other" })).await;
    let (status, tested) = world.ask(Method::POST, &format!("{path}/test/uploadObject"), Value::Null).await;
    assert!(status.is_client_error(), "{tested}");
    let said = [
        row.to_string(),
        changed.to_string(),
        tested.to_string(),
        world.get(&path).await.to_string(),
        world.get("/datastore").await.to_string(),
        world.get("/relink/events?after=0").await.to_string(),
    ];
    for canary in CANARIES {
        assert!(said.iter().all(|text| !text.contains(canary)), "{said:?}");
        for file in std::fs::read_dir(world.folder.path()).expect("reads").map(|file| file.expect("a file").path()) {
            assert!(!has(&file, canary), "{}", file.display());
        }
    }
}

fn has(file: &Path, text: &str) -> bool {
    let bytes = if file.is_file() { std::fs::read(file).expect("reads") } else { Vec::new() };
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_run_writes_each_batch_into_a_datastore() {
    let (world, store) = (World::new().await, Store::new().await);
    let items = async || Json(json!([{ "id": 1, "name": "Ada" }, { "id": 2, "name": "Grace" }]));
    let provider = Provider::with_api(true, |_| Router::new().route("/items", get(items)))
        .await
        .with_resources(json!({ "items": { "list": { "path": "/items" } } }));
    let account = provider.connect(&world, SignIn::OAuth, 0).await;
    let datastore = world.post("/datastore", store.row([KEY, KEY])).await["id"].clone();
    let typed = json!({
        "default_runtime_version": 4,
        "args_schema": { "datastore_id": { "type": "string", "format": "datastore_id", "required": true } },
        "resources": [
            { "name": "items", "type": "request", "resource": "items", "method": "list" },
            { "name": "out", "type": "destination", "destination_type": "datastore", "method": "uploadObject",
              "resources_to_persist": ["items"],
              "config": { "id": "{{args.datastore_id}}", "config": { "prefix": "typed" } } },
        ],
    });
    let flat = json!({ "resources": [{ "resource": "items", "method": "list" }] });
    for (job, run, folder) in [
        (typed, json!({ "args": { "datastore_id": datastore } }), "typed/items"),
        (flat, json!({ "datastore_id": datastore }), "items"),
    ] {
        let job = world.post("/sync-job", job).await["id"].clone();
        let (mut after, mut new) = (json!(world.latest_event()), run);
        new["sync_job_id"] = job;
        new["integrated_account_id"] = json!(account);
        let run = world.post("/sync-job-run", new).await;
        let row = 'over: loop {
            let page = world.get(&format!("/relink/events?after={after}&wait=25")).await;
            after = page["latest"].clone();
            for event in page["result"].as_array().expect("a list") {
                let is_end =
                    ["sync_job_run:completed", "sync_job_run:failed"].map(Value::from).contains(&event["event"]);
                if is_end && event["payload"]["id"] == run["id"] {
                    break 'over event["payload"].clone();
                }
            }
        };
        let counts = json!({ "items": { "list": { "fetched": 2, "persisted": 2 } } });
        assert_eq!((&row["status"], &row["resource_stats"]), (&json!("completed"), &counts), "{row}");
        assert_eq!(store.lines_in(folder), [json!({ "id": 1, "name": "Ada" }), json!({ "id": 2, "name": "Grace" })]);
    }
    let nobody = "0190aaaa-0000-7000-8000-000000000001";
    let job = world.get("/sync-job").await["result"][0]["id"].clone();
    let (status, error) =
        world.ask(Method::POST, "/sync-job-run", json!({ "sync_job_id": job, "datastore_id": nobody })).await;
    assert_eq!((status, &error["field"]), (StatusCode::BAD_REQUEST, &json!("datastore_id")), "{error}");
}
