//! Requests with `delete_tracking`.

use std::{collections::BTreeSet, sync::atomic::Ordering::SeqCst};

use relink_domain::sync::ErrorHandling;
use serde_json::{Value, json};

use super::world::{World, graph, hook, lock, new_run, page, request, run, run_as, table};
use crate::{Ended, Outcome, RequestError, Run, Runner, Wait};

const DONE: Ended = Ended::Finished(Outcome::Completed);

/// `code/repos` with delete tracking.
fn repos(keys: &Value) -> Value {
    let mut node = request("repos", "code/repos", &json!({"delete_tracking": "soft"}));
    node.as_object_mut().expect("an object").extend(keys.as_object().expect("an object").clone());
    node
}

/// What was to be marked or removed.
fn missing(world: &World) -> Vec<String> {
    lock(&world.missing).iter().map(|(line, _)| line.clone()).collect()
}

#[tokio::test]
async fn when_everything_is_delivered_what_no_list_had_is_deleted() {
    let world = World::with_repos();
    let job = json!([
        repos(&json!({"delete_tracking_query": {"owner": "{{args.from}}", "size": {"gt": 3}}})),
        {"name": "all", "type": "spool", "depends_on": "repos"},
        table("out", &["all"]),
        hook("hook", &["repos", "all"]),
        {"name": "end", "type": "event", "config": {"name": "complete"}},
        {"name": "mark", "type": "update_state", "depends_on": "end", "config": {"key": "mark", "value": 1}},
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    let lists =
        r#"[[{"field":["owner"],"operator":"eq","value":"2026-01-01"},{"field":["size"],"operator":"gt","value":3}]]"#;
    assert_eq!(missing(&world), [format!("repos all out account Soft {lists}")]);
    assert_eq!(lock(&world.missing)[0].1, 4, "after three batches for the hook, and one for the table");
    let tracked: Vec<_> = lock(&world.delivered).iter().map(|it| (it.to.clone(), it.tracked.clone())).collect();
    let hook = ("hook".to_owned(), None);
    let out = ("out".to_owned(), Some("repos".to_owned()));
    assert_eq!(tracked, [hook.clone(), hook.clone(), out, hook], "the hook keeps no rows");
    let kept = lock(&world.kept);
    assert_eq!((kept.stats.get("all", "spool").deleted, kept.states.len()), (2, 1));
}

#[tokio::test]
async fn an_empty_list_has_nothing_and_each_list_of_a_loop_says_what_it_could_have() {
    let empty = World::new(|_| page(&json!([]), None));
    assert_eq!(run(&empty, &json!([repos(&json!({"delete_tracking": "hard"})), table("out", &["repos"])])).await, DONE);
    assert_eq!(missing(&empty), ["repos code/repos out account Hard [[]]"]);

    let world = World::new(|call| match call.resource {
        "owners" => page(&json!([{"id": "a"}, {"id": "b"}, {"id": "a"}]), None),
        _ => page(&json!([]), None),
    });
    let job = json!([
        request("owners", "owners", &json!({})),
        repos(&json!({
            "depends_on": "owners", "loop_on": "resources.owners",
            "delete_tracking_query": {"owner": {"id": "{{resources.owners.id}}"}},
        })),
        table("out", &["repos"]),
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    let list = |id| format!(r#"[{{"field":["owner","id"],"operator":"eq","value":"{id}"}}]"#);
    assert_eq!(missing(&world), [format!("repos code/repos out account Soft [{},{}]", list("a"), list("b"))]);
}

/// A provider whose second page fails, and whose parents do.
fn failing() -> World {
    World::new(|call| match (call.resource, call.cursor) {
        ("owners", _) => page(&json!([{"id": "a"}, {"id": "b"}]), None),
        ("broken", _) | ("code/broken", Some(_)) => {
            Err(RequestError::Other(json!({"statusCode": 500, "message": "no"})))
        }
        (_, None) => page(&json!([{"id": 1}]), Some("2")),
        _ => page(&json!([{"id": 2}]), None),
    })
}

#[tokio::test]
async fn nothing_is_deleted_if_a_record_may_not_have_arrived() {
    let transform = |keys: Value| {
        let mut node = json!({"name": "t", "type": "transform", "depends_on": "repos", "config": {"expression": "resources.code.repos"}});
        node.as_object_mut().expect("an object").extend(keys.as_object().expect("an object").clone());
        node
    };
    let with = |mut node: Value, key: &str, value: Value| {
        node[key] = value;
        node
    };
    let of_owners = json!({"depends_on": "owners", "loop_on": "resources.owners"});
    for (what, job) in [
        ("the request is skipped", json!([repos(&json!({"run_if": "false"})), table("out", &["repos"])])),
        (
            "the request is skipped for an element",
            json!([
                request("owners", "owners", &json!({})),
                repos(&with(of_owners.clone(), "run_if", "resources.owners.id = 'a'".into())),
                table("out", &["repos"])
            ]),
        ),
        (
            "a transform is skipped",
            json!([repos(&json!({})), transform(json!({"run_if": "false"})), table("out", &["t"])]),
        ),
        (
            "a transform fails",
            json!([repos(&json!({})), transform(json!({"config": {"expression": "1 + \"\""}})), table("out", &["t"])]),
        ),
        (
            "the destination is skipped",
            json!([repos(&json!({})), with(table("out", &["repos"]), "run_if", "$count(payload.records) > 3".into())]),
        ),
        ("the destination fails", json!([repos(&json!({})), table("broken", &["repos"])])),
        ("a page fails", json!([repos(&json!({"resource": "code/broken"})), table("out", &["repos"])])),
        (
            "what it depends on fails",
            json!([request("owners", "broken", &json!({})), repos(&of_owners), table("out", &["repos"])]),
        ),
        (
            "what it depends on is skipped",
            json!([
                request("owners", "owners", &json!({})),
                {"name": "s", "type": "add_context", "depends_on": "owners", "run_if": "false", "config": {"expression": "{}"}},
                repos(&with(of_owners.clone(), "depends_on", "s".into())), table("out", &["repos"]),
            ]),
        ),
        (
            "another way to a table is skipped",
            json!([repos(&json!({})), transform(json!({"run_if": "false"})), table("out", &["repos", "t"]),]),
        ),
        (
            "what adds names beside it is skipped",
            json!([
                {"name": "names", "type": "add_context", "run_if": "false", "config": {"expression": "{\"team\": 1}"}},
                repos(&json!({"query": {"team": "{{team}}"}})),
                table("out", &["repos"]),
            ]),
        ),
        (
            "a spool has records of two accounts",
            json!([
                request("owners", "owners", &json!({})),
                repos(&with(of_owners.clone(), "integrated_account_id", "{{resources.owners.id}}".into())),
                {"name": "all", "type": "spool", "depends_on": "repos"},
                table("out", &["all"]),
            ]),
        ),
        (
            "a condition has no value",
            json!([
                repos(&json!({"delete_tracking_query": {"x": {"lt": "{{args.nothing}}"}}})),
                table("out", &["repos"])
            ]),
        ),
        (
            "the table is named by what comes later",
            json!([
                repos(&json!({})),
                {"name": "c", "type": "add_context", "depends_on": "repos", "config": {"expression": "{\"day\": \"1\"}"}},
                with(table("out", &["c"]), "config", json!({"path": "{{day:str}}", "format": "sqlite", "key": "id"})),
            ]),
        ),
        (
            "a condition has nothing",
            json!([
                repos(&json!({"delete_tracking_query": {"x": "{{args.nothing:undefined}}"}})),
                table("out", &["repos"])
            ]),
        ),
    ] {
        let world = failing();
        let ignoring = Run { error_handling: ErrorHandling::Ignore, ..new_run() };
        assert_eq!(run_as(&world, &ignoring, &graph(&job)).await, DONE, "{what}");
        assert_eq!(missing(&world), [] as [String; 0], "{what}");
        let said =
            "No row of \"repos\" is counted as deleted, because a node on its way failed or was skipped in this run.";
        let is_listed = what.contains("another way");
        assert!(!is_listed || lock(&world.log).iter().any(|line| line.ends_with(said)), "{what}");
    }
}

#[tokio::test]
async fn what_doesnt_lead_to_the_table_keeps_nothing_from_being_deleted() {
    let job = json!([
        repos(&json!({"debug": true})),
        {"name": "t", "type": "transform", "depends_on": "repos", "run_if": "false", "config": {"expression": "1"}},
        request("other", "broken", &json!({})),
        hook("broken", &["repos", "t"]),
        table("out", &["repos"]),
    ]);
    let world = failing();
    let ignoring = Run { error_handling: ErrorHandling::Ignore, ..new_run() };
    assert_eq!(run_as(&world, &ignoring, &graph(&job)).await, DONE);
    assert_eq!(missing(&world), ["repos code/repos out account Soft [[]]"]);
}

#[tokio::test]
async fn a_table_that_is_busy_or_fails_at_the_end_is_waited_for_or_ends_the_run() {
    let world = World::with_repos();
    let (run, job) = (new_run(), graph(&json!([repos(&json!({})), table("out", &["repos"])])));
    let mut runner = Runner::new(&run, &job, &world);
    while lock(&world.delivered).len() < 2 {
        runner.step().await.expect("a journal");
    }
    lock(&world.busy).push("out");
    let wait = Wait::Destination { node: "out".to_owned(), seconds: 3 };
    assert_eq!(runner.run(|| false).await, Ok(Ended::Waits(wait)));
    assert_eq!(Runner::new(&run, &job, &world).run(|| false).await, Ok(DONE), "in another process");
    assert_eq!(missing(&world).len(), 1);

    let empty = World::new(|_| page(&json!([]), None));
    let job = json!([
        repos(&json!({})), table("broken", &["repos"]),
        {"name": "end", "type": "event", "config": {"name": "complete"}},
        {"name": "mark", "type": "update_state", "depends_on": "end", "config": {"key": "mark", "value": 1}},
    ]);
    let ended = run_as(&empty, &run, &graph(&job)).await;
    assert!(matches!(&ended, Ended::Finished(Outcome::Failed(it)) if it.node == "broken"), "{ended:?}");
    assert!(lock(&empty.kept).writes.is_empty(), "the run isn't complete");
}

#[tokio::test]
async fn a_crash_anywhere_changes_nothing_of_what_is_deleted() {
    let job = graph(&json!([
        request("owners", "code/repos", &json!({})),
        request("repos", "code/tags", &json!({
            "depends_on": "owners", "loop_on": "resources.code.repos", "delete_tracking": "hard",
            "delete_tracking_query": {"owner": "{{resources.code.repos.id}}"},
        })),
        {"name": "all", "type": "spool", "depends_on": "repos"},
        table("out", &["repos"]),
        table("whole", &["all"]),
    ]));
    let run = new_run();
    let deleted = |world: &World| lock(&world.missing).iter().cloned().collect::<BTreeSet<_>>();
    let calm = World::with_repos();
    assert_eq!(run_as(&calm, &run, &job).await, DONE);
    let (expected, points) = (deleted(&calm), calm.crash_points.load(SeqCst));
    assert_eq!(expected.len(), 2);
    for point in 0..points {
        let world = World::with_repos();
        world.until_crash.store(i64::try_from(point).expect("few"), SeqCst);
        let mut runner = Runner::new(&run, &job, &world);
        tokio::select! {
            biased;
            () = world.crashed.notified() => {}
            ended = runner.run(|| false) => panic!("no crash at {point}: {ended:?}"),
        }
        drop(runner);
        assert_eq!(run_as(&world, &run, &job).await, DONE, "at {point}");
        let again = deleted(&world);
        // A batch that was delivered before the crash is delivered once more, so there may be more deliveries before it.
        let lines = |of: &BTreeSet<(String, usize)>| of.iter().map(|(line, _)| line.clone()).collect::<BTreeSet<_>>();
        assert_eq!(lines(&again), lines(&expected), "at {point}");
        assert_eq!(lock(&world.kept).stats, lock(&calm.kept).stats, "at {point}");
    }
}
