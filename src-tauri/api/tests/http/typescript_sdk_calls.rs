//! The rows of contract section 13.1 about calls of providers, and about what Relink lacks. Each test is a row.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::{
    answering_provider::{Provider, SignIn, name},
    echoing_api::{Echo, ITEMS},
    truto_client::{Read, Sdk, encoded, refused_with, text},
    unified_model::Model,
    world::World,
};

/// `unifiedApi` LGCUD, `meta`, `customMethod`
#[tokio::test]
async fn unified_api() {
    let it = Echo::new().await;
    let model = Model::new(&it.world).await;
    let config = || json!({ "response_mapping": "response.{ 'id': $string(id), 'asked': [method, path, query], 'sent': body }" });
    for method in ["list", "get", "create", "update", "delete", "merge"] {
        model.map(&name(SignIn::OAuth, 0), "items", method, config()).await;
    }
    let (sdk, query) = (Sdk::new(&it.world), it.of_account());
    let all = sdk.list("unified/sales/items", &format!("{query}&limit=2&truto_ignore_remote_data=true")).await;
    assert_eq!(
        all.iter().map(|it| text(&it["id"]).to_owned()).collect::<Vec<_>>(),
        ["1", "2", "3", "4", "5"],
        "three pages"
    );
    assert_eq!(sdk.first("unified/sales/items", &format!("{query}&limit=2")).await["remote_data"], json!({ "id": 1 }));
    let asked = async |method: Method, path: &str, body: Option<&Value>| {
        sdk.request(method, &format!("/unified/sales/{path}?{query}&locale=en"), body).await.json()
    };
    let body = json!({ "name": "Ada" });
    let got = asked(Method::GET, &format!("items/{}", encoded("a/b c")), None).await;
    assert_eq!(got["asked"], json!(["GET", "/items/a%2Fb%20c", "locale=en"]));
    let created = asked(Method::POST, "items", Some(&body)).await;
    assert_eq!((&created["asked"], &created["sent"]), (&json!(["POST", "/items", "locale=en"]), &body));
    let updated = asked(Method::PATCH, "items/1", Some(&body)).await;
    assert_eq!((&updated["asked"][1], &updated["sent"]), (&json!("/items/1"), &body));
    assert_eq!(asked(Method::DELETE, "items/1", None).await, json!({ "id": "1" }));
    assert_eq!(asked(Method::POST, "items/merge", Some(&body)).await["result"]["asked"][1], "/items/merge");
    assert_eq!(asked(Method::GET, "items/meta/list", None).await["method"], "list");
    let form = multipart(&[("name", "Ada")]);
    let created = sdk.send(Method::POST, &format!("/unified/sales/items?{query}"), Some(form)).await.json();
    assert_eq!(created["sent"], body);
}

/// The body of a `FormData`, and its type.
fn multipart(fields: &[(&str, &str)]) -> (String, Vec<u8>) {
    let parts = fields
        .iter()
        .map(|(name, value)| format!("------x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    let body = parts.collect::<String>() + "------x--\r\n";
    ("multipart/form-data; boundary=----x".to_owned(), body.into_bytes())
}

/// `proxyApi` LGCUD, `customMethod`
#[tokio::test]
async fn proxy_api() {
    let it = Echo::new().await;
    let (sdk, query) = (Sdk::new(&it.world), it.of_account());
    let all = sdk.list("proxy/items", &format!("{query}&limit=2&team=core")).await;
    assert_eq!(all, (1..=ITEMS).map(|id| json!({ "id": id })).collect::<Vec<_>>(), "three pages");
    let asked = it.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    for (page, asked) in (1..).zip(asked) {
        let asked: BTreeMap<_, _> = form_urlencoded::parse(asked.as_bytes()).into_owned().collect();
        let expected = [("limit", "2".to_owned()), ("page", page.to_string()), ("team", "core".to_owned())];
        assert_eq!(asked, expected.map(|(name, value)| (name.to_owned(), value)).into(), "page {page}");
    }
    assert_eq!(sdk.first("proxy/items", &format!("{query}&limit=2")).await, json!({ "id": 1 }));
    let asked = async |method: Method, path: &str, body: Option<&Value>| {
        let asked = sdk.request(method, &format!("/proxy/{path}?{query}&locale=en"), body).await.json();
        assert_eq!(asked["query"], "locale=en", "the other options");
        (text(&asked["method"]).to_owned(), text(&asked["path"]).to_owned(), asked["body"].clone())
    };
    let body = json!({ "name": "Ada" });
    let expected = |method: &str, path: &str, body: &Value| (method.to_owned(), path.to_owned(), body.clone());
    let id = format!("items/{}", encoded("a/b c"));
    assert_eq!(asked(Method::GET, &id, None).await, expected("GET", "/items/a%2Fb%20c", &json!("")));
    assert_eq!(asked(Method::POST, "items", Some(&body)).await, expected("POST", "/items", &body));
    assert_eq!(asked(Method::PATCH, "items/1", Some(&body)).await, expected("PATCH", "/items/1", &body));
    assert_eq!(asked(Method::DELETE, "items/1", None).await.0, "DELETE");
    assert_eq!(asked(Method::POST, "items/merge", Some(&body)).await, expected("POST", "/items/merge", &body));
    let form = Some(multipart(&[("name", "Ada")]));
    let sent = sdk.send(Method::POST, &format!("/proxy/items?{query}"), form).await.json();
    assert_eq!(sent["body"], body, "the fields of a FormData");
    let picture = sdk.request(Method::GET, &format!("/proxy/pictures/1?{query}"), None).await;
    assert_eq!(picture, Read::Blob(vec![0x89, b'P', 0xff]));
    refused_with(400, sdk.request(Method::GET, "/proxy/items?next_cursor=", None).await);
    refused_with(404, sdk.request(Method::POST, &format!("/proxy/items/dream?{query}"), Some(&json!({}))).await);
}

/// `customApi.get post put patch delete` ‡†
#[tokio::test]
async fn custom_api() {
    let it = Echo::new().await;
    let (sdk, query) = (Sdk::new(&it.world), it.of_account());
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let body = (method != Method::GET).then(|| json!({ "name": "Ada" }));
        let answer = sdk.request(method.clone(), &format!("custom/some/path?a=1&{query}"), body.as_ref()).await.json();
        let keys: Vec<_> = answer.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["result", "next_cursor", "prev_cursor"]);
        let asked = &answer["result"];
        let got = (&asked["method"], &asked["path"], &asked["query"]);
        assert_eq!(got, (&json!(method.as_str()), &json!("/some/path"), &json!("a=1")));
        assert_eq!(asked["body"], body.unwrap_or(json!("")));
    }
    let text = Some(("text/plain;charset=UTF-8".to_owned(), b"already text".to_vec()));
    let answer = sdk.send(Method::POST, &format!("custom/some/path?{query}"), text).await.json();
    let asked = &answer["result"];
    assert_eq!((&asked["body"], &asked["type"]), (&json!("already text"), &json!("text/plain;charset=UTF-8")));
    let picture = sdk.request(Method::GET, &format!("custom/picture/1?{query}"), None).await;
    assert_eq!(picture, Read::Blob(vec![0x89, b'P', 0xff]));
    let (status, error) = sdk.request(Method::GET, &format!("custom/missing?{query}"), None).await.refused();
    assert_eq!((status, &error["truto_is_remote_error"]), (404, &json!(true)), "{error}");
    assert_eq!((&error["message"], &error["raw_response"]["message"]), (&json!("There is none."), &error["message"]));
}

/// `batchRequest.create`
#[tokio::test]
async fn batch_request() {
    let it = Echo::new().await;
    let resources = json!([{ "resource": "items", "method": "list", "query": { "limit": 2 }, "persist": true }]);
    let batch = json!({ "integrated_account_id": it.account, "resources": resources });
    let answer = Sdk::new(&it.world).create("batch-request", &batch).await.json();
    assert_eq!(answer["result"]["items"].as_array().map(Vec::len), Some(ITEMS));
    assert_eq!(answer["errors"], json!({ "items": [] }));
}

/// `mcp.call initialize listTools callTool` ‡†
#[tokio::test]
async fn mcp() {
    let it = Echo::new().await;
    let servers = format!("/integrated-account/{}/mcp", it.account);
    let server = it.world.post(&servers, json!({ "name": "agent" })).await;
    // The SDK sends its own token, too.
    let (sdk, path) = (Sdk::new(&it.world), format!("mcp/{}", text(&server["token"])));
    let call = async |message: Value| sdk.request(Method::POST, &path, Some(&message)).await.json();
    let params = json!({ "protocolVersion": "2024-11-05", "clientInfo": { "name": "sdk", "version": "2" } });
    let begun = call(json!({ "method": "initialize", "params": params })).await;
    assert_eq!(begun["result"]["protocolVersion"], "2024-11-05", "{begun}");
    let tools = call(json!({ "method": "tools/list", "id": 1 })).await;
    assert_eq!((&tools["id"], tools["result"]["tools"].as_array().map(Vec::len)), (&json!(1), Some(6)));
    let arguments = json!({ "name": "Ada" });
    let message = json!({ "method": "tools/call", "id": 2, "params": { "name": "create_a_acme-0-oauth_item", "arguments": arguments } });
    let called = call(message).await;
    let content = &called["result"]["content"][0];
    let asked: Value = serde_json::from_str(text(&content["text"])).expect("JSON");
    assert_eq!((&asked["method"], &asked["body"]), (&json!("POST"), &arguments), "{called}");
}

/// `integratedAccountWebhook.process`, `environmentIntegrationWebhook.process` ‡†
#[tokio::test]
async fn integrated_account_webhook_environment_integration_webhook() {
    let world = World::new().await;
    let webhook = json!({
        "handle_verification": "body.challenge ? {\"body\": {\"challenge\": body.challenge}}",
        "signature_verification": { "format": "bearer", "config": { "secret": "{{secret_environment_variables.HOOK}}" } },
        "payload_transform": "{\"event_type\": \"items:created\", \"item\": body.item}",
        "context_lookup_field_name": "team", "context_lookup_field_value": "{{body.team}}",
    });
    let account = Provider::start(true).await.with_webhook(webhook).connect(&world, SignIn::OAuth, 0).await;
    let sdk = Sdk::new(&world);
    let shown =
        sdk.update("integrated-account", &json!(account), &json!({ "context": { "team": "core" } })).await.json();
    let installed = text(&shown["environment_integration_id"]).to_owned();
    let over = json!({ "override": { "secret_environment_variables": { "HOOK": world.token } } });
    let (status, body) = world.as_person(Method::PATCH, &format!("/environment-integration/{installed}"), over).await;
    assert!(status.is_success(), "{body}");
    for path in
        [format!("integrated-account-webhook/{account}"), format!("environment-integration-webhook/{installed}")]
    {
        let seq = world.latest_event();
        let verified = sdk.request(Method::POST, &path, Some(&json!({ "challenge": "c" }))).await;
        assert_eq!(verified.json(), json!({ "challenge": "c" }), "{path}");
        let event = json!({ "item": 7, "team": "core" });
        let received = sdk.request(Method::POST, &path, Some(&event)).await;
        assert_eq!(received.json(), json!({ "success": true }), "{path}");
        let events = world.get(&format!("/relink/events?after={seq}")).await;
        let event = &events["result"][0];
        assert_eq!(
            (&event["event"], &event["payload"]["item"]),
            (&json!("record:items:created"), &json!(7)),
            "{events}"
        );
    }
}

/// `alarm` LGCUD · `staticGate` LGCUD · `daemon` LGCUD · `daemonJob` LGCUD · `daemonJobRun` LGCUD · `daemonJobCronTrigger` LGCUD,
/// `schedule` ‡†
#[tokio::test]
async fn alarm_static_gate_daemon() {
    let world = World::new().await;
    let sdk = Sdk::new(&world);
    for resource in ["alarm", "static-gate", "daemon", "daemon-job", "daemon-job-run", "daemon-job-cron-trigger"] {
        sdk.finds_nothing_of(resource, "LGCUD").await;
    }
    sdk.lacks(Method::POST, "daemon-job-cron-trigger/7/schedule", None).await;
}

/// `apiClient.request list get create update delete`
#[tokio::test]
async fn api_client() {
    let world = World::new().await;
    let sdk = Sdk::new(&world);
    sdk.request(Method::GET, "/ping", None).await.json();
    sdk.request(Method::GET, "ping", None).await.json();
    let account = json!(Provider::start(true).await.connect(&world, SignIn::ApiKey, 0).await);
    assert_eq!(sdk.list("relink/accounts", "").await[0]["id"], account, "also Relink's own routes");
    refused_with(404, sdk.request(Method::GET, "/nowhere", None).await);
    refused_with(405, sdk.request(Method::PUT, "/webhook", Some(&json!({}))).await);
    let stranger = Sdk::with_token(&world, "nobodys");
    refused_with(401, stranger.request(Method::GET, "/integrated-account?next_cursor=", None).await);
}

/// `RequestQueue`: 10 at once
#[tokio::test]
async fn request_queue() {
    let it = Echo::new().await;
    let (sdk, query) = (Sdk::new(&it.world), it.of_account());
    let calls = (0..10).map(|id| {
        let (sdk, query) = (&sdk, &query);
        async move { sdk.request(Method::GET, &format!("/proxy/items/{id}?{query}"), None).await.json() }
    });
    let answers = futures_util::future::join_all(calls).await;
    let expected: Vec<_> = (0..10).map(|id| format!("/items/{id}")).collect();
    assert_eq!(answers.iter().map(|answer| text(&answer["path"])).collect::<Vec<_>>(), expected, "each its own");
    let mut asked = it.asked();
    asked.sort_unstable();
    assert_eq!(asked, expected, "each once");
}
