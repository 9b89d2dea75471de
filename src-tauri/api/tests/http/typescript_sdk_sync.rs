//! Sync jobs by Truto's TypeScript SDK (contract section 13.1).

use std::{future::pending, slice::from_ref};

use axum::{Json, Router, routing::get};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    answering_provider::{Provider, SignIn},
    truto_client::{Sdk, refused_with, text},
    world::World,
};

/// A flat job of one list.
fn flat(label: &str) -> Value {
    json!({ "label": label, "integration_name": "acme", "resources": [{ "resource": "items", "method": "list" }] })
}

/// `syncJob` LGCUD
#[tokio::test]
async fn sync_job() {
    let world = World::new().await;
    let sdk = Sdk::new(&world);
    let mut new = flat("Items");
    new["default_runtime_version"] = json!("2");
    new["args_schema"] = json!({ "from": { "type": "string", "format": "date", "required": true } });
    new["daemon_id"] = json!("7");
    let row = sdk.create("sync-job", &new).await.json();
    assert_eq!((&row["label"], &row["default_runtime_version"]), (&json!("Items"), &json!(2)), "{row}");
    assert_eq!((&row["resources"], &row["args_schema"]), (&new["resources"], &new["args_schema"]));
    assert_eq!((row.get("daemon_id"), &row["mutex_key"]), (None, &Value::Null));
    let plain = sdk.create("sync-job", &json!({ "resources": [] })).await.json();
    assert_eq!((&plain["label"], &plain["default_runtime_version"]), (&json!("Untitled"), &json!(3)));
    let all = sdk.list("sync-job", "limit=1").await;
    assert_eq!(all, [plain.clone(), row.clone()], "two pages");
    assert_eq!(sdk.list("sync-job", "integration_name=acme").await, from_ref(&row));
    assert_eq!(sdk.list("sync-job", &format!("environment_id={}", text(&row["environment_id"]))).await.len(), 2);
    let id = &row["id"];
    assert_eq!(sdk.get("sync-job", id).await.json(), row);
    let change = json!({ "label": "All items", "mutex_key": "{{args.from}}", "args_schema": null });
    let updated = sdk.update("sync-job", id, &change).await.json();
    assert_eq!((&updated["label"], &updated["mutex_key"]), (&json!("All items"), &json!("{{args.from}}")));
    assert_eq!((&updated["args_schema"], &updated["resources"]), (&Value::Null, &row["resources"]));
    sdk.delete("sync-job", id).await;
    refused_with(404, sdk.get("sync-job", id).await);
}

/// `syncJobRun` LGCUD
#[tokio::test]
async fn sync_job_run() {
    let world = World::new().await;
    // Its list never answers, so a run goes nowhere.
    let silent = async || pending::<Json<Value>>().await;
    let provider = Provider::with_api(true, |_| Router::new().route("/items", get(silent))).await;
    let account = provider.connect(&world, SignIn::OAuth, 0).await;
    let sdk = Sdk::new(&world);
    let job = sdk.create("sync-job", &flat("Items")).await.json();
    let webhook = sdk.create("webhook", &json!({ "target_url": provider.url("/probe") })).await.json();
    let new = json!({
        "sync_job_id": job["id"], "integrated_account_id": account, "status": "created", "webhook_id": webhook["id"],
        "args": { "from": "2026-01-01" }, "datastore_id": "", "super_query": null, "daemon_id": "7",
        "ignore_previous_run": true,
    });
    let row = sdk.create("sync-job-run", &new).await.json();
    for key in ["sync_job_id", "integrated_account_id", "status", "webhook_id", "args", "ignore_previous_run"] {
        assert_eq!(row[key], new[key], "{key}");
    }
    let defaults = (&row["error_handling"], &row["resource_stats"], &row["force"], &row["resources"]);
    assert_eq!(defaults, (&json!("ignore"), &json!({}), &json!(false), &Value::Null));
    assert_eq!((&row["version"], &row["finished_at"], row.get("daemon_id")), (&json!(3), &Value::Null, None));
    let id = &row["id"];
    assert_eq!(sdk.get("sync-job-run", id).await.json()["id"], *id);
    let other = sdk.create("sync-job-run", &json!({ "sync_job_id": job["id"], "webhook_id": webhook["id"] })).await;
    let other = other.json();
    let ids = async |options: &str| {
        let rows = sdk.list("sync-job-run", options).await;
        rows.into_iter().map(|row| row["id"].clone()).collect::<Vec<_>>()
    };
    let of_job = format!("sync_job_id={}&limit=1", text(&job["id"]));
    assert_eq!(ids(&of_job).await, [other["id"].clone(), id.clone()], "two pages");
    assert_eq!(ids(&format!("integrated_account_id={account}")).await, from_ref(id));

    let stopped = sdk.update("sync-job-run", id, &json!({ "status": "stopped" })).await.json();
    assert_eq!((&stopped["id"], &stopped["status"]), (id, &json!("stopped")));
    assert_eq!(ids("status%5Bin%5D%5B0%5D=stopped").await[0], *id);
    assert_eq!(ids(&format!("status=created&integrated_account_id={account}")).await, Vec::<Value>::new());
    refused_with(400, sdk.update("sync-job-run", id, &json!({ "status": "running" })).await);
    refused_with(400, sdk.update("sync-job-run", id, &json!({})).await);
    sdk.delete("sync-job-run", id).await;
    let kept = sdk.get("sync-job-run", id).await.json();
    assert_eq!((&kept["status"], kept["finished_at"].is_string()), (&json!("stopped"), true), "the row stays");
    refused_with(404, sdk.get("sync-job-run", &json!("7")).await);
}

/// `syncJobCronTrigger` LGCUD, `schedule` ‡†
#[tokio::test]
async fn sync_job_cron_trigger() {
    let world = World::new().await;
    let sdk = Sdk::new(&world);
    let job = sdk.create("sync-job", &flat("Items")).await.json();
    let new = json!({
        "sync_job_id": job["id"], "cron_expression": "0 * * * *", "error_handling": "fail_fast", "integrated_account_id": "",
        "events_to_send": ["completed"], "meta": { "team": "core" }, "daemon_group_key": "g",
    });
    let row = sdk.create("sync-job-cron-trigger", &new).await.json();
    for key in ["sync_job_id", "cron_expression", "error_handling", "events_to_send", "meta"] {
        assert_eq!(row[key], new[key], "{key}");
    }
    assert_eq!((&row["args"], &row["integrated_account_id"]), (&json!({}), &Value::Null));
    assert_eq!((&row["next_run_at"], row.get("daemon_group_key")), (&Value::Null, None), "inactive");
    let (id, options) = (&row["id"], format!("sync_job_id={}", text(&job["id"])));
    assert_eq!(sdk.list("sync-job-cron-trigger", &options).await, from_ref(&row));
    assert_eq!(sdk.get("sync-job-cron-trigger", id).await.json(), row);

    let schedule = format!("sync-job-cron-trigger/{}/schedule", text(id));
    let scheduled = sdk.request(Method::POST, &schedule, None).await.json();
    assert_eq!(scheduled, json!({ "success": true }));
    assert!(sdk.get("sync-job-cron-trigger", id).await.json()["next_run_at"].is_string());
    let updated = sdk.update("sync-job-cron-trigger", id, &json!({ "args": { "a": 1 } })).await.json();
    assert_eq!((&updated["args"], updated["next_run_at"].is_string()), (&json!({ "a": 1 }), true), "still scheduled");
    let updated = sdk.update("sync-job-cron-trigger", id, &json!({ "cron_expression": "5 4 * * 1" })).await.json();
    assert_eq!((&updated["cron_expression"], &updated["next_run_at"]), (&json!("5 4 * * 1"), &Value::Null));
    sdk.delete("sync-job-cron-trigger", id).await;
    refused_with(404, sdk.get("sync-job-cron-trigger", id).await);
    refused_with(404, sdk.request(Method::POST, &schedule, None).await);
}

/// `workflow` LGCUD · `workflowRun` LGCUD, of which Truto has no C and U
#[tokio::test]
async fn workflow_workflow_run() {
    let world = World::new().await;
    let provider = Provider::start(true).await;
    let account = provider.connect(&world, SignIn::OAuth, 0).await;
    let sdk = Sdk::new(&world);
    let job = sdk.create("sync-job", &json!({ "resources": [] })).await.json();
    let step = json!({ "type": "run", "action": "run_sync_job", "config": { "sync_job_id": job["id"], "args": { "of": "{{event.payload.tenant_id}}" } } });
    let new = json!({
        "label": "On every change", "trigger_name": "integrated_account:updated",
        "config": { "run_if": "event.payload.id = integrated_account_id and integration.name = 'acme-0-oauth'", "steps": [step] },
    });
    let row = sdk.create("workflow", &new).await.json();
    for key in ["label", "trigger_name", "config"] {
        assert_eq!(row[key], new[key], "{key}");
    }
    let id = &row["id"];
    assert_eq!(sdk.list("workflow", "trigger_name=integrated_account%3Aupdated").await, from_ref(&row));
    assert_eq!(sdk.get("workflow", id).await.json(), row);
    // As its documents send it.
    let yaml = format!(
        "trigger_name: sync_job_run:failed\nconfig:\n  steps:\n    - type: run\n      action: run_sync_job\n      config:\n        sync_job_id: {}\n",
        text(&job["id"])
    );
    let yaml = Some(("application/yaml".to_owned(), yaml.into_bytes()));
    let other = sdk.send(Method::POST, "/workflow?", yaml).await.json();
    assert_eq!((&other["trigger_name"], &other["label"]), (&json!("sync_job_run:failed"), &Value::Null));
    assert_eq!(other["config"]["steps"][0]["config"]["sync_job_id"], job["id"]);
    let updated = sdk.update("workflow", &other["id"], &json!({ "label": "On failure" })).await.json();
    assert_eq!((&updated["label"], &updated["config"]), (&json!("On failure"), &other["config"]));

    let changed = json!({ "context": { "a": 1 } });
    sdk.update("integrated-account", &json!(account), &changed).await.json();
    let options = format!("workflow_id={}&status=completed", text(id));
    let run = loop {
        if let [run] = &sdk.list("workflow-run", &options).await[..] {
            break run.clone();
        }
    };
    let steps = run["result"]["steps"].as_array().expect("steps");
    assert_eq!((&run["result"]["success"], steps.len(), &run["retry_attempt"]), (&json!(true), 1, &json!(0)), "{run}");
    assert_eq!((&steps[0]["type"], &steps[0]["action"]), (&json!("run"), &json!("run_sync_job")));
    let made = sdk.get("sync-job-run", &steps[0]["result"]["sync_job_run_id"]).await.json();
    assert_eq!((&made["integrated_account_id"], &made["workflow_run_id"]), (&json!(account), &run["id"]));
    assert!(made["args"]["of"].is_string(), "{made}");
    assert_eq!(sdk.get("workflow-run", &run["id"]).await.json(), run);
    refused_with(405, sdk.create("workflow-run", &json!({})).await);
    refused_with(405, sdk.update("workflow-run", &run["id"], &json!({})).await);
    sdk.delete("workflow-run", &run["id"]).await;
    refused_with(404, sdk.get("workflow-run", &run["id"]).await);
    sdk.delete("workflow", id).await;
    refused_with(404, sdk.get("workflow", id).await);
}
