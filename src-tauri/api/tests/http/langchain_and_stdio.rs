//! The rows of contract section 13.3: Truto's toolset for `LangChain`, which is built on the TypeScript SDK, and `truto-mcp-stdio`.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::{
    echoing_api::Echo,
    truto_client::{Read, Sdk, encoded, text},
};

/// `getTools(account, {methods, tags})`: the tools by name.
async fn get_tools(it: &Echo, query: &str) -> BTreeMap<String, Value> {
    let path = format!("/integrated-account/{}/tools?{query}", it.account);
    let tools = Sdk::new(&it.world).request(Method::GET, &path, None).await.json();
    tools["result"]
        .as_array()
        .expect("tools")
        .iter()
        .map(|tool| (text(&tool["name"]).to_owned(), tool.clone()))
        .collect()
}

/// The arguments that a schema has as properties.
fn picked(arguments: &Value, schema: &Value) -> Map<String, Value> {
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let arguments = arguments.as_object().expect("an object").clone();
    arguments.into_iter().filter(|(name, _)| properties.contains_key(name)).collect()
}

/// Runs a tool as the toolset does.
async fn run(it: &Echo, tool: &Value, arguments: Value) -> Read {
    let (resource, method) = (text(&tool["resource"]), text(&tool["method"]));
    let options = picked(&arguments, &tool["query_schema"]).into_iter().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}={}", encoded(&value))
    });
    let query = [it.of_account()].into_iter().chain(options).collect::<Vec<_>>().join("&");
    let body = Value::from(picked(&arguments, &tool["body_schema"]));
    let one = || format!("/proxy/{resource}/{}?{query}", encoded(text(&arguments["id"])));
    let all = format!("/proxy/{resource}?{query}");
    let sdk = Sdk::new(&it.world);
    match method {
        // One page, the first unless the arguments have a cursor.
        "list" if arguments["next_cursor"].is_null() => {
            sdk.request(Method::GET, &format!("{all}&next_cursor="), None).await
        }
        "list" => sdk.request(Method::GET, &all, None).await,
        "get" => sdk.request(Method::GET, &one(), None).await,
        "update" => sdk.request(Method::PATCH, &one(), Some(&body)).await,
        "delete" => sdk.request(Method::DELETE, &one(), None).await,
        "create" => sdk.request(Method::POST, &all, Some(&body)).await,
        custom => sdk.request(Method::POST, &format!("/proxy/{resource}/{custom}?{query}"), Some(&body)).await,
    }
}

/// [LC] `getTools(account, {methods, tags})`
#[tokio::test]
async fn langchain_gets_a_tool_of_each_described_method_with_its_schemas() {
    let it = Echo::new().await;
    let tools = get_tools(&it, "").await;
    let names: Vec<_> = tools.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "acme-0-oauth_items_merge",
            "create_a_acme-0-oauth_item",
            "delete_a_acme-0-oauth_item_by_id",
            "get_single_acme-0-oauth_item_by_id",
            "list_all_acme-0-oauth_items",
            "update_a_acme-0-oauth_item_by_id",
        ]
    );
    for (name, tool) in &tools {
        assert!(tool["description"].as_str().is_some_and(|it| !it.is_empty()), "{name}");
        // The toolset's schema: the properties of both, and what is required.
        let arguments = json!({ "id": 1, "limit": 1, "next_cursor": "c", "team": 1, "name": 1, "into": 1 });
        let properties: Vec<_> = ["query_schema", "body_schema"]
            .iter()
            .flat_map(|schema| picked(&arguments, &tool[*schema]).into_iter().map(|(name, _)| name))
            .collect();
        let (expected, required): (&[&str], &[&str]) = match text(&tool["method"]) {
            "list" => (&["limit", "next_cursor", "team"], &[]),
            "get" | "delete" => (&["id"], &["id"]),
            "update" => (&["id", "name"], &["id"]),
            "create" => (&["name"], &["name"]),
            _ => (&["into"], &[]),
        };
        let mut properties = properties.clone();
        properties.sort_unstable();
        assert_eq!(
            (properties, &tool["required"]),
            (expected.iter().map(|it| (*it).to_owned()).collect(), &json!(required)),
            "{name}"
        );
    }
    let some = get_tools(&it, "methods=read&tags=crm").await;
    assert_eq!(
        some.keys().collect::<Vec<_>>(),
        ["list_all_acme-0-oauth_items"],
        "of two with this tag, the one that reads"
    );
    assert_eq!(get_tools(&it, "tags=none").await.len(), 0);
    assert_eq!(get_tools(&it, "methods=read%2Ccustom").await.len(), 3);
}

/// [LC] a tool, by `method`
#[tokio::test]
async fn a_tool_of_langchain_calls_the_method_and_gives_errors_as_text() {
    let it = Echo::new().await;
    let tools = get_tools(&it, "").await;
    let named = |method: &str| tools.values().find(|tool| tool["method"] == method).expect("a tool");
    let page = run(&it, named("list"), json!({ "limit": 2, "team": "core" })).await.json();
    assert_eq!(page["result"], json!([{ "id": 1 }, { "id": 2 }]), "one page");
    let asked = it.asked();
    assert!(matches!(&asked[..], [query] if query.split('&').any(|it| it == "team=core")), "{asked:?}");
    let next = json!({ "limit": 2, "next_cursor": page["next_cursor"] });
    let next = run(&it, named("list"), next).await.json();
    assert_eq!(next["result"], json!([{ "id": 3 }, { "id": 4 }]));
    for (method, arguments, called, path, body) in [
        ("get", json!({ "id": "a b" }), "GET", "/items/a%20b", json!("")),
        ("update", json!({ "id": "7", "name": "Ada" }), "PATCH", "/items/7", json!({ "name": "Ada" })),
        ("create", json!({ "name": "Ada", "other": 1 }), "POST", "/items", json!({ "name": "Ada" })),
        ("merge", json!({ "into": "7" }), "POST", "/items/merge", json!({ "into": "7" })),
    ] {
        let asked = run(&it, named(method), arguments).await.json();
        let got = (&asked["method"], &asked["path"], &asked["body"], &asked["query"]);
        assert_eq!(got, (&json!(called), &json!(path), &body, &Value::Null), "{method}: without the id in the query");
    }
    let deleted = run(&it, named("delete"), json!({ "id": "7" })).await.json();
    assert_eq!((&deleted["method"], &deleted["path"]), (&json!("DELETE"), &json!("/items/7")));
    let gone = run(&it, &json!({ "resource": "items", "method": "dream" }), json!({})).await;
    let (status, error) = gone.refused();
    assert_eq!((status, &error["statusCode"]), (404, &json!(404)), "an error of which the toolset makes a text");
}

/// [MS] POST `{url}` per stdin line, `application/json`, 10 at once
#[tokio::test]
async fn truto_mcp_stdio_passes_lines_on_and_prints_one_for_each_answer() {
    let it = Echo::new().await;
    let server = it.world.post(&format!("/integrated-account/{}/mcp", it.account), json!({ "name": "agent" })).await;
    let url = text(&server["url"]).to_owned();
    // Without a token, `Accept` or a session, and its status isn't looked at.
    let line = async |line: String| {
        let request = it.world.client.post(&url).header("content-type", "application/json").body(line);
        request.send().await.expect("an answer").text().await.expect("a body")
    };
    let ids = 1..=10;
    let calls = ids.clone().map(|id| line(json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" }).to_string()));
    let printed = futures_util::future::join_all(calls).await;
    for (id, printed) in ids.zip(printed) {
        assert!(!printed.contains('\n'), "one line: {printed}");
        let answer: Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(id)));
        assert_eq!(answer["result"]["tools"].as_array().map(Vec::len), Some(6));
    }
    let notified = line(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string()).await;
    assert_eq!(notified, "", "nothing to print");
    let refused: Value = serde_json::from_str(&line("{".to_owned()).await).expect("a line, whatever the status");
    assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(-32700), &Value::Null), "{refused}");
}
