//! The keys of a mapping, in the order in which they take effect (contract section 8.2).

use serde_json::{Map, Value, json};

use super::world::Asked;
use crate::Paging;

/// Keys that only describe a method, see `/unified/{model}/{resource}/meta/{method}`.
pub(super) const DESCRIBED: &[&str] = &["file_upload", "documentation_link"];

/// A config and a call, the provider's answers, the calls that it gets, and the answer.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// The keys whose effect it shows: without any of them, all is different.
    pub(super) of: &'static [&'static str],
    pub(super) config: Value,
    pub(super) asked: Asked,
    pub(super) answers: Vec<Value>,
    pub(super) calls: Value,
    pub(super) answer: Value,
}

fn one(id: &str) -> Value {
    json!({ "data": [{ "Id": id }], "page": {} })
}

fn list(records: &Value) -> Value {
    let count = records.as_array().map_or(0, Vec::len);
    json!({"result": records, "next_cursor": null, "prev_cursor": null, "result_count": count})
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn cases() -> Vec<Case> {
    let by_default = || Asked { method: "list", ..Asked::default() };
    let plain = || json!([{ "Id": "1", "remote_data": {"Id": "1"} }]);
    vec![
        Case {
            name: "without any key the unified names, the query and the body go through",
            of: &[],
            config: json!({}),
            asked: Asked {
                query: json!({"state": "open", "n": "1"}),
                paging: Paging { limit: Some("5".into()), next_cursor: Some("c".into()), prev_cursor: None },
                ..by_default()
            },
            answers: vec![one("1")],
            calls: json!([{"resource": "contacts", "method": "list", "id": null, "query": {"state": "open", "n": "1"}, "limit": "5", "next_cursor": "c"}]),
            answer: list(&plain()),
        },
        Case {
            name: "query and body are defaults under the caller's",
            of: &["query", "body"],
            config: json!({"query": {"a": 1, "deep": {"x": 1, "y": 1}}, "body": {"a": 1, "b": {"c": 1}}}),
            asked: Asked {
                method: "create",
                query: json!({"deep": {"y": "2"}}),
                body: Some(json!({"b": {"d": 2}})),
                ..Asked::default()
            },
            answers: vec![json!({"data": {"Id": "1"}})],
            calls: json!([{
                "resource": "contacts", "method": "create", "id": null, "query": {"a": 1, "deep": {"x": 1, "y": "2"}},
                "body": {"a": 1, "b": {"c": 1, "d": 2}},
            }]),
            answer: plain()[0].clone(),
        },
        Case {
            name: "before runs first, in order, and its results are found by name or place",
            of: &["before", "query_mapping"],
            config: json!({
                "before": [
                    {"name": "me", "type": "request", "config": {"resource": "users", "method": "get", "id": "{{query.owner}}", "query": {"org": "{{org}}"}}},
                    {"type": "transform", "config": {"expression": "{\"team\": before.me.team, \"was\": step.team}"}},
                    {"name": "skipped", "type": "request", "run_if": "query.owner = 'other'", "config": {"resource": "x", "method": "list"}},
                    {"name": "own", "type": "request", "config": {"method": "post", "path": "/sessions"}},
                    {"name": "made", "type": "request", "config": "{\"resource\": \"crm/deals\", \"method\": \"list\", \"query\": {\"team\": step.team}}"},
                ],
                "query_mapping": "{\"team\": $lookup(before, '1').team, \"was\": $lookup(before, '1').was, \"deals\": $count(before.made), \"skipped\": $exists(before.skipped)}",
            }),
            asked: Asked { query: json!({"owner": "7"}), ..by_default() },
            answers: vec![
                json!({"data": {"team": "t1"}}),
                json!({"data": {"team": "s"}}),
                json!({"data": [{}, {}]}),
                one("1"),
            ],
            calls: json!([
                {"resource": "users", "method": "get", "id": "7", "query": {"org": "acme-1"}},
                {"own": {"method": "post", "path": "/sessions"}, "query": {"owner": "7"}},
                {"unified": ["crm", "deals", "list"], "id": null, "query": {"team": "s"}, "body": null},
                {"resource": "contacts", "method": "list", "id": null, "query": {"team": "t1", "was": "t1", "deals": 2, "skipped": false}},
            ]),
            answer: list(&plain()),
        },
        Case {
            name: "resource and method are names",
            of: &["resource", "method"],
            config: json!({"resource": "people", "method": "search"}),
            asked: by_default(),
            answers: vec![one("1")],
            calls: json!([{"resource": "people", "method": "search", "id": null}]),
            answer: list(&plain()),
        },
        Case {
            name: "or what an expression chooses of a list",
            of: &["resource", "method"],
            config: json!({
                "resource": {"expression": "$exists(query.deal) ? 'opportunities' : 'leads'", "resources": ["opportunities", "leads"]},
                "method": {"expression": "rawQuery.deal = '1' ? 'search' : 'list'", "methods": ["search", "list"]},
            }),
            asked: Asked { query: json!({"deal": "1"}), ..by_default() },
            answers: vec![one("1")],
            calls: json!([{"resource": "opportunities", "method": "search", "id": null, "query": {"deal": "1"}}]),
            answer: list(&plain()),
        },
        Case {
            name: "query_mapping gives the whole query; it sees types, the page's limit and the provider's cursor",
            of: &["query_mapping"],
            config: json!({
                "query_mapping": "{\"n\": query.n + 1, \"raw\": rawQuery.n, \"after\": query.cursor, \"count\": query.limit, \"gt\": query.created_at.gt, \"org\": context.org}",
            }),
            asked: Asked {
                query: json!({"n": "1", "created_at": {"gt": "2024-01-01"}, "lost": "x"}),
                paging: Paging {
                    limit: Some("10".into()),
                    next_cursor: Some("sealed-by-proxy-9".into()),
                    prev_cursor: None,
                },
                ..by_default()
            },
            answers: vec![one("1")],
            calls: json!([{
                "resource": "contacts", "method": "list", "id": null, "limit": "10", "next_cursor": "sealed-by-proxy-9",
                "query": {"n": 2, "raw": "1", "after": "9", "count": 10, "gt": "2024-01-01", "org": "acme-1"},
            }]),
            answer: list(&plain()),
        },
        Case {
            name: "a limit that query_mapping gives is the page's",
            of: &["query_mapping"],
            config: json!({"query_mapping": "{\"limit\": query.limit > 50 ? 50 : query.limit}"}),
            asked: Asked { paging: Paging { limit: Some("80".into()), ..Paging::default() }, ..by_default() },
            answers: vec![one("1")],
            calls: json!([{"resource": "contacts", "method": "list", "id": null, "limit": "50"}]),
            answer: list(&plain()),
        },
        Case {
            name: "request_body_mapping gives the body, path_mapping the path, request_header_mapping headers",
            of: &["request_body_mapping", "path_mapping", "request_header_mapping"],
            config: json!({
                "request_body_mapping": "{\"FirstName\": body.first_name, \"Id\": id}",
                "path_mapping": "'/v2/' & context.org & '/' & id & ' ü?in=path&Id=lost'",
                "request_header_mapping": "{\"X-Name\": requestBody.FirstName, \"Accept-Language\": headers.`accept-language`}",
            }),
            asked: Asked {
                method: "update",
                id: Some("7"),
                body: Some(json!({"first_name": "Ada", "dropped": 1})),
                ..Asked::default()
            },
            answers: vec![json!({"data": {"Id": "7"}})],
            calls: json!([{
                "resource": "contacts", "method": "update", "id": "7", "body": {"FirstName": "Ada", "Id": "7"}, "path": "/v2/acme-1/7%20%C3%BC",
                "query": {"in": "path", "Id": "lost"}, "headers": {"x-name": "Ada", "accept-language": "de"},
            }]),
            answer: json!({"Id": "7", "remote_data": {"Id": "7"}}),
        },
        Case {
            name: "a mapping may be an object, field by field; what gives nothing is left out",
            of: &["query_mapping"],
            config: json!({
                "query_mapping": {"filter": {"owner": "query.owner", "gone": "query.gone"}, "sort": ["'a'", "query.gone", "'b'"], "page": 1},
            }),
            asked: Asked { query: json!({"owner": "7"}), ..by_default() },
            answers: vec![one("1")],
            calls: json!([{
                "resource": "contacts", "method": "list", "id": null,
                "query": {"filter": {"owner": 7}, "sort": ["a", "b"], "page": 1},
            }]),
            answer: list(&plain()),
        },
        Case {
            name: "a body that is passed on isn't mapped",
            of: &[],
            config: json!({"request_body_mapping": "{\"x\": 1}", "request_body_schema": {"type": "object", "properties": {"a": {}}, "required": ["a"]}}),
            asked: Asked { method: "create", passes_body: true, ..Asked::default() },
            answers: vec![json!({"data": {"Id": "1"}})],
            calls: json!([{"resource": "contacts", "method": "create", "id": null, "body_as_sent": true}]),
            answer: plain()[0].clone(),
        },
        Case {
            name: "side_load makes a call for each record that it is for, and maps its answer",
            of: &["response_mapping", "side_load"],
            config: json!({
                "response_mapping": "response.{\"id\": Id}",
                "side_load": {"owner": {
                    "resource": "users", "method": "get", "id": "{{response.OwnerId}}", "query": {"of": "{{record.id}}"},
                    "response_mapping": "{\"name\": response.Name}", "run_if": "$exists(response.OwnerId)",
                }},
            }),
            asked: by_default(),
            answers: vec![
                json!({"data": [{"Id": "1", "OwnerId": "u1"}, {"Id": "2"}, {"Id": "3"}], "page": {}}),
                json!({"data": {"Name": "Ada"}}),
            ],
            calls: json!([
                {"resource": "contacts", "method": "list", "id": null},
                {"resource": "users", "method": "get", "id": "u1", "query": {"of": "1"}},
            ]),
            answer: list(&json!([
                {"id": "1", "owner": {"name": "Ada"}, "remote_data": {"Id": "1", "OwnerId": "u1"}},
                {"id": "2", "remote_data": {"Id": "2"}},
                {"id": "3", "remote_data": {"Id": "3"}},
            ])),
        },
        Case {
            name: "after sees the data",
            of: &["response_mapping", "after"],
            config: json!({
                "response_mapping": "response.{\"id\": Id}",
                "after": [{"type": "request", "run_if": "$count(data) = 1", "config": {"resource": "audits", "method": "create", "body": {"seen": "{{data.0.id}}"}}}],
            }),
            asked: by_default(),
            answers: vec![one("1"), json!({"data": {}})],
            calls: json!([
                {"resource": "contacts", "method": "list", "id": null},
                {"resource": "audits", "method": "create", "id": null, "body": {"seen": "1"}},
            ]),
            answer: list(&json!([{"id": "1", "remote_data": {"Id": "1"}}])),
        },
        Case {
            name: "error_mapping says what the provider's error means, and it stays the provider's",
            of: &["error_mapping"],
            config: json!({"error_mapping": "{\"status\": 409, \"message\": error.reason & ' at ' & context.org}"}),
            asked: Asked { method: "get", id: Some("7"), ..Asked::default() },
            answers: vec![json!({"error_status": 400, "body": {"reason": "There is one"}})],
            calls: json!([{"resource": "contacts", "method": "get", "id": "7"}]),
            answer: json!({"refused": {"remote": 409, "body": {
                "statusCode": 409, "error": "Conflict", "message": "There is one at acme-1", "truto_is_remote_error": true,
                "raw_response": {"reason": "There is one"},
                "truto_error_insight": {"remote_error": {"description": "The provider answered with status 400."}},
            }}}),
        },
        Case {
            name: "response_mapping runs once for each record if response_mapping_method is item",
            of: &["response_mapping", "response_mapping_method"],
            config: json!({
                "response_mapping": "response.Gone ? null : {\"id\": response.Id}",
                "response_mapping_method": "item",
            }),
            asked: by_default(),
            answers: vec![json!({"data": [{"Id": "1"}, {"Id": "2", "Gone": true}], "page": {}})],
            calls: json!([{"resource": "contacts", "method": "list", "id": null}]),
            answer: list(&json!([{"id": "1", "remote_data": {"Id": "1"}}])),
        },
        Case {
            name: "is_partial_expression sees the data",
            of: &["is_partial_expression"],
            config: json!({"is_partial_expression": "$count(data) < query.limit"}),
            asked: Asked { paging: Paging { limit: Some("5".into()), ..Paging::default() }, ..by_default() },
            answers: vec![one("1")],
            calls: json!([{"resource": "contacts", "method": "list", "id": null, "limit": "5"}]),
            answer: json!({
                "result": plain(), "next_cursor": null, "prev_cursor": null, "result_count": 1, "is_partial_response": true,
            }),
        },
        Case {
            name: "response_header_mapping gives the answer's headers; what says the provider's limits stays",
            of: &["response_header_mapping"],
            config: json!({
                "response_header_mapping": "{\"X-Total\": $string($count(response)), \"X-Page\": headers.`x-page`}",
            }),
            asked: by_default(),
            answers: vec![json!({
                "data": [{"Id": "1"}], "page": {}, "headers": {"x-page": "3", "x-other": "lost", "ratelimit-limit": "9"},
            })],
            calls: json!([{"resource": "contacts", "method": "list", "id": null}]),
            answer: json!({
                "answer": list(&plain()), "headers": {"x-total": "1", "x-page": "3", "ratelimit-limit": "9"},
            }),
        },
        Case {
            name: "query_schema says of which type the query is",
            of: &["query_schema"],
            config: json!({
                "query_schema": {"type": "object", "properties": {"n": {"type": "string"}}},
                "query_mapping": "{\"type\": $type(query.n)}",
            }),
            asked: Asked { query: json!({"n": "1"}), ..by_default() },
            answers: vec![one("1")],
            calls: json!([{"resource": "contacts", "method": "list", "id": null, "query": {"type": "string"}}]),
            answer: list(&plain()),
        },
        Case {
            name: "nothing is called without what the schemas require",
            of: &["query_schema", "request_body_schema"],
            config: json!({
                "query_schema": {"team": {"type": "string", "required": true}, "n": {"type": "string"}},
                "request_body_schema": {"type": "object", "properties": {"name": {}, "age": {}}, "required": ["name", "age"]},
                "before": [{"type": "request", "config": {"resource": "users", "method": "list"}}],
            }),
            asked: Asked { method: "create", body: Some(json!({"age": 1, "name": ""})), ..Asked::default() },
            answers: vec![],
            calls: json!([]),
            answer: json!({"refused": crate::missing_body(&["team".into()], &["name".into()], Map::new())}),
        },
        Case {
            name: "what is only described changes nothing",
            of: DESCRIBED,
            config: json!({"file_upload": {"field": "file"}, "documentation_link": "https://acme.test/docs"}),
            asked: by_default(),
            answers: vec![one("1")],
            calls: json!([{"resource": "contacts", "method": "list", "id": null}]),
            answer: list(&plain()),
        },
    ]
}
