//! Records per second into each kind of file, beside a Node script that writes JSON Lines without waiting for the disk:
//! `cargo run --release -p relink-destinations --example throughput -- FOLDER [RECORDS]`. FOLDER should be on a disk, not in memory.

use std::{fs, path::Path, process::Command, time::Instant};

use relink_destinations::Files;
use relink_domain::{
    SyncJobRunId,
    sync::{BatchId, DestinationKind},
};
use relink_sync::Delivery;
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

/// The same records, in pages, written with one call for each page.
const NODE: &str = r#"
const fs = require("fs");
const [path, records, page] = [process.argv[1], Number(process.argv[2]), Number(process.argv[3])];
const record = (id) => ({id, name: "Person " + id, email: "person-" + id + "@example.com", active: id % 2 === 0,
  score: id / 4, tags: ["a", "b"], address: {street: "1 Long Street", city: "Springfield"}, created_at: "2026-11-28T10:00:00.000Z",
  updated_at: "2026-11-28T10:00:00.000Z", note: "x".repeat(60)});
const file = fs.openSync(path, "w");
const began = process.hrtime.bigint();
for (let at = 0; at < records; at += page) {
  const lines = [];
  for (let id = at; id < at + page; id++) lines.push(JSON.stringify(record(id)));
  fs.writeSync(file, lines.join("\n") + "\n");
}
console.log(Number(process.hrtime.bigint() - began) / 1e9);
"#;

fn record(id: u64) -> Box<RawValue> {
    let note = "x".repeat(60);
    let score = f64::from(u32::try_from(id).unwrap_or_default()) / 4.0;
    let active = id.is_multiple_of(2);
    let text = format!(
        r#"{{"id":{id},"name":"Person {id}","email":"person-{id}@example.com","active":{active},"score":{score:?},"tags":["a","b"],"address":{{"street":"1 Long Street","city":"Springfield"}},"created_at":"2026-11-28T10:00:00.000Z","updated_at":"2026-11-28T10:00:00.000Z","note":"{note}"}}"#
    );
    RawValue::from_string(text).expect("JSON")
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("name a folder");
    let records: u64 = arguments.next().map_or(1_000_000, |it| it.parse().expect("a number"));
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).expect("makes the folder");
    println!("{records} records of {} bytes", record(500_000).get().len());
    println!("| what | page | records/s | memory |\n|---|---|---|---|");
    for page in [100, 1000] {
        for (name, config) in [
            ("jsonl", json!({"path": "x", "format": "jsonl"})),
            ("sqlite", json!({"path": "x", "format": "sqlite"})),
            ("sqlite with key", json!({"path": "x", "format": "sqlite", "key": "id"})),
            ("parquet", json!({"path": "x", "format": "parquet"})),
        ] {
            measure(name, folder, records, page, &config).await;
        }
        let path = folder.join("node.jsonl");
        let mut node = Command::new("node");
        node.args(["-e", NODE]).arg(&path).args([records.to_string(), page.to_string()]);
        if let Ok(output) = node.output()
            && let Ok(seconds) = String::from_utf8_lossy(&output.stdout).trim().parse::<f64>()
        {
            row("node, jsonl", page, records, seconds, "");
        }
        let _ = fs::remove_file(&path);
    }
}

async fn measure(name: &str, folder: &Path, records: u64, page: u64, config: &Value) {
    let place = folder.join(name);
    let _ = fs::remove_dir_all(&place);
    fs::create_dir(&place).expect("makes a folder");
    let files = Files::new(place.clone());
    let run = SyncJobRunId::from_uuid(Uuid::new_v4());
    let before = memory("VmRSS:");
    // Resets the most that was in use (proc_pid_clear_refs(5)).
    let _ = fs::write("/proc/self/clear_refs", "5");
    let mut seconds = 0.0;
    for at in 0..records / page {
        let records: Vec<Box<RawValue>> = (at * page..(at + 1) * page).map(record).collect();
        let delivery = Delivery {
            id: BatchId::new(run, &[at]),
            kind: &DestinationKind::File { replaces: false },
            destination: "out",
            resource: "crm/contacts",
            config: Some(config.clone()),
            account: None,
            records: &records,
            tracked: None,
        };
        let began = Instant::now();
        files.deliver(run, &delivery, None).await.expect("delivers");
        seconds += began.elapsed().as_secs_f64();
    }
    let began = Instant::now();
    files.finish(run).await;
    seconds += began.elapsed().as_secs_f64();
    let grown = memory("VmHWM:").saturating_sub(before);
    row(name, page, records, seconds, &format!("+{:.1} MB", f64::from(grown) / 1000.0));
    let _ = fs::remove_dir_all(&place);
}

fn row(name: &str, page: u64, records: u64, seconds: f64, memory: &str) {
    let per_second = f64::from(u32::try_from(records).unwrap_or(u32::MAX)) / seconds;
    println!("| {name} | {page} | {per_second:.0} | {memory} |");
}

/// In kilobytes.
fn memory(line: &str) -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|it| it.strip_prefix(line));
    found.and_then(|it| it.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}
