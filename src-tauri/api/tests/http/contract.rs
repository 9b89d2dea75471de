//! Truto's wire contract, as its real clients use it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn ping_needs_no_token() {
    let world = World::new().await;
    let answer = world.client.get(format!("{}/ping", world.base())).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
}

fn keys_of(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn an_account_has_trutos_shape() {
    let world = World::new().await;
    world.sandbox().await;
    let id = world.account("acme-1").await;
    let account = world.get(&format!("/integrated-account/{id}")).await;
    assert_eq!(
        keys_of(&account),
        [
            "id",
            "tenant_id",
            "environment_id",
            "environment_integration_id",
            "status",
            "authentication_method",
            "is_sandbox",
            "region",
            "context",
            "object_store_context_fields",
            "unified_model_override",
            "integration_override",
            "last_error",
            "last_action_result",
            "last_action_run_result",
            "last_forbidden_error",
            "integration",
            "environment_integration",
            "created_at",
            "updated_at",
            "last_error_details",
        ]
    );
    let integration = &account["integration"];
    assert_eq!(keys_of(integration), ["id", "name", "category", "is_beta", "team_id", "sharing", "config"]);
    assert_eq!(
        keys_of(&account["environment_integration"]),
        ["id", "integration_id", "environment_id", "show_in_catalog", "is_enabled", "is_active", "override",]
    );
    let team = world.get("/team").await["result"][0].clone();
    assert_eq!(
        (&integration["is_beta"], &integration["team_id"], &integration["sharing"], keys_of(&integration["config"])),
        (&json!(false), &team["id"], &json!("ask"), vec!["label"])
    );
    assert_eq!(
        (account["status"].as_str(), account["authentication_method"].as_str()),
        (Some("active"), Some("api_key"))
    );
    let created = account["created_at"].as_str().expect("a time");
    assert!(created.len() == 24 && created.ends_with('Z'), "{created}");
    assert!(!account.to_string().contains("sk_sandbox_"));
}

#[tokio::test]
async fn following_the_cursor_lists_everything() {
    let world = World::new().await;
    world.sandbox().await;
    let mut made = Vec::new();
    for tenant in ["a", "b", "a"] {
        made.push(world.account(tenant).await);
    }
    let first = world.get("/integrated-account?limit=2&next_cursor=").await;
    assert_eq!((first["limit"].as_u64(), first["result"].as_array().map(Vec::len)), (Some(2), Some(2)));
    let cursor = first["next_cursor"].as_str().expect("more");
    let second = world.get(&format!("/integrated-account?limit=2&next_cursor={cursor}")).await;
    assert_eq!((second["next_cursor"].clone(), second["result"].as_array().map(Vec::len)), (Value::Null, Some(1)));

    let count =
        async |query: &str| world.get(&format!("/integrated-account?{query}")).await["result"].as_array().map(Vec::len);
    assert_eq!(count("tenant_id=a").await, Some(2));
    assert_eq!(count("status[in][0]=active").await, Some(3));
    assert_eq!(count("status[in][]=needs_reauth").await, Some(0));
    assert_eq!(count(&format!("id[in]={},{}", made[0], made[1])).await, Some(2));
    assert_eq!(count("integration.name=github").await, Some(0));
    assert_eq!(count("id[in]=no-id").await, Some(0));
    let of_first = world.get(&format!("/integrated-account/{}", made[0])).await;
    let created = of_first["created_at"].as_str().expect("a time");
    for (query, expected) in [
        ("created_at[gt]=2099-01-01T00:00:00.000Z".to_owned(), 0),
        (format!("created_at[gte]={created}"), 3),
        (format!("created_at[lte]={created}&id={}", made[0]), 1),
        (format!("created_at[lt]={created}"), 0),
        ("updated_at[gt]=2000-01-01T00:00:00.000Z".to_owned(), 3),
        ("updated_at[lt]=2000-01-01T00:00:00.000Z".to_owned(), 0),
        ("is_sandbox=true".to_owned(), 3),
        ("is_sandbox=false".to_owned(), 0),
    ] {
        assert_eq!(count(&query).await, Some(expected), "{query}");
    }
    let invalid =
        world.ask(Method::GET, "/integrated-account?created_at[about]=2099-01-01T00:00:00.000Z", Value::Null).await;
    assert_eq!(invalid.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn filters_apply_before_pages_are_cut() {
    let world = World::new().await;
    world.sandbox().await;
    for tenant in ["b", "a", "b", "b", "a"] {
        world.account(tenant).await;
    }
    let first = world.get("/integrated-account?tenant_id=a&limit=1").await;
    assert_eq!(first["result"].as_array().map(Vec::len), Some(1));
    let cursor = first["next_cursor"].as_str().expect("more");
    let second = world.get(&format!("/integrated-account?tenant_id=a&limit=1&next_cursor={cursor}")).await;
    assert_eq!((second["next_cursor"].clone(), second["result"].as_array().map(Vec::len)), (Value::Null, Some(1)));
    assert_ne!(first["result"][0]["id"], second["result"][0]["id"]);
}

#[tokio::test]
async fn unusual_requests_of_clients_are_accepted() {
    let world = World::new().await;
    let url = |path: &str| format!("{}{path}", world.base());
    // A base URL with a slash at its end.
    let twice = world.client.post(url("//link-token")).bearer_auth(&world.token).json(&json!({ "tenant_id": "a" }));
    assert_eq!(twice.send().await.expect("an answer").status(), StatusCode::OK);
    for path in ["/ping", "//ping", "///ping", "//////ping", "///webhook", "////relink/status"] {
        let answer = world.client.get(url(path)).bearer_auth(&world.token).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let anonymous = world.client.get(url(path)).send().await.expect("an answer");
        assert_eq!(anonymous.status() == StatusCode::OK, path.ends_with("ping"), "{path}");
    }
    // JSON as text.
    let text = world.client.post(url("/link-token")).bearer_auth(&world.token);
    let text = text.header("content-type", "text/plain;charset=UTF-8").body(r#"{"tenant_id":"a"}"#);
    assert_eq!(text.send().await.expect("an answer").status(), StatusCode::OK);
    // JSON by name, and nothing in it.
    let empty = world
        .client
        .get(url("/integrated-account"))
        .bearer_auth(&world.token)
        .header("content-type", "application/json");
    assert_eq!(empty.send().await.expect("an answer").status(), StatusCode::OK);
}

#[tokio::test]
async fn a_link_is_for_one_purpose() {
    let world = World::new().await;
    for body in [json!({}), json!({ "tenant_id": "" }), json!({ "tenant_id": " ", "integrated_account_id": "" })] {
        let (status, answer) = world.ask(Method::POST, "/link-token", body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(answer["error"], "Bad Request");
    }
    let unknown = json!({ "integrated_account_id": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b" });
    assert_eq!(world.ask(Method::POST, "/link-token", unknown).await.0, StatusCode::NOT_FOUND);
    // With both, the account is reauthorized.
    world.sandbox().await;
    let account = world.account("acme-1").await;
    let link = world.post("/link-token", json!({ "tenant_id": "other", "integrated_account_id": account })).await;
    let session = world.client.get(format!("{}/connect-account/session", world.base()));
    let token = link["link_token"].as_str().expect("a token");
    let session = session.header("x-relink-link-token", token).send().await.expect("an answer");
    let session: Value = session.json().await.expect("JSON");
    assert_eq!((session["purpose"].as_str(), session["tenant_id"].as_str()), (Some("reauthorize"), Some("acme-1")));
}

#[tokio::test]
async fn a_webhook_shows_its_secret_once() {
    let world = World::new().await;
    let made = world.post("/webhook", json!({ "target_url": "http://127.0.0.1:9/hook" })).await;
    assert!(made["secret"].is_string());
    let id = made["id"].as_str().expect("an id");
    let shown = world.get(&format!("/webhook/{id}")).await;
    assert_eq!((shown["secret"].clone(), shown["event_types"].clone()), (Value::Null, Value::Null));
    let (status, deleted) = world.ask(Method::DELETE, &format!("/webhook/{id}"), Value::Null).await;
    assert_eq!((status, deleted), (StatusCode::OK, json!({ "id": id })));
    let (status, refused) = world.ask(Method::POST, "/webhook", json!({ "target_url": "http://example.com" })).await;
    assert_eq!((status, refused["field"].as_str()), (StatusCode::BAD_REQUEST, Some("target_url")));
    let unknown = json!({ "target_url": "https://example.com", "event_types": ["nonsense"] });
    assert_eq!(world.ask(Method::POST, "/webhook", unknown).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_api_token_is_listed_without_its_secret() {
    let world = World::new().await;
    let list = world.get("/api-token").await;
    assert_eq!(list["result"][0]["name"], "test");
    let row = world.get(&format!("/api-token/{}", list["result"][0]["id"].as_str().expect("an id"))).await;
    // The first request is recorded as its use when it has been answered.
    let unused = |row: &Value| {
        let mut row = row.clone();
        row["last_used_at"] = Value::Null;
        row
    };
    assert_eq!(unused(&row), unused(&list["result"][0]));
    let user = world.get("/user").await["result"][0]["id"].clone();
    let environment = world.get("/environment").await["result"][0]["id"].clone();
    assert_eq!((&row["created_by"], &row["environment_id"]), (&user, &environment));
    assert_eq!(row["updated_at"], row["created_at"]);
    assert!(!list.to_string().contains(&world.token));
}

#[tokio::test]
async fn a_context_is_merged_one_level_deep_and_credentials_stay_out() {
    let world = World::new().await;
    world.sandbox().await;
    let path = format!("/integrated-account/{}", world.account("a").await);
    world.ask(Method::PATCH, &path, json!({ "context": { "a": { "x": 1 }, "b": 1 } })).await;
    let (_, changed) = world.ask(Method::PATCH, &path, json!({ "context": { "a": { "y": 2 } } })).await;
    assert_eq!((changed["context"]["a"].clone(), changed["context"]["b"].clone()), (json!({ "y": 2 }), json!(1)));
    let sent_back = json!({ "context": {
        "b": 2, "oauth": { "token": { "access_token": "canary" } }, "api_key": "canary", "password": "canary",
        "token": "canary", "client_secret": "canary",
    } });
    let (status, changed) = world.ask(Method::PATCH, &path, sent_back).await;
    assert_eq!((status, &changed["context"]), (StatusCode::OK, &json!({ "a": { "y": 2 }, "b": 2 })));
    assert!(!world.get(&path).await.to_string().contains("canary"));
}

#[tokio::test]
async fn a_timeline_names_the_api_token_that_changed_an_account() {
    let world = World::new().await;
    world.sandbox().await;
    let id = world.account("a").await;
    let (_, changed) =
        world.ask(Method::PATCH, &format!("/integrated-account/{id}"), json!({ "context": { "a": 1 } })).await;
    assert_eq!(changed["context"]["a"], 1);
    let timeline = world.get(&format!("/relink/timeline?account={id}&limit=1")).await;
    assert_eq!(timeline["result"][0]["kind"], "context_changed");
    assert_eq!(timeline["result"][0]["by"], "by API token test");
}

#[tokio::test]
async fn an_unknown_route_is_reported_in_the_errors_format() {
    let world = World::new().await;
    let (status, body) = world.ask(Method::GET, "/nowhere", Value::Null).await;
    assert_eq!(
        (status, body["statusCode"].as_u64(), body["error"].as_str()),
        (StatusCode::NOT_FOUND, Some(404), Some("Not Found"))
    );
}

#[tokio::test]
async fn a_malformed_integration_file_is_refused_with_its_line_and_field() {
    let world = World::new().await;
    let text = "{\n \"name\": \"acme\",\n \"config\": {\n  \"label\": \"Acme\",\n  \"base_url\": \"htps://api\"\n }\n}";
    let (status, body) = world.ask(Method::POST, "/relink/integrations", json!({ "text": text })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let message = body["message"].as_str().expect("words");
    assert!(message.starts_with("line 5") && message.contains("config.base_url"), "{message}");
}

#[tokio::test]
async fn a_refusal_of_the_sandbox_is_reported_in_the_errors_format() {
    let world = World::new().await;
    world.sandbox().await;
    for (method, control, wanted, message) in [
        (Method::POST, "faults", StatusCode::BAD_REQUEST, "unknown variant"),
        (Method::GET, "nothing", StatusCode::NOT_FOUND, "no such control"),
        (Method::GET, "expire", StatusCode::METHOD_NOT_ALLOWED, "doesn't support this method"),
    ] {
        let path = format!("/relink/sandbox/control/{control}");
        let (status, body) = world.as_person(method, &path, json!({ "kind": "x" })).await;
        assert_eq!(status, wanted, "{body}");
        assert_eq!(body["statusCode"], wanted.as_u16(), "{body}");
        assert_eq!(body["code"], "sandbox_refused", "{body}");
        assert!(body["message"].as_str().expect("a message").contains(message), "{body}");
    }
}
