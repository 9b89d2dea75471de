use serde_json::{Value, json};

use super::world::{World, hook, lock, page, request, run};
use crate::{Ended, Outcome};

const DONE: Ended = Ended::Finished(Outcome::Completed);

#[tokio::test]
async fn a_loop_makes_a_request_for_each_record_which_is_the_current_one_there() {
    let world = World::new(|call| match call.resource {
        "code/repos" => page(&json!([{"id": "a", "tags": ["x", "y"]}, {"id": "b"}]), None),
        _ => page(&json!([{"of": call.query}]), None),
    });
    let job = json!([
        request("repos", "code/repos", &json!({})),
        {"name": "site", "type": "add_context", "depends_on": "repos", "config": {"expression": "{\"n\": $count(resources.code.repos)}"}},
        request("notes", "notes", &json!({"depends_on": "site", "loop_on": "resources.code.repos",
            "query": {"id": "{{resources.code.repos.id}}", "n": "{{n:int}}"}})),
        {"name": "repo", "type": "add_context", "depends_on": "notes", "config": {"expression": "{\"repo\": resources.code.repos.id}"}},
        request("short", "short", &json!({"depends_on": "repo", "query": "{\"of\": repo, \"notes\": $count(resources.notes)}"})),
        request("tags", "tags", &json!({"depends_on": "repos", "loop_on": "code.repos.tags", "query": {"tag": "{{resources.code.repos.tags}}"}})),
        request("once", "once", &json!({"depends_on": "repos", "query": {"first": "{{resources.code.repos.0.id}}"}})),
        request("ids", "ids", &json!({"loop_on": "args.ids", "id": "{{args.ids}}", "method": "get", "query": {"from": "{{args.from}}"}})),
        request("none", "none", &json!({"loop_on": "resources.nowhere"})),
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    let expected = [
        "account code/repos.list {}",
        r#"account tags.list {"tag":"x"}"#,
        r#"account tags.list {"tag":"y"}"#,
        r#"account once.list {"first":"a"}"#,
        r#"account ids.get/3 {"from":"2026-01-01"}"#,
        r#"account ids.get/4 {"from":"2026-01-01"}"#,
    ];
    let (of_notes, others): (Vec<_>, Vec<_>) =
        world.called().into_iter().partition(|call| call.contains("notes") || call.contains("short"));
    assert_eq!(others, expected);
    let notes = [
        r#"account notes.list {"id":"a","n":2}"#,
        r#"account short.list {"of":"a","notes":1}"#,
        r#"account notes.list {"id":"b","n":2}"#,
        r#"account short.list {"of":"b","notes":1}"#,
    ];
    assert_eq!(of_notes, notes);
}

#[tokio::test]
async fn the_values_of_the_run_and_of_the_account_are_at_the_top() {
    let world = World::with_repos();
    let see = "{\"args\": args.from, \"site\": site, \"tenant\": tenant_id, \"status\": sync_job_run.status, \"size\": total_records_size}";
    let job = json!([
        request("other", "code/repos", &json!({"integrated_account_id": "{{args.ids.0}}"})),
        {"name": "seen", "type": "transform", "depends_on": "other", "config": {"expression": see}},
        request("own", "x", &json!({"query": see})),
        request("template", "x", &json!({"depends_on": "other", "query": {"site": "{{site}}", "tenant": "{{tenant_id}}",
            "size": "{{total_records_size:int}}", "args": "{{args.from}}"}})),
        hook("out", &["seen"]),
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    let seen = |size: u64| json!({"args": "2026-01-01", "site": "site-of-3", "tenant": "tenant-of-3", "status": "running", "size": size});
    let records: Vec<Value> = lock(&world.delivered).iter().map(|it| it.records[0].clone()).collect();
    assert_eq!(records, [seen(2), seen(3)]);
    let calls = world.called();
    assert_eq!(calls[1], r#"3 x.list {"site":"site-of-3","tenant":"tenant-of-3","size":0,"args":"2026-01-01"}"#);
    let own = r#"account x.list {"args":"2026-01-01","site":"site-of-account","tenant":"tenant-of-account","status":"running","size":0}"#;
    assert_eq!(calls.last().map(String::as_str), Some(own));
}

#[tokio::test]
async fn a_destination_sees_its_records_whole_or_one_by_one() {
    let world = World::with_repos();
    let job = json!([
        request("repos", "code/repos", &json!({})),
        {"name": "store", "type": "destination", "destination_type": "datastore", "method": "uploadObject", "loop_on": "payload.records",
         "run_if": "$count(payload.records) > 1", "resources_to_persist": ["repos"],
         "config": {"id": "d", "config": {"file_name": "{{payload.records.id}}", "tags": "{{payload.records.tags:any}}"}}},
        {"name": "whole", "type": "destination", "destination_type": "webhook", "resources_to_persist": ["repos"],
         "config": {"id": "{{payload.records.0.id}}"}},
        {"name": "never", "type": "destination", "destination_type": "webhook", "resources_to_persist": ["repos"],
         "run_if": "$exists(args.webhook_id)", "config": {"id": "x"}},
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    let delivered: Vec<_> =
        lock(&world.delivered).iter().map(|it| (it.to.clone(), it.config.clone(), it.records.clone())).collect();
    let found: Vec<String> =
        delivered.iter().map(|(to, config, _)| format!("{to} {}", config.as_ref().expect("a config"))).collect();
    let expected = [
        r#"store {"id":"d","config":{"file_name":"a","tags":["x","y"]}}"#,
        r#"store {"id":"d","config":{"file_name":"b"}}"#,
        r#"whole {"id":"a"}"#,
        r#"whole {"id":"c"}"#,
    ];
    assert_eq!(found[0], expected[0]);
    assert_eq!(
        found.iter().map(|it| it.split(' ').next()).collect::<Vec<_>>(),
        expected.iter().map(|it| it.split(' ').next()).collect::<Vec<_>>()
    );
    assert_eq!((found[2].as_str(), found[3].as_str()), (expected[2], expected[3]));
    assert_eq!(delivered[1].2, json!([{"id": "b"}]));
    let ids: std::collections::BTreeSet<_> = lock(&world.delivered).iter().map(|it| it.id).collect();
    assert_eq!(ids.len(), 4, "each part has an id of its own");
}

#[tokio::test]
async fn conditions_decide_for_each_batch_and_each_element() {
    let world = World::new(|call| match call.resource {
        "repos" => page(&json!([{"id": "a", "ok": true}, {"id": "b", "ok": false}, {"id": "c", "ok": true}]), None),
        _ => page(&json!([]), None),
    });
    let job = json!([
        request("repos", "repos", &json!({})),
        request("each", "each", &json!({"depends_on": "repos", "loop_on": "resources.repos", "run_if": "resources.repos.ok",
            "query": {"id": "{{resources.repos.id}}"}})),
        request("never", "never", &json!({"run_if": "args.from = 'x'"})),
        {"name": "no", "type": "transform", "depends_on": "repos", "run_if": "$count(resources.repos) > 3", "config": {"expression": "1"}},
        hook("out", &["no"]),
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    assert_eq!(
        world.called(),
        ["account repos.list {}", r#"account each.list {"id":"a"}"#, r#"account each.list {"id":"c"}"#]
    );
    assert!(world.shown().is_empty());
}

#[tokio::test]
async fn records_that_nobody_looks_at_stay_text() {
    let text = r#"[{"n":12345678901234567890.10,  "a":"\u0041"}]"#;
    let world =
        World::new(move |_| Ok(crate::Page { records: serde_json::from_str(text).expect("raw"), next_cursor: None }));
    let mut out = hook("out", &["a", "added"]);
    out["run_if"] = "$exists(args.from)".into();
    let job = json!([
        request("a", "a", &json!({})),
        {"name": "added", "type": "add_context", "depends_on": "a", "debug": true, "config": {"expression": "{\"x\": 1}"}},
        out,
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    let texts: Vec<_> = lock(&world.delivered).iter().map(|it| it.text.clone()).collect();
    let record = r#"{"n":12345678901234567890.10,  "a":"\u0041"}"#;
    assert_eq!(texts, [record, record]);
    assert!(lock(&world.inputs).iter().all(|input| !input.contains("resources") && !input.contains("12345")));
    assert!(lock(&world.log).iter().any(|line| line == "added: Result: {\"x\":1}"), "{:?}", lock(&world.log));
}
