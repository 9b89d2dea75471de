//! Runs of sync jobs beside a Node script that pages the same list and writes JSON Lines.

mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use relink_jsonata::{Bindings, Engines, Limits};
use relink_tests::{process, provider::Provider, relink::Relink, session::Session};
use reqwest::Method;
use serde_json::{Value, json, value::to_raw_value};
use tokio::process::Child;

pub(crate) use self::server::{PROVIDER, serve};
use crate::{
    figures::{Figures, micros, table},
    processes,
};

const ROUNDS: usize = 3;
const RECORDS: u64 = 1_000_000;
/// Of rows whose records wait for the disk after each small page, or for an expression.
const FEWER_RECORDS: u64 = 100_000;
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const PEER: &str = "Node, JSON Lines";

struct World {
    session: Session,
    relink: Relink,
    _provider: Child,
    provider_url: String,
    account: String,
    exports: PathBuf,
}

/// What is read, and how it is written.
struct Work {
    what: &'static str,
    records: u64,
    page: u64,
    format: &'static str,
    has_transform: bool,
}

const fn work(what: &'static str, records: u64, page: u64, format: &'static str) -> Work {
    Work { what, records, page, format, has_transform: false }
}

const WORKS: &[Work] = &[
    work("1,000,000 records, pages of 1,000, JSON Lines", RECORDS, 1_000, "jsonl"),
    work("100,000 records, pages of 100, JSON Lines", FEWER_RECORDS, 100, "jsonl"),
    work("1,000,000 records, pages of 1,000, SQLite", RECORDS, 1_000, "sqlite"),
    work("1,000,000 records, pages of 1,000, Parquet", RECORDS, 1_000, "parquet"),
    Work {
        has_transform: true,
        ..work("100,000 records, pages of 1,000, a transform, JSON Lines", FEWER_RECORDS, 1_000, "jsonl")
    },
];

pub(crate) async fn measure() -> Result<()> {
    let world = World::start().await?;
    let mut measured = Vec::new();
    let (mut in_relink, mut in_node) = (Figures::default(), Figures::default());
    for work in WORKS {
        let (mut relink, mut node, mut grown_by) = (Figures::default(), Figures::default(), 0.0_f64);
        let job = world.job(work).await?;
        for _ in 0..ROUNDS {
            let (rate, grown) = world.run(work, &job).await?;
            relink.add(rate);
            grown_by = grown_by.max(grown);
            let (rate, evaluating) = world.node(work).await?;
            node.add(rate);
            if work.has_transform {
                in_node.add(evaluating * 1_000.0 / as_f64(work.records));
                in_relink.add(world.evaluate(work).await?);
            }
        }
        eprintln!("{}: {:.0} records/s", work.what, relink.median());
        measured.push((work.what, relink, node, grown_by));
    }
    let rows: Vec<_> = measured.iter().map(|(what, relink, node, _)| (*what, relink, node)).collect();
    table("Runs of sync jobs", "records/s", PEER, &rows);
    println!(
        "\nThe aim without a transform: at least 1.0.\n\n| Relink's memory during the run | grew by at most, MB |\n|---|---|"
    );
    for (what, _, _, grown_by) in &measured {
        println!("| {what} | {grown_by:.1} |");
    }
    println!("\nThe aim: below 64.");
    profile(&measured, &in_relink, &in_node);
    world.relink.stop().await
}

/// Where the time of a run with a transform goes.
fn profile(measured: &[(&str, Figures, Figures, f64)], in_relink: &Figures, in_node: &Figures) {
    let per_record = |rates: &Figures| {
        let mut micros = Figures::default();
        micros.add(1e6 / rates.median());
        micros
    };
    let (Some((_, plain, plain_node, _)), Some((_, whole, whole_node, _))) = (measured.first(), measured.last()) else {
        return;
    };
    table(
        "Runs with a transform: the time of a record",
        "µs",
        "Node",
        &[
            ("all of it", &per_record(whole), &per_record(whole_node)),
            ("the expression alone, over pages of 1,000", in_relink, in_node),
            ("a record without a transform", &per_record(plain), &per_record(plain_node)),
        ],
    );
}

impl World {
    async fn start() -> Result<Self> {
        let (session, provider) = (Session::start().await?, Provider::start().await?);
        let relink = Relink::start(&session).await?;
        let (process, base_url) = server::start(&session).await?;
        let pages = json!({ "format": "cursor", "config": {
            "cursor_path": "next", "cursor_key": "cursor", "limit_key": "limit", "max_limit": 1_000,
        } });
        let list = json!({ "path": "/{{query.of}}", "response_path": "results", "pagination": pages });
        let config = json!({ "base_url": base_url, "resources": { "records": { "list": list } } });
        let account = provider.connect_with_config(&relink, "contacts", config).await?;
        let exports = session.folder().join("exports");
        fs::create_dir_all(&exports)?;
        relink.request(Method::PUT, "/relink/sync-folder", json!({ "folder": exports })).await?;
        Ok(Self { session, relink, _provider: process, provider_url: base_url, account, exports })
    }

    /// Adds a job that does the work. Gives its id.
    async fn job(&self, work: &Work) -> Result<Value> {
        let query = json!({ "of": work.records.to_string(), "limit": work.page });
        let read =
            json!({ "name": "records", "type": "request", "resource": "records", "method": "list", "query": query });
        let (mut resources, mut last) = (vec![read], "records");
        if work.has_transform {
            let expression = fs::read_to_string(expression_file())?;
            let transform = json!({ "name": "contacts", "type": "transform", "depends_on": last, "config": { "expression": expression } });
            resources.push(transform);
            last = "contacts";
        }
        let config = json!({ "path": format!("{{{{sync_job_run.id}}}}.{}", work.format), "format": work.format });
        let file = json!({ "name": "out", "type": "destination", "destination_type": "file", "config": config, "resources_to_persist": [last] });
        resources.push(file);
        let job =
            self.relink.post("/sync-job", json!({ "default_runtime_version": 4, "resources": resources })).await?;
        Ok(job["id"].clone())
    }

    /// Runs the job. Gives records per second, and by how many MB Relink's memory grew.
    async fn run(&self, work: &Work, job: &Value) -> Result<(f64, f64)> {
        let pid = self.relink.pid().context("Relink has exited")?;
        let before = processes::proportional_memory(pid)?;
        let began = Instant::now();
        let run = self
            .relink
            .post("/sync-job-run", json!({ "sync_job_id": job, "integrated_account_id": self.account }))
            .await?;
        let id = run["id"].as_str().context("no id")?.to_owned();
        let (mut most, mut run) = (before, run);
        while !matches!(run["status"].as_str(), Some("completed" | "failed" | "stopped")) {
            tokio::time::sleep(POLL_INTERVAL).await;
            most = most.max(processes::proportional_memory(pid)?);
            run = self.relink.get(&format!("/sync-job-run/{id}")).await?;
        }
        let took = began.elapsed();
        let counts = &run["resource_stats"]["records"]["list"];
        ensure!(run["status"] == "completed", "the run ended otherwise: {run}");
        ensure!(counts["fetched"] == work.records, "counted otherwise: {}", run["resource_stats"]);
        let file = self.exports.join(format!("{id}.{}", work.format));
        if work.format == "jsonl" {
            ensure!(lines(&file)? == work.records, "the file has other records");
        }
        if file.is_dir() {
            fs::remove_dir_all(&file)?;
        } else {
            fs::remove_file(&file)?;
        }
        Ok((per_second(work.records, took), most - before))
    }

    /// Evaluates the transform as a run does, over the same pages. Gives µs per record.
    async fn evaluate(&self, work: &Work) -> Result<f64> {
        let url = format!("{}/{}?limit={}", self.provider_url, work.records, work.page);
        let page: Value = reqwest::get(url).await?.json().await?;
        let input = to_raw_value(&json!({ "resources": { "records": page["results"] } }))?;
        let expression: Arc<str> = fs::read_to_string(expression_file())?.into();
        let engines = Engines::default();
        let began = Instant::now();
        let mut pages = 0;
        while pages * work.page < work.records {
            let (expression, input) = (Arc::clone(&expression), Some(input.clone()));
            engines.eval(expression, input, Bindings::default(), Limits::default()).await?.context("undefined")?;
            pages += 1;
        }
        Ok(micros(began.elapsed()) / as_f64(work.records))
    }

    /// Lets Node do the work, into JSON Lines. Gives records per second, and the milliseconds of the expression alone.
    async fn node(&self, work: &Work) -> Result<(f64, f64)> {
        let file = self.exports.join("node.jsonl");
        let mut command = self.session.command("node");
        command.arg(process::workspace().join("benches/sync/node.mjs"));
        command.arg(format!("{}/{}", self.provider_url, work.records)).arg(&file).arg(work.page.to_string());
        if work.has_transform {
            command.arg(expression_file());
        }
        command.stdout(Stdio::piped());
        let output = process::spawn(command)?.wait_with_output().await?;
        ensure!(output.status.success(), "node ended with {}", output.status);
        let printed: Value = serde_json::from_slice(&output.stdout)?;
        ensure!(printed["records"] == work.records && lines(&file)? == work.records, "Node has other records");
        fs::remove_file(&file)?;
        let millis = printed["milliseconds"].as_f64().context("no time")?;
        let evaluating = printed["evaluating"].as_f64().context("no time")?;
        Ok((per_second(work.records, Duration::from_secs_f64(millis / 1_000.0)), evaluating))
    }
}

fn expression_file() -> PathBuf {
    process::workspace().join("benches/sync/contact.jsonata")
}

fn lines(file: &Path) -> Result<u64> {
    Ok(fs::read_to_string(file)?.lines().count().try_into()?)
}

fn per_second(records: u64, took: Duration) -> f64 {
    as_f64(records) / took.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a million is exact")]
const fn as_f64(records: u64) -> f64 {
    records as f64
}
