//! Each attack of the threat model that reaches this surface.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

async fn status_with(world: &World, path: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = world.client.get(format!("{}{path}", world.base())).bearer_auth(&world.token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn dns_rebinding_a_name_that_leads_here_gets_no_answer() {
    let world = World::new().await;
    for path in ["/ping", "/integrated-account", "/connect-account", "/oauth/callback/x"] {
        assert_eq!(status_with(&world, path, &[("host", "evil.example:7417")]).await, 421, "{path}");
    }
}

#[tokio::test]
async fn a_web_page_of_another_origin_gets_no_answer_even_with_a_token() {
    let world = World::new().await;
    for path in ["/ping", "/integrated-account", "/connect-account/session"] {
        assert_eq!(status_with(&world, path, &[("origin", "https://evil.example")]).await, 403, "{path}");
        let hidden = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")];
        assert_eq!(status_with(&world, path, &hidden).await, 403, "{path}");
    }
}

#[tokio::test]
async fn no_answer_allows_another_origin_to_read_it() {
    let world = World::new().await;
    for path in routes().iter().map(String::as_str).chain(["/ping", "/connect-account", "/nowhere"]) {
        let url = format!("{}{path}", world.base());
        let preflight = world
            .client
            .request(Method::OPTIONS, &url)
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        for request in [world.client.get(&url).bearer_auth(&world.token), preflight] {
            let answer = request.send().await.expect("an answer");
            let allows = answer.headers().keys().find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(allows, None, "{path}");
        }
    }
}

/// Every path that the surface's modules serve behind a token, read from their sources: none can be forgotten here.
fn routes() -> Vec<String> {
    let sources = [
        include_str!("../../src/accounts.rs"),
        include_str!("../../src/catalogue.rs"),
        include_str!("../../src/events.rs"),
        include_str!("../../src/links.rs"),
        include_str!("../../src/tokens.rs"),
        include_str!("../../src/webhooks.rs"),
    ];
    let paths = sources.iter().flat_map(|source| source.split(".route(\"").skip(1));
    let paths = paths.filter_map(|rest| rest.split('"').next()).map(|path| path.replace(['{', '}', '*'], ""));
    paths.collect()
}

#[tokio::test]
async fn without_a_known_token_every_route_is_shut() {
    let world = World::new().await;
    let routes = routes();
    assert!(routes.len() > 25, "{routes:?}");
    for path in routes {
        let mut shut = 0;
        for method in [Method::GET, Method::POST, Method::PATCH, Method::DELETE] {
            for token in [None, Some("wrong"), Some("")] {
                let mut request = world.client.request(method.clone(), format!("{}{path}", world.base()));
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let answer = request.send().await.expect("an answer");
                if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
                    continue;
                }
                assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method} {path} {token:?}");
                let body: Value = answer.json().await.expect("JSON");
                assert_eq!(body["statusCode"], 401);
                shut += 1;
            }
        }
        assert!(shut > 0, "{path} has no method");
    }
}

#[tokio::test]
async fn a_revoked_token_is_shut_out_at_once() {
    let world = World::new().await;
    let made = world.post("/relink/api-tokens", json!({ "name": "short" })).await;
    let token = made["token"].as_str().expect("shown once").to_owned();
    let status = async || {
        world
            .client
            .get(format!("{}/webhook", world.base()))
            .bearer_auth(&token)
            .send()
            .await
            .expect("an answer")
            .status()
    };
    assert_eq!(status().await, StatusCode::OK);
    let (gone, _) = world
        .ask(Method::DELETE, &format!("/relink/api-tokens/{}", made["id"].as_str().expect("an id")), Value::Null)
        .await;
    assert_eq!(gone, StatusCode::OK);
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_oversized_body_is_refused() {
    let world = World::new().await;
    let body = json!({ "tenant_id": "x".repeat(2 * 1024 * 1024) });
    let (status, _) = world.ask(Method::POST, "/link-token", body).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn oversized_headers_are_refused() {
    let world = World::new().await;
    let request = format!("GET /ping HTTP/1.1\r\nHost: {}\r\nX: {}\r\n\r\n", world.host(), "x".repeat(64 * 1024));
    let answer = world.raw(request.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer:.60}");
}

#[tokio::test]
async fn a_slow_client_is_let_go_and_hurts_nobody() {
    let world = World::new().await;
    let slow = world.raw(b"GET /ping HT");
    tokio::pin!(slow);
    tokio::select! {
        biased;
        slow = &mut slow => panic!("the slow one was served first: {slow}"),
        _ = world.get("/integrated-account") => {}
    }
    let slow = slow.await;
    assert!(!slow.contains("200 OK"), "{slow}");
}

#[tokio::test]
async fn two_hosts_or_none_are_refused() {
    let world = World::new().await;
    let host = world.host();
    for request in [
        format!("GET /ping HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n"),
        "GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        "GET http://evil.example/ping HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_owned(),
    ] {
        let answer = world.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{request} {answer:.80}");
    }
}

#[tokio::test]
async fn a_flow_opens_to_nobody_without_its_key() {
    let world = World::new().await;
    world.sandbox().await;
    let link = world.post("/link-token", json!({ "tenant_id": "acme-1" })).await;
    let flow = world.begin(&link, json!({ "integration": "sandbox", "format": "oauth2" })).await;
    let id = flow["id"].as_str().expect("an id");
    for key in ["", "wrong"] {
        let url = format!("{}/connect-account/flows/{id}", world.base());
        let answer = world.client.get(url).header("x-relink-flow-key", key).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_redirect_uri_that_is_not_listed_to_the_letter_is_refused() {
    let world = World::new().await;
    let link = async |uri: &str| {
        world.ask(Method::POST, "/link-token", json!({ "tenant_id": "acme-1", "redirect_uri": uri })).await
    };
    let listed = json!({ "redirect_uris": ["https://app.example/done"] });
    let (status, body) = world.ask(Method::PUT, "/relink/redirect-uris", listed.clone()).await;
    assert_eq!((status, &body), (StatusCode::OK, &listed));
    assert_eq!(world.get("/relink/redirect-uris").await, listed);
    assert_eq!(link("https://app.example/done").await.0, StatusCode::OK);
    for other in
        ["https://evil.example/", "https://app.example/done/", "https://app.example/done?x", "HTTPS://app.example/done"]
    {
        let (status, body) = link(other).await;
        assert_eq!(
            (status, body["code"].as_str()),
            (StatusCode::BAD_REQUEST, Some("redirect_uri_not_listed")),
            "{other}"
        );
    }
}

#[tokio::test]
async fn what_no_browser_should_be_sent_to_is_not_listed() {
    let world = World::new().await;
    for unfit in
        ["javascript:alert(1)", "data:text/html,x", "http://app.example/", "//evil.example", "https://a@b.example/"]
    {
        let (status, body) = world.ask(Method::PUT, "/relink/redirect-uris", json!({ "redirect_uris": [unfit] })).await;
        assert_eq!((status, body["code"].as_str()), (StatusCode::BAD_REQUEST, Some("redirect_uri_unfit")), "{unfit}");
    }
    assert_eq!(world.get("/relink/redirect-uris").await["redirect_uris"], json!([]));
}

#[tokio::test]
async fn an_error_never_repeats_what_was_sent() {
    let world = World::new().await;
    let (status, body) =
        world.ask(Method::POST, "/relink/integrations/github/client", json!({ "id": ["canary-secret"] })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!body.to_string().contains("canary-secret"), "{body}");
}
