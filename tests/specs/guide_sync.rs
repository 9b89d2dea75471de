//! `docs/guide-sync-sqlite.md`: its commands, run as they stand there, a ticket that is deleted, and an hour that passes.

use anyhow::{Context, Result};
use relink_tests::{fake_clock::Clock, guide::Guide, relink::Relink, session::Session};
use serde_json::{Value, json};

#[tokio::test]
async fn the_guide_to_tickets_in_sqlite_prints_what_it_says_and_an_hour_later_a_run_starts() -> Result<()> {
    let session = Session::start().await?;
    let mut clock = Clock::new(session.folder())?;
    let relink = Relink::start_with(&session, &clock.environment()).await?;
    relink.post("/relink/integrations/sandbox/install", Value::Null).await?;
    let installed = relink.get("/environment-integration").await?["result"][0]["id"].clone();
    let key = relink.post("/relink/sandbox/control/api-keys", json!({ "subject": "sandbox-ada" })).await?;
    let ada = json!({
        "tenant_id": "ada", "environment_integration_id": installed, "authentication_method": "api_key",
        "context": { "api_key": key["api_key"] },
    });
    let account = relink.post("/integrated-account", ada).await?["id"].clone();

    Guide::read("guide-sync-sqlite.md")?.run(&session, &relink).await?;

    // When
    let installed = relink.get("/integration?name=sandbox").await?["result"][0].clone();
    let base_url = installed["config"]["base_url"].as_str().context("the Sandbox has an address")?;
    let ticket = reqwest::Client::new().delete(format!("{base_url}/api/tickets/1001"));
    let deleted = ticket.bearer_auth(key["api_key"].as_str().context("a key")?).send().await?;
    deleted.error_for_status()?;
    let argument = format!("integrated_account_id={}", account.as_str().context("an ID")?);
    relink.cli(&session, &["sync", "run", "All tickets", "--arg", &argument, "--wait"]).await?;
    // Then
    let database = rusqlite::Connection::open(session.folder().join("guide/exports/tickets.sqlite"))?;
    let marked = "SELECT group_concat(id), count(*) FROM tickets WHERE relink_deleted_at IS NOT NULL";
    let marked: (String, i64) = database.query_row(marked, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    assert_eq!(marked, ("1001".to_owned(), 1));
    drop(database);

    let triggers = relink.get("/sync-job-cron-trigger").await?;
    let trigger = &triggers["result"][0];
    let first = trigger["next_run_at"].as_str().context("it is scheduled")?;
    let runs = relink.get("/sync-job-run").await?["result"].as_array().map_or(0, Vec::len);
    // When
    clock.jump(3_600)?;
    // Then
    let has_started = |listed: &Value| {
        let newest = &listed["result"][0];
        newest["sync_job_cron_trigger_id"] == trigger["id"] && newest["status"] == "completed"
    };
    let listed = relink.until("/sync-job-run", has_started).await?;
    assert_eq!(listed["result"].as_array().map(Vec::len), Some(runs + 1), "one run: {listed}");
    let next = relink.get("/sync-job-cron-trigger").await?["result"][0]["next_run_at"].clone();
    let next = next.as_str().context("it is scheduled")?;
    assert!(next > first && next.ends_with(":00:00.000Z"), "{first}, then {next}");
    relink.stop().await
}
