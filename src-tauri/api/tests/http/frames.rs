//! The connect UI in a frame, and at `localhost:5173`, as Truto's Link SDK shows it.

use std::{
    fs::{self, File},
    net::TcpListener,
};

use reqwest::{Method, Response, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use crate::world::World;

const APP: &str = "https://app.example.com";
const SECOND: &str = "http://localhost:5173";

async fn set(world: &World, settings: Value) -> (StatusCode, Value) {
    world.as_person(Method::PUT, "/relink/link-settings", settings).await
}

async fn link_path(world: &World) -> String {
    let link = world.post("/link-token", json!({ "tenant_id": "tenant-of-acme" })).await;
    format!("/connect-account?link_token={}&iframe=true", link["link_token"].as_str().expect("a token"))
}

/// Loads a page as a browser does in a frame of this page.
async fn framed(world: &World, path: &str, by: Option<&str>) -> Response {
    let mut request = world.client.get(format!("{}{path}", world.base()));
    for (name, value) in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]
    {
        request = request.header(name, value);
    }
    if let Some(by) = by {
        request = request.header("referer", format!("{by}/"));
    }
    request.send().await.expect("an answer")
}

fn policy(headers: &HeaderMap) -> &str {
    headers["content-security-policy"].to_str().expect("text")
}

#[tokio::test]
async fn only_pages_of_listed_origins_frame_the_connect_ui() {
    let world = World::new().await;
    set(&world, json!({ "frame_origins": [APP, "http://localhost:3000"] })).await;
    let redirect = framed(&world, &link_path(&world).await, Some(APP)).await;
    assert_eq!(redirect.status(), StatusCode::SEE_OTHER);
    let opened = redirect.headers()["location"].to_str().expect("text");
    let page = framed(&world, opened, Some(APP)).await;
    assert_eq!(page.status(), StatusCode::OK, "is the connect UI built?");
    let (own, ancestors) = policy(page.headers()).split_once("frame-ancestors ").expect("who may frame it");
    assert!(own.starts_with("default-src 'none'; script-src 'self'"), "{own}");
    assert_eq!(ancestors, "https://app.example.com http://localhost:3000");
    assert!(page.headers().get("x-frame-options").is_none(), "it would forbid every frame");

    // In a tab, nobody frames it.
    let page = world.client.get(format!("{}{opened}", world.base())).send().await.expect("an answer");
    assert!(policy(page.headers()).ends_with("frame-ancestors 'none'"));
    assert_eq!(page.headers()["x-frame-options"], "DENY");
}

#[tokio::test]
async fn a_frame_of_another_page_says_why_it_is_empty_and_nothing_of_the_link() {
    let world = World::new().await;
    set(&world, json!({ "frame_origins": [APP] })).await;
    let path = link_path(&world).await;
    for (by, says) in [
        (Some("https://evil.example"), "https://evil.example may not show Relink in a frame."),
        (Some("https://app.example.com.evil.example"), "may not show Relink in a frame."),
        (Some("http://app.example.com"), "may not show Relink in a frame."),
        (None, "doesn’t say where it comes from"),
    ] {
        for path in [path.as_str(), "/connect-account/open/some-nonce", "/connect-account?link_token=nonsense"] {
            let page = framed(&world, path, by).await;
            assert_eq!(page.status(), StatusCode::FORBIDDEN, "{by:?} {path}");
            assert!(page.headers().get("x-frame-options").is_none(), "the browser would hide it");
            assert!(!policy(page.headers()).contains("frame-ancestors"), "the browser would hide it");
            assert!(policy(page.headers()).starts_with("default-src 'none'; style-src 'unsafe-inline';"));
            assert!(policy(page.headers()).ends_with("sandbox"), "no script runs");
            let html = page.text().await.expect("html");
            assert!(html.contains(says), "{html}");
            for control in
                ["<a", "<button", "<form", "<input", "<script", "<iframe", "tenant-of-acme", "sandbox", "Relink 0"]
            {
                assert!(!html.contains(control), "{control}: {html}");
            }
        }
    }
    // The link is as good as before.
    set(&world, json!({ "frame_origins": [APP] })).await;
    assert_eq!(framed(&world, &path, Some(APP)).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn nothing_else_is_shown_in_a_frame() {
    let world = World::new().await;
    set(&world, json!({ "frame_origins": [APP] })).await;
    for path in ["/connect-account/return?flow=x", "/oauth/callback/sandbox?code=c&state=s", "/docs", "/ping"] {
        assert_eq!(framed(&world, path, Some(APP)).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn a_page_that_frames_relink_is_named_by_its_origin() {
    let world = World::new().await;
    for unfit in [
        "*",
        "https://*.example.com",
        "https://app.example.com/path",
        "http://app.example.com",
        "null",
        "x y",
        "https://a; script-src *",
        "https://a;script-src",
        "https://a,b",
    ] {
        let (status, body) = set(&world, json!({ "frame_origins": [unfit] })).await;
        assert_eq!((status, &body["field"]), (StatusCode::BAD_REQUEST, &json!("frame_origins")), "{unfit}: {body}");
    }
    let typed = json!({ "frame_origins": [" https://App.example.com/ ", "", "https://app.example.com:443", "http://127.0.0.1:3000"] });
    let (_, kept) = set(&world, typed).await;
    assert_eq!(kept["frame_origins"], json!([APP, "http://127.0.0.1:3000"]));
    let many: Vec<_> = (0..51).map(|at| format!("https://app-{at}.example.com")).collect();
    assert_eq!(set(&world, json!({ "frame_origins": many })).await.1["code"], "frame_origins_too_many");
}

/// Port 5173 is one for the whole machine: the tests that use it run one after the other.
fn port_5173() -> File {
    let file = File::create(std::env::temp_dir().join("relink-tests-port-5173.lock")).expect("a lock");
    file.lock().expect("locked");
    file
}

#[tokio::test]
async fn the_connect_ui_is_at_localhost_5173_on_both_addresses_while_the_setting_is_on() {
    let _alone = port_5173();
    let world = World::new().await;
    world.client.get(SECOND).send().await.expect_err("off by default");
    let (status, on) = set(&world, json!({ "also_listen": true })).await;
    assert_eq!((status, &on["also_listen_problem"]), (StatusCode::OK, &Value::Null), "{on}");
    let path = link_path(&world).await;
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    for address in ["127.0.0.1:5173", "[::1]:5173"].into_iter().filter(|address| has_ipv6 || !address.contains("::")) {
        let get =
            |path: &str, host: &str| world.client.get(format!("http://{address}{path}")).header("host", host).send();
        assert_eq!(get(&path, "localhost:5173").await.expect("an answer").status(), StatusCode::SEE_OTHER, "{address}");
        for host in [address, world.host(), "localhost", "localhost:5174", "evil.example:5173"] {
            let refused = get(&path, host).await.expect("an answer");
            assert_eq!(refused.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
        }
        // The connect UI, and nothing else.
        for hidden in ["/integrated-account", "/relink/status", "/ping", "/docs", "/openapi.json", "/mcp/x"] {
            let request = world.client.get(format!("http://{address}{hidden}")).header("host", "localhost:5173");
            let answer = request.bearer_auth(&world.person).send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{hidden}");
        }
    }
    let opening = json!({ "link_token": path.split(['=', '&']).nth(1) });
    let opening = world.client.post(format!("{SECOND}/connect-account/openings")).json(&opening).send().await;
    let opening: Value = opening.expect("an answer").json().await.expect("JSON");
    assert!(opening["url"].as_str().is_some_and(|url| url.starts_with("http://localhost:5173/connect-account/open/")));
    // The port of the API doesn't answer for it.
    let other = world.client.get(format!("{}{path}", world.base())).header("host", "localhost:5173").send().await;
    assert_eq!(other.expect("an answer").status(), StatusCode::MISDIRECTED_REQUEST);

    set(&world, json!({ "also_listen": false })).await;
    world.client.get(SECOND).send().await.expect_err("off again");
}

#[tokio::test]
async fn a_taken_port_5173_is_named_and_breaks_nothing() {
    let _alone = port_5173();
    let world = World::new().await;
    for taken in ["127.0.0.1:5173", "[::1]:5173"] {
        let Ok(other) = TcpListener::bind(taken) else { continue };
        let (status, on) = set(&world, json!({ "also_listen": true })).await;
        assert_eq!((status, &on["also_listen"]), (StatusCode::OK, &json!(true)));
        let problem = on["also_listen_problem"].as_str().unwrap_or_else(|| panic!("{taken}: {on}"));
        assert!(problem.starts_with("Port 5173 is used by another program. Stop it"), "{problem}");
        assert_eq!(world.as_person(Method::GET, "/relink/link-settings", Value::Null).await.1, on);
        world.get("/relink/status").await;
        // Not on the other address either: half of the pages' requests would reach the other program.
        drop(other);
        set(&world, json!({ "also_listen": false })).await;
    }
    fs::metadata(world.folder.path()).expect("it runs on");
}
