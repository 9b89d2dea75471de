//! `relink sync`, with a provider's API and a webhook on this machine.

use anyhow::{Context, Result};
use relink_tests::{
    contacts_api::ContactsApi, fake_clock::Clock, provider::Provider, receiver::Receiver, relink::Relink,
    session::Session,
};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_job_is_added_run_and_explained() -> Result<()> {
    let session = Session::start().await?;
    // Where clocks change: triggers are in UTC, and fire as if they didn't.
    let relink = Relink::start_with(&session, &[("TZ", "America/New_York".to_owned())]).await?;
    let (provider, api, receiver) = (Provider::start().await?, ContactsApi::start().await?, Receiver::start().await?);
    let account = provider.connect_with_config(&relink, "crm", api.config()).await?;
    let hook = relink.post("/webhook", json!({ "target_url": receiver.url() })).await?;
    let hook = hook["id"].as_str().context("no ID")?;
    let sync = async |arguments: &[&str], input: &str| {
        relink.cli_with_input(&session, &[&["sync"], arguments].concat(), input).await
    };

    let job = json!({
        "label": "Contacts", "args_schema": { "from": { "type": "string", "format": "date", "required": true } },
        "resources": [{ "resource": "contacts", "method": "list" }],
    });
    let added = sync(&["add", "-"], &job.to_string()).await?;
    assert!(added.out.starts_with("Added Contacts.\nTo start a run: relink sync run "), "{added:?}");
    let misspelt = r#"{"label": "Odd", "resources": [{"resource": "contacts", "persists": false}]}"#;
    let warned = sync(&["add", "-"], misspelt).await?;
    let warning =
        "Warning: resources[0].persists isn't known for a node of type request, and has no effect.\nAdded Odd.";
    assert!(warned.out.starts_with(warning), "{warned:?}");
    let refused =
        sync(&["add", "-"], r#"{"resources": [{"resource": "contacts", "method": "list", "depends_on": "x"}]}"#);
    let refused = refused.await?;
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("resources[0].depends_on"), "{refused:?}");
    let shown = sync(&["show", "Contacts"], "").await?;
    assert!(shown.out.contains("Arguments    from"), "{shown:?}");
    assert_eq!(
        sync(&["show", "Nobody"], "").await?.err,
        "No sync job matches Nobody. To list all sync jobs: relink sync jobs\n"
    );

    let run = ["run", "Contacts", "--account", &account, "--webhook", hook, "--wait"];
    let ran = sync(&[&run[..], &["--arg", "from=2026-01-31"]].concat(), "").await?;
    assert_eq!(ran.code, 0, "{ran:?}");
    let last = ran.out.lines().last().context("nothing was printed")?;
    assert!(last.ends_with("completed  contacts list: 5 fetched, 5 persisted"), "{ran:?}");
    receiver.wait_for("sync_job_run:record").await?;
    let refused = sync(&run, "").await?;
    assert_eq!((refused.code, refused.err.contains("from is missing")), (1, true), "{refused:?}");

    let failing = json!({
        "label": "Nothing", "default_runtime_version": 4, "resources": [{
            "name": "gone", "type": "request", "resource": "contacts", "method": "get", "id": "99",
            "integrated_account_id": account,
        }],
    });
    sync(&["add", "-"], &failing.to_string()).await?;
    let failed = sync(&["run", "Nothing", "--wait"], "").await?;
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.err.starts_with("The run failed: "), "{failed:?}");
    let hint = failed.err.lines().last().context("no advice")?;
    let id = hint.strip_prefix("To see its log: relink sync logs ").with_context(|| format!("{failed:?}"))?;
    let log = sync(&["logs", id, "--follow"], "").await?;
    assert!(log.out.lines().last().is_some_and(|line| line.contains("error")), "{log:?}");
    let runs: Value = serde_json::from_str(&sync(&["runs", "Nothing", "--json"], "").await?.out)?;
    assert_eq!((&runs["result"][0]["id"], &runs["result"][0]["status"]), (&json!(id), &json!("failed")));
    for what in ["stop", "resume"] {
        let refused = sync(&[what, id], "").await?;
        assert_eq!((refused.code, refused.err.contains("The run is failed")), (1, true), "{what}: {refused:?}");
    }

    let trigger = json!({ "sync_job_id": runs["result"][0]["sync_job_id"], "cron_expression": "30 2 * * *" });
    let trigger = relink.post("/sync-job-cron-trigger", trigger).await?;
    let trigger = trigger["id"].as_str().context("no ID")?;
    assert!(sync(&["triggers"], "").await?.out.ends_with("Nothing  30 2 * * *  not scheduled\n"));
    sync(&["schedule", trigger], "").await?;
    assert!(sync(&["triggers"], "").await?.out.contains("30 2 * * *  in "));
    let row = relink.get(&format!("/sync-job-cron-trigger/{trigger}")).await?;
    assert!(row["next_run_at"].as_str().is_some_and(|at| at.ends_with("T02:30:00.000Z")), "{row}");
    sync(&["remove-trigger", trigger], "").await?;
    assert!(sync(&["triggers"], "").await?.out.starts_with("There are no triggers."));
    let refused = sync(&["add-trigger", "Nothing", "0 * * *"], "").await?;
    assert_eq!((refused.code, refused.err.contains("cron_expression")), (1, true), "{refused:?}");
    let every_hour = ["add-trigger", "Contacts", "0 * * * *", "--account", &account, "--on-needs-reauth", "wait"];
    let added = sync(&[&every_hour[..], &["--arg", "from=2026-01-31"]].concat(), "").await?;
    assert!(added.out.starts_with("Contacts is scheduled. Its next run starts in "), "{added:?}");
    let row = relink.get("/sync-job-cron-trigger").await?["result"][0].clone();
    assert_eq!(
        (&row["integrated_account_id"], &row["args"], &row["on_needs_reauth"]),
        (&json!(account), &json!({ "from": "2026-01-31" }), &json!("wait"))
    );
    sync(&["remove", "Contacts"], "").await?;
    assert!(sync(&["triggers"], "").await?.out.starts_with("There are no triggers."), "they went with their job");
    drop(api);
    relink.stop().await
}

#[tokio::test]
async fn workflows_and_datastores_are_added_shown_and_removed() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let sync = async |arguments: &[&str], input: &str| {
        relink.cli_with_input(&session, &[&["sync"], arguments].concat(), input).await
    };
    let job = relink.post("/sync-job", json!({ "resources": [] })).await?["id"].clone();
    let job = job.as_str().context("no ID")?;
    let workflow = format!(
        "label: New tokens\ntrigger_name: api_token:created\nconfig:\n  steps:\n    - {{type: run, action: run_sync_job, config: {{sync_job_id: {job}}}}}\n"
    );
    assert!(sync(&["workflows", "list"], "").await?.out.starts_with("There are no workflows."));
    let added = sync(&["workflows", "add", "-"], &workflow).await?;
    assert!(added.out.contains("It is started by api_token:created."), "{added:?}");
    let refused = sync(&["workflows", "add", "-"], &workflow.replace("run_sync_job", "send_email")).await?;
    assert_eq!((refused.code, refused.err.contains("config.steps[0].action")), (1, true), "{refused:?}");
    let refused = sync(&["workflows", "add", "-"], "label: [").await?;
    assert!(refused.err.starts_with("- has no workflow: "), "{refused:?}");
    assert!(sync(&["workflows", "list"], "").await?.out.contains("New tokens  api_token:created  1"));
    assert!(sync(&["workflows", "show", "New tokens"], "").await?.out.contains(job));
    relink.post("/relink/api-tokens", json!({ "name": "agent" })).await?;
    relink.until("/workflow-run", |runs| runs["result"][0]["status"] == "completed").await?;
    let runs = sync(&["workflows", "runs", "New tokens"], "").await?;
    assert!(runs.out.contains("api_token:created  completed") && runs.out.contains("  run "), "{runs:?}");
    assert_eq!(sync(&["workflows", "remove", "New tokens"], "").await?.out, "Removed the workflow.\n");

    let add = ["datastores", "add", "Exports", "--bucket", "b", "--region", "r", "--base-url", "http://127.0.0.1:9"];
    let refused = sync(&add, "only-one\n").await?;
    assert_eq!((refused.code, refused.err.contains("AWS_SECRET_ACCESS_KEY")), (1, true), "{refused:?}");
    let added = sync(&add, "key-canary-1\nsecret-canary-1\n").await?;
    assert!(added.out.starts_with("Added Exports.\nTo test it: relink sync datastores test "), "{added:?}");
    let shown = sync(&["datastores", "show", "Exports"], "").await?;
    assert!(shown.out.contains("Keys      set, and not shown: access_key_id, secret_access_key"), "{shown:?}");
    let tested = sync(&["datastores", "test", "Exports"], "").await?;
    assert_eq!((tested.code, tested.err.contains("can't be reached")), (1, true), "{tested:?}");
    assert!(sync(&["datastores", "list"], "").await?.out.contains("Exports  s3  b  http://127.0.0.1:9"));
    let flat = json!({ "label": "Flat", "resources": [{ "resource": "contacts", "method": "list" }] });
    sync(&["add", "-"], &flat.to_string()).await?;
    let refused = sync(&["run", "Flat", "--datastore", "Nothing"], "").await?;
    assert!(refused.err.starts_with("No datastore matches Nothing."), "{refused:?}");
    let datastores = relink.get("/datastore").await?["result"][0]["id"].clone();
    assert!(sync(&["run", "Flat", "--datastore", "Exports"], "").await?.out.starts_with("Started the run "));
    assert_eq!(relink.get("/sync-job-run").await?["result"][0]["datastore_id"], datastores);
    sync(&["add-trigger", "Flat", "0 * * * *", "--datastore", "Exports"], "").await?;
    assert_eq!(relink.get("/sync-job-cron-trigger").await?["result"][0]["datastore_id"], datastores);
    sync(&["datastores", "remove", "Exports"], "").await?;
    assert!(sync(&["datastores", "list"], "").await?.out.starts_with("There are no datastores."));
    for said in [&added, &shown, &tested] {
        assert!(!said.out.contains("canary") && !said.err.contains("canary"), "{said:?}");
    }
    assert!(!relink.logged().contains("canary"), "keys are nowhere in the log");
    relink.stop().await
}

#[tokio::test]
async fn a_trigger_that_cant_start_a_run_says_why() -> Result<()> {
    // Given
    let session = Session::start().await?;
    let mut clock = Clock::new(session.folder())?;
    let relink = Relink::start_with(&session, &clock.environment()).await?;
    let sync = async |arguments: &[&str]| relink.cli(&session, &[&["sync"], arguments].concat()).await;
    let hook = relink.post("/webhook", json!({ "target_url": "http://127.0.0.1:9/" })).await?;
    let hook = hook["id"].as_str().context("no ID")?;
    let flat = json!({ "label": "Flat", "resources": [{ "resource": "contacts", "method": "list" }] });
    relink.post("/sync-job", flat).await?;
    sync(&["add-trigger", "Flat", "0 * * * *", "--webhook", hook]).await?;
    relink.request(Method::DELETE, &format!("/webhook/{hook}"), Value::Null).await?;
    // When
    clock.jump(3_600)?;
    // Then
    let why = "The trigger's webhook was deleted. Remove the trigger, and add one with another webhook.";
    let says = |listed: &Value| listed["result"][0]["last_error"]["message"] == why;
    let listed = relink.until("/sync-job-cron-trigger", says).await?;
    let trigger = listed["result"][0]["id"].as_str().context("no ID")?;
    let shown = sync(&["triggers"]).await?;
    assert!(shown.out.contains("0 * * * *  in ") && shown.out.ends_with(&format!(": {why}\n")), "{shown:?}");
    let log = relink.get("/log?log_type=sync_job_cron_trigger").await?;
    assert_eq!(
        (&log["result"][0]["error"], &log["result"][0]["sync_job_run_id"], &log["result"][1]),
        (&json!(why), &Value::Null, &Value::Null)
    );
    // When: it is scheduled again, Then: that is over
    sync(&["schedule", trigger]).await?;
    assert_eq!(relink.get("/sync-job-cron-trigger").await?["result"][0]["last_error"], Value::Null);
    relink.stop().await
}
