use relink_domain::sync::{ErrorHandling, Form, Graph};
use serde_json::{Value, json};

use super::world::{World, graph, hook, lock, new_run, page, request, run, run_as};
use crate::{Ended, Outcome, RecordError, RequestError, Run};

const DONE: Ended = Ended::Finished(Outcome::Completed);

#[tokio::test]
async fn the_contracts_example_keeps_where_it_was() {
    let world = World::new(|_| page(&json!([{"id": 1}]), None));
    let job = json!([
        {"name": "mark", "type": "get_state", "config": {"default": "{{args.from}}", "key": "people_seen"}},
        {"name": "since", "type": "add_context", "depends_on": "mark", "config": {"expression": "{ \"from\": resources.mark.value }"}},
        request("people", "crm/contacts", &json!({"depends_on": "since", "query": {"updated_at": {"gte": "{{from}}"}}})),
        hook("out", &["people"]),
        {"name": "end", "type": "event", "config": {"name": "complete"}},
        {"name": "keep", "type": "update_state", "depends_on": "end", "config": {"key": "people_seen",
         "value_expression": "sync_job_run[status = \"completed\"].started_at.toISOString()"}},
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    assert_eq!(world.called(), [r#"account crm/contacts.list {"updated_at":{"gte":"2026-01-01"}}"#]);
    assert_eq!(world.shown(), [r#"out crm/contacts [{"id":1}]"#]);
    assert_eq!(lock(&world.kept).states["people_seen"], json!("2026-11-28T10:00:00.000Z"));
    let states = std::mem::take(&mut lock(&world.kept).states);
    // The next run.
    let next = World::new(|_| page(&json!([]), None));
    lock(&next.kept).states = states;
    assert_eq!(run(&next, &job).await, DONE);
    assert_eq!(next.called(), [r#"account crm/contacts.list {"updated_at":{"gte":"2026-11-28T10:00:00.000Z"}}"#]);
}

#[tokio::test]
async fn each_page_is_a_batch_and_a_destination_gets_the_records_of_its_nodes() {
    let world = World::with_repos();
    let job = json!([
        request("repos", "code/repos", &json!({"query": {"limit": 2}})),
        hook("a", &["repos"]),
        hook("b", &["repos"])
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    let first = r#"code/repos [{"id":"a","tags":["x","y"]},{"id":"b"}]"#;
    let second = r#"code/repos [{"id":"c","tags":["z"]}]"#;
    let expected = ["a", "b"].map(|to| format!("{to} {first}")).into_iter();
    let expected: Vec<_> = expected.chain(["a", "b"].map(|to| format!("{to} {second}"))).collect();
    assert_eq!(world.shown(), expected);
    assert_eq!(world.called()[1], r#"account code/repos.list {"limit":2} @2"#);
    let stats = serde_json::to_value(&lock(&world.kept).stats).expect("JSON");
    assert_eq!(stats, json!({"code/repos": {"list": {"fetched": 3, "persisted": 6}}}));
    assert_eq!(lock(&world.log)[1], r#"repos {"code/repos":{"list":{"fetched":2,"persisted":4}}}"#);
}

#[tokio::test]
async fn a_transform_replaces_the_batch_or_drops_it() {
    let world = World::with_repos();
    let job = json!([
        request("repos", "code/repos", &json!({})),
        {"name": "short", "type": "transform", "depends_on": "repos", "config": {"expression": "resources.code.repos.id"}},
        {"name": "again", "type": "transform", "depends_on": "short", "config": {"expression": "resources.code.repos & resources.short"}},
        {"name": "null", "type": "transform", "depends_on": "repos", "config": {"expression": "null"}},
        {"name": "undefined", "type": "transform", "depends_on": "repos", "config": {"expression": "missing"}},
        {"name": "none", "type": "transform", "depends_on": "repos", "config": {"expression": "[]"}},
        {"name": "object", "type": "transform", "depends_on": "repos", "config": {"expression": "{}"}},
        {"name": "sum", "type": "transform", "depends_on": "repos", "config": {"expression": "$count(resources.code.repos)"}},
        hook("out", &["short", "again", "null", "undefined", "none", "object", "sum"]),
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    let expected = [
        r#"out again ["[\"a\",\"b\"][\"a\",\"b\"]"]"#,
        r#"out short ["a","b"]"#,
        "out sum [2]",
        r#"out again ["[\"c\"][\"c\"]"]"#,
        r#"out short ["c"]"#,
        "out sum [1]",
    ];
    assert_eq!(world.shown(), expected);
    let dropped = |node: &str| lock(&world.kept).stats.get(node, "transform").dropped;
    let counts = ["short", "again", "null", "undefined", "none", "object", "sum"].map(dropped);
    assert_eq!(counts, [0, 0, 3, 3, 3, 3, 0], "what a transform leaves out is counted");
}

#[tokio::test]
async fn a_spool_lets_all_on_once_after_everything_above_it() {
    let world = World::with_repos();
    let job = json!([
        request("repos", "code/repos", &json!({})),
        {"name": "id", "type": "transform", "depends_on": "repos", "config": {"expression": "resources.code.repos.id"}},
        {"name": "all", "type": "spool", "depends_on": "id"},
        {"name": "count", "type": "transform", "depends_on": "all",
         "config": {"expression": "$join(resources.code.repos, ',') & $count(resources.all)"}},
        {"name": "later", "type": "spool", "depends_on": "count"},
        {"name": "empty", "type": "spool", "depends_on": "nothing"},
        request("nothing", "nothing", &json!({})),
        hook("out", &["id", "all", "later", "empty"]),
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    let expected = [r#"out id ["a","b"]"#, r#"out id ["c"]"#, r#"out all ["a","b","c"]"#, r#"out later ["a,b,c3"]"#];
    assert_eq!(world.shown(), expected);
}

#[tokio::test]
async fn a_recursion_changes_whatever_it_names_of_the_request() {
    let world = World::new(|call| match call.resource {
        "kb/spaces" => page(&json!([{"id": "s1", "more": true}, {"id": "s2", "more": false}]), None),
        _ => page(&json!([{"id": "p", "more": false}]), None),
    });
    let recurse = json!({"if": "{{resources.kb.spaces.more:bool}}", "config": {
        "resource": "kb/pages", "method": "search", "integrated_account_id": "other", "id": "{{resources.kb.spaces.id}}",
        "body": {"of": "{{resources.kb.spaces.id}}", "site": "{{site}}"},
    }});
    let job =
        json!([request("all", "kb/spaces", &json!({"body": {"n": 1}, "recurse": recurse})), hook("out", &["all"])]);
    assert_eq!(run(&world, &job).await, DONE);
    let calls = [
        r#"account kb/spaces.list {} {"n":1}"#,
        r#"other kb/pages.search/s1 {} {"n":1,"of":"s1","site":"site-of-account"}"#,
    ];
    assert_eq!(world.called(), calls);
    let shown = [
        r#"out kb/spaces [{"id":"s1","more":true},{"id":"s2","more":false}]"#,
        r#"out kb/spaces [{"id":"p","more":false}]"#,
    ];
    assert_eq!(world.shown(), shown, "its records are the node's");
}

#[tokio::test]
async fn debug_says_what_each_node_gets_and_gives() {
    let world = World::with_repos();
    let debugged = |mut node: Value| {
        node["debug"] = true.into();
        node
    };
    let state = |kind: &str, after: &str, config: Value| json!({"name": kind, "type": kind, "depends_on": after, "config": config});
    let job = json!([
        {"name": "begin", "type": "event", "config": {"name": "start"}},
        state("update_state", "begin", json!({"key": "k", "value": 1})),
        state("get_state", "update_state", json!({"key": "k"})),
        state("delete_state", "get_state", json!({"key": "k"})),
        request("repos", "code/repos", &json!({"query": {"q": "x"}})),
        {"name": "all", "type": "spool", "depends_on": "repos"},
        {"name": "ids", "type": "transform", "depends_on": "all", "run_if": "true", "config": {"expression": "[1]"}},
        hook("out", &["ids"]),
    ]);
    let job: Value = job.as_array().expect("a list").iter().cloned().map(debugged).collect();
    assert_eq!(run(&world, &job).await, DONE);
    let log = lock(&world.log).clone();
    for expected in [
        "begin: Happens: start",
        "update_state: Result: k = 1",
        "get_state: Result: k = 1",
        "delete_state: Result: k is deleted",
        r#"repos: Request: code/repos list ?{"q":"x"} with account account"#,
        r#"repos: Request: code/repos list ?{"q":"x"} from 2 with account account"#,
        "repos: Result: 2 records, and there are more",
        "repos: Result: 1 record",
        "all: Input: 2 records",
        "all: Result: 3 records",
        "ids: Result: true",
        "ids: Result: [1]",
        r#"out: Input: 1 record of ids for {"id":"h"}"#,
    ] {
        assert!(log.iter().any(|line| line == expected), "{expected} in {log:#?}");
    }
}

#[tokio::test]
async fn a_recursion_makes_the_request_again_below_each_record_that_wants_it() {
    let world = World::new(|call| match call.query.get("below").and_then(Value::as_str) {
        None => page(&json!([{"id": "1", "more": true}, {"id": "2", "more": false}]), None),
        Some("1") => page(&json!([{"id": "11", "more": true}]), None),
        Some(below) => page(&json!([{"id": format!("{below}1"), "more": below == "endless"}]), None),
    });
    let recurse =
        json!({"if": "{{resources.kb.pages.more:bool}}", "config": {"query": {"below": "{{resources.kb.pages.id}}"}}});
    let job = json!([
        request("pages", "kb/pages", &json!({"query": {"space": "s"}, "recurse": recurse})),
        hook("out", &["pages"]),
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    let calls = [
        r#"account kb/pages.list {"space":"s"}"#,
        r#"account kb/pages.list {"space":"s","below":"1"}"#,
        r#"account kb/pages.list {"space":"s","below":"11"}"#,
    ];
    assert_eq!(world.called(), calls);
    assert_eq!(world.shown().len(), 3);
    // A tree that leads back to itself.
    let endless = World::new(|_| page(&json!([{"id": "x", "more": true}]), None));
    let ended = run(&endless, &job).await;
    let Ended::Finished(Outcome::Failed(RecordError { error, .. })) = ended else { panic!("{ended:?}") };
    assert!(error["message"].as_str().is_some_and(|it| it.contains("50 levels deep")), "{error}");
    assert_eq!(endless.called().len(), 51);
}

#[tokio::test]
async fn events_run_before_and_after_everything_with_the_status_known() {
    let job = |resource: &str| {
        json!([
            request("repos", resource, &json!({"query": {"of": "b"}})),
            {"name": "e1", "type": "event", "config": {"name": "complete"}},
            request("done", "done", &json!({"depends_on": "e1", "query": {"is": "{{sync_job_run.status}} {{sync_job_run.finished_at}}"}})),
            {"name": "e2", "type": "event", "config": {"name": "error"}},
            request("oh", "oh", &json!({"depends_on": "e2", "query": {"is": "{{sync_job_run.status}}"}})),
            {"name": "e0", "type": "event", "config": {"name": "start"}},
            request("hello", "hello", &json!({"depends_on": "e0", "query": {"is": "{{sync_job_run.status}}"}})),
        ])
    };
    let world = World::with_repos();
    assert_eq!(run(&world, &job("code/repos")).await, DONE);
    let calls = world.called();
    assert_eq!(calls[0], r#"account hello.list {"is":"running"}"#);
    assert_eq!(calls[3..], [r#"account done.list {"is":"completed 2026-11-28T11:00:00.000Z"}"#]);
    let world = World::with_repos();
    let error = RecordError {
        node: "repos".to_owned(),
        resource: "issues".to_owned(),
        error: json!({"statusCode": 403, "message": "no"}),
    };
    assert_eq!(run(&world, &job("issues")).await, Ended::Finished(Outcome::Failed(error)));
    assert_eq!(world.called()[1..], [r#"account issues.list {"of":"b"}"#, r#"account oh.list {"is":"failed"}"#]);
}

#[tokio::test]
async fn state_is_read_written_and_deleted() {
    let world = World::with_repos();
    lock(&world.kept).states.insert("old".to_owned(), json!({"n": 1}));
    let job = json!([
        {"name": "old", "type": "get_state", "config": {"key": "old"}},
        {"name": "unset", "type": "get_state", "config": {"key": "unset"}},
        {"name": "forget", "type": "delete_state", "depends_on": "old", "config": {"key": "old"}},
        {"name": "count", "type": "update_state", "depends_on": "old", "config": {"key": "n-{{args.from}}",
         "value_expression": "resources.old.value.n + 1"}},
        {"name": "skip", "type": "update_state", "depends_on": "old", "config": {"key": "skip", "value_expression": "missing"}},
        {"name": "fixed", "type": "update_state", "config": {"key": "fixed", "value": {"site": "{{site}}"}}},
        {"name": "written", "type": "get_state", "depends_on": "fixed", "config": {"key": "fixed"}},
        request("after", "after", &json!({"query": {"fixed": "{{resources.written.value.site}}", "unset": "{{resources.unset.value?:no}}"}})),
    ]);
    assert_eq!(run(&world, &job).await, DONE);
    let states = serde_json::to_value(&lock(&world.kept).states).expect("JSON");
    assert_eq!(states, json!({"fixed": {"site": "site-of-account"}, "n-2026-01-01": 2}));
    assert_eq!(world.called(), [r#"account after.list {"fixed":"site-of-account","unset":"no"}"#]);
}

#[tokio::test]
async fn flat_nodes_go_where_the_run_leads_and_know_the_run_before() {
    let flat = json!([
        {"resource": "code/repos", "query": {"since": "{{previous_run_date?:never}}"}},
        {"resource": "issues", "depends_on": "code/repos", "loop_on": "resources.code.repos", "query": {"of": "{{resources.code.repos.id}}"}},
        {"name": "short", "type": "transform", "depends_on": "code/repos", "config": {"expression": "resources.code.repos.id"}, "persist": false},
    ]);
    let graph = Graph::parse(&flat, Form::Flat).expect("a graph");
    let date = Some("2026-11-01T00:00:00.000Z".to_owned());
    let run = Run { error_handling: ErrorHandling::Ignore, previous_run_date: date, ..new_run() };
    let world = World::with_repos();
    assert_eq!(run_as(&world, &run, &graph).await, DONE);
    assert_eq!(world.called()[0], r#"account code/repos.list {"since":"2026-11-01T00:00:00.000Z"}"#);
    let expected = [
        r#"run code/repos [{"id":"a","tags":["x","y"]},{"id":"b"}]"#,
        r#"run issues [{"n":"a1"},{"n":"a2"}]"#,
        r#"run code/repos [{"id":"c","tags":["z"]}]"#,
        r#"run issues [{"n":"c1"},{"n":"c2"}]"#,
    ];
    assert_eq!(world.shown(), expected);
    assert_eq!(lock(&world.kept).errors.len(), 1, "of b");
    let first = World::with_repos();
    run_as(&first, &Run { previous_run_date: None, ..run }, &graph).await;
    assert_eq!(first.called()[0], r#"account code/repos.list {"since":"never"}"#);
}

#[tokio::test]
async fn errors_end_the_run_or_what_depends_on_the_node() {
    let job = json!([
        request("repos", "code/repos", &json!({})),
        {"name": "bad", "type": "transform", "depends_on": "repos", "config": {"expression": "$number('x')"}},
        {"name": "list", "type": "add_context", "depends_on": "repos", "config": {"expression": "1"}},
        hook("broken", &["repos"]),
        hook("fine", &["repos", "bad"]),
        request("noone", "x", &json!({"integrated_account_id": "gone"})),
        request("same", "same", &json!({})),
    ]);
    let world = World::new(|call| match call.resource {
        "same" => page(&json!([1]), Some("again")),
        _ => page(&json!([{"id": 1}]), None),
    });
    let run = Run { error_handling: ErrorHandling::Batch, ..new_run() };
    assert_eq!(run_as(&world, &run, &graph(&job)).await, DONE);
    let errors: Vec<_> = lock(&world.kept).errors.iter().map(|it| (it.node.clone(), it.resource.clone())).collect();
    let expected = [("list", "list"), ("bad", "bad"), ("broken", "code/repos"), ("noone", "x"), ("same", "same")];
    assert_eq!(errors, expected.map(|(node, resource)| (node.to_owned(), resource.to_owned())));
    assert_eq!(world.shown(), [r#"fine code/repos [{"id":1}]"#]);
    let message = lock(&world.kept).errors[1].error["message"].clone();
    assert!(message.as_str().is_some_and(|it| it.starts_with("\"bad\": The expression has no result: ")), "{message}");
    let strict = World::new(|_| page(&json!([{"id": 1}]), None));
    let ended = run_as(&strict, &new_run(), &graph(&job)).await;
    assert!(matches!(&ended, Ended::Finished(Outcome::Failed(error)) if error.node == "list"), "{ended:?}");
    assert_eq!((strict.called().len(), lock(&strict.kept).errors.len()), (1, 0));
}

#[tokio::test]
async fn what_is_no_error_of_a_call_names_what_to_correct() {
    for (keys, message) in [
        (json!({"query": "[1]"}), "\"a\": query must become an object."),
        (json!({"query": "1 +"}), "\"a\": The expression has no result: "),
        (json!({"query": {"x": "{{args.from:nope}}"}}), "nope"),
    ] {
        let world = World::new(|_| Err(RequestError::Other(json!("unreached"))));
        let ended = run(&world, &json!([request("a", "a", &keys)])).await;
        let Ended::Finished(Outcome::Failed(RecordError { error, .. })) = ended else { panic!("{ended:?}") };
        assert!(error["message"].as_str().is_some_and(|it| it.contains(message)), "{error}");
    }
    let world = World::with_repos();
    let nobody = Run { account: None, ..new_run() };
    let ended = run_as(&world, &nobody, &graph(&json!([request("a", "a", &json!({}))]))).await;
    assert!(format!("{ended:?}").contains("integrated_account_id is missing"), "{ended:?}");
}
