//! Relink is killed while it delivers, again and again, and each record is there once.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use relink_destinations::Files;
use serde_json::Value;
use tokio::runtime::Builder;

use crate::world::{Batch, World, deliver, file};

const BATCHES: u64 = 60;
const RECORDS: u64 = 50;
/// Set in the process that is killed: `FOLDER`, `FORMAT` and the first batch.
const CHILD: [&str; 3] = ["RELINK_CRASH_FOLDER", "RELINK_CRASH_FORMAT", "RELINK_CRASH_FROM"];

#[test]
fn lines_are_there_once() {
    each_record_is_there_once("lines_are_there_once", "jsonl", |world| {
        world.text("out").lines().map(|line| serde_json::from_str(line).expect("a whole line")).collect()
    });
}

#[test]
fn rows_are_there_once() {
    each_record_is_there_once("rows_are_there_once", "sqlite", |world| {
        let database = rusqlite::Connection::open(world.path("out")).expect("opens");
        let mut select =
            database.prepare("SELECT json_object('id', id, 'text', text) FROM crm_contacts").expect("prepares");
        let rows = select.query_map([], |row| row.get::<_, String>(0)).expect("queries");
        rows.map(|row| serde_json::from_str(&row.expect("reads")).expect("JSON")).collect()
    });
}

#[test]
fn parts_are_there_once() {
    each_record_is_there_once("parts_are_there_once", "parquet", |world| crate::parquet::read(&world.path("out")).0);
}

fn each_record_is_there_once(test: &str, format: &str, read: impl Fn(&World) -> Vec<Value>) {
    if let [Some(folder), Some(format), Some(from)] = CHILD.map(env::var_os) {
        let from = from.to_string_lossy().parse().expect("a number");
        return deliver_from(from, Path::new(&folder), &format.to_string_lossy());
    }
    for round in 0..6_u64 {
        let world = World::new();
        let (mut from, mut kills) = (0, 0);
        // Given: it is killed after one to nine batches, at whatever point it is then
        while from < BATCHES {
            let mut child = Command::new(env::current_exe().expect("a path"))
                .args([&format!("crash::{test}"), "--exact", "--nocapture", "--test-threads=1"])
                .envs([(CHILD[0], world.path("").as_os_str()), (CHILD[1], format.as_ref())])
                .env(CHILD[2], from.to_string())
                .stdout(Stdio::piped())
                .spawn()
                .expect("starts");
            let until = from + 1 + (round * 7 + kills * 5) % 9;
            let output = BufReader::new(child.stdout.take().expect("is piped"));
            let mut spin = (round * 131 + kills * 977) % 20_000;
            for line in output.lines() {
                let Some(delivered) = line.expect("reads").strip_prefix("delivered ").map(str::to_owned) else {
                    continue;
                };
                let delivered: u64 = delivered.parse().expect("a number");
                // The run's journal may not have the last batch yet.
                from = delivered;
                if delivered >= until {
                    while spin > 0 {
                        spin = std::hint::black_box(spin - 1);
                    }
                    child.kill().expect("kills");
                    break;
                }
            }
            child.wait().expect("ends");
            kills += 1;
            // All are delivered, the last one twice.
            if from == BATCHES - 1 {
                from = BATCHES;
            }
        }
        // When: the run is completed
        deliver_from(BATCHES - 2, &world.path(""), format);
        // Then
        let mut times = vec![0; usize::try_from(BATCHES * RECORDS).expect("fits")];
        for record in read(&world) {
            times[usize::try_from(record["id"].as_u64().expect("an id")).expect("fits")] += 1;
        }
        let wrong: Vec<_> = times.iter().enumerate().filter(|(_, times)| **times != 1).take(9).collect();
        assert!(wrong.is_empty(), "round {round}, {kills} kills: (record, times) {wrong:?}");
        assert!(kills > 5, "{kills}");
    }
}

/// Delivers the batches from one on.
fn deliver_from(from: u64, folder: &Path, format: &str) {
    let runtime = Builder::new_current_thread().build().expect("builds");
    let files = Files::new(folder.to_owned());
    runtime.block_on(async {
        for place in from..BATCHES {
            let records =
                (0..RECORDS).map(|at| format!("{{\"id\":{},\"text\":\"{}\"}}", place * RECORDS + at, "x".repeat(300)));
            let batch = Batch {
                run: 1,
                place,
                resource: "crm/contacts",
                config: file("out", format),
                records: records.collect(),
            };
            deliver(&files, batch).await.expect("delivers");
            println!("delivered {place}");
        }
    });
}
