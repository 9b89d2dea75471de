//! A link for somebody else: at the public address there is the connect UI, and nothing more.

use relink_domain::{integration::WebUrl, permission::Permission};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

const ADDRESS: &str = "https://relink.example.com";
const HOST: &str = "relink.example.com";

async fn set(world: &World, settings: Value) -> (StatusCode, Value) {
    world.as_person(Method::PUT, "/relink/link-settings", settings).await
}

/// With the public address, behind a proxy that passes the `Host` on.
async fn world() -> World {
    let world = World::new().await;
    let (status, body) = set(&world, json!({ "public_address": ADDRESS })).await;
    assert_eq!((status, &body["public_address"]), (StatusCode::OK, &json!(ADDRESS)), "{body}");
    world
}

/// A request that came to the public address.
fn through(world: &World, method: Method, path: &str) -> RequestBuilder {
    world.client.request(method, format!("{}{path}", world.base())).header("host", HOST)
}

async fn link_token(world: &World) -> String {
    let link = world.post("/link-token", json!({ "tenant_id": "acme-1" })).await;
    link["link_token"].as_str().expect("a token").to_owned()
}

/// The page token of a link that is opened at the public address.
async fn page_token(world: &World) -> String {
    let path = format!("/connect-account?link_token={}&integration=sandbox", link_token(world).await);
    let redirect = through(world, Method::GET, &path).send().await.expect("an answer");
    assert_eq!(redirect.status(), StatusCode::SEE_OTHER);
    let opened = redirect.headers()["location"].to_str().expect("text").to_owned();
    let page = through(world, Method::GET, &opened).send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::OK, "is the connect UI built?");
    let nonce = opened.strip_prefix("/connect-account/open/").and_then(|rest| rest.split('?').next()).expect("a nonce");
    let exchange = through(world, Method::POST, "/connect-account/open").header("origin", ADDRESS);
    let answer = exchange.json(&json!({ "nonce": nonce })).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let body: Value = answer.json().await.expect("JSON");
    body["page_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn a_public_address_without_https_is_refused_with_what_it_must_be() {
    let world = World::new().await;
    for unfit in ["http://relink.example.com", "relink.example.com", "http://x", "https://127.0.0.1:7417"] {
        let (status, refused) = set(&world, json!({ "public_address": unfit })).await;
        assert_eq!((status, &refused["code"]), (StatusCode::BAD_REQUEST, &json!("public_address_unfit")), "{refused}");
        let message = refused["message"].as_str().expect("a text");
        assert!(message.contains("https:// address of your tunnel or reverse proxy"), "{unfit}: {message}");
    }
}

#[tokio::test]
async fn every_route_but_the_connect_uis_is_404_at_the_public_address_whatever_token_is_sent() {
    let world = world().await;
    let (mut served, mut hidden) = (0, 0);
    for operation in world.operations().await {
        let is_of_connect_ui =
            operation.path.starts_with("/connect-account") || operation.path.starts_with("/oauth/callback/");
        for token in [&world.token, &world.person] {
            let request = world.client.request(operation.method.clone(), operation.url(&world)).header("host", HOST);
            let answer = request.bearer_auth(token).json(&json!({})).send().await.expect("an answer");
            let status = answer.status();
            let body: Value = serde_json::from_str(&answer.text().await.expect("a body")).unwrap_or_default();
            if is_of_connect_ui {
                assert_ne!(body["code"], "no_such_route", "{} {}", operation.method, operation.path);
                served += 1;
            } else {
                assert_eq!(status, StatusCode::NOT_FOUND, "{} {}: {body}", operation.method, operation.path);
                assert!(
                    operation.method == Method::HEAD || body["code"] == "no_such_route",
                    "{}: {body}",
                    operation.path
                );
                hidden += 1;
            }
        }
    }
    assert!(served > 20 && hidden > 150, "{served} {hidden}");
    // What isn't in the document.
    world.sandbox().await;
    let call = format!("/via/{}/user", world.account("acme-1").await);
    for path in
        [call.as_str(), "/", "/connect-accounts", "//integrated-account", "/connect-account/../integrated-account"]
    {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            world.token
        );
        let answer = world.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn the_public_address_is_refused_while_it_is_off() {
    let world = World::new().await;
    let path = format!("/connect-account?link_token={}", link_token(&world).await);
    let refused = |world: &World| through(world, Method::GET, &path).send();
    assert_eq!(refused(&world).await.expect("an answer").status(), StatusCode::MISDIRECTED_REQUEST);
    set(&world, json!({ "public_address": ADDRESS })).await;
    assert_eq!(refused(&world).await.expect("an answer").status(), StatusCode::SEE_OTHER);
    let (_, off) = set(&world, json!({ "public_address": null })).await;
    assert_eq!(off["public_address"], Value::Null);
    assert_eq!(refused(&world).await.expect("an answer").status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn only_the_public_addresss_own_host_and_pages_are_let_in() {
    let world = world().await;
    for host in
        ["relink.example.com:443", "relink.example.com.", "RELINK.example.com", "x.relink.example.com", "example.com"]
    {
        let request = world.client.get(format!("{}/connect-account", world.base())).header("host", host);
        assert_eq!(request.send().await.expect("an answer").status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    let session = |origin: &str| {
        let request = through(&world, Method::GET, "/connect-account/session").header("x-relink-link-token", "x");
        request.header("origin", origin.to_owned()).send()
    };
    assert_eq!(session(ADDRESS).await.expect("an answer").status(), StatusCode::NOT_FOUND);
    for origin in [world.base(), "https://evil.example", "http://relink.example.com", "null"] {
        assert_eq!(session(origin).await.expect("an answer").status(), StatusCode::FORBIDDEN, "{origin}");
    }
    let two =
        format!("GET /connect-account HTTP/1.1\r\nHost: {HOST}\r\nHost: {}\r\nConnection: close\r\n\r\n", world.host());
    assert!(world.raw(two.as_bytes()).await.starts_with("HTTP/1.1 421"), "two hosts");
}

#[tokio::test]
async fn a_page_at_the_public_address_shows_who_asks_and_signs_in_there() {
    let world = world().await;
    world.sandbox().await;
    let page_token = page_token(&world).await;
    let session = through(&world, Method::GET, "/connect-account/session").header("x-relink-link-token", &page_token);
    let session: Value = session.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(session["requested_by"], json!({ "team": "Relink", "program": "test" }));
    assert_eq!((&session["tenant_id"], &session["redirects"]), (&json!("acme-1"), &json!(["loopback"])));

    let begin = through(&world, Method::POST, "/connect-account/flows").header("x-relink-link-token", &page_token);
    let begin = begin.json(&json!({ "integration": "sandbox", "format": "oauth2", "redirect": "deep_link" }));
    let flow: Value = begin.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(flow["redirect_uri"], format!("{ADDRESS}/oauth/callback/sandbox"), "{flow}");

    // The provider's callback is accepted at that address and no other.
    let authorize = WebUrl::parse(flow["authorize_url"].as_str().expect("a URL")).expect("a URL");
    let state = authorize.as_url().query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    let issuer = authorize.as_url().origin().ascii_serialization();
    let callback = format!("/oauth/callback/sandbox?code=c&state={state}&iss={issuer}");
    let elsewhere = world.client.get(format!("{}{callback}", world.base())).send().await.expect("an answer");
    assert_eq!(elsewhere.status(), StatusCode::BAD_REQUEST, "another redirect URI than the flow's");
    let landed = through(&world, Method::GET, &callback).send().await.expect("an answer");
    assert_eq!(landed.status(), StatusCode::SEE_OTHER);
    let location = landed.headers()["location"].to_str().expect("text");
    assert!(location.starts_with("/connect-account/return?flow="), "{location}");
}

#[tokio::test]
async fn a_url_without_the_token_leads_to_the_public_address_too() {
    let world = world().await;
    let body = json!({ "link_token": link_token(&world).await });
    let opening =
        through(&world, Method::POST, "/connect-account/openings").json(&body).send().await.expect("an answer");
    let opening: Value = opening.json().await.expect("JSON");
    let url = opening["url"].as_str().expect("a URL");
    assert!(url.starts_with("https://relink.example.com/connect-account/open/"), "{url}");
}

#[tokio::test]
async fn an_address_that_is_not_of_a_proxy_is_refused() {
    let world = World::new().await;
    for unfit in [
        "http://relink.example.com",
        "https://127.0.0.1:8443",
        "https://localhost",
        "https://relink.example.com/path",
        "https://ada@relink.example.com",
        "relink.example.com",
        "javascript:alert(1)",
    ] {
        let (status, body) = set(&world, json!({ "public_address": unfit })).await;
        assert_eq!((status, &body["field"]), (StatusCode::BAD_REQUEST, &json!("public_address")), "{unfit}: {body}");
    }
    let (_, written) = set(&world, json!({ "public_address": " https://Relink.Example.com:443/ " })).await;
    assert_eq!(written["public_address"], ADDRESS, "as browsers name it");
}

#[tokio::test]
async fn no_token_may_change_where_links_work() {
    let world = World::new().await;
    for (method, path) in
        [(Method::GET, "/relink/link-settings"), (Method::PUT, "/relink/link-settings"), (Method::GET, "/relink/links")]
    {
        let (status, body) = world.ask(method, path, json!({})).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {body}");
        assert!(body["message"].as_str().is_some_and(|text| text.contains("connection links")), "{body}");
    }
    assert_eq!(Permission::ManageLinks.as_str(), "manage_links");
}
