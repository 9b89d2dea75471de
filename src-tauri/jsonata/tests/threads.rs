//! Engines start at first use and end when there is nothing to do. The only test of its process: it counts threads.
#![cfg(target_os = "linux")]

use std::time::Duration;

use relink_jsonata::{Bindings, Engines, Limits, Settings};

async fn one_plus_one(engines: &Engines) {
    let outcome = engines.eval("1 + 1".into(), None, Bindings::default(), Limits::default()).await;
    assert_eq!(outcome.expect("a result").expect("a number").get(), "2");
}

/// Threads of this process that are engines'.
fn engine_threads() -> usize {
    std::fs::read_dir("/proc/self/task")
        .expect("the process's threads")
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with("jsonata-"))
        .count()
}

#[tokio::test]
async fn engines_start_at_first_use_and_end_when_idle() {
    let engines = Engines::new(Settings { idle_after: Duration::from_millis(50), ..Settings::default() });
    assert_eq!(engine_threads(), 0, "before first use");
    one_plus_one(&engines).await;
    assert_eq!(engine_threads(), 1, "one evaluation needs one engine");
    wait_until_no_engines().await;
    one_plus_one(&engines).await;

    let engines = Engines::default();
    one_plus_one(&engines).await;
    drop(engines);
    wait_until_no_engines().await;
}

async fn wait_until_no_engines() {
    let gone = async {
        while engine_threads() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the engines end");
}
