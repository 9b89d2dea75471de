//! Batches over a provider in memory.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::{
    answered, append,
    plan::BatchRequest,
    run::{AccountValues, Answered, BatchAnswer, Caller, MethodCall, Runner},
};
use crate::expressions::Jsonata;

/// Three repositories on two pages, with issues; the issues of the second can't be read.
#[derive(Default)]
struct Provider {
    seen: Mutex<Vec<String>>,
}

impl Caller for &Provider {
    async fn call(&self, call: MethodCall) -> Result<Answered, Value> {
        let MethodCall { resource, method, id, query, body } = call;
        let id = id.map(|id| format!("/{id}")).unwrap_or_default();
        let body = body.map(|body| format!(" {body}")).unwrap_or_default();
        self.seen
            .lock()
            .expect("no panic")
            .push(format!("{resource}.{method}{id} {}{body}", Value::Object(query.clone())));
        let page = |records: Value, next: Option<&str>| {
            let records = records.as_array().expect("a list").clone();
            Ok(Answered { records, next_cursor: next.map(str::to_owned) })
        };
        let of = query.get("of").cloned().unwrap_or_default();
        match (resource.as_str(), query.contains_key("next_cursor"), &of) {
            ("repos", false, _) => page(json!([{"id": "a"}, {"id": "b"}]), Some("2")),
            ("repos", true, _) => page(json!([{"id": "c"}]), None),
            ("issues", _, of) if *of == "b" => Err(json!({"statusCode": 403, "truto_is_remote_error": true})),
            ("issues", _, of) => page(json!([{"of": of, "n": 1}, {"of": of, "n": 2}]), None),
            ("pages", _, of) => match of.as_str() {
                None => page(json!([{"id": 1, "more": true}, {"id": 2, "more": false}]), None),
                Some("1") => page(json!([{"id": 3, "more": "true"}]), None),
                Some("3") => page(json!([{"id": 4}]), None),
                _ => page(json!([{"id": "round", "more": true}]), None),
            },
            ("endless", ..) => page(json!([]), Some("again")),
            _ => page(json!([]), None),
        }
    }
}

async fn run(args: &Value, resources: &Value) -> (BatchAnswer, Vec<String>) {
    let body = json!({"integrated_account_id": "a", "resources": resources});
    let request: BatchRequest = serde_json::from_value(body).expect("a batch");
    let context = json!({"region": "eu"});
    let account = AccountValues { context: context.as_object().expect("an object"), tenant_id: "acme-1" };
    let provider = Provider::default();
    let runner = Runner { account, caller: &provider, expressions: Jsonata::default() };
    let graph = request.graph().map_err(|error| error.message().to_owned()).expect("a graph");
    let answer = runner.run(&graph, args.as_object().expect("an object")).await;
    let seen = provider.seen.into_inner().expect("no panic");
    (answer, seen)
}

fn shown(answer: &BatchAnswer) -> Value {
    serde_json::to_value(answer).expect("JSON")
}

#[tokio::test]
async fn a_list_is_followed_to_its_end_and_kept_on_request() {
    let (answer, seen) = run(&json!({"n": 2}), &json!([
        {"resource": "repos", "query": {"limit": "{{args.n:int}}", "at": "{{region}}-{{tenant_id}}"}, "persist": true},
        {"resource": "unkept"},
    ])).await;
    assert_eq!(
        shown(&answer),
        json!({"result": {"repos": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}, "errors": {"repos": [], "unkept": []}})
    );
    assert_eq!(
        seen,
        [
            r#"repos.list {"limit":2,"at":"eu-acme-1"}"#,
            r#"repos.list {"limit":2,"at":"eu-acme-1","next_cursor":"2"}"#,
            "unkept.list {}",
        ]
    );
}

#[tokio::test]
async fn a_request_is_made_for_each_record_until_one_fails() {
    let (answer, seen) = run(&json!({}), &json!([
        {"resource": "repos"},
        {"resource": "issues", "depends_on": "repos", "loop_on": "resources.repos", "query": {"of": "{{resources.repos.id}}"}, "persist": true},
        {"resource": "later", "depends_on": "issues"},
    ])).await;
    assert_eq!(answer.result["issues"].len(), 2, "what came before the error is there");
    assert_eq!(answer.errors["issues"], [json!({"statusCode": 403, "truto_is_remote_error": true})]);
    assert!(answer.errors["later"].is_empty());
    assert_eq!(seen[2..], [r#"issues.list {"of":"a"}"#, r#"issues.list {"of":"b"}"#], "what depends on it doesn't run");
}

#[tokio::test]
async fn records_are_transformed_page_by_page_and_spooled_whole() {
    let (answer, _) = run(&json!({}), &json!([
        {"resource": "repos"},
        {"name": "counts", "type": "transform", "depends_on": "repos", "config": {"expression": "$count(resources.repos)"}, "persist": true},
        {"name": "all", "type": "spool", "depends_on": "repos"},
        {"name": "total", "type": "transform", "depends_on": "all", "config": {"expression": "$count(resources.all)"}, "persist": true},
        {"name": "none", "type": "transform", "depends_on": "all", "config": {"expression": "resources.all[id = 'x']"}, "persist": true},
        {"name": "never", "type": "transform", "depends_on": "none", "config": {"expression": "$error('runs')"}},
    ])).await;
    assert_eq!(shown(&answer)["result"], json!({"counts": [2, 1], "total": [3], "none": []}));
    assert!(answer.errors.values().all(Vec::is_empty), "{:?}", answer.errors);
}

#[tokio::test]
async fn conditions_bodies_and_ids_see_the_same_values() {
    let (_, seen) = run(&json!({"id": 7, "go": false}), &json!([
        {"resource": "x", "method": "update", "id": "{{args.id}}", "body": {"at": "{{context.region}}", "n": "{{args.id:int}}"}},
        {"resource": "y", "method": "create", "body": "{\"sum\": args.id + 1}"},
        {"resource": "z", "run_if": "args.go"},
    ])).await;
    assert_eq!(seen, [r#"x.update/7 {} {"at":"eu","n":7}"#, r#"y.create {} {"sum":8}"#]);
}

#[tokio::test]
async fn what_cannot_run_is_an_error_of_its_entry() {
    let (answer, seen) = run(
        &json!({}),
        &json!([
            {"resource": "x", "run_if": "$oops("},
            {"resource": "endless"},
            {"resource": "fine", "persist": true},
        ]),
    )
    .await;
    assert_eq!(answer.errors["x"][0]["statusCode"], 400);
    assert_eq!(answer.errors["endless"][0]["statusCode"], 400, "a batch has an end");
    assert_eq!(shown(&answer)["result"], json!({"fine": []}));
    assert_eq!(seen.len(), 1000);
}

#[tokio::test]
async fn a_request_is_made_again_for_its_own_records() {
    // Given a tree of pages, of which the second and the third have more below them
    let recurse = json!({"if": "{{resources.pages.more}}", "config": {"query": {"of": "{{resources.pages.id:str}}"}}});
    let pages = json!({"resource": "pages", "query": {"limit": 2}, "recurse": recurse, "persist": true});
    // When a batch asks for them
    let (answer, seen) = run(
        &json!({}),
        &json!([pages, {"name": "count", "type": "transform", "depends_on": "pages", "config": "$count(resources.pages)", "persist": true}]),
    )
    .await;
    // Then they come with what is below them, and each answer is a batch for what depends on them
    let ids: Vec<_> = answer.result["pages"].iter().map(|page| page["id"].clone()).collect();
    assert_eq!(
        (ids, answer.result["count"].clone()),
        (vec![json!(1), json!(2), json!(3), json!(4)], vec![json!(2), json!(1), json!(1)])
    );
    assert_eq!(
        seen,
        [r#"pages.list {"limit":2}"#, r#"pages.list {"limit":2,"of":"1"}"#, r#"pages.list {"limit":2,"of":"3"}"#]
    );
    assert!(answer.errors.values().all(Vec::is_empty), "{:?}", answer.errors);
}

#[tokio::test]
async fn a_recursion_without_an_end_is_an_error() {
    let recurse =
        json!({"if": "{{resources.pages.more:bool}}", "config": {"query": {"of": "{{resources.pages.id:str}}"}}});
    let (answer, seen) =
        run(&json!({}), &json!([{"resource": "pages", "query": {"of": "round"}, "recurse": recurse}])).await;
    assert_eq!(answer.errors["pages"][0]["statusCode"], 400);
    assert_eq!(seen.len(), 51);
    let bad = json!({"if": true, "config": {"query": "{{resources.pages.id}}"}});
    let (answer, _) = run(&json!({}), &json!([{"resource": "pages", "recurse": bad}])).await;
    assert_eq!(answer.errors["pages"][0]["message"], "query must become an object.");
}

#[tokio::test]
async fn arguments_are_looped_over_too() {
    let (_, seen) = run(
        &json!({"ids": [{"n": 1}, {"n": 2}]}),
        &json!([{"resource": "x", "method": "get", "loop_on": "args.ids", "id": "{{args.ids.n}}"}]),
    )
    .await;
    assert_eq!(seen, ["x.get/1 {}", "x.get/2 {}"]);
}

#[test]
fn a_batch_that_cannot_run_is_refused() {
    let refused = |resources: Value| {
        let request: BatchRequest = serde_json::from_value(json!({ "resources": resources })).expect("a batch");
        let error = request.graph().expect_err("it can't run");
        (error.code().to_owned(), error.message().to_owned())
    };
    for (resources, code, message) in [
        (json!([]), "batch_invalid", "resources must be a list of 1 to 100 nodes."),
        (
            json!([{"name": "d", "type": "destination"}]),
            "batch_invalid",
            "resources[0].type \"destination\" isn't known in a batch. Use request, transform or spool.",
        ),
        (
            json!([{"resource": "x", "depends_on": "x"}]),
            "batch_invalid",
            "resources[0].depends_on leads in a circle: x. Take one of them out of it.",
        ),
        (
            json!([{"resource": "crm/x", "delete_tracking": "soft"}]),
            "batch_invalid",
            "resources[0].delete_tracking has no effect in a batch, whose answer keeps no rows. Take it away.",
        ),
    ] {
        assert_eq!(refused(resources.clone()), (code.to_owned(), message.to_owned()), "{resources}");
    }
}

#[test]
fn a_query_is_written_as_clients_write_it() {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let given = json!({"a": {"b": {"c": 1}}, "d": ["x", true], "e": null, "f": "ä b"});
    for (name, value) in given.as_object().expect("an object") {
        append(&mut query, name, value);
    }
    assert_eq!(query.finish(), "a%5Bb%5D%5Bc%5D=1&d%5B%5D=x&d%5B%5D=true&f=%C3%A4+b");
}

#[test]
fn only_an_envelope_is_a_list() {
    let records = |value: Value| answered(value).records.len();
    assert_eq!(records(json!({"result": [1, 2], "next_cursor": null, "prev_cursor": null, "result_count": 2})), 2);
    assert_eq!(records(json!({"result": [1, 2]})), 1);
    assert_eq!(records(json!([1, 2, 3])), 3);
    assert_eq!(records(Value::Null), 0);
    let next = answered(json!({"result": [], "next_cursor": "c", "result_count": 0}));
    assert_eq!(next.next_cursor.as_deref(), Some("c"));
}
