//! Webhooks and the log of their deliveries (contract section 5), as clients see them.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::StatusCode as Answered, routing::post};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

/// A target that answers with the status that is set, and some words.
struct Target {
    url: String,
    status: Arc<Mutex<u16>>,
}

impl Target {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
        let status = Arc::new(Mutex::new(200));
        let answer = async |State(status): State<Arc<Mutex<u16>>>| {
            let status = *status.lock().expect("not poisoned");
            (Answered::from_u16(status).expect("a status"), "we are closed")
        };
        let router = Router::new().route("/hook", post(answer)).with_state(Arc::clone(&status));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, status }
    }

    fn answer_with(&self, status: u16) {
        *self.status.lock().expect("not poisoned") = status;
    }
}

fn id(of: &Value) -> String {
    of["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_webhook_is_changed_field_by_field() {
    let world = World::new().await;
    let hook = world.post("/webhook", json!({ "target_url": "http://127.0.0.1:9/", "event_types": ["test"] })).await;
    assert_eq!((&hook["signature_format"], &hook["disabled_at"]), (&json!("base64"), &Value::Null), "{hook}");
    let path = format!("/webhook/{}", id(&hook));
    let mut expected = hook.clone();
    expected.as_object_mut().expect("an object").remove("secret");
    for (change, field, value) in [
        (json!({ "is_active": false }), "is_active", json!(false)),
        (
            json!({ "event_types": ["record:*", "api_token:created"] }),
            "event_types",
            json!(["record:*", "api_token:created"]),
        ),
        (json!({ "event_types": null }), "event_types", Value::Null),
        (json!({ "target_url": "https://example.com/hook" }), "target_url", json!("https://example.com/hook")),
        (json!({ "signature_format": "hex" }), "signature_format", json!("hex")),
        (json!({ "is_active": true }), "is_active", json!(true)),
        (json!({}), "is_active", json!(true)),
    ] {
        let (status, changed) = world.ask(Method::PATCH, &path, change.clone()).await;
        assert_eq!(status, StatusCode::OK, "{change}: {changed}");
        expected[field] = value;
        expected["updated_at"] = changed["updated_at"].clone();
        assert_eq!(changed, expected, "{change}");
        assert_eq!(world.get(&path).await, expected, "{change}");
    }
    for (change, code) in [
        (json!({ "target_url": "http://example.com/" }), "target_url_invalid"),
        (json!({ "target_url": "https://10.1.2.3/" }), "target_url_private"),
        (json!({ "event_types": [] }), "event_types_empty"),
        (json!({ "event_types": ["nonsense"] }), "unknown_event"),
        (json!({ "signature_format": "rot13" }), "body_invalid"),
    ] {
        let (status, refused) = world.ask(Method::PATCH, &path, change.clone()).await;
        assert_eq!((status, refused["code"].as_str()), (StatusCode::BAD_REQUEST, Some(code)), "{change}");
    }
    let (status, _) = world.ask(Method::PATCH, "/webhook/0b9c1f4e-7a52-4c0d-9d55-3f0f8a6c7b21", json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(world.get(&path).await, expected, "refusals change nothing");
}

#[tokio::test]
async fn only_the_person_gives_consent_to_a_private_target_of_a_webhook() {
    let world = World::new().await;
    let hook = world.post("/webhook", json!({ "target_url": "http://127.0.0.1:9/" })).await;
    let path = format!("/relink/webhooks/{}", id(&hook));
    let change = json!({ "target_url": "https://10.1.2.3/", "allow_private": true });
    let (status, refused) = world.ask(Method::PATCH, &path, change.clone()).await;
    assert_eq!((status, refused["code"].as_str()), (StatusCode::FORBIDDEN, Some("forbidden")), "{refused}");
    let (status, changed) = world.as_person(Method::PATCH, &path, change).await;
    assert_eq!((status, changed["target_url"].as_str()), (StatusCode::OK, Some("https://10.1.2.3/")), "{changed}");
}

#[tokio::test]
async fn webhooks_are_listed_by_id_and_environment() {
    let world = World::new().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(world.post("/webhook", json!({ "target_url": "http://127.0.0.1:9/" })).await);
    }
    let environment = made[0]["environment_id"].as_str().expect("an id").to_owned();
    let (first, third) = (id(&made[0]), id(&made[2]));
    for (query, expected) in [
        (format!("ids={first},{third}"), vec![first.clone(), third.clone()]),
        (format!("ids[]={first}&ids[]={third}"), vec![first.clone(), third.clone()]),
        (format!("ids={third}&is_active=false"), vec![]),
        (format!("environment_id={environment}&ids={first}"), vec![first.clone()]),
    ] {
        let found = world.get(&format!("/webhook?{query}&sort=created_at")).await;
        let found: Vec<_> = found["result"].as_array().expect("a list").iter().map(id).collect();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn a_test_succeeds_or_says_what_the_target_said() {
    let (world, target) = (World::new().await, Target::start().await);
    let hook = world.post("/webhook", json!({ "target_url": target.url, "is_active": false })).await;
    let tested = world.post("/webhook/test", json!({ "id": id(&hook) })).await;
    assert_eq!(tested, json!({ "success": true }));
    target.answer_with(503);
    let (status, failed) = world.ask(Method::POST, "/webhook/test", json!({ "id": id(&hook) })).await;
    assert_eq!((status, failed["code"].as_str()), (StatusCode::BAD_GATEWAY, Some("undelivered")), "{failed}");
    let said = "The webhook's target answered with 503 Service Unavailable, and said: we are closed.";
    assert_eq!(failed["message"], said);
    let gone = world.post("/webhook", json!({ "target_url": "http://127.0.0.1:9/" })).await;
    let (status, failed) = world.ask(Method::POST, "/webhook/test", json!({ "id": id(&gone) })).await;
    assert_eq!((status, failed["code"].as_str()), (StatusCode::BAD_GATEWAY, Some("undelivered")), "{failed}");
}

#[tokio::test]
async fn the_log_of_deliveries_shows_requests_and_responses_and_replays_them() {
    let (world, target) = (World::new().await, Target::start().await);
    let hook = world.post("/webhook", json!({ "target_url": target.url, "is_active": false })).await;
    for status in [200, 500, 200] {
        target.answer_with(status);
        world.ask(Method::POST, "/webhook/test", json!({ "id": id(&hook) })).await;
    }
    let log = format!("/relink/webhooks/{}/deliveries", id(&hook));
    let all = world.get(&log).await;
    let states: Vec<_> = all["result"].as_array().expect("a list").iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, ["delivered", "failed", "delivered"]);
    let first = world.get(&format!("{log}?limit=2")).await;
    let cursor = first["next_cursor"].as_str().expect("more");
    let second = world.get(&format!("{log}?limit=2&next_cursor={cursor}")).await;
    assert_eq!((&second["result"], &second["next_cursor"]), (&json!([all["result"][2]]), &Value::Null));
    assert_eq!(world.get(&format!("{log}?state=failed")).await["result"], json!([all["result"][1]]));
    for bad in ["state=lost", "next_cursor=x", "limit=0"] {
        assert_eq!(
            world.ask(Method::GET, &format!("{log}?{bad}"), Value::Null).await.0,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }

    let failed = &all["result"][1];
    let shown = world.get(&format!("{log}/{}", id(failed))).await;
    assert_eq!((&shown["event"], &shown["last_status"]), (&json!("test"), &json!(500)), "{shown}");
    let body: Value = serde_json::from_str(shown["request_body"].as_str().expect("text")).expect("JSON");
    assert_eq!((&body["event_type"], &body["id"]), (&json!("test"), &failed["event_id"]));
    let attempt = &shown["attempts"][0];
    assert_eq!((&attempt["target_url"], &attempt["response"]["body"]), (&json!(target.url), &json!("we are closed")));
    assert_eq!(attempt["request_headers"]["webhook-id"], failed["event_id"]);
    let secret = hook["secret"].as_str().expect("a secret");
    assert!(!shown.to_string().contains(secret), "{shown}");

    let other = world.post("/webhook", json!({ "target_url": target.url })).await;
    let foreign = format!("/relink/webhooks/{}/deliveries/{}", id(&other), id(failed));
    assert_eq!(world.ask(Method::GET, &foreign, Value::Null).await.0, StatusCode::NOT_FOUND, "it is another's");
    let replay = format!("{foreign}/replay");
    assert_eq!(world.ask(Method::POST, &replay, Value::Null).await.0, StatusCode::NOT_FOUND, "it is another's");
    let replayed = world.post(&format!("{log}/{}/replay", id(failed)), Value::Null).await;
    assert_eq!(replayed, json!({ "success": true }));
    assert_eq!(world.get(&format!("/webhook/{}", id(&hook))).await["is_active"], true);
}
