//! Rows of sync jobs, and what isn't taken (contract section 9.1).

use relink_domain::{SyncJobCronTriggerId, Timestamp, caller::Caller};
use relink_engine::NewRun;
use reqwest::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{truto_client::Sdk, world::World};

fn request() -> Value {
    json!({ "name": "items", "type": "request", "resource": "items", "method": "list" })
}

#[tokio::test]
async fn what_a_row_must_not_have_is_refused_with_its_place() {
    let world = World::new().await;
    let job = world.post("/sync-job", json!({ "resources": [] })).await;
    let typed = |node: Value| json!({ "default_runtime_version": 4, "resources": [request(), node] });
    let trigger = |change: Value| {
        let mut trigger = json!({ "sync_job_id": job["id"], "cron_expression": "0 * * * *" });
        trigger.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        trigger
    };
    let nobody = "0190aaaa-0000-7000-8000-000000000001";
    let workflow = |key: &str, value: Value| {
        let mut step = json!({ "type": "run", "action": "run_sync_job", "config": { "sync_job_id": job["id"] } });
        step[key] = value;
        json!({ "trigger_name": "integrated_account:active", "config": { "steps": [step] } })
    };
    for (path, body, status, field) in [
        ("/sync-job", json!({ "resources": {} }), 400, "resources"),
        ("/sync-job", json!({ "label": 7 }), 400, "label"),
        ("/sync-job", json!({ "default_runtime_version": 5 }), 400, "default_runtime_version"),
        ("/sync-job", json!({ "args_schema": [] }), 400, "args_schema"),
        ("/sync-job", json!({ "args_validation": "args.(" }), 400, "args_validation"),
        ("/sync-job", typed(json!({ "name": "x", "type": "nonsense" })), 400, "resources[1].type"),
        (
            "/sync-job",
            typed(json!({ "name": "x", "type": "transform", "depends_on": "y", "config": { "expression": "1" } })),
            400,
            "resources[1].depends_on",
        ),
        (
            "/sync-job",
            typed(json!({ "name": "x", "type": "transform", "depends_on": "x", "config": { "expression": "1" } })),
            400,
            "resources[1].depends_on",
        ),
        (
            "/sync-job",
            typed(json!({ "name": "x", "type": "transform", "depends_on": "items", "config": { "expression": "(" } })),
            400,
            "resources[1].config.expression",
        ),
        (
            "/sync-job",
            typed(
                json!({ "name": "out", "type": "destination", "destination_type": "superquery", "resources_to_persist": ["items"], "config": { "id": "x" } }),
            ),
            501,
            "resources[1].destination_type",
        ),
        (
            "/sync-job-template",
            json!({ "default_runtime_version": 4, "resources": [{ "name": "a", "type": "request", "resource": "items", "method": "list", "delete_tracking": "soft" }] }),
            400,
            "resources[0].delete_tracking",
        ),
        ("/sync-job-cron-trigger", trigger(json!({ "cron_expression": "0 * * *" })), 400, "cron_expression"),
        ("/sync-job-cron-trigger", trigger(json!({ "cron_expression": null })), 400, "cron_expression"),
        ("/sync-job-cron-trigger", trigger(json!({ "sync_job_id": nobody })), 400, "sync_job_id"),
        ("/sync-job-cron-trigger", trigger(json!({ "integrated_account_id": nobody })), 400, "integrated_account_id"),
        ("/sync-job-cron-trigger", trigger(json!({ "webhook_id": "7" })), 400, "webhook_id"),
        ("/sync-job-cron-trigger", trigger(json!({ "datastore_id": nobody })), 400, "datastore_id"),
        ("/sync-job-cron-trigger", trigger(json!({ "args": [] })), 400, "args"),
        ("/sync-job-cron-trigger", trigger(json!({ "error_handling": "retry" })), 400, "error_handling"),
        ("/sync-job-cron-trigger", trigger(json!({ "on_needs_reauth": 1 })), 400, "on_needs_reauth"),
        ("/sync-job-cron-trigger", trigger(json!({ "events_to_send": ["nothing"] })), 400, "events_to_send"),
        ("/workflow", json!({}), 400, "trigger_name"),
        ("/workflow", json!({ "trigger_name": "integrated_account:connected" }), 400, "trigger_name"),
        ("/workflow", json!({ "trigger_name": "integrated_account:active", "config": {} }), 400, "config.steps"),
        ("/workflow", workflow("action", json!("send_email")), 400, "config.steps[0].action"),
        ("/workflow", workflow("run_if", json!("event.(")), 400, "config.steps[0].run_if"),
        ("/workflow", workflow("config", json!("{ 'sync_job_id': ")), 400, "config.steps[0].config"),
        ("/workflow", workflow("config", json!({ "sync_job_id": nobody })), 400, "config.steps[0].config.sync_job_id"),
        ("/workflow", workflow("cron_expression", json!("hourly")), 400, "config.steps[0].cron_expression"),
        ("/sync-job-run", json!({}), 400, "sync_job_id"),
        ("/sync-job-run", json!({ "sync_job_id": "" }), 400, "sync_job_id"),
        ("/sync-job-run", json!({ "sync_job_id": nobody }), 400, "sync_job_id"),
        ("/sync-job-run", json!({ "sync_job_id": job["id"], "status": "running" }), 400, "status"),
        (
            "/sync-job-run",
            json!({ "sync_job_id": job["id"], "integrated_account_id": nobody }),
            400,
            "integrated_account_id",
        ),
        ("/sync-job-run", json!({ "sync_job_id": job["id"], "webhook_id": nobody }), 400, "webhook_id"),
        ("/sync-job-run", json!({ "sync_job_id": job["id"], "resources": [request()] }), 400, "webhook_id"),
        ("/sync-job-run", json!({ "sync_job_id": job["id"], "error_handling": "retry" }), 400, "error_handling"),
    ] {
        let (found, error) = world.ask(Method::POST, path, body.clone()).await;
        assert_eq!((found.as_u16(), &error["field"]), (status, &json!(field)), "{path} {body}: {error}");
        assert_eq!(error["details"]["failures"][0]["path"], field, "{error}");
        let message = error["message"].as_str().expect("a message");
        assert!(!message.is_empty() && message == error["details"]["failures"][0]["message"], "{error}");
    }
    for path in ["/sync-job-run", "/sync-job-cron-trigger", "/sync-job-template", "/workflow"] {
        assert_eq!(world.get(path).await["result"], json!([]), "nothing was made: {path}");
    }
}

#[tokio::test]
async fn a_workflow_in_yaml_is_the_same_as_in_json() {
    let world = World::new().await;
    let job = world.post("/sync-job", json!({ "resources": [] })).await["id"].clone();
    let send = async |method: Method, path: &str, content_type: &str, body: String| {
        let sdk = Sdk::new(&world);
        sdk.send(method, path, Some((content_type.to_owned(), body.into_bytes()))).await
    };
    let yaml = format!(
        "# Comments are fine.\nlabel: First sync\ntrigger_name: integrated_account:active\nconfig:\n  run_if: >-\n    \
         integration.name = 'crm'\n  steps:\n    - {{type: run, action: run_sync_job, config: {{sync_job_id: {}}}}}\n",
        job.as_str().expect("an id")
    );
    let step = json!({ "type": "run", "action": "run_sync_job", "config": { "sync_job_id": job } });
    let config = json!({ "run_if": "integration.name = 'crm'", "steps": [step] });
    for content_type in ["application/yaml", "application/yaml; charset=utf-8", "text/yaml"] {
        let row = send(Method::POST, "/workflow", content_type, yaml.clone()).await.json();
        assert_eq!((&row["label"], &row["config"]), (&json!("First sync"), &config), "{content_type}");
        let path = format!("/workflow/{}", row["id"].as_str().expect("an id"));
        let changed = send(Method::PATCH, &path, content_type, "label: null\n".to_owned()).await.json();
        assert_eq!((&changed["label"], &changed["config"]), (&Value::Null, &config), "{content_type}");
    }
    let json = json!({ "trigger_name": "integrated_account:active", "config": config }).to_string();
    assert_eq!(
        send(Method::POST, "/workflow", "application/yaml", json).await.json()["config"],
        config,
        "a part of YAML"
    );
    for (body, code, message) in [
        ("label: [", "body_not_yaml", "The body isn't valid YAML: "),
        ("only a text", "body_invalid", ""),
        ("label: a\nlabel: b", "body_not_yaml", "The body isn't valid YAML: duplicate mapping key: label, in line 2"),
        ("environment_id: 0190aaaa-0000-7000-8000-000000000001", "foreign_environment", "This token belongs to"),
    ] {
        let (_, error) = send(Method::POST, "/workflow", "application/yaml", body.to_owned()).await.refused();
        assert_eq!(error["code"], code, "{body}: {error}");
        assert!(error["message"].as_str().is_some_and(|text| text.starts_with(message)), "{error}");
    }
    let (status, error) = send(Method::POST, "/sync-job", "application/yaml", "label: a".to_owned()).await.refused();
    assert_eq!((status, &error["code"]), (400, &json!("body_not_json")), "of workflows alone");
}

#[tokio::test]
async fn each_argument_that_does_not_fit_is_named() {
    let world = World::new().await;
    let schema = json!({
        "from": { "type": "string", "format": "date", "required": true },
        "count": { "type": "number", "required": true },
        "note": { "type": "string" },
    });
    let job = world.post("/sync-job", json!({ "resources": [], "args_schema": schema })).await;
    let new = |args: Value| json!({ "sync_job_id": job["id"], "args": args });
    let (status, error) = world.ask(Method::POST, "/sync-job-run", new(json!({ "from": "yesterday" }))).await;
    assert_eq!((status, &error["code"]), (StatusCode::BAD_REQUEST, &json!("args_invalid")), "{error}");
    let failures = json!([
        { "path": "args.count", "message": "count is missing. Add it to args." },
        { "path": "args.from", "message": "from must be a date, such as 2026-01-31." },
    ]);
    assert_eq!(error["details"]["failures"], failures, "{error}");
    assert_eq!(
        (&error["field"], &error["message"]),
        (&json!("args.count"), &json!("count is missing. Add it to args. from must be a date, such as 2026-01-31."))
    );
    let run = world.post("/sync-job-run", new(json!({ "from": "2026-01-31", "count": 2, "more": true }))).await;
    assert_eq!(run["args"], json!({ "from": "2026-01-31", "count": 2, "more": true }));
}

#[tokio::test]
async fn templates_are_rows_like_jobs() {
    let world = World::new().await;
    let new = json!({
        "label": "Items", "description": "All items", "integration_name": "acme", "resources": [{ "resource": "items", "method": "list" }],
    });
    let row = world.post("/sync-job-template", new.clone()).await;
    for key in ["label", "description", "integration_name", "resources"] {
        assert_eq!(row[key], new[key], "{key}");
    }
    assert_eq!((&row["sharing"], &row["default_runtime_version"]), (&json!("deny"), &json!(3)));
    let path = format!("/sync-job-template/{}", row["id"].as_str().expect("an id"));
    assert_eq!(world.get(&path).await, row);
    assert_eq!(world.get("/sync-job-template?integration_name=acme").await["result"], json!([row]));
    assert_eq!(world.get("/sync-job-template?integration_name=other").await["result"], json!([]));
    let (_, changed) = world.ask(Method::PATCH, &path, json!({ "description": null, "sharing": "allow" })).await;
    assert_eq!((&changed["description"], &changed["sharing"]), (&Value::Null, &json!("allow")));
    let (_, deleted) = world.ask(Method::DELETE, &path, Value::Null).await;
    assert_eq!(deleted, json!({ "id": row["id"] }));
    assert_eq!(world.ask(Method::GET, &path, Value::Null).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_job_takes_its_triggers_with_it() {
    let world = World::new().await;
    let job = world.post("/sync-job", json!({ "resources": [] })).await;
    let trigger = json!({ "sync_job_id": job["id"], "cron_expression": "0 * * * *" });
    world.post("/sync-job-cron-trigger", trigger).await;
    let path = format!("/sync-job/{}", job["id"].as_str().expect("an id"));
    assert_eq!(world.ask(Method::DELETE, &path, Value::Null).await.0, StatusCode::OK);
    assert_eq!(world.get("/sync-job-cron-trigger").await["result"], json!([]));
}

#[tokio::test]
async fn runs_remember_what_programs_write() {
    let world = World::new().await;
    for (method, path, body) in [
        (Method::GET, "/sync-job-run-state", Value::Null),
        (Method::GET, "/sync-job-run-state/seen?state_key=", Value::Null),
        (Method::POST, "/sync-job-run-state", json!({ "key": "seen", "value": 1 })),
        (Method::PATCH, "/sync-job-run-state/seen?state_key=None", json!({ "value": 1 })),
        (Method::DELETE, "/sync-job-run-state/seen", Value::Null),
    ] {
        let (status, error) = world.ask(method.clone(), path, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {path}: {error}");
        assert_eq!(error["details"]["failures"][0]["path"], "state_key", "{method} {path}: {error}");
    }
    let (list, key) = ("/sync-job-run-state?state_key=acme%3Atickets", "crm.contacts:seen-at/1");
    let one = "/sync-job-run-state/crm.contacts:seen-at%2F1?state_key=acme:tickets";
    let cell = world.post(list, json!({ "key": key, "value": { "at": "2026-01-01" } })).await;
    assert_eq!((&cell["state_key"], &cell["key"]), (&json!("acme:tickets"), &json!(key)));
    assert_eq!((&cell["value"], &cell["sync_job_run_id"]), (&json!({ "at": "2026-01-01" }), &Value::Null));
    assert_eq!(world.get(one).await, cell);
    assert_eq!(world.get(list).await["result"], json!([cell]));
    assert_eq!(world.get("/sync-job-run-state?state_key=other").await["result"], json!([]));
    let (status, error) = world.ask(Method::POST, list, json!({ "key": key, "value": 2 })).await;
    assert_eq!((status, &error["code"]), (StatusCode::CONFLICT, &json!("state_exists")), "{error}");
    let (_, changed) = world.ask(Method::PATCH, one, json!({ "value": "later" })).await;
    assert_eq!((&changed["value"], &changed["key"]), (&json!("later"), &json!(key)));
    let (_, deleted) = world.ask(Method::DELETE, one, Value::Null).await;
    assert_eq!(deleted, json!({ "id": key }));
    assert_eq!(world.ask(Method::GET, one, Value::Null).await.0, StatusCode::NOT_FOUND);
    assert_eq!(world.ask(Method::PATCH, one, json!({ "value": 1 })).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_program_may_run_jobs_and_not_write_them() {
    let world = World::new().await;
    let job = world.post("/sync-job", json!({ "resources": [] })).await;
    let trigger =
        world.post("/sync-job-cron-trigger", json!({ "sync_job_id": job["id"], "cron_expression": "0 * * * *" })).await;
    let token = |body: Value| {
        let world = &world;
        async move {
            let (_, made) = world.as_person(Method::POST, "/relink/api-tokens", body).await;
            made["token"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
        }
    };
    let program = token(json!({ "name": "program", "level": "program" })).await;
    let reader = token(json!({ "name": "reader", "level": "program", "read_only": true })).await;
    let schedule = format!("/sync-job-cron-trigger/{}/schedule", trigger["id"].as_str().expect("an id"));
    for (method, path, body, may_program, may_reader) in [
        (Method::GET, "/sync-job", Value::Null, true, true),
        (Method::GET, "/sync-job-run", Value::Null, true, true),
        (Method::POST, "/sync-job-run", json!({ "sync_job_id": job["id"] }), true, false),
        (Method::POST, "/sync-job-run-state?state_key=s", json!({ "key": "k", "value": 1 }), true, false),
        (Method::POST, "/sync-job", json!({ "resources": [] }), false, false),
        (Method::POST, schedule.as_str(), Value::Null, false, false),
    ] {
        for (token, may) in [(&reader, may_reader), (&program, may_program)] {
            let (status, answer) = world.ask_with(token, method.clone(), path, body.clone()).await;
            let expected = if may { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(status, expected, "{method} {path}: {answer}");
        }
    }
}

#[tokio::test]
async fn the_log_of_triggers_has_the_runs_that_they_made() {
    let world = World::new().await;
    let job = world.post("/sync-job", json!({ "resources": [] })).await;
    let trigger = json!({ "sync_job_id": job["id"], "cron_expression": "0 * * * *" });
    let trigger = world.post("/sync-job-cron-trigger", trigger).await;
    let of_trigger: SyncJobCronTriggerId = trigger["id"].as_str().expect("an id").parse().expect("an id");
    let start = async |trigger| {
        let sync_job_id = job["id"].as_str().expect("an id").to_owned();
        let new = NewRun { sync_job_id, trigger, ..NewRun::default() };
        world.engine.sync_jobs().start_run(&Caller::Internal, new).await.expect("a run").id.to_string()
    };
    let (first, second) = (start(Some(of_trigger)).await, start(Some(of_trigger)).await);
    start(None).await;
    let log = "/log?log_type=sync_job_cron_trigger";
    let page = world.get(&format!("{log}&limit=1")).await;
    let entry = &page["result"][0];
    for (key, expected) in [
        ("id", &json!(second)),
        ("sync_job_run_id", &json!(second)),
        ("sync_job_cron_trigger_id", &trigger["id"]),
        ("sync_job_id", &job["id"]),
        ("log_type", &json!("sync_job_cron_trigger")),
    ] {
        assert_eq!(entry[key], *expected, "{key}");
    }
    let next = page["next_cursor"].as_str().expect("more");
    let page = world.get(&format!("{log}&limit=1&next_cursor={next}")).await;
    assert_eq!((&page["result"][0]["id"], &page["next_cursor"]), (&json!(first), &Value::Null), "{page}");
    // When: it can't make the next one
    let error = json!({ "id": Uuid::now_v7(), "message": "The trigger's account was deleted.", "at": Timestamp::from_millis(
        world.engine.now().as_millis() - 1000,
    ) });
    Connection::open(world.folder.path().join("relink.db"))
        .and_then(|file| file.execute("UPDATE sync_job_cron_trigger SET last_error = ?1", [error.to_string()]))
        .expect("written");
    let row = world.get(&format!("/sync-job-cron-trigger/{of_trigger}")).await;
    assert_eq!(row["last_error"], json!({ "message": error["message"], "at": error["at"] }));
    // Then: it is the newest entry
    let page = world.get(&format!("{log}&limit=1")).await;
    let entry = &page["result"][0];
    for (key, expected) in [
        ("id", &error["id"]),
        ("created_at", &error["at"]),
        ("error", &error["message"]),
        ("sync_job_cron_trigger_id", &trigger["id"]),
        ("sync_job_run_id", &Value::Null),
        ("status", &Value::Null),
    ] {
        assert_eq!(entry[key], *expected, "{key}");
    }
    let next = page["next_cursor"].as_str().expect("more");
    let page = world.get(&format!("{log}&next_cursor={next}")).await;
    assert_eq!((&page["result"][0]["id"], &page["result"][1]["error"]), (&json!(second), &Value::Null), "{page}");
    for (filter, expected) in [
        (format!("sync_job_cron_trigger_id%5D={of_trigger}"), 3),
        ("error%5D%5Blike%5D=%25deleted%25".to_owned(), 1),
        (format!("sync_job_run_id%5D={first}"), 1),
        ("sync_job_cron_trigger_id%5D=7".to_owned(), 0),
    ] {
        let page = world.get(&format!("{log}&log_type_filter%5B{filter}")).await;
        assert_eq!(page["result"].as_array().map(Vec::len), Some(expected), "{filter}");
    }
}

#[tokio::test]
async fn the_log_of_runs_takes_a_token_for_all_accounts() {
    let world = World::new().await;
    world.sandbox().await;
    let limited = json!({ "name": "narrow", "level": "full", "integrations": ["sandbox"] });
    let (_, made) = world.as_person(Method::POST, "/relink/api-tokens", limited).await;
    let token = made["token"].as_str().unwrap_or_else(|| panic!("{made}"));
    for (log_type, expected) in [
        ("unified_proxy_api", StatusCode::OK),
        ("rapid_bridge", StatusCode::FORBIDDEN),
        ("sync_job_cron_trigger", StatusCode::FORBIDDEN),
    ] {
        let path = format!("/log?log_type={log_type}");
        let (status, answer) = world.ask_with(token, Method::GET, &path, Value::Null).await;
        assert_eq!(status, expected, "{log_type}: {answer}");
    }
}

#[tokio::test]
async fn a_key_that_means_nothing_is_kept_and_warned_of_when_it_is_written() {
    let world = World::new().await;
    let mut node = request();
    node["retries"] = json!(3);
    let document = json!({ "default_runtime_version": 4, "resources": [node] });
    let warnings = json!(["resources[0].retries isn't known for a node of type request, and has no effect."]);
    for path in ["/sync-job", "/sync-job-template"] {
        let row = world.post(path, document.clone()).await;
        assert_eq!((&row["warnings"], &row["resources"]), (&warnings, &document["resources"]), "{path}");
        let one = format!("{path}/{}", row["id"].as_str().expect("an id"));
        assert_eq!(world.get(&one).await["warnings"], Value::Null, "{path}");
        let (_, changed) = world.ask(Method::PATCH, &one, json!({ "label": "x" })).await;
        assert_eq!(changed["warnings"], warnings, "{path}");
        let (_, corrected) = world.ask(Method::PATCH, &one, json!({ "resources": [request()] })).await;
        assert_eq!((corrected["warnings"].is_null(), &corrected["resources"]), (true, &json!([request()])), "{path}");
    }
}
