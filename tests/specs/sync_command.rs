//! `relink sync`, with a provider's API and a webhook on this machine.

use anyhow::{Context, Result};
use relink_tests::{
    contacts_api::ContactsApi, provider::Provider, receiver::Receiver, relink::Relink, session::Session,
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_job_is_added_run_and_explained() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
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
    assert_eq!(sync(&["stop", id], "").await?.code, 1, "it is over");

    let trigger = json!({ "sync_job_id": runs["result"][0]["sync_job_id"], "cron_expression": "0 * * * *" });
    let trigger = relink.post("/sync-job-cron-trigger", trigger).await?;
    let trigger = trigger["id"].as_str().context("no ID")?;
    assert!(sync(&["triggers"], "").await?.out.ends_with("Nothing  0 * * * *  not scheduled\n"));
    sync(&["schedule", trigger], "").await?;
    assert!(sync(&["triggers"], "").await?.out.contains("0 * * * *  in "));
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
