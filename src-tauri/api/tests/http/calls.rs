//! Calls through Relink, and what is recorded of them.

use relink_domain::caller::{Caller, TokenLevel};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    answering_provider::{Provider, SignIn},
    world::World,
};

/// A program's token, and an account of the Sandbox.
async fn program(world: &World) -> (String, String) {
    world.sandbox().await;
    let account = world.account("acme").await;
    (token(world).await, account)
}

/// The same with an account that may write.
async fn writer(world: &World, provider: &Provider) -> (String, String) {
    (token(world).await, provider.connect(world, SignIn::ApiKey, 0).await)
}

async fn token(world: &World) -> String {
    let made = world.engine.access().create_api_token(&Caller::Person, "my-agent".into(), TokenLevel::Program, None);
    made.await.expect("made").1.expose().to_owned()
}

async fn calls_of(world: &World, account: &str) -> Vec<Value> {
    let calls = world.get(&format!("/relink/accounts/{account}/calls")).await;
    calls["result"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_programs_calls_are_recorded_without_what_may_be_secret() {
    let world = World::new().await;
    let provider = Provider::start(false).await;
    let (token, account) = writer(&world, &provider).await;
    provider.with(|state| state.api = [200, 405].into());
    let via = |rest: &str| format!("/via/{account}{rest}");
    let (status, items) =
        world.ask_with(&token, Method::GET, &via("/api/items?key=canary-secret&page=2"), Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = world.ask_with(&token, Method::POST, &via("/userinfo"), json!({ "name": "canary-secret" })).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    let (status, _) = world.ask_with(&token, Method::GET, &via("/a%00b"), Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    let calls = calls_of(&world, &account).await;
    assert!(!Value::from(calls.clone()).to_string().contains("canary-secret"), "{calls:?}");
    let facts: Vec<_> = calls
        .iter()
        .map(|it| (it["method"].as_str(), it["path"].as_str(), it["status"].as_u64(), it["error"].as_str()))
        .collect();
    let (get, post) = (Some("GET"), Some("POST"));
    assert_eq!(
        facts,
        [
            (get, Some("/a%00b"), Some(400), Some("path_control_character")),
            (post, Some("/userinfo"), Some(405), None),
            (get, Some("/api/items?key=…&page=…"), Some(200), None),
        ]
    );
    let oldest = &calls[2];
    assert_eq!((&oldest["program"], &oldest["route"]), (&json!("my-agent"), &json!("via")));
    assert!(oldest["headers_ms"].as_f64() <= oldest["total_ms"].as_f64(), "{oldest}");
    assert_eq!(oldest["received_bytes"], items.to_string().len());
    assert_eq!(calls[1]["sent_bytes"], r#"{"name":"canary-secret"}"#.len());
    assert_eq!((&calls[1]["failed"], &oldest["failed"]), (&json!(true), &json!(false)));

    let usage = world.get(&format!("/relink/accounts/{account}/usage?days=3")).await;
    assert_eq!(usage["days"].as_array().map(Vec::len), Some(3));
    let today = &usage["days"][2];
    assert_eq!((&today["calls"], &today["errors"]), (&json!(3), &json!(2)));
    assert!(today["p50_ms"].as_f64() <= today["p95_ms"].as_f64(), "{today}");
    assert_eq!((&usage["programs"][0]["name"], &usage["programs"][0]["calls"]), (&json!("my-agent"), &json!(3)));
    assert_eq!((&usage["days"][0]["p50_ms"], &usage["dropped"]), (&Value::Null, &json!(0)));
}

#[tokio::test]
async fn a_method_in_the_body_is_recorded_as_what_it_called() {
    let world = World::new().await;
    let (token, account) = program(&world).await;
    let path = format!("/custom/nowhere?integrated_account_id={account}");
    for (config, recorded) in [
        (json!({"method": "get", "path": "/api/me", "query": {"fields": "id"}}), "GET /api/me?fields=…"),
        (json!({"method": "head", "path": "/api/gone"}), "HEAD /api/gone"),
    ] {
        world.ask_with(&token, Method::POST, &path, json!({ "methodConfig": config })).await;
        let last = calls_of(&world, &account).await.remove(0);
        assert_eq!(called(&last), recorded, "{last}");
    }
}

fn called(call: &Value) -> String {
    format!("{} {}", call["method"].as_str().expect("text"), call["path"].as_str().expect("text"))
}

#[tokio::test]
async fn a_method_in_the_body_is_recorded_also_where_relink_refuses_the_call() {
    let world = World::new().await;
    let (token, account) = program(&world).await;
    let path = format!("/custom/nowhere?integrated_account_id={account}");
    let paged = json!({"format": "page"});
    for (config, limit, recorded, error) in [
        (json!({"method": "delete", "path": "/api/items"}), "", "DELETE /api/items", "sandbox_is_read_only"),
        (json!({"method": "get", "path": "/api/a%00b"}), "", "GET /api/a%00b", "path_control_character"),
        (json!({"method": "get", "path": "/api/me", "pagination": paged}), "&limit=0", "GET /api/me", "limit_invalid"),
        (json!({"method": "get", "path": "/x", "base_url": "https://other.example"}), "", "GET /x", "foreign_origin"),
        // What isn't known stays the caller's.
        (json!({"method": "get", "path": "/{{gone}}"}), "", "POST /nowhere", "request_incomplete"),
    ] {
        let body = json!({ "methodConfig": config });
        let (_, said) = world.ask_with(&token, Method::POST, &format!("{path}{limit}"), body).await;
        let last = calls_of(&world, &account).await.remove(0);
        let call = called(&last);
        let without_query = call.split('?').next();
        assert_eq!((without_query, &last["error"]), (Some(recorded), &json!(error)), "{said}");
    }
}

#[tokio::test]
async fn nothing_is_written_with_an_account_of_the_sandbox() {
    let world = World::new().await;
    let (token, account) = program(&world).await;
    let custom = format!("integrated_account_id={account}");
    for (method, path) in [
        (Method::POST, format!("/via/{account}/api/items")),
        (Method::DELETE, format!("/via/{account}/api/items")),
        (Method::GET, format!("/via/{account}/api/items?_method=DELETE")),
        (Method::PUT, format!("/custom/api/items?{custom}")),
        (Method::GET, format!("/custom/api/items?_method=DELETE&{custom}")),
    ] {
        let (status, said) = world.ask_with(&token, method.clone(), &path, Value::Null).await;
        assert_eq!((status, &said["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("sandbox_is_read_only")), "{path}");
    }
    // A WebSocket may write as well.
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    for path in [format!("/via/{account}/api/items"), format!("/custom/api/items?{custom}")] {
        let request = world.client.get(format!("{}{path}", world.base())).bearer_auth(&token);
        let upgrade = request
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", key);
        let answer = upgrade.send().await.expect("an answer");
        let status = answer.status();
        let said: Value = answer.json().await.expect("JSON");
        assert_eq!((status, &said["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("sandbox_is_read_only")), "{path}");
    }
    let (status, _) = world.ask_with(&token, Method::GET, &format!("/via/{account}/api/items"), Value::Null).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_caller_that_leaves_is_recorded_as_one_that_left() {
    let world = World::new().await;
    let (token, account) = program(&world).await;
    let fault = json!({ "kind": "slow_drip", "on": "api", "count": 1 });
    let (status, said) = world.as_person(Method::POST, "/relink/sandbox/control/faults", fault).await;
    assert!(status.is_success(), "{said}");
    let url = format!("{}/via/{account}/api/items", world.base());
    let mut response = world.client.get(url).bearer_auth(&token).send().await.expect("headers");
    response.chunk().await.expect("a beginning");
    drop(response);
    let calls = loop {
        let calls = calls_of(&world, &account).await;
        if !calls.is_empty() {
            break calls;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((&calls[0]["error"], &calls[0]["status"]), (&json!("caller_left"), &json!(200)));
    assert_eq!(calls[0]["failed"], false, "a caller that leaves is no error of the account's");
}

#[tokio::test]
async fn the_log_has_every_accounts_calls_in_pages_and_takes_trutos_filters() {
    let world = World::new().await;
    let (token, first) = program(&world).await;
    let second = world.account("other").await;
    let (get, post) = (Method::GET, Method::POST);
    for (method, account, path) in
        [(&get, &first, "/api/items"), (&get, &second, "/api/me"), (&post, &first, "/userinfo")]
    {
        world.ask_with(&token, method.clone(), &format!("/via/{account}{path}"), Value::Null).await;
    }
    let log = async |query: &str| world.get(&format!("/log?log_type=unified_proxy_api{query}")).await;
    let paths = |page: &Value| -> Vec<String> {
        let entries = page["result"].as_array().expect("a list");
        entries.iter().map(|entry| entry["path"].as_str().expect("a path").to_owned()).collect()
    };
    let all = log("").await;
    assert_eq!(paths(&all), ["/userinfo", "/api/me", "/api/items"]);
    assert_eq!((&all["limit"], &all["next_cursor"]), (&json!(100), &Value::Null));
    let entry = &all["result"][1];
    assert_eq!(entry["integrated_account_id"], second);
    assert_eq!((&entry["log_type"], &entry["request_type"]), (&json!("unified_proxy_api"), &json!("proxy")));
    assert!(entry["created_at"].as_str().is_some_and(|at| at.ends_with('Z')) && entry["id"].is_string(), "{entry}");

    let page = log("&limit=2").await;
    assert_eq!(paths(&page), ["/userinfo", "/api/me"]);
    let cursor = page["next_cursor"].as_str().expect("more");
    let page = log(&format!("&limit=2&next_cursor={cursor}")).await;
    assert_eq!((paths(&page), &page["next_cursor"]), (vec!["/api/items".to_owned()], &Value::Null));
    assert_eq!(log("&limit=3").await["next_cursor"], Value::Null, "nothing follows");

    let of_first = format!("&log_type_filter[integrated_account_id]={first}");
    assert_eq!(paths(&log(&of_first).await), ["/userinfo", "/api/items"]);
    assert_eq!(paths(&log(&format!("{of_first}&log_type_filter[status]=405")).await), ["/userinfo"]);
    assert_eq!(paths(&log("&log_type_filter[path][like]=/api/%25").await), ["/api/me", "/api/items"]);
    assert_eq!(paths(&log("&log_type_filter[failed]=true").await), ["/userinfo"]);
    assert_eq!(paths(&log("&log_type_filter[integrated_account_id]=nobody").await), [] as [&str; 0]);
    assert_eq!(paths(&log("&created_at[lt]=2020-01-01").await), [] as [&str; 0]);
    let others = world.get("/log?log_type=mcp").await;
    assert_eq!(others["result"], json!([]), "{others}");
    for bad in ["/log", "/log?log_type=proxy", "/log?log_type=mcp&limit=0", "/log?log_type=mcp&next_cursor=x"] {
        let (status, said) = world.ask(Method::GET, bad, Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}: {said}");
    }
}

#[tokio::test]
async fn calls_of_an_unknown_account_are_not_found_and_a_program_sees_nobodys() {
    let world = World::new().await;
    let (token, account) = program(&world).await;
    for route in ["calls", "usage", "usage?days=32"] {
        let path = format!("/relink/accounts/01900000-0000-7000-8000-000000000000/{route}");
        let (status, said) = world.ask(Method::GET, &path, Value::Null).await;
        let expected = if route.contains("days") { StatusCode::BAD_REQUEST } else { StatusCode::NOT_FOUND };
        assert_eq!(status, expected, "{route}: {said}");
        let (status, _) =
            world.ask_with(&token, Method::GET, &format!("/relink/accounts/{account}/{route}"), Value::Null).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{route}");
    }
}

#[tokio::test]
async fn bodies_are_recorded_while_the_person_has_switched_that_on() {
    let world = World::new().await;
    let provider = Provider::start(false).await;
    let (token, account) = writer(&world, &provider).await;
    let path = format!("/relink/accounts/{account}/call-bodies");
    let call = async |name: &str| {
        let body = json!({ "name": name });
        world.ask_with(&token, Method::POST, &format!("/via/{account}/items"), body).await
    };
    call("canary-before").await;
    let (status, off) = world.as_person(Method::GET, &path, Value::Null).await;
    assert_eq!((status, &off), (StatusCode::OK, &json!({ "until": null, "calls": [] })));
    let (_, on) = world.as_person(Method::POST, &path, Value::Null).await;
    assert!(on["until"].is_string(), "{on}");
    call("canary-recorded").await;
    let recorded = loop {
        let (_, recorded) = world.as_person(Method::GET, &path, Value::Null).await;
        if recorded["calls"][0].is_object() {
            break recorded;
        }
        tokio::task::yield_now().await;
    };
    let call_of = &recorded["calls"][0];
    assert_eq!(
        (&call_of["request"], &call_of["program"]),
        (&json!(r#"{"name":"canary-recorded"}"#), &json!("my-agent"))
    );
    assert!(call_of["response"].as_str().is_some_and(|text| text.contains("as the table says")), "{call_of}");
    assert_eq!(recorded["calls"].as_array().map(Vec::len), Some(1), "nothing of before");
    // Nobody else sees them, and the database has nothing of them.
    for token in [&world.token, &token] {
        let (status, _) = world.ask_with(token, Method::GET, &path, Value::Null).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    }
    assert_eq!(calls_of(&world, &account).await.len(), 2);
    for file in ["relink.db", "relink.db-wal"] {
        let bytes = std::fs::read(world.folder.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(6).any(|part| part == b"canary"), "{file}");
    }
    let (_, off) = world.as_person(Method::DELETE, &path, Value::Null).await;
    assert_eq!(off, json!({ "until": null, "calls": [] }), "what was recorded is forgotten");
}
