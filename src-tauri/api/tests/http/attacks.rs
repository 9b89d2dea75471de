//! Each attack of the threat model that reaches the HTTP server.

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
async fn dns_rebinding_another_name_of_this_machine_is_refused() {
    let world = World::new().await;
    for path in ["/ping", "/integrated-account", "/connect-account", "/oauth/callback/x"] {
        assert_eq!(status_with(&world, path, &[("host", "evil.example:7417")]).await, 421, "{path}");
    }
}

#[tokio::test]
async fn a_web_page_of_another_origin_is_refused_even_with_a_token() {
    let world = World::new().await;
    for path in ["/ping", "/integrated-account", "/connect-account/session"] {
        assert_eq!(status_with(&world, path, &[("origin", "https://evil.example")]).await, 403, "{path}");
        let hidden = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")];
        assert_eq!(status_with(&world, path, &hidden).await, 403, "{path}");
    }
}

#[tokio::test]
async fn no_response_allows_another_origin_to_read_it() {
    let world = World::new().await;
    let documented = world.operations().await.into_iter().map(|operation| operation.url(&world));
    for url in documented.chain([format!("{}/nowhere", world.base())]) {
        let preflight = world
            .client
            .request(Method::OPTIONS, &url)
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        for request in [world.client.get(&url).bearer_auth(&world.token), preflight] {
            let answer = request.send().await.expect("an answer");
            let allows = answer.headers().keys().find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(allows, None, "{url}");
        }
    }
}

#[tokio::test]
async fn every_route_refuses_a_request_without_a_known_token_unless_it_is_documented_as_open() {
    let world = World::new().await;
    let mut guarded = 0;
    for operation in world.operations().await {
        for token in [None, Some("wrong"), Some("")] {
            let mut request = world.client.request(operation.method.clone(), operation.url(&world));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let answer = request.send().await.expect("an answer");
            let is_refused = answer.status() == StatusCode::UNAUTHORIZED;
            assert_eq!(is_refused, operation.is_guarded, "{operation:?} {token:?}");
            if is_refused {
                guarded += 1;
                // The response to HEAD has no body.
                if operation.method == Method::HEAD {
                    continue;
                }
                let body: Value = answer.json().await.expect("JSON");
                assert_eq!(body["statusCode"], 401);
            }
        }
    }
    assert!(guarded > 3 * 30, "{guarded}");
}

#[tokio::test]
async fn only_what_a_browser_or_a_provider_opens_is_open() {
    let world = World::new().await;
    let open = world.operations().await.into_iter().filter(|operation| !operation.is_guarded);
    let mut paths: Vec<_> = open.map(|operation| operation.path).filter(|path| !path.contains("/flows")).collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "/connect-account",
            "/connect-account/assets/{file}",
            "/connect-account/form",
            "/connect-account/form",
            "/connect-account/form/options",
            "/connect-account/open",
            "/connect-account/open/{nonce}",
            "/connect-account/openings",
            "/connect-account/post-connect",
            "/connect-account/post-connect/open/{nonce}",
            "/connect-account/return",
            "/connect-account/return-test/{name}",
            "/connect-account/return-test/{name}/back",
            "/connect-account/session",
            "/docs",
            "/docs/assets/{file}",
            "/environment-integration-webhook/{id}",
            "/integrated-account-webhook/{id}",
            "/oauth/callback/{integration}",
            "/openapi.json",
            "/ping",
        ]
    );
}

#[tokio::test]
async fn a_revoked_token_is_refused_immediately() {
    let world = World::new().await;
    let (_, made) = world.as_person(Method::POST, "/relink/api-tokens", json!({ "name": "short" })).await;
    assert_eq!(made["level"], "program", "unless full access is requested");
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
    let path = format!("/relink/api-tokens/{}", made["id"].as_str().expect("an id"));
    let (gone, _) = world.as_person(Method::DELETE, &path, Value::Null).await;
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
async fn a_slow_client_is_disconnected_and_blocks_no_other() {
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
        format!("GET http://evil.example/ping HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        format!("GET http://localhost/ping HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        format!("GET https://{host}/ping HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
    ] {
        let answer = world.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{request} {answer:.80}");
    }
    let own = format!("GET http://{host}/ping HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let answer = world.raw(own.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.80}");
}

#[tokio::test]
async fn a_flow_is_refused_without_its_key() {
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
async fn a_redirect_uri_without_an_exact_match_is_refused() {
    let world = World::new().await;
    let link = async |uri: &str| {
        world.ask(Method::POST, "/link-token", json!({ "tenant_id": "acme-1", "redirect_uri": uri })).await
    };
    let listed = json!({ "redirect_uris": ["https://app.example/done"] });
    let (status, body) = world.as_person(Method::PUT, "/relink/redirect-uris", listed.clone()).await;
    assert_eq!((status, &body), (StatusCode::OK, &listed));
    assert_eq!(world.as_person(Method::GET, "/relink/redirect-uris", Value::Null).await.1, listed);
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
async fn a_link_whose_redirect_uri_is_no_longer_allowed_begins_nothing() {
    let world = World::new().await;
    world.sandbox().await;
    let set = async |uris: Value| {
        world.as_person(Method::PUT, "/relink/redirect-uris", json!({ "redirect_uris": uris })).await.0
    };
    let begin = async |link: &Value| world.begin(link, json!({ "integration": "sandbox", "format": "oauth2" })).await;
    let uri = "https://app.example/done";
    set(json!([uri])).await;
    let link = world.post("/link-token", json!({ "tenant_id": "acme-1", "redirect_uri": uri })).await;
    assert_eq!(begin(&link).await["phase"], "waiting");
    set(json!(["https://app.example/other"])).await;
    let refused = begin(&link).await;
    assert_eq!((&refused["statusCode"], &refused["code"]), (&json!(400), &json!("redirect_uri_not_listed")));
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("allowed redirect URLs")), "{refused}");
}

#[tokio::test]
async fn an_unsafe_redirect_uri_cannot_be_allowed() {
    let world = World::new().await;
    for unfit in
        ["javascript:alert(1)", "data:text/html,x", "http://app.example/", "//evil.example", "https://a@b.example/"]
    {
        let list = json!({ "redirect_uris": [unfit] });
        let (status, body) = world.as_person(Method::PUT, "/relink/redirect-uris", list).await;
        assert_eq!((status, body["code"].as_str()), (StatusCode::BAD_REQUEST, Some("redirect_uri_unfit")), "{unfit}");
    }
    let (_, listed) = world.as_person(Method::GET, "/relink/redirect-uris", Value::Null).await;
    assert_eq!(listed["redirect_uris"], json!([]));
}

#[tokio::test]
async fn an_error_never_repeats_what_was_sent() {
    let world = World::new().await;
    let (status, body) =
        world.ask(Method::POST, "/relink/integrations/github/client", json!({ "id": ["canary-secret"] })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!body.to_string().contains("canary-secret"), "{body}");
}
