//! The Sandbox's own resources.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

/// A call with a token of Ada's.
async fn call(world: &World, token: &Value, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let token = token.as_str().expect("a token");
    let mut request = world.http.request(method, world.at(path)).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.expect("a response");
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or_default())
}

async fn signed_in() -> (World, Value) {
    let world = World::new().await;
    let token = world.sign_in().await["access_token"].clone();
    (world, token)
}

fn ids(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
    items.iter().map(|item| item["id"].as_str().expect("an ID")).collect()
}

#[tokio::test]
async fn a_record_is_created_found_changed_and_deleted() {
    let (world, token) = signed_in().await;
    let ask = async |method, path: &str, body| call(&world, &token, method, path, body).await;
    let new = json!({ "title": "New", "assignee_id": "2" });
    let (status, made) = ask(Method::POST, "/api/tickets", Some(new)).await;
    assert_eq!((status, &made["status"], &made["assignee_id"]), (201, &json!("open"), &json!("2")), "{made}");
    let path = format!("/api/tickets/{}", made["id"].as_str().expect("an ID"));
    assert_eq!(ask(Method::GET, &path, None).await, (200, made.clone()));
    let (status, changed) = ask(Method::PATCH, &path, Some(json!({ "status": "closed" }))).await;
    assert_eq!((status, &changed["status"], &changed["title"]), (200, &json!("closed"), &json!("New")));
    let (_, page) = ask(Method::GET, "/api/tickets?status=closed&limit=1", None).await;
    assert_eq!(page["items"], json!([changed]), "the newest first");
    assert_eq!(ask(Method::DELETE, &path, None).await.0, 204);
    let (status, gone) = ask(Method::GET, &path, None).await;
    assert_eq!((status, &gone["error"]), (404, &json!("not_found")));
    assert_eq!(ask(Method::DELETE, "/api/tickets/1001", None).await.0, 204, "one that was there from the beginning");
    assert_eq!(ask(Method::GET, "/api/tickets/1001", None).await.0, 404);
    let (status, refused) = ask(Method::POST, "/api/tickets", Some(json!({ "text": "no title" }))).await;
    assert_eq!((status, &refused["field"]), (422, &json!("title")));
    for (method, path) in [(Method::POST, "/api/users"), (Method::GET, "/api/nothing")] {
        assert_eq!(ask(method, path, None).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_list_has_pages_and_bounds_on_its_times() {
    let (world, token) = signed_in().await;
    let list = async |query: &str| call(&world, &token, Method::GET, &format!("/api/contacts?{query}"), None).await.1;
    let first = list("limit=100").await;
    let next = first["next"].as_str().expect("a cursor");
    let second = list(&format!("limit=100&after={next}")).await;
    assert_eq!((ids(&first).len(), ids(&second).len(), &second["next"]), (100, 20, &Value::Null));
    let (from, to) = ("2025-01-03T09:00:00Z", "2025-01-05T09:00:00Z");
    let found = async |query: String| ids(&list(&query).await).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(found(format!("created_at_gte={from}&created_at_lte={to}")).await, ["3002", "3003", "3004"]);
    assert_eq!(found(format!("updated_at_gt={from}&updated_at_lt={to}")).await, ["3003"]);
    assert_eq!(found("email=contact7@example.com".to_owned()).await, ["3007"]);
    let (status, refused) = call(&world, &token, Method::GET, "/api/contacts?after=nothing", None).await;
    assert_eq!((status, &refused["error"]), (400, &json!("bad_cursor")));
}

#[tokio::test]
async fn every_call_needs_a_token_and_may_fail_on_purpose() {
    let (world, token) = signed_in().await;
    for path in ["/api/tickets", "/api/tickets/1001", "/api/records", "/api/nothing"] {
        assert_eq!(call(&world, &json!("unknown"), Method::GET, path, None).await.0, 401, "{path}");
    }
    world.control("POST", "/control/faults", json!({ "kind": "status_503", "on": "api" })).await;
    assert_eq!(call(&world, &token, Method::GET, "/api/tickets", None).await.0, 503);
    assert_eq!(call(&world, &token, Method::GET, "/api/tickets", None).await.0, 200);
}

#[tokio::test]
async fn there_are_as_many_records_as_are_asked_for() {
    let (world, token) = signed_in().await;
    let list = async |query: &str| call(&world, &token, Method::GET, &format!("/api/records?{query}"), None).await;
    let (_, page) = list("count=1000000&limit=5000&after=995000").await;
    assert_eq!((ids(&page).len(), ids(&page)[4_999], &page["next"]), (5_000, "1000000", &Value::Null));
    let (_, page) = list("count=1000000").await;
    assert_eq!((ids(&page).len(), &page["next"]), (100, &json!("100")));
    for query in ["count=x", "limit=0", "after=-1", "count=5&after=6"] {
        assert_eq!(list(query).await.0, 400, "{query}");
    }
}
