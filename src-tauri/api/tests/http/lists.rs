//! Lists and their filters, and the texts that may be stored.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

/// The values of a field in a list.
async fn listed(world: &World, path: &str, field: &str) -> Vec<String> {
    let list = world.get(path).await;
    let result = list["result"].as_array().unwrap_or_else(|| panic!("{path}: {list}"));
    result.iter().map(|item| item[field].as_str().expect("text").to_owned()).collect()
}

#[tokio::test]
async fn integrations_are_filtered_by_their_fields() {
    let world = World::new().await;
    let key = json!({ "fields": [{ "name": "api_key", "type": "password", "required": true }] });
    let config = json!({
        "label": "Acme", "base_url": "https://api.example.com", "credentials": { "format": "api_key", "config": key },
    });
    world.post("/integration", json!({ "name": "acme", "config": config })).await;
    let everything = listed(&world, "/integration", "name").await;
    assert!(everything.len() >= 5, "{everything:?}");
    for (query, count) in [
        ("name=github", 1),
        ("name[eq]=github", 1),
        ("name[in]=github,google", 2),
        ("name[in][]=github&name[in][]=google", 2),
        ("name[nin]=github,google", everything.len() - 2),
        ("name[ne]=github", everything.len() - 1),
        ("name[like]=g%25", 2),
        ("name[ilike]=GIT%25", 1),
        ("name[like]=git_ub", 1),
        ("name[exists]=true", everything.len()),
        ("name[exists]=false", 0),
        ("name=nothing", 0),
        ("name=", everything.len()),
        ("category[exists]=true", everything.len() - 1),
        ("category[exists]=false", 1),
        ("category[ne]=nothing", everything.len()),
        ("sharing=ask", everything.len()),
        ("sharing=deny", 0),
        ("unknown=x", everything.len()),
        ("created_at[gt]=2099-01-01", 0),
        ("created_at[lt]=2099-01-01T00:00:00", everything.len()),
    ] {
        let found = listed(&world, &format!("/integration?{query}"), "name").await;
        assert_eq!(found.len(), count, "{query}: {found:?}");
    }
    let (status, refused) = world.ask(Method::GET, "/integration?name[about]=x", Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(refused["message"].as_str().is_some_and(|message| message.contains("name[about]")), "{refused}");
}

#[tokio::test]
async fn installed_integrations_are_filtered_by_their_fields() {
    let world = World::new().await;
    world.sandbox().await;
    world.post("/relink/integrations/github/install", json!({})).await;
    let all = world.get("/environment-integration").await["result"].clone();
    let count = all.as_array().map_or(0, Vec::len);
    assert!(count >= 2, "{all}");
    assert_eq!((all[0]["is_active"].clone(), all[0]["is_enabled"].clone()), (json!(true), json!(true)));
    let (of, own) =
        (all[0]["integration_id"].as_str().expect("an id"), all[0]["environment_id"].as_str().expect("an id"));
    for (query, count) in [
        (format!("integration_id={of}"), 1),
        (format!("integration_id[ne]={of}"), count - 1),
        ("integration_id=none".to_owned(), 0),
        ("is_active=true".to_owned(), count),
        ("is_enabled=false".to_owned(), 0),
        (format!("environment_id={own}"), count),
        (format!("environment_id={own}&integration_id={of}"), 1),
    ] {
        let found = listed(&world, &format!("/environment-integration?{query}"), "id").await;
        assert_eq!(found.len(), count, "{query}");
    }
}

#[tokio::test]
async fn accounts_are_filtered_by_the_environment_and_by_a_feature_that_none_has() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme-1").await;
    let own = world.get("/relink/status").await["environment_id"].as_str().expect("an id").to_owned();
    let other = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    for (query, is_found) in [
        (format!("environment_id={own}"), true),
        (format!("environment_id[eq]={own}"), true),
        (format!("environment_id[in]={other},{own}"), true),
        (format!("environment_id[ne]={other}"), true),
        ("environment_id[exists]=true".to_owned(), true),
        (format!("environment_id[in]={other}"), false),
        (format!("environment_id[in][]={other}"), false),
        (format!("environment_id[]={other}"), false),
        (format!("environment_id[ne]={own}"), false),
        (format!("environment_id[nin]={own}"), false),
        ("environment_id[exists]=false".to_owned(), false),
        ("features.super_query=true".to_owned(), false),
        ("features.super_query[in]=true,false".to_owned(), false),
        ("features.super_query[exists]=false".to_owned(), true),
    ] {
        let found = listed(&world, &format!("/integrated-account?{query}"), "id").await;
        assert_eq!(found, if is_found { vec![account.clone()] } else { vec![] }, "{query}");
    }
}

#[tokio::test]
async fn every_list_is_filtered_by_its_times() {
    let world = World::new().await;
    world.sandbox().await;
    world.account("acme-1").await;
    for path in ["/integrated-account", "/integration", "/environment-integration", "/api-token", "/relink/links"]
        .into_iter()
        .chain(["/environment", "/team", "/user", "/category", "/sandbox-integrated-account"])
    {
        let count = async |query: &str| {
            let (status, list) = world.as_person(Method::GET, &format!("{path}?{query}"), Value::Null).await;
            assert_eq!(status, StatusCode::OK, "{path}?{query}: {list}");
            list["result"].as_array().map(Vec::len)
        };
        let all = count("").await;
        assert!(all > Some(0), "{path}");
        for field in ["created_at", "updated_at"] {
            assert_eq!(count(&format!("{field}[lt]=2099-01-01")).await, all, "{path} {field}");
            assert_eq!(count(&format!("{field}[gt]=2099-01-01")).await, Some(0), "{path} {field}");
        }
    }
}

#[tokio::test]
async fn lists_are_newest_first_and_sorted_on_request() {
    let world = World::new().await;
    let mut made = Vec::new();
    for n in 0..3 {
        let hook = json!({ "target_url": format!("http://127.0.0.1:9/{n}"), "is_active": n != 1 });
        made.push(world.post("/webhook", hook).await["id"].as_str().expect("an id").to_owned());
    }
    let newest_first: Vec<_> = made.iter().rev().cloned().collect();
    for sort in ["", "?sort=-created_at", "?sort=-updated_at", "?is_active[exists]=true"] {
        assert_eq!(listed(&world, &format!("/webhook{sort}"), "id").await, newest_first, "{sort}");
    }
    assert_eq!(listed(&world, "/webhook?sort=created_at", "id").await, made);
    assert_eq!(listed(&world, "/webhook?is_active=false", "id").await, [made[1].clone()]);
    let (status, _) = world.ask(Method::GET, "/webhook?sort=name", Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    world.sandbox().await;
    let mut accounts = Vec::new();
    for tenant in ["a", "b", "c", "d"] {
        accounts.push(world.account(tenant).await);
    }
    let newest_first: Vec<_> = accounts.iter().rev().cloned().collect();
    assert_eq!(listed(&world, "/integrated-account", "id").await, newest_first);
    assert_eq!(listed(&world, "/integrated-account?sort=created_at", "id").await, accounts);
    let touched = format!("/integrated-account/{}", accounts[1]);
    let (status, _) = world.ask(Method::PATCH, &touched, json!({ "context": { "a": 1 } })).await;
    assert_eq!(status, StatusCode::OK);
    let by_update = listed(&world, "/integrated-account?sort=-updated_at", "id").await;
    assert_eq!((by_update.len(), &by_update[0]), (4, &accounts[1]));
    assert_eq!(listed(&world, "/integrated-account?tenant_id[like]=%25", "id").await.len(), 4);
    assert_eq!(listed(&world, "/integrated-account?integration.name[in]=sandbox,github", "id").await.len(), 4);
    assert_eq!(listed(&world, "/integrated-account?integration.name[ne]=sandbox", "id").await.len(), 0);
    assert_eq!(listed(&world, "/integrated-account?status[nin][]=active", "id").await.len(), 0);
    assert_eq!(listed(&world, "/integrated-account?tenant_id[gte]=b&tenant_id[lt]=d", "id").await.len(), 2);
    assert_eq!(listed(&world, "/integrated-account?is_sandbox=true&created_at[gte]=2021-01-01", "id").await.len(), 4);
}

#[tokio::test]
async fn a_cursor_keeps_its_place_while_accounts_come_and_go() {
    let world = World::new().await;
    world.sandbox().await;
    let mut accounts = Vec::new();
    for tenant in ["a", "b", "c", "d"] {
        accounts.push(world.account(tenant).await);
    }
    for sort in ["-created_at", "created_at", "-updated_at", "updated_at"] {
        let all = listed(&world, &format!("/integrated-account?sort={sort}"), "id").await;
        let first = world.get(&format!("/integrated-account?sort={sort}&limit=2")).await;
        let cursor = first["next_cursor"].as_str().expect("more").to_owned();
        let newer = world.account("newer").await;
        let (status, _) = world.ask(Method::DELETE, &format!("/integrated-account/{}", all[1]), Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        let mut rest = listed(&world, &format!("/integrated-account?sort={sort}&next_cursor={cursor}"), "id").await;
        rest.retain(|id| *id != newer);
        assert_eq!(rest, all[2..], "{sort}");
        let other = if sort.starts_with('-') { "updated_at" } else { "-updated_at" };
        let mixed = format!("/integrated-account?sort={other}&next_cursor={cursor}");
        assert_eq!(world.ask(Method::GET, &mixed, Value::Null).await.0, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn another_environment_is_refused() {
    let world = World::new().await;
    let own = world.get("/relink/status").await["environment_id"].as_str().expect("an id").to_owned();
    let other = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    for (environment, expected) in
        [(own.as_str(), StatusCode::OK), (other, StatusCode::FORBIDDEN), ("", StatusCode::OK)]
    {
        for path in [
            "/integrated-account",
            "/webhook",
            "/integration",
            "/api-token",
            "/relink/accounts",
            "/environment-integration",
        ] {
            let (status, body) =
                world.ask(Method::GET, &format!("{path}?environment_id={environment}"), Value::Null).await;
            assert_eq!(status, expected, "{path} {environment}: {body}");
        }
        let link = json!({ "tenant_id": "acme-1", "environment_id": environment });
        assert_eq!(world.ask(Method::POST, "/link-token", link).await.0, expected, "{environment}");
        let hook = json!({ "target_url": "http://127.0.0.1:9/", "environment_id": environment });
        let (status, body) = world.ask(Method::POST, "/webhook", hook).await;
        assert_eq!(status, expected, "{environment}: {body}");
        assert_eq!(body["code"] == "foreign_environment", expected == StatusCode::FORBIDDEN);
    }
    assert_eq!(listed(&world, "/webhook", "id").await.len(), 2, "the refused one wasn't created");
}

#[tokio::test]
async fn every_text_that_a_caller_stores_is_bounded_and_without_control_characters() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme-1").await;
    let long = "x".repeat(1000 * 1000);
    let link = |fields: Value| {
        let mut body = json!({ "tenant_id": "acme-1" });
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        (Method::POST, "/link-token".to_owned(), body)
    };
    let patch =
        |context: Value| (Method::PATCH, format!("/integrated-account/{account}"), json!({ "context": context }));
    let rename = |name: &str| (Method::POST, format!("/relink/accounts/{account}/rename"), json!({ "name": name }));
    let token = |name: &str| (Method::POST, "/relink/api-tokens".to_owned(), json!({ "name": name }));
    let hook = |url: &str, event: &str| {
        (Method::POST, "/webhook".to_owned(), json!({ "target_url": url, "event_types": [event] }))
    };
    let redirects = |uris: Value| (Method::PUT, "/relink/redirect-uris".to_owned(), json!({ "redirect_uris": uris }));
    let client = |id: &str| (Method::POST, "/relink/integrations/github/client".to_owned(), json!({ "id": id }));
    world.post("/relink/integrations/github/install", json!({})).await;
    let many: Vec<_> = (0..500).map(|n| format!("https://app.example/{n}")).collect();
    for (method, path, body) in [
        link(json!({ "tenant_id": long })),
        link(json!({ "tenant_id": "acme\0" })),
        link(json!({ "tenant_id": "acme\n" })),
        link(json!({ "tenant_id": "\u{1b}[31macme" })),
        link(json!({ "tenant_id": "acme\u{9b}" })),
        link(json!({ "scopes": [long] })),
        link(json!({ "scopes": ["a b"] })),
        link(json!({ "scopes": ["a\0"] })),
        link(json!({ "scopes": vec!["a"; 1000] })),
        link(json!({ "region": long })),
        link(json!({ "region": "mars" })),
        link(json!({ "context": { "note": long } })),
        link(json!({ "context": { "note": "\0" } })),
        link(json!({ "context": { "note": ["\u{1b}"] } })),
        link(json!({ "context": { "a\0": 1 } })),
        link(json!({ "redirect_uri": long })),
        patch(json!({ "note": long })),
        patch(json!({ "note": { "deep": "\0" } })),
        rename(&long),
        rename("a\0b"),
        token(&long),
        token("a\nb"),
        hook(&format!("https://example.com/{long}"), "test"),
        hook("https://example.com/\0", "test"),
        hook("https://example.com/", &long),
        hook("https://example.com/", "test\0"),
        redirects(json!([format!("https://example.com/{long}")])),
        redirects(json!(["https://example.com/\0"])),
        redirects(json!(many)),
        client(&long),
        client("a\0b"),
    ] {
        let (status, answer) = world.as_person(method.clone(), &path, body.clone()).await;
        let sent: String = body.to_string().chars().take(80).collect();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {path} {sent}: {answer}");
        assert!(answer.to_string().len() < 2000, "{method} {path} {sent} is repeated");
    }
    for (method, path, body) in [
        link(json!({ "tenant_id": "x".repeat(255) })),
        link(json!({ "tenant_id": "Ünïcode & 東京", "scopes": ["https://a.example/b"], "region": "eu" })),
        link(json!({ "context": { "note": "two\nlines\tand a tab" } })),
        patch(json!({ "note": "two\r\nlines", "list": [1, null, { "deep": "x" }] })),
    ] {
        let (status, answer) = world.as_person(method, &path, body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    }
    // A context can't grow beyond its limit by many small changes.
    let mut refused = false;
    for n in 0..5 {
        let body = json!({ "context": { format!("part_{n}"): "x".repeat(90 * 1024) } });
        refused |= world.ask(Method::PATCH, &format!("/integrated-account/{account}"), body).await.0
            == StatusCode::BAD_REQUEST;
    }
    assert!(refused, "it grew without a limit");
}

#[tokio::test]
async fn a_webhook_names_events_or_patterns_of_them_and_never_none() {
    let world = World::new().await;
    let hook = |event_types: Value| json!({ "target_url": "http://127.0.0.1:9/", "event_types": event_types });
    let made = world.post("/webhook", hook(json!(["integrated_account:*", "test", "record:*"]))).await;
    assert_eq!(made["event_types"], json!(["integrated_account:*", "test", "record:*"]));
    let shown = world.get(&format!("/webhook/{}", made["id"].as_str().expect("an id"))).await;
    assert_eq!((shown["event_types"].clone(), shown["created_by"].is_string()), (made["event_types"].clone(), true));
    for (bad, code) in [
        (json!([]), "event_types_empty"),
        (json!(["integrated_acount:*"]), "unknown_event"),
        (json!(["test", ""]), "unknown_event"),
        (json!(vec!["test"; 1000]), "event_types_invalid"),
    ] {
        for path in ["/webhook", "/relink/webhooks"] {
            let (status, body) = world.ask(Method::POST, path, hook(bad.clone())).await;
            assert_eq!((status, body["code"].as_str()), (StatusCode::BAD_REQUEST, Some(code)), "{path} {bad}");
            assert_eq!(body["field"], "event_types");
        }
    }
    let (status, all) = world.ask(Method::POST, "/webhook", hook(Value::Null)).await;
    assert_eq!((status, all["event_types"].clone()), (StatusCode::OK, Value::Null));
}
