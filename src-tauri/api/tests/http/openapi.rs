//! The OpenAPI document and its page.

use reqwest::StatusCode;
use serde_json::Value;

use crate::world::World;

#[tokio::test]
async fn every_documented_route_exists() {
    let world = World::new().await;
    let operations = world.operations().await;
    assert!(operations.len() > 50, "{}", operations.len());
    for operation in operations {
        let request = world.client.request(operation.method.clone(), operation.url(&world)).bearer_auth(&world.person);
        let answer = request.send().await.expect("an answer");
        assert_ne!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{operation:?}");
        let body: Value = answer.json().await.unwrap_or_default();
        assert_ne!(body["code"], "no_such_route", "{operation:?}");
    }
}

#[tokio::test]
async fn the_documentation_needs_no_token_and_loads_nothing_from_other_servers() {
    let world = World::new().await;
    let page = world.client.get(format!("{}/docs", world.base())).send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::OK, "is the documentation built?");
    let policy = page.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    let html = page.text().await.expect("a page");
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
    let script = html.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
    let asset = world.client.get(format!("{}{script}", world.base())).send().await.expect("an answer");
    assert_eq!(asset.status(), StatusCode::OK, "{script}");
    assert_eq!(asset.headers()["content-type"], "text/javascript; charset=utf-8");

    let elsewhere = world.client.get(format!("{}/docs", world.base())).header("sec-fetch-site", "cross-site");
    assert_eq!(elsewhere.send().await.expect("an answer").status(), StatusCode::FORBIDDEN);
}
