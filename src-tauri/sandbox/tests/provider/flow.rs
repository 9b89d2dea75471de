//! The code flow, refresh, revocation and metadata.

use serde_json::{Value, json};

use crate::world::{REDIRECT, World, good_request, refusal};

#[tokio::test]
async fn an_unregistered_redirect_uri_is_never_redirected_to() {
    let world = World::new().await;
    for uri in ["https://evil.example/back", "app.relink.desktop:/elsewhere", "http://127.0.0.1:9/evil", ""] {
        let mut request = good_request();
        request.insert("redirect_uri", uri.to_owned());
        let response = world.authorize(&request).await;
        assert_eq!((response.status().as_u16(), response.headers().get("location")), (400, None), "{uri}");
    }
}

#[tokio::test]
async fn pkce_with_s256_is_required() {
    let world = World::new().await;
    for (name, value) in [("code_challenge_method", "plain"), ("code_challenge", "")] {
        let mut request = good_request();
        request.insert(name, value.to_owned());
        let response = world.authorize(&request).await;
        let location = response.headers()["location"].to_str().expect("text");
        assert!(location.starts_with(REDIRECT) && location.contains("error=invalid_request"), "{location}");
    }
}

#[tokio::test]
async fn the_redirect_carries_the_decision_and_the_issuer() {
    let world = World::new().await;
    let denied = world.consent("deny").await;
    assert_eq!(denied["error"], "access_denied");
    let allowed = world.consent("allow").await;
    for response in [denied, allowed] {
        assert_eq!(response["state"], good_request()["state"]);
        assert_eq!(response["iss"], world.sandbox.base_url(), "RFC 9207");
    }
}

#[tokio::test]
async fn a_consent_page_is_answered_once_and_only_from_its_own_origin() {
    let world = World::new().await;
    let html = world.authorize(&good_request()).await.text().await.expect("a page");
    let id = html.split("name=\"consent\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    let form = [("consent", id), ("person", "ada"), ("decision", "allow")];
    let post = || world.http.post(world.at("/authorize")).form(&form);
    let foreign = post().header("origin", "https://evil.example").send().await.expect("a response");
    assert_eq!(foreign.status(), 400);
    assert_eq!(post().send().await.expect("a response").status(), 303);
    assert_eq!(post().send().await.expect("a response").status(), 400, "answered already");
}

#[tokio::test]
async fn a_code_works_once_and_its_replay_revokes_its_tokens() {
    let world = World::new().await;
    let back = world.consent("allow").await;
    let tokens: Value = world.exchange(&back["code"]).await.json().await.expect("JSON");
    assert_eq!(world.call(&tokens["access_token"]).await, 200);
    assert_eq!(refusal(world.exchange(&back["code"]).await).await, (400, "invalid_grant".to_owned()));
    assert_eq!(world.call(&tokens["access_token"]).await, 401, "RFC 6749 §4.1.2");
}

#[tokio::test]
async fn a_code_is_bound_to_its_verifier_and_redirect_uri() {
    let world = World::new().await;
    for (verifier, redirect) in [("another-verifier-that-is-long-enough-as-well-0123", REDIRECT), ("", "https://x/")] {
        let code = world.consent("allow").await["code"].clone();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", redirect),
            ("client_id", relink_sandbox::CLIENT_ID),
            ("code_verifier", verifier),
        ];
        assert_eq!(refusal(world.token(&form).await).await, (400, "invalid_grant".to_owned()));
    }
}

#[tokio::test]
async fn refresh_tokens_follow_each_of_the_four_rotations() {
    for (rotation, grace, new_one, old_is_taken) in
        [("none", 0, false, true), ("rotate", 0, true, false), ("grace", 60, true, true), ("grace", 0, true, false)]
    {
        let world = World::new().await;
        world.control("PATCH", "/control", json!({ "rotation": rotation, "grace_secs": grace })).await;
        let first = world.sign_in().await;
        let second: Value = world.refresh(&first["refresh_token"]).await.json().await.expect("JSON");
        assert_eq!(second["refresh_token"].is_string(), new_one, "{rotation} {grace}: a new one");
        let again = world.refresh(&first["refresh_token"]).await.status();
        assert_eq!(again == 200, old_is_taken, "{rotation} {grace}: the old one");
        assert_eq!(world.call(&second["access_token"]).await, 200);
    }
}

#[tokio::test]
async fn strict_rotation_revokes_the_sign_in_on_reuse() {
    let world = World::new().await;
    world.control("PATCH", "/control", json!({ "rotation": "strict" })).await;
    let first = world.sign_in().await;
    let second: Value = world.refresh(&first["refresh_token"]).await.json().await.expect("JSON");
    assert_eq!(refusal(world.refresh(&first["refresh_token"]).await).await, (400, "invalid_grant".to_owned()));
    assert_eq!(world.refresh(&second["refresh_token"]).await.status(), 400, "the family is gone");
    assert_eq!(world.call(&second["access_token"]).await, 401);
}

#[tokio::test]
async fn client_credentials_and_api_keys_work_until_revoked() {
    let world = World::new().await;
    let client = world.control("POST", "/control/clients", json!({})).await;
    let (id, secret) = (client["client_id"].as_str().expect("an id"), client["client_secret"].as_str().expect("one"));
    let grant = [("grant_type", "client_credentials"), ("scope", "items:read")];
    let basic = || world.http.post(world.at("/token")).basic_auth(id, Some(secret)).form(&grant);
    let given: Value = basic().send().await.expect("a response").json().await.expect("JSON");
    assert_eq!((world.call(&given["access_token"]).await, given.get("refresh_token")), (200, None));
    let wrong = world.http.post(world.at("/token")).basic_auth(id, Some("wrong")).form(&grant);
    assert_eq!(refusal(wrong.send().await.expect("a response")).await, (401, "invalid_client".to_owned()));

    let key = world.control("POST", "/control/api-keys", json!({})).await["api_key"].clone();
    assert_eq!(world.call(&key).await, 200);
    assert_eq!(world.control("POST", "/control/revoke", json!({})).await["revoked"], 2);
    assert_eq!(world.call(&key).await, 401);
    assert_eq!(world.call(&given["access_token"]).await, 401, "what the client was given");
    assert_eq!(refusal(basic().send().await.expect("a response")).await, (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn revocation_ends_a_sign_in_and_an_unknown_token_is_no_error() {
    let world = World::new().await;
    let tokens = world.sign_in().await;
    let revoke = async |token: &str| {
        let response = world.http.post(world.at("/revoke")).form(&[("token", token)]).send().await;
        response.expect("a response").status().as_u16()
    };
    assert_eq!(revoke("nobody's").await, 200, "RFC 7009 §2.2");
    assert_eq!(revoke(tokens["refresh_token"].as_str().expect("one")).await, 200);
    assert_eq!(world.refresh(&tokens["refresh_token"]).await.status(), 400);
}

#[tokio::test]
async fn the_metadata_names_the_served_endpoints() {
    let world = World::new().await;
    let get = async |path: &str| world.http.get(world.at(path)).send().await.expect("a response");
    let metadata: Value = get("/.well-known/oauth-authorization-server").await.json().await.expect("JSON");
    assert_eq!(metadata["issuer"], world.sandbox.base_url());
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    for endpoint in ["authorization_endpoint", "token_endpoint", "revocation_endpoint", "userinfo_endpoint"] {
        let url = metadata[endpoint].as_str().expect("an address");
        let response = world.http.get(url).send().await.expect("a response");
        assert_ne!(response.status(), 404, "{endpoint}");
    }
    let tokens = world.sign_in().await;
    let token = tokens["access_token"].as_str().expect("one");
    let who = world.http.get(world.at("/userinfo")).bearer_auth(token).send().await.expect("a response");
    let who: Value = who.json().await.expect("JSON");
    assert_eq!((who["sub"].as_str(), who["name"].as_str()), (Some("sandbox-ada"), Some("Ada Lovelace")));
}
