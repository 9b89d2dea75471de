//! Errors: the provider's, the caller's and the mapping's.

use serde_json::{Value, json};

use super::world::{Asked, Script, answer};

async fn failed(config: &Value, asked: Asked, answers: Vec<Value>) -> Value {
    answer(config, asked, &Script::new(answers)).await.expect_err("a failure")
}

fn list() -> Asked {
    Asked { method: "list", ..Asked::default() }
}

#[tokio::test]
async fn an_error_mapping_says_what_the_providers_error_means_and_it_stays_the_providers() {
    let refused = json!({"error_status": 400, "body": [{"errorCode": "DUP", "message": "There is one"}], "headers": {"x-id": "9"}});
    let config = json!({
        "error_mapping": "{\"status\": error[0].errorCode = 'DUP' ? 409 : status, \"message\": error[0].message, \"code\": error[0].errorCode, \"id\": headers.`x-id`, \"truto_is_remote_error\": false}",
    });
    let given = failed(&config, list(), vec![refused.clone()]).await;
    assert_eq!(given["remote"], 409);
    assert_eq!(
        given["body"],
        json!({
            "statusCode": 409, "error": "Conflict", "message": "There is one", "truto_is_remote_error": true,
            "raw_response": [{"errorCode": "DUP", "message": "There is one"}], "code": "DUP", "id": "9",
            "truto_error_insight": {"remote_error": {"description": "The provider answered with status 400."}},
        })
    );
    // It can't make a success of it, and one that fails hides nothing.
    for (mapping, more) in
        [("{\"status\": 200}", None), ("$error('oops')", Some("error_mapping_failed")), ("nothing", None)]
    {
        let given = failed(&json!({ "error_mapping": mapping }), list(), vec![refused.clone()]).await;
        assert_eq!((&given["remote"], &given["body"]["message"]), (&json!(400), &json!("said")), "{mapping}");
        let insight = given["body"]["truto_error_insight"].as_object().expect("insight");
        assert_eq!(insight.keys().find(|key| *key != "remote_error").map(String::as_str), more, "{mapping}");
    }
}

#[tokio::test]
async fn an_error_has_insight() {
    let schema = json!({"query_schema": {"type": "object", "properties": {"a": {"required_if": "b is given"}}}});
    let given = failed(&schema, list(), vec![json!({"error_status": 429, "body": {}})]).await;
    let insight = &given["body"]["truto_error_insight"];
    assert!(
        insight["rate_limit_error"]["description"].as_str().is_some_and(|it| it.contains("Retry-After")),
        "{insight}"
    );
    assert_eq!(insight["conditionally_required_query_parameters"]["value"], json!({"a": "b is given"}));
}

#[tokio::test]
async fn what_schemas_require_is_asked_for_before_anything_is_called() {
    let json_schema = json!({
        "query_schema": {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a", "b", "id", "limit"]},
        "request_body_schema": "type: object\nproperties:\n  c: {type: string}\nrequired: [c]\n",
        "query": {"b": "default"},
    });
    let flat = json!({"query_schema": {"a": {"type": "string", "required": true}, "b": {"type": "string"}}, "request_body_schema": {"c": {"required": true}}});
    for config in [json_schema, flat] {
        let asked = Asked {
            method: "create",
            id: Some("1"),
            body: Some(json!({"c": ""})),
            query: json!({"limit": "1"}),
            ..Asked::default()
        };
        let script = Script::new([]);
        let given = answer(&config, asked, &script).await.expect_err("missing");
        assert_eq!(given["statusCode"], 400, "{given}");
        assert_eq!(given["truto_error_insight"]["missing_required_query_parameters"]["value"], json!(["a"]), "{given}");
        assert_eq!(given["truto_error_insight"]["missing_required_body_fields"]["value"], json!(["c"]));
        assert_eq!(given["details"]["failures"][1]["path"], "c");
        assert_eq!(script.calls(), json!([]));
    }
}

#[tokio::test]
async fn a_mapping_that_fails_names_itself_the_key_and_the_record() {
    let page = || vec![json!({"data": [{"n": 1}, {"n": "x"}], "page": {}})];
    for (config, said, record) in [
        (
            json!({"response_mapping": "$sum(response.n)"}),
            "crm/contacts list of acme failed at response_mapping, for record 2, line 1, column 1: ",
            json!(1),
        ),
        (
            json!({"response_mapping": "response.n + 1", "response_mapping_method": "item"}),
            "at response_mapping, for record 2, line 1, column ",
            json!(1),
        ),
        (
            json!({"response_mapping": {"a": {"b": "response.n + 1"}}, "response_mapping_method": "item"}),
            "at response_mapping.a.b, for record 2, line 1, column ",
            json!(1),
        ),
        (json!({"query_mapping": "1"}), "at query_mapping: it must give an object, but gave a number.", Value::Null),
        (json!({"path_mapping": "1"}), "at path_mapping: it must give the path", Value::Null),
        (
            json!({"resource": {"expression": "'x'", "resources": ["a", "b"]}}),
            "at resource: the expression gave \"x\". It must give one of a, b.",
            Value::Null,
        ),
        (
            json!({"before": [{"type": "transform", "config": "1 + 'a'"}]}),
            "at before[0].config, line 1, column 3: ",
            Value::Null,
        ),
        (
            json!({"before": [{"type": "request", "config": "{\"method\": 1}"}]}),
            "at before[0].config: what it gave is no request: ",
            Value::Null,
        ),
        (
            json!({"side_load": {"o": {"resource": "u", "method": "get", "run_if": "response.n + 1 = 0"}}}),
            "at side_load.o.run_if, for record 2, line 1, column ",
            json!(1),
        ),
        (
            json!({"response_header_mapping": "{\"a b\": 1}"}),
            "at response_header_mapping: \"a b\" can't be a header",
            Value::Null,
        ),
    ] {
        let given = failed(&config, list(), page()).await;
        let text = given["mapping"].as_str().unwrap_or_default();
        assert!(text.contains(said), "{config} {given}");
        assert_eq!(given["record"], record, "{config}");
    }
}

#[tokio::test]
async fn a_step_that_the_provider_refuses_ends_the_call() {
    let config = json!({"before": [{"type": "request", "config": {"resource": "users", "method": "list"}}]});
    let given = failed(&config, list(), vec![json!({"error_status": 403, "body": {}})]).await;
    assert_eq!(given["remote"], 403);
}
