//! Kills during a run of a sync job.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Harness, StateBefore, webhook};
use crate::{object_store::ObjectStore, relink::Relink};

/// The pages that a run reads.
pub(super) const PAGES: u32 = 5;
const PAGE_SIZE: usize = 5;
/// What a run reads.
const RECORDS: usize = PAGES as usize * PAGE_SIZE;
/// Where each page goes.
pub(super) const DESTINATIONS: u32 = 5;

impl Harness {
    /// Starts a run that writes each page to files, a bucket and a webhook.
    pub(super) async fn begin_run(&self, relink: &Relink) -> Result<Value> {
        let folder = self.exports()?;
        relink.request(Method::PUT, "/relink/sync-folder", json!({ "folder": folder })).await?;
        let out = |name: &str, kind: &str, config: Value| {
            json!({ "name": name, "type": "destination", "destination_type": kind, "config": config,
                    "resources_to_persist": ["records"] })
        };
        let file = |format: &str| json!({ "path": format!("{{{{sync_job_run.id}}}}.{format}"), "format": format });
        let count = json!({ "count": RECORDS.to_string(), "limit": PAGE_SIZE });
        let datastore = relink.post("/datastore", self.objects()?.datastore()).await?;
        let bucket = json!({
            "name": "bucket", "type": "destination", "destination_type": "datastore", "method": "uploadObject",
            "config": { "id": datastore["id"], "config": { "prefix": "{{sync_job_run.id}}" } },
            "resources_to_persist": ["records"],
        });
        let job = json!({ "default_runtime_version": 4, "resources": [
            { "name": "records", "type": "request", "resource": "records", "method": "list", "query": count },
            out("lines", "file", file("jsonl")),
            out("table", "file", file("sqlite")),
            out("parts", "file", file("parquet")),
            bucket,
            out("hook", "webhook", json!({ "id": webhook(relink).await? })),
        ] });
        let job = relink.post("/sync-job", job).await?;
        let new = json!({ "sync_job_id": job["id"], "integrated_account_id": self.account });
        relink.post("/sync-job-run", new).await
    }

    fn objects(&self) -> Result<&ObjectStore> {
        self.objects.as_ref().context("no store of objects")
    }

    fn exports(&self) -> Result<std::path::PathBuf> {
        let folder = self.session.folder().join("exports");
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Asserts that the run goes on to its end: each record is in each file and in the bucket once, and reaches the webhook, at most one batch of them twice,
    /// under the same id.
    pub(super) async fn check_run(&self, relink: &Relink, state_before: &StateBefore) -> Result<Option<String>> {
        let newest = relink.get("/sync-job-run?limit=1").await?;
        let id = newest["result"][0]["id"].as_str().context("no run")?.to_owned();
        let is_over = |run: &Value| matches!(run["status"].as_str(), Some("completed" | "failed" | "stopped"));
        let run = relink.until(&format!("/sync-job-run/{id}"), is_over).await?;
        if run["status"] != "completed" {
            // The kill may have hit a refresh that was due just then.
            if let Some(cause) = self.works(relink).await? {
                return Ok(Some(cause));
            }
            let log = relink.get(&format!("/log?log_type=rapid_bridge&log_type_filter[sync_job_run_id]={id}")).await?;
            return Ok(Some(format!("the run ended otherwise: {run}, {log}")));
        }
        let counts = &run["resource_stats"]["records"]["list"];
        ensure!(
            *counts == json!({ "fetched": RECORDS, "persisted": DESTINATIONS as usize * RECORDS }),
            "counted otherwise: {counts}"
        );
        let folder = self.exports()?;
        let expected: Vec<String> = (1..=RECORDS).map(|number| number.to_string()).collect();
        let lines = std::fs::read_to_string(folder.join(format!("{id}.jsonl")))?;
        let lines: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let ids: Vec<_> = lines.iter().filter_map(|line| line["id"].as_str()).collect();
        ensure!(ids == expected, "the lines are {ids:?}");
        let database = Connection::open(folder.join(format!("{id}.sqlite")))?;
        let mut statement = database.prepare("SELECT id FROM records ORDER BY rowid")?;
        let rows: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        ensure!(rows == expected, "the rows are {rows:?}");
        let parts = std::fs::read_dir(folder.join(format!("{id}.parquet")))?;
        let parts =
            parts.map(|part| Ok(part?.file_name().to_string_lossy().into_owned())).collect::<Result<Vec<_>>>()?;
        let are_whole = parts.iter().all(|name| name.starts_with("part-") && name.ends_with(".parquet"));
        ensure!(are_whole && parts.len() == PAGES as usize, "the parts are {parts:?}");
        let objects = self.objects()?.objects(&id)?;
        ensure!(objects.len() == PAGES as usize, "there are {} objects", objects.len());
        let stored = objects.iter().flat_map(|text| text.lines()).map(serde_json::from_str::<Value>);
        let stored = stored.map(|record| Ok(record?["id"].as_str().unwrap_or_default().to_owned()));
        let (mut stored, mut once) = (stored.collect::<Result<Vec<_>>>()?, expected.clone());
        stored.sort();
        once.sort();
        ensure!(stored == once, "the bucket has {stored:?}");
        self.check_batches(state_before, &expected)?;
        Ok(None)
    }

    fn check_batches(&self, state_before: &StateBefore, expected: &[String]) -> Result<()> {
        let mut batches: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for delivery in &self.receiver.seen()[state_before.deliveries..] {
            let records = delivery.body["payload"]["records"].clone();
            batches.entry(delivery.id().to_owned()).or_default().push(records);
        }
        let repeated: Vec<_> = batches.values().filter(|times| times.len() > 1).collect();
        ensure!(repeated.len() <= 1, "{} batches came again", repeated.len());
        ensure!(batches.values().all(|times| times.iter().all(|records| *records == times[0])), "a batch has changed");
        let records = batches.values().flat_map(|times| times[0].as_array().into_iter().flatten());
        let ids: BTreeSet<_> = records.filter_map(|record| record["id"].as_str().map(str::to_owned)).collect();
        ensure!(ids == expected.iter().cloned().collect(), "the webhook got {ids:?}");
        Ok(())
    }
}
