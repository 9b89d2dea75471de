//! Evaluates `tests/cases` and compares the results with those of Node running the same npm packages.
#![allow(clippy::unwrap_used)]

mod reference;

use reference::{Answer, Case, Comparison, crate_path, engines, evaluate, from_line, lines, node};

const DIFFERENCES: &str = "tests/cases/differences.jsonl";

/// The committed cases with their answers.
fn cases() -> Vec<(Case, Answer)> {
    let mut files: Vec<_> = std::fs::read_dir(crate_path("tests/cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .filter(|path| *path != crate_path(DIFFERENCES))
        .collect();
    files.sort();
    files.iter().flat_map(|file| lines(file)).map(|line| (from_line(&line), from_line(&line))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_gives_what_node_gives() {
    let engines = engines();
    let mut comparison = Comparison::accepting(&crate_path(DIFFERENCES));
    for (case, node) in cases() {
        let ours = evaluate(&engines, &case).await;
        comparison.compare(&case, &ours, &node);
    }
    let complaints = comparison.complaints();
    assert!(complaints.is_empty(), "{}\n{} complaints", complaints.join("\n"), complaints.len());
}

#[test]
fn the_cases_are_many_and_distinct() {
    let cases = cases();
    let mut ids: Vec<_> = cases.iter().map(|(case, _)| &case.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), cases.len(), "two cases share an id");
    let truto = ids.iter().filter(|id| id.starts_with("truto-")).count();
    assert!(truto >= 200, "{truto} cases for Truto's functions");
    assert!(ids.len() - truto >= 300, "{} cases for JSONata's own features", ids.len() - truto);
}

#[test]
fn node_still_gives_the_committed_answers() {
    match node(&[], "") {
        Err(reason) => println!("Skipped: {reason}."),
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
    }
}
