//! Sync jobs in the window: the editor, runs with their progress, triggers, and the folder for files.

use std::path::PathBuf;

use relink_contract::window::Change;
use relink_domain::caller::Caller;
use serde_json::{Value, json};

use crate::world::{World, next};

async fn example(world: &World, title: &str) -> String {
    let examples = world.command("sync_examples", json!({})).await;
    let found = examples.as_array().expect("a list").iter().find(|it| it["title"] == title).cloned();
    found.expect("it is there")["text"].as_str().expect("a text").to_owned()
}

async fn add(world: &World, text: &str) -> Value {
    world.command("save_sync_job", json!({ "id": null, "version": null, "text": text })).await
}

fn inputs(args: &Value) -> Value {
    json!({
        "integrated_account_id": null, "webhook_id": null, "datastore_id": null,
        "args": args.to_string(), "on_needs_reauth": "fail",
    })
}

async fn run(world: &World, id: &Value) -> Value {
    world.command("sync_run", json!({ "id": id })).await
}

#[tokio::test]
async fn an_example_runs_into_a_file_and_says_how_far_it_is() {
    let world = World::new().await;
    let account = world.connect().await;
    assert_eq!(world.command("sync_jobs", json!({})).await, json!([]));
    let exports = tempfile::tempdir().expect("a folder");
    let folder = world.command("set_sync_folder", json!({ "folder": exports.path() })).await;
    assert_eq!(world.command("sync_folder", json!({})).await, folder);
    let job = add(&world, &example(&world, "Contacts into a file").await).await;

    let mut changes = world.app.changes();
    let start = json!({ "id": job, "inputs": inputs(&json!({ "integrated_account_id": account })) });
    let started = world.command("start_sync_run", start).await["run"].clone();
    let mut went_on = false;
    // Its end may be published before its progress.
    let shown = loop {
        if let Change::SyncProgress { runs } = next(&mut changes).await {
            went_on |= runs.iter().any(|id| json!(id) == started);
        }
        let shown = run(&world, &started).await;
        if went_on && !shown["run"]["finished_at"].is_null() {
            break shown;
        }
    };
    assert_eq!(shown["run"]["status"], "completed", "{shown}");
    let fetched = shown["counts"][0]["fetched"].as_u64().expect("a count");
    assert!(fetched > 0);
    assert_eq!(
        (&shown["counts"][0]["persisted"], &shown["counts"][1]["persisted"]),
        (&json!(fetched), &json!(fetched))
    );
    let target = shown["destinations"][0]["target"].as_str().expect("a path");
    assert!(std::fs::metadata(target).is_ok_and(|file| file.len() > 0), "{target}");
    assert_eq!(shown["job_label"], "Contacts into a file");
    assert_eq!(shown["run"]["account"]["id"], json!(account));

    let again = world.command("repeat_sync_run", json!({ "id": started })).await["run"].clone();
    let runs = world.command("sync_runs", json!({ "id": job, "before": null })).await;
    let ids: Vec<_> = runs.as_array().expect("a list").iter().map(|run| run["id"].clone()).collect();
    assert_eq!(ids, [again.clone(), started.clone()]);
    let older = world.command("sync_runs", json!({ "id": job, "before": again })).await;
    assert_eq!(older.as_array().map(Vec::len), Some(1));
    let list = world.command("sync_jobs", json!({})).await;
    assert_eq!((&list[0]["last_run"]["id"], &list[0]["integration"]["label"]), (&again, &json!("Sandbox")));
}

#[tokio::test]
async fn what_is_wrong_with_a_job_is_said_at_its_place_and_the_rest_is_drawn() {
    let world = World::new().await;
    let check = async |text: &str| world.command("check_sync_job", json!({ "text": text })).await;
    let good = example(&world, "Names of contacts as JSON Lines").await;
    let draft = check(&good).await;
    assert_eq!(draft["problem"], Value::Null, "{draft}");
    let nodes = draft["graph"]["nodes"].as_array().expect("nodes");
    let names: Vec<_> = nodes.iter().map(|node| (node["name"].as_str(), node["kind"].as_str())).collect();
    assert_eq!(
        names,
        [(Some("contacts"), Some("request")), (Some("named"), Some("transform")), (Some("file"), Some("destination"))]
    );
    assert_eq!((&nodes[0]["detail"], &nodes[2]["detail"]), (&json!("crm/contacts list"), &json!("names.jsonl")));
    assert_eq!(draft["graph"]["edges"], json!([{"from": 0, "to": 1}, {"from": 1, "to": 2}]));
    let line = good.lines().position(|line| line.contains("\"named\"")).expect("a line");
    assert_eq!(nodes[1]["line"], json!(line), "the line before the name opens the node");

    let broken = check("{\n  \"resources\": [}\n").await;
    assert_eq!((&broken["problem"]["line"], &broken["graph"]), (&json!(2), &Value::Null), "{broken}");
    let unknown = check("{\n \"label\": \"x\",\n \"lable\": 1}").await;
    assert_eq!((&unknown["problem"]["field"], &unknown["problem"]["line"]), (&json!("lable"), &json!(3)));
    let dangling = check(&good.replace("\"depends_on\": \"contacts\"", "\"depends_on\": \"nobody\"")).await;
    assert_eq!(dangling["problem"]["field"], "resources[1].depends_on", "{dangling}");
    assert!(dangling["problem"]["problem"].as_str().is_some_and(|it| it.starts_with("names \"nobody\"")), "{dangling}");
    assert_eq!((&dangling["node"], &dangling["graph"]), (&json!(1), &Value::Null));
    let expression = check(&good.replace("[name]", "[name")).await;
    assert_eq!(expression["node"], json!(1), "{expression}");
    assert_eq!(expression["graph"]["nodes"].as_array().map(Vec::len), Some(3), "it can still be drawn");

    let refused = world.app.dispatch("save_sync_job", json!({"id": null, "version": null, "text": "[]"})).await;
    assert_eq!(refused.expect_err("refused").code, "document_invalid");
}

#[tokio::test]
async fn a_job_is_changed_once_and_deleted_with_its_triggers() {
    let world = World::new().await;
    let account = world.connect().await;
    let job = add(&world, &example(&world, "Contacts into a file").await).await;
    let view = async || world.command("sync_job", json!({ "id": job })).await;
    let first = view().await;
    assert_eq!((&first["writes_files"], &first["needs_account"]), (&json!(true), &json!(false)));
    let arg = &first["args"][0];
    assert_eq!(
        (&arg["name"], &arg["kind"], &arg["is_required"]),
        (&json!("integrated_account_id"), &json!("account"), &json!(true))
    );
    let text = first["text"].as_str().expect("a text").replace("Contacts into a file", "Ours");
    let change = json!({ "id": job, "version": first["version"], "text": text });
    world.command("save_sync_job", change.clone()).await;
    assert_eq!(view().await["label"], "Ours");
    assert_eq!(world.app.dispatch("save_sync_job", change).await.expect_err("stale").code, "changed_meanwhile");

    let missing = json!({ "id": job, "inputs": inputs(&json!({})) });
    let missing = world.command("start_sync_run", missing).await;
    assert_eq!(
        (&missing["run"], &missing["problems"][0]["field"]),
        (&Value::Null, &json!("args.integrated_account_id"))
    );

    let cron = async |text: &str| world.command("check_cron", json!({ "expression": text })).await;
    assert_eq!(cron("0 6 * * mon-fri").await["words"], "at 06:00, Monday to Friday");
    assert_eq!(cron("0 * * * *").await["upcoming"].as_array().map(Vec::len), Some(5));
    let wrong = cron("61 * * * *").await;
    assert!(wrong["problem"].as_str().is_some_and(|it| it.contains("for the minute")), "{wrong}");

    let given = inputs(&json!({ "integrated_account_id": account }));
    let trigger = async |expression: &str, inputs: &Value| {
        let arguments = json!({ "id": job, "expression": expression, "inputs": inputs });
        world.command("add_sync_trigger", arguments).await
    };
    assert_eq!(trigger("0 * * * *", &inputs(&json!({}))).await[0]["field"], "args.integrated_account_id");
    assert_eq!(trigger("x", &given).await[0]["field"], "cron_expression");
    assert_eq!(trigger("0 * * * *", &given).await, json!([]));
    let shown = view().await["triggers"].clone();
    assert_eq!(
        (&shown[0]["words"], &shown[0]["upcoming"][0]),
        (&json!("every hour at minute 0"), &shown[0]["next_run_at"])
    );
    assert_eq!(world.command("sync_jobs", json!({})).await[0]["next_run_at"], shown[0]["next_run_at"]);
    world.command("schedule_sync_trigger", json!({ "id": shown[0]["id"] })).await;
    world.command("delete_sync_trigger", json!({ "id": shown[0]["id"] })).await;
    assert_eq!(view().await["triggers"], json!([]));
    world.command("delete_sync_job", json!({ "id": job })).await;
    assert_eq!(world.command("sync_jobs", json!({})).await, json!([]));
}

#[tokio::test]
async fn a_failed_run_says_why_and_its_log_is_read_by_node() {
    let world = World::new().await;
    let account = world.connect().await;
    let job = add(&world, &example(&world, "Contacts into a file").await).await;
    let mut changes = world.app.changes();
    let start = json!({ "id": job, "inputs": inputs(&json!({ "integrated_account_id": account })) });
    let started = world.command("start_sync_run", start).await["run"].clone();
    let shown = loop {
        let shown = run(&world, &started).await;
        if !shown["run"]["finished_at"].is_null() {
            break shown;
        }
        next(&mut changes).await;
    };
    // No folder is chosen.
    assert_eq!((&shown["run"]["status"], &shown["reason"]["node"]), (&json!("failed"), &json!("file")), "{shown}");
    assert!(shown["reason"]["message"].as_str().is_some_and(|it| it.contains("No folder is allowed")), "{shown}");
    let log =
        async |node: Value| world.command("sync_run_log", json!({"id": started, "node": node, "before": null})).await;
    assert_eq!(log(json!("file")).await["lines"].as_array().map(Vec::len), Some(1));
    assert_eq!(log(json!("contacts")).await["lines"], json!([]));
    assert_eq!(log(Value::Null).await["next"], Value::Null);
}

const FLAT: &str = r#"{"label": "Flat", "resources": [{"resource": "crm/contacts", "method": "list"}]}"#;

async fn datastore(world: &World) -> Value {
    let config = json!({
        "access_key_id": "key", "secret_access_key": "secret", "region": "r", "bucket": "b", "base_url": "http://127.0.0.1:9",
    });
    let new = json!({ "type": "s3", "label": "Exports", "config": config }).as_object().expect("an object").clone();
    json!(world.engine.sync_jobs().add_datastore(&Caller::Person, new).await.expect("added").id)
}

#[tokio::test]
async fn what_a_flat_job_delivers_goes_where_its_run_says() {
    // Given
    let world = World::new().await;
    let account = world.connect().await;
    let job = add(&world, FLAT).await;
    let store = datastore(&world).await;
    let new = json!({ "target_url": "http://127.0.0.1:9/hook", "event_types": null, "signature_format": "base64", "allow_private": false });
    let hook = world.command("add_webhook", json!({ "webhook": new })).await["id"].clone();
    assert_eq!(world.command("sync_datastores", json!({})).await, json!([{ "id": store, "label": "Exports" }]));
    let view = world.command("sync_job", json!({ "id": job })).await;
    assert_eq!(
        (&view["needs_target"], &view["graph"]["nodes"][1]["detail"]),
        (&json!(true), &json!("webhook or datastore"))
    );
    let to = |webhook: &Value, datastore: &Value| {
        let mut inputs = inputs(&json!({}));
        inputs["integrated_account_id"] = json!(account);
        inputs["webhook_id"] = webhook.clone();
        inputs["datastore_id"] = datastore.clone();
        inputs
    };
    let start = async |inputs: Value| world.command("start_sync_run", json!({ "id": job, "inputs": inputs })).await;
    assert_eq!(start(to(&Value::Null, &Value::Null)).await["problems"][0]["field"], "webhook_id");
    // When, then
    let (hook_target, store_target) = ("http://127.0.0.1:9/hook", "Exports");
    for (webhook, datastore, drawn, expected) in [
        (&hook, &Value::Null, "webhook", json!([["webhook", hook_target]])),
        (&Value::Null, &store, "datastore", json!([["datastore", store_target]])),
        (&hook, &store, "webhook and datastore", json!([["webhook", hook_target], ["datastore", store_target]])),
    ] {
        let started = start(to(webhook, datastore)).await["run"].clone();
        let shown = run(&world, &started).await;
        assert_eq!(shown["graph"]["nodes"][1]["detail"], drawn);
        let found = shown["destinations"].as_array().expect("a list").iter();
        let found: Vec<_> = found.map(|it| json!([it["kind"], it["target"]])).collect();
        assert_eq!(json!(found), expected, "{drawn}");
        assert_eq!((&shown["webhook"]["id"], &shown["datastore"]["id"]), (webhook, datastore));
    }
    let trigger = json!({ "id": job, "expression": "0 * * * *", "inputs": to(&Value::Null, &store) });
    assert_eq!(world.command("add_sync_trigger", trigger).await, json!([]));
    let view = world.command("sync_job", json!({ "id": job })).await;
    assert_eq!((&view["triggers"][0]["datastore"]["id"], &view["triggers"][0]["last_error"]), (&store, &Value::Null));
}

#[tokio::test]
async fn a_trigger_without_its_account_says_so() {
    // Given: a trigger whose account was deleted
    let world = World::new().await;
    let account = world.connect().await;
    let job = add(&world, r#"{"label": "Ours", "resources": []}"#).await;
    let mut given = inputs(&json!({}));
    given["integrated_account_id"] = json!(account);
    let trigger = json!({ "id": job, "expression": "0 * * * *", "inputs": given });
    assert_eq!(world.command("add_sync_trigger", trigger).await, json!([]));
    world.command("delete_account", json!({ "id": account })).await;
    // When: its time passes while Relink doesn't run
    let world = world
        .restarted_after(|folder| {
            let database = rusqlite::Connection::open(folder.join("relink.db")).expect("opens");
            database.execute("UPDATE sync_job_cron_trigger SET planned_at = 1", []).expect("planned");
        })
        .await;
    // Then
    let mut changes = world.app.changes();
    let shown = loop {
        let shown = world.command("sync_job", json!({ "id": job })).await["triggers"][0].clone();
        if !shown["last_error"].is_null() {
            break shown;
        }
        next(&mut changes).await;
    };
    let why = "The trigger's account was deleted. Remove the trigger, and add one for another account.";
    assert_eq!((&shown["last_error"]["message"], &shown["account"]["is_gone"]), (&json!(why), &json!(true)));
    assert!(shown["upcoming"].as_array().is_some_and(|times| !times.is_empty()), "it tries again: {shown}");
    world.command("schedule_sync_trigger", json!({ "id": shown["id"] })).await;
    let view = world.command("sync_job", json!({ "id": job })).await;
    assert_eq!(view["triggers"][0]["last_error"], Value::Null);
}

#[tokio::test]
async fn the_desktops_dialog_for_folders_opens_where_the_field_is_and_allows_nothing() {
    let world = World::new().await;
    let exports = tempfile::tempdir().expect("a folder");
    let choose = async |start: Value| world.command("choose_folder", json!({ "start": start })).await;
    let opened_at = || world.desktop.folder_dialog_start.lock().expect("not poisoned").take();
    assert_eq!((choose(json!("/nowhere")).await, opened_at()), (Value::Null, None), "it was closed");
    *world.desktop.chosen_folder.lock().expect("not poisoned") = Some(PathBuf::from("/"));
    assert_eq!(choose(json!(exports.path())).await, json!("/"));
    assert_eq!(opened_at().as_deref(), Some(exports.path()));
    assert_eq!(world.command("sync_folder", json!({})).await, Value::Null);
}
