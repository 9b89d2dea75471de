//! Kills while an event starts a workflow.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::Harness;
use crate::relink::Relink;

impl Harness {
    /// Adds a workflow of two steps, and sends its event.
    pub(super) async fn begin_workflow(&self, relink: &Relink) -> Result<Value> {
        let job = relink.post("/sync-job", json!({ "resources": [] })).await?;
        let step = |number: usize| {
            let config = json!({ "sync_job_id": job["id"], "args": { "step": number } });
            json!({ "type": "run", "action": "run_sync_job", "config": config })
        };
        let config = json!({ "run_if": "event.payload.name = 'crash'", "steps": [step(1), step(2)] });
        relink.post("/workflow", json!({ "trigger_name": "api_token:created", "config": config })).await?;
        relink.post("/relink/api-tokens", json!({ "name": "crash" })).await
    }

    /// Asserts that the event has started the workflow once, and that each step has made one run.
    pub(super) async fn check_workflow(&self, relink: &Relink) -> Result<Option<String>> {
        let newest = relink.get("/workflow?limit=1").await?;
        let workflow = newest["result"][0]["id"].as_str().context("no workflow")?.to_owned();
        let is_over = |runs: &Value| matches!(runs["result"][0]["status"].as_str(), Some("completed" | "failed"));
        let runs = relink.until(&format!("/workflow-run?workflow_id={workflow}"), is_over).await?;
        let [run] = runs["result"].as_array().context("no list")?.as_slice() else {
            return Ok(Some(format!("the event has started the workflow more than once: {runs}")));
        };
        if run["status"] != "completed" {
            return Ok(Some(format!("the workflow's run ended otherwise: {run}")));
        }
        let id = run["id"].as_str().context("no run")?;
        let made = relink.get(&format!("/sync-job-run?workflow_run_id={id}&sort=created_at")).await?;
        let steps: Vec<_> =
            made["result"].as_array().context("no list")?.iter().map(|run| &run["args"]["step"]).collect();
        ensure!(steps == [&json!(1), &json!(2)], "the steps made {made}");
        // No later round's event starts it.
        relink.request(Method::DELETE, &format!("/workflow/{workflow}"), Value::Null).await?;
        Ok(None)
    }
}
