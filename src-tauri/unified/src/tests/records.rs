//! The records of an answer.

use relink_domain::unified::Field;
use serde_json::{Value, json};

use super::world::{Asked, Script, answer};
use crate::{Options, Paging, ResponseFormat};

async fn of(config: Value, method: &'static str, options: Options, data: Value) -> Value {
    let script = Script::new([data]);
    let asked = Asked { method, id: Some("7").filter(|_| method != "list"), options, ..Asked::default() };
    answer(&config, asked, &script).await.map_or_else(|error| error, |(answer, _)| answer)
}

fn page() -> Value {
    json!({"data": [{"Id": 1, "Old": false}, {"Id": 2, "Old": true}, {"Id": 3, "Old": false}], "page": {"next": "n"}})
}

#[tokio::test]
async fn an_array_mapping_runs_once_and_an_item_mapping_for_each_record() {
    let expected = json!([
        {"id": "1", "remote_data": {"Id": 1, "Old": false}},
        {"id": "3", "remote_data": {"Id": 3, "Old": false}},
    ]);
    for config in [
        json!({"response_mapping": "response.(Old ? null : {\"id\": $string(Id)})"}),
        json!({"response_mapping": "response.Old ? null : {\"id\": $string(response.Id)}", "response_mapping_method": "item"}),
        json!({"response_mapping": "response.Old ? nothing : {\"id\": $string(response.Id)}", "response_mapping_method": "item"}),
    ] {
        let given = of(config.clone(), "list", Options::default(), page()).await;
        assert_eq!(
            (&given["result"], &given["result_count"], &given["next_cursor"]),
            (&expected, &json!(2), &json!("n")),
            "{config}"
        );
    }
    let by_field = json!({"response_mapping": {"id": "$string(response.Id)", "kind": "'contact'"}, "response_mapping_method": "item"});
    let given = of(by_field, "list", Options::default(), page()).await;
    assert_eq!(given["result"][1], json!({"id": "2", "kind": "contact", "remote_data": {"Id": 2, "Old": true}}));
}

#[tokio::test]
async fn remote_data_is_left_out_where_it_can_not_be_told_whose_it_is() {
    let fewer = json!({"response_mapping": "response[Old = false].{\"id\": Id}"});
    assert_eq!(of(fewer, "list", Options::default(), page()).await["result"], json!([{"id": 1}, {"id": 3}]));
}

#[tokio::test]
async fn a_mapping_may_give_the_page_and_its_cursor() {
    let config = json!({
        "response_mapping": "{\"result\": response[0].rows.{\"id\": Id}, \"next_cursor\": response[0].next}",
        "query_mapping": "{\"from\": query.cursor}",
    });
    let of_provider =
        |next: Value| json!({"data": {"rows": [{"Id": 1}, {"Id": 2}], "next": next}, "page": {"next": "proxy's"}});
    let given = of(config.clone(), "list", Options::default(), of_provider(json!("p2"))).await;
    assert_eq!((&given["result"], &given["next_cursor"]), (&json!([{"id": 1}, {"id": 2}]), &json!("sealed:\"p2\"")));
    // It is the mapping's to use, and not the proxy's.
    let script = Script::new([of_provider(Value::Null)]);
    let paging = Paging { next_cursor: Some("sealed:\"p2\"".into()), ..Paging::default() };
    let (last, _) =
        answer(&config, Asked { method: "list", paging, ..Asked::default() }, &script).await.expect("a page");
    assert_eq!(
        script.calls(),
        json!([{"resource": "contacts", "method": "list", "id": null, "query": {"from": "p2"}}])
    );
    assert_eq!(last["next_cursor"], Value::Null);
}

#[tokio::test]
async fn what_a_record_refers_to_may_be_gone() {
    let config = json!({"side_load": {"owner": {"resource": "users", "method": "get", "id": "{{response.Owner}}"}}});
    let script = Script::new([
        json!({"data": [{"Owner": "u1"}, {"Owner": "u2"}], "page": {}}),
        json!({"for_id": "u1", "error_status": 404, "body": {}}),
        json!({"for_id": "u2", "data": {"Name": "Ada"}}),
    ]);
    let (given, _) = answer(&config, Asked { method: "list", ..Asked::default() }, &script).await.expect("a page");
    assert_eq!((&given["result"][0]["owner"], &given["result"][1]["owner"]), (&Value::Null, &json!({"Name": "Ada"})));
}

#[tokio::test]
async fn each_method_has_its_form() {
    let config = || json!({"response_mapping": "response.{\"id\": $string(Id)}"});
    let record = json!({"id": "7", "remote_data": {"Id": 7}});
    for (method, data, expected) in [
        (
            "list",
            json!({"data": {"Id": 7}, "page": null}),
            json!({"result": [record], "next_cursor": null, "prev_cursor": null, "result_count": 1}),
        ),
        (
            "list",
            json!({"data": [], "page": {}}),
            json!({"result": [], "next_cursor": null, "prev_cursor": null, "result_count": 0}),
        ),
        ("get", json!({"data": {"Id": 7}}), record.clone()),
        ("get", json!({"data": [{"Id": 7}]}), record.clone()),
        ("create", json!({"data": {"Id": 7}}), record.clone()),
        ("update", json!({"data": {"Id": 7}}), record.clone()),
        ("update", json!({"data": null}), json!({"id": "7"})),
        ("get", json!({"data": null}), json!("no record")),
        ("delete", json!({"data": null}), json!({"id": "7"})),
        ("search", json!({"data": {"Id": 7}}), json!({ "result": record })),
        (
            "search",
            json!({"data": [{"Id": 7}], "page": {"next": "n"}}),
            json!({"result": [record], "next_cursor": "n", "prev_cursor": null}),
        ),
        ("get", json!("a file"), json!("a file")),
    ] {
        assert_eq!(of(config(), method, Options::default(), data.clone()).await, expected, "{method} {data}");
    }
}

#[tokio::test]
async fn the_caller_says_what_it_wants_of_the_records() {
    let config = || json!({"response_mapping": "response.{\"id\": $string(Id), \"b\": {\"c\": 1, \"d\": 2}}"});
    let options = |options: Options| {
        of(config(), "list", options, json!({"data": [{"Id": 1}, {"Id": 2}], "page": {"next": "n"}}))
    };
    let without = options(Options { ignores_remote_data: true, ..Options::default() }).await;
    assert_eq!(without["result"][0], json!({"id": "1", "b": {"c": 1, "d": 2}}));
    let narrow = options(Options { excluded: Field::list("remote_data,b.c"), ..Options::default() }).await;
    assert_eq!(narrow["result"][1], json!({"id": "2", "b": {"d": 2}}));
    let keyed = options(Options { key_by: Some("id".into()), ignores_remote_data: true, ..Options::default() }).await;
    assert_eq!(keyed["result"]["2"]["b"], json!({"c": 1, "d": 2}));
    assert_eq!((&keyed["result_count"], &keyed["next_cursor"]), (&json!(2), &json!("n")));
    let narrow_by_key =
        Options { excluded: Field::list("id,b,remote_data"), key_by: Some("id".into()), ..Options::default() };
    assert_eq!(options(narrow_by_key).await["result"], json!({"1": {}, "2": {}}), "by a field that is excluded");
    let raw = options(Options { format: ResponseFormat::Raw, ..Options::default() }).await;
    assert_eq!(
        raw,
        json!({"result": [{"Id": 1}, {"Id": 2}], "next_cursor": "n", "prev_cursor": null, "result_count": 2})
    );
}

/// Pages of which the mapping leaves only what isn't gone. `"limit"` of each call stays.
async fn pages(config: Value, paging: Paging, pages: Vec<Value>) -> (Value, Vec<Value>, Vec<String>) {
    let script = Script::new(pages);
    let asked = Asked { method: "list", paging, ..Asked::default() };
    let (given, _) = answer(&config, asked, &script).await.expect("an answer");
    let calls = script.calls();
    let calls = calls.as_array().expect("a list").iter().filter(|call| call["resource"] == "contacts");
    let cursors = calls.map(|call| json!([call["limit"], call["next_cursor"]])).collect();
    (given, cursors, script.steps())
}

#[tokio::test]
async fn a_page_of_which_nothing_is_left_is_skipped() {
    let config = || json!({"response_mapping": "response[$exists(Gone) = false].{\"id\": Id}"});
    let gone = |next: &str| json!({"data": [{"Id": 1, "Gone": true}], "page": {"next": next}});
    let limited = || Paging { limit: Some("1".into()), ..Paging::default() };
    // Given two pages of which nothing is left, and one with a record
    let last = json!({"data": [{"Id": 3}], "page": {"next": "d"}});
    let (given, cursors, _) = pages(config(), limited(), vec![gone("b"), gone("c"), last]).await;
    // Then the caller gets that record, and the cursor of what is behind it
    assert_eq!((&given["result"][0]["id"], &given["next_cursor"]), (&json!(3), &json!("d")));
    assert_eq!(given.get("is_partial_response"), None);
    assert_eq!(cursors, [json!(["1", null]), json!(["1", "b"]), json!(["1", "c"])]);
    // And the end of the list is an empty page
    let (given, cursors, _) = pages(config(), limited(), vec![gone("b"), json!({"data": [], "page": {}})]).await;
    assert_eq!((given["result_count"].clone(), &given["next_cursor"], cursors.len()), (json!(0), &json!(null), 2));
    // And after ten of them the answer says that there may be more
    let (given, cursors, _) = pages(config(), limited(), vec![gone("again"); 12]).await;
    assert_eq!((&given["is_partial_response"], &given["next_cursor"]), (&json!(true), &json!(null)));
    assert_eq!(cursors.len(), 10);
}

#[tokio::test]
async fn a_page_behind_a_mappings_own_cursor_is_asked_for_with_it_and_its_steps_are_others() {
    let config = json!({
        "before": [{"name": "opened", "type": "request", "config": {"resource": "sessions", "method": "create"}}],
        "query_mapping": "{\"after\": query.cursor}",
        "response_mapping": "{\"result\": response[$exists(Gone) = false].{\"id\": Id}, \"next_cursor\": response[0].After}",
    });
    let session = || json!({"data": {}});
    let gone = json!({"data": [{"Id": 1, "Gone": true, "After": 7}], "page": {}});
    let script = Script::new([session(), gone, session(), json!({"data": [{"Id": 2}], "page": {}})]);
    let (given, _) = answer(&config, Asked { method: "list", ..Asked::default() }, &script).await.expect("an answer");
    assert_eq!((&given["result"][0]["id"], &given["next_cursor"]), (&json!(2), &json!(null)));
    assert_eq!(script.calls()[3]["query"], json!({"after": 7}));
    assert_eq!(script.steps(), ["before.opened", "before.opened@1", "@1"]);
}

#[tokio::test]
async fn an_answer_may_be_partial_and_have_headers_of_its_own() {
    let config = json!({
        "is_partial_expression": "$count(data) < 5 and rawQuery.all = 'true'",
        "response_header_mapping": "{\"x-left\": headers.`x-quota`, \"x-first\": $string(response[0].Id), \"set-cookie\": \"a=b\", \"content-length\": \"1\", \"x-null\": null}",
    });
    let script = Script::new([json!({
        "data": [{"Id": 1}], "page": {}, "headers": {"x-quota": "7", "x-other": "o", "ratelimit-remaining": "3"},
    })]);
    let asked = Asked { method: "list", query: json!({"all": "true"}), ..Asked::default() };
    let (given, headers) = answer(&config, asked, &script).await.expect("an answer");
    assert_eq!(given["is_partial_response"], json!(true));
    let mut names: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect();
    names.sort();
    assert_eq!(names, ["ratelimit-remaining: 3", "x-first: 1", "x-left: 7"]);
}
