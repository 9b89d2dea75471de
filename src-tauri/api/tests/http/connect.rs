//! The connect UI's own API and pages.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    answering_provider::{Provider, SignIn, name},
    world::World,
};

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
async fn the_page_of_a_link_that_is_over_is_404_and_the_session_has_the_reason() {
    let world = World::new().await;
    world.sandbox().await;
    let page_and_reason = async |world: &World, token: &str| {
        let url = format!("{}/connect-account?link_token={token}", world.base());
        let page = world.client.get(url).send().await.expect("an answer");
        assert!(page.headers()["content-type"].to_str().is_ok_and(|it| it.starts_with("text/html")));
        let (status, body) = session(world, token).await;
        assert_eq!(page.status(), status, "{body}");
        (status, body["code"].as_str().map(str::to_owned))
    };
    let over = |code: &str| (StatusCode::NOT_FOUND, Some(code.to_owned()));
    let new_link = async |tenant: &str| {
        let link = world.post("/link-token", json!({ "tenant_id": tenant })).await;
        (link["link_token"].as_str().expect("a token").to_owned(), link)
    };
    let (used, link) = new_link("used").await;
    let (_, key) = world.as_person(Method::POST, "/relink/sandbox/control/api-keys", json!({})).await;
    let form = json!({ "integration": "sandbox", "format": "api_key", "fields": { "api_key": key["api_key"] } });
    world.until_ended(&world.begin(&link, form).await).await;
    assert_eq!(page_and_reason(&world, &used).await, over("link_token_used"));

    let (revoked, _) = new_link("revoked").await;
    let (_, all) = world.as_person(Method::GET, "/relink/links", Value::Null).await;
    let path = format!("/relink/links/{}", all["result"][0]["id"].as_str().expect("an ID"));
    world.as_person(Method::DELETE, &path, Value::Null).await;
    assert_eq!(page_and_reason(&world, &revoked).await, over("link_token_revoked"));

    let (expired, _) = new_link("expired").await;
    let seven_days = 7 * 24 * 60 * 60 * 1000;
    let world = world
        .restarted_after(&format!(
            "UPDATE link_token SET created_at = created_at - {seven_days} WHERE json_extract(document, '$.purpose.tenant_id') = 'expired'"
        ))
        .await;
    assert_eq!(page_and_reason(&world, &expired).await, over("link_token_expired"));
}

#[tokio::test]
async fn the_page_loads_only_our_own_files() {
    let world = World::new().await;
    let link = world.post("/link-token", json!({ "tenant_id": "a" })).await;
    let url = format!("{}/connect-account?link_token={}", world.base(), link["link_token"].as_str().expect("a token"));
    let redirect = world.client.get(url).send().await.expect("an answer");
    assert_eq!(redirect.status(), StatusCode::SEE_OTHER);
    let page = world.client.get(location(&world, &redirect)).send().await.expect("an answer");
    let header =
        |name: &str| page.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    assert_eq!(page.status(), StatusCode::OK, "is the connect UI built?");
    assert!(header("content-security-policy").starts_with("default-src 'none'"));
    assert!(header("content-security-policy").contains("img-src 'self' data:;"), "no picture of another site");
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
    let (_, return_key) = location.split_once("#return=").expect("a key of the return");

    let ended = world.until_ended_with(&flow, return_key).await;
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
pub async fn consent(world: &World, url: &str) -> String {
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

/// Where a response redirects the browser to.
fn location(world: &World, response: &reqwest::Response) -> String {
    let location = response.headers().get("location").expect("a redirect").to_str().expect("text");
    format!("{}{location}", world.base())
}

/// Exchanges the nonce of a page's URL.
async fn exchange(world: &World, url: &str) -> (StatusCode, Value) {
    let path = url.strip_prefix(world.base()).expect("our own URL").split('?').next().expect("a path");
    let nonce = path.strip_prefix("/connect-account/open/").expect("a nonce");
    let request = world.client.post(format!("{}/connect-account/open", world.base())).json(&json!({ "nonce": nonce }));
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_magic_link_leaves_the_address_bar_and_its_other_parameters_stay() {
    let world = World::new().await;
    let link = world.post("/link-token", json!({ "tenant_id": "a b" })).await;
    let token = link["link_token"].as_str().expect("a token");
    let url = format!(
        "{}/connect-account?no_back=true&link_token={token}&integrations=x%2Cy%26z&link_token=again",
        world.base()
    );
    let redirect = world.client.get(url).send().await.expect("an answer");
    assert_eq!(redirect.status(), StatusCode::SEE_OTHER);
    assert_eq!(redirect.headers()["cache-control"], "no-store");
    let opened = location(&world, &redirect);
    assert!(opened.ends_with("?no_back=true&integrations=x%2Cy%26z"), "{opened}");
    assert!(!opened.contains(token) && !opened.contains("again"), "{opened}");

    let (status, page) = exchange(&world, &opened).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let page_token = page["page_token"].as_str().expect("a page token");
    let (status, shown) = session(&world, page_token).await;
    assert_eq!((status, shown["tenant_id"].as_str()), (StatusCode::OK, Some("a b")));

    // A second use may be the person's own, so the first page can do nothing more.
    let (status, repeated) = exchange(&world, &opened).await;
    assert_eq!((status, repeated["code"].as_str()), (StatusCode::CONFLICT, Some("opening_used")));
    let (status, refused) = session(&world, page_token).await;
    assert_eq!((status, refused["code"].as_str()), (StatusCode::NOT_FOUND, Some("link_token_unknown")));
    let (status, _) = session(&world, token).await;
    assert_eq!(status, StatusCode::OK, "the link itself still works");
}

#[tokio::test]
async fn the_url_for_a_browsers_command_line_has_no_link_token() {
    let world = World::new().await;
    let link = world.post("/link-token", json!({ "tenant_id": "a" })).await;
    let request = world.client.post(format!("{}/connect-account/openings", world.base()));
    let body = json!({ "link_token": link["link_token"], "integration": "a&b=c" });
    let answer = request.json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::CREATED);
    let opening: Value = answer.json().await.expect("JSON");
    let url = opening["url"].as_str().expect("a URL");
    assert!(!url.contains(link["link_token"].as_str().expect("a token")), "{url}");
    assert!(url.ends_with("?integration=a%26b%3Dc"), "{url}");
    assert_eq!(exchange(&world, url).await.0, StatusCode::OK);

    let request = world.client.post(format!("{}/connect-account/openings", world.base()));
    let unknown = request.json(&json!({ "link_token": "unknown" })).send().await.expect("an answer");
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let invented = format!("{}/connect-account/open/invented", world.base());
    let (status, refused) = exchange(&world, &invented).await;
    assert_eq!((status, refused["code"].as_str()), (StatusCode::CONFLICT, Some("opening_expired")));
}

#[tokio::test]
async fn only_a_links_page_stays_connected_to_the_page_that_opened_it() {
    let world = World::new().await;
    let link = world.post("/link-token", json!({ "tenant_id": "a" })).await;
    let opened = format!("/connect-account?link_token={}", link["link_token"].as_str().expect("a token"));
    for (path, is_connected) in [
        (opened.as_str(), true),
        ("/connect-account", true),
        ("/connect-account?link_token=unknown", true),
        ("/connect-account/open/nonce", true),
        ("/connect-account/return?flow=x", false),
        ("/oauth/callback/github?code=c&state=s", false),
    ] {
        let answer = world.client.get(format!("{}{path}", world.base())).send().await.expect("an answer");
        let policy = answer.headers().get("cross-origin-opener-policy").map(|value| value.to_str().expect("text"));
        assert_eq!(policy.is_none(), is_connected, "{path}: {policy:?}");
    }
}

#[tokio::test]
async fn a_callback_that_returns_to_another_browser_waits_for_its_person() {
    let world = World::new().await;
    world.sandbox().await;
    let begin = async |tenant: &str| {
        let link = world.post("/link-token", json!({ "tenant_id": tenant })).await;
        let flow = world.begin(&link, json!({ "integration": "sandbox", "format": "oauth2" })).await;
        let callback = consent(&world, flow["authorize_url"].as_str().expect("a URL")).await;
        let landed = world.client.get(&callback).send().await.expect("an answer");
        let (_, return_key) =
            landed.headers()["location"].to_str().expect("text").split_once("#return=").expect("a key");
        (flow.clone(), return_key.to_owned())
    };
    let call = async |method: Method, flow: &Value, verb: &str, headers: &[(&str, &str)]| {
        let url = format!("{}/connect-account/flows/{}{verb}", world.base(), flow["id"].as_str().expect("an id"));
        let mut request = world.client.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        (status, answer.json::<Value>().await.unwrap_or_default())
    };

    let (flow, return_key) = begin("acme-1").await;
    let key = flow["key"].as_str().expect("a key");
    let (own, returned) = (("x-relink-flow-key", key), ("x-relink-return-key", return_key.as_str()));
    // Neither who began the flow nor who signed in can take the account alone.
    for headers in [&[own][..], &[own, ("x-relink-return-key", "another")]] {
        let (status, refused) = call(Method::POST, &flow, "/claim", headers).await;
        assert_eq!((status, refused["code"].as_str()), (StatusCode::CONFLICT, Some("sign_in_returned_elsewhere")));
    }
    for headers in [&[returned][..], &[("x-relink-flow-key", return_key.as_str())]] {
        assert_eq!(call(Method::POST, &flow, "/claim", headers).await.0, StatusCode::NOT_FOUND);
    }
    for (method, verb) in [(Method::GET, "/return"), (Method::POST, "/confirm"), (Method::DELETE, "/return")] {
        for wrong in ["another", key, ""] {
            let headers = [("x-relink-return-key", wrong)];
            assert_eq!(call(method.clone(), &flow, verb, &headers).await.0, StatusCode::NOT_FOUND, "{verb} {wrong}");
        }
    }
    let (_, waiting) = call(Method::GET, &flow, "", &[own]).await;
    assert_eq!((waiting["phase"].as_str(), waiting["needs_return_key"].as_bool()), (Some("returned"), Some(true)));

    // Who signed in sees for whom, and confirms. From then on, that page follows the flow, too.
    let (_, asked) = call(Method::GET, &flow, "/return", &[returned]).await;
    let seen = (asked["tenant_id"].as_str(), asked["integration_label"].as_str(), &asked["account"]);
    assert_eq!(seen, (Some("acme-1"), Some("Sandbox"), &Value::Null));
    let (status, confirmed) = call(Method::POST, &flow, "/confirm", &[returned]).await;
    assert_eq!(status, StatusCode::OK, "{confirmed}");
    let ended = world.until_ended(&flow).await;
    assert_eq!(ended["phase"], "succeeded", "{ended}");
    let (_, followed) = call(Method::GET, &flow, "", &[("x-relink-flow-key", &return_key)]).await;
    assert_eq!(followed["phase"], "succeeded");

    // Or declines: nothing is exchanged.
    let (flow, return_key) = begin("acme-2").await;
    let returned = ("x-relink-return-key", return_key.as_str());
    assert_eq!(call(Method::DELETE, &flow, "/return", &[returned]).await.0, StatusCode::NO_CONTENT);
    let ended = world.until_ended(&flow).await;
    assert_eq!(ended["error"]["code"], "sign_in_declined", "{ended}");
    assert_eq!(call(Method::POST, &flow, "/confirm", &[returned]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(world.get("/relink/accounts").await["result"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_is_refused_is_a_validation_error_only_of_an_account_that_exists() {
    let world = World::new().await;
    let provider = Provider::start(true).await;
    let account = provider.connect(&world, SignIn::ApiKey, 0).await;
    provider.with(|answers| answers.probe = 403);
    for (link, error_type) in [
        (json!({ "tenant_id": "acme-2" }), "connection_error"),
        (json!({ "integrated_account_id": account }), "validation_error"),
    ] {
        let before = world.latest_event();
        let link = world.post("/link-token", link).await;
        let form = json!({ "api_key": "k-123456" });
        let begin = json!({ "integration": name(SignIn::ApiKey, 0), "format": "api_key", "fields": form });
        let ended = world.until_ended(&world.begin(&link, begin).await).await;
        let error = &ended["error"];
        assert_eq!((&error["code"], &error["error_type"]), (&json!("forbidden"), &json!(error_type)), "{ended}");
        let (event, payload) = world.events_after(before).await.remove(0);
        assert_eq!((event, &payload["error_type"]), ("link_token:connection_error", &json!(error_type)), "{payload}");
    }
}
