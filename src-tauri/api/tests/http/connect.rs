//! The connect UI's own API and pages.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

async fn session(world: &World, token: &str) -> (StatusCode, Value) {
    let url = format!("{}/connect-account/session", world.base());
    let answer = world.client.get(url).header("x-relink-link-token", token).send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn the_page_of_an_unknown_link_is_404_and_the_session_has_the_reason() {
    let world = World::new().await;
    let page = world
        .client
        .get(format!("{}/connect-account?link_token=nonsense", world.base()))
        .send()
        .await
        .expect("an answer");
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    let (status, body) = session(&world, "nonsense").await;
    assert_eq!((status, body["code"].as_str()), (StatusCode::NOT_FOUND, Some("link_token_unknown")));
    assert!(body["title"].is_string() && body["hint"].is_string());
}

#[tokio::test]
async fn the_page_loads_only_our_own_files() {
    let world = World::new().await;
    let link = world.post("/link-token", json!({ "tenant_id": "a" })).await;
    let url = format!("{}/connect-account?link_token={}", world.base(), link["link_token"].as_str().expect("a token"));
    let page = world.client.get(url).send().await.expect("an answer");
    let header =
        |name: &str| page.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    assert_eq!(page.status(), StatusCode::OK, "is the connect UI built?");
    assert!(header("content-security-policy").starts_with("default-src 'none'"));
    assert!(header("content-security-policy").contains("frame-ancestors 'none'"));
    assert_eq!((header("cache-control").as_str(), header("referrer-policy").as_str()), ("no-store", "same-origin"));
}

#[tokio::test]
async fn a_whole_sign_in_by_the_loopback_redirect() {
    let world = World::new().await;
    world.sandbox().await;
    let link = world.post("/link-token", json!({ "tenant_id": "acme-1" })).await;
    let token = link["link_token"].as_str().expect("a token").to_owned();
    let (_, shown) = session(&world, &token).await;
    let sandbox =
        shown["integrations"].as_array().expect("a list").iter().find(|it| it["name"] == "sandbox").expect("offered");
    assert_eq!(sandbox["methods"][0]["format"], "oauth2");
    assert_eq!(shown["purpose"], "connect");

    let flow = world.begin(&link, json!({ "integration": "sandbox", "format": "oauth2" })).await;
    assert_eq!((flow["phase"].as_str(), flow["redirect"].as_str()), (Some("waiting"), Some("loopback")));
    let callback = consent(&world, flow["authorize_url"].as_str().expect("a URL")).await;
    let landed = world.client.get(&callback).send().await.expect("an answer");
    assert_eq!(landed.status(), StatusCode::SEE_OTHER);
    let location = landed.headers()["location"].to_str().expect("text").to_owned();
    assert!(location.starts_with("/connect-account/return?flow="), "the code leaves the address bar: {location}");

    let ended = world.until_ended(&flow).await;
    assert_eq!(ended["phase"], "succeeded", "{ended}");
    assert_eq!(ended["outcome"]["account"]["identity"], "Ada Lovelace");
    let (status, used) = session(&world, &token).await;
    assert_eq!((status, used["code"].as_str()), (StatusCode::NOT_FOUND, Some("link_token_used")));

    let again = world.client.get(&callback).send().await.expect("an answer");
    assert_eq!(again.status(), StatusCode::BAD_REQUEST, "a replay");
    assert_eq!(newest_refusal(&world).await, json!({ "code": "state_used", "by": "by a connection link" }));
    let invented = format!("{}/oauth/callback/sandbox?code=c&state=invented", world.base());
    let refused = world.client.get(&invented).send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(newest_refusal(&world).await, json!({ "code": "state_unknown", "by": null }));
}

/// The refused callback that the timeline begins with, and who it names.
async fn newest_refusal(world: &World) -> Value {
    let newest = world.get("/relink/timeline?limit=1").await["result"][0].clone();
    assert_eq!(newest["kind"], "callback_refused", "{newest}");
    json!({ "code": newest["event"]["code"], "by": newest["by"] })
}

/// Says yes on the consent page.
async fn consent(world: &World, url: &str) -> String {
    let html = world.client.get(url).send().await.expect("an answer").text().await.expect("html");
    let id =
        html.split("name=\"consent\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a consent id");
    let origin = url.split("/authorize").next().expect("an origin");
    let form = [("consent", id), ("person", "ada"), ("decision", "allow")];
    let answer = world.client.post(format!("{origin}/authorize")).form(&form).send().await.expect("an answer");
    answer.headers()["location"].to_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_refused_field_is_named() {
    let world = World::new().await;
    world.sandbox().await;
    let link = world.post("/link-token", json!({ "tenant_id": "a" })).await;
    let refused = world.begin(&link, json!({ "integration": "sandbox", "format": "api_key", "fields": {} })).await;
    assert_eq!((refused["statusCode"].as_u64(), refused["field"].as_str()), (Some(400), Some("api_key")));
}

#[tokio::test]
async fn the_sandbox_runs_only_while_it_is_installed() {
    let world = World::new().await;
    let before = world.as_person(Method::GET, "/relink/sandbox/control", Value::Null).await;
    assert_eq!((before.0, before.1["code"].as_str()), (StatusCode::NOT_FOUND, Some("sandbox_not_installed")));
    world.sandbox().await;
    let base = world.get("/relink/status").await["sandbox"]["base_url"].as_str().expect("it runs").to_owned();
    assert!(base.starts_with("http://127.0.0.1:"));
    world.post("/relink/integrations/sandbox/uninstall", json!({})).await;
    assert_eq!(world.get("/relink/status").await["sandbox"], Value::Null);
    world.client.get(&base).send().await.expect_err("nobody listens there any more");
}
