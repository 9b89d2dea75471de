//! The links that were created: the list, and revoking one.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

async fn links(world: &World, query: &str) -> Vec<Value> {
    let (status, body) = world.as_person(Method::GET, &format!("/relink/links{query}"), Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body["result"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn links_are_listed_with_who_created_them_and_without_their_tokens() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("acme-1").await;
    let by_program = world.post("/link-token", json!({ "tenant_id": "acme-2" })).await;
    let for_account = json!({ "integrated_account_id": account });
    let (_, by_person) = world.as_person(Method::POST, "/link-token", for_account).await;
    let all = links(&world, "").await;
    let seen: Vec<_> = all.iter().map(|link| [&link["status"], &link["tenant_id"], &link["program"]]).collect();
    let person = [&json!("usable"), &Value::Null, &Value::Null];
    assert_eq!(seen[0], person, "the newest first");
    assert_eq!(seen[1], [&json!("usable"), &json!("acme-2"), &json!("test")]);
    assert_eq!(seen[2], [&json!("used"), &json!("acme-1"), &json!("test")]);
    assert_eq!(all[0]["integrated_account_id"], account);
    assert!(all[0]["account_name"].is_string());
    let text = json!(all).to_string();
    for token in [by_program, by_person] {
        assert!(!text.contains(token["link_token"].as_str().expect("a token")));
    }
    assert_eq!(links(&world, "?status=usable").await.len(), 2);
    assert_eq!(links(&world, "?status=used").await.len(), 1);
}

#[tokio::test]
async fn a_revoked_link_says_so_and_completes_nothing() {
    let world = World::new().await;
    world.sandbox().await;
    let link = world.post("/link-token", json!({ "tenant_id": "acme-1" })).await;
    let flow = world.begin(&link, json!({ "integration": "sandbox", "format": "oauth2" })).await;
    let id = links(&world, "").await[0]["id"].as_str().expect("an ID").to_owned();
    let (status, body) = world.as_person(Method::DELETE, &format!("/relink/links/{id}"), Value::Null).await;
    assert_eq!((status, body), (StatusCode::OK, json!({ "id": id })));
    assert_eq!(links(&world, "").await[0]["status"], "revoked");

    let token = link["link_token"].as_str().expect("a token");
    let session = world.client.get(format!("{}/connect-account/session", world.base()));
    let refused = session.header("x-relink-link-token", token).send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    let refused: Value = refused.json().await.expect("JSON");
    assert_eq!(refused["code"], "link_token_revoked");
    let again = world.begin(&link, json!({ "integration": "sandbox", "format": "oauth2" })).await;
    assert_eq!(again["code"], "link_token_revoked");

    // The sign-in that it began: the provider gives its consent, and nothing is connected.
    let callback = crate::connect::consent(&world, flow["authorize_url"].as_str().expect("a URL")).await;
    let landed = world.client.get(&callback).send().await.expect("an answer");
    let location = landed.headers()["location"].to_str().expect("text").to_owned();
    let (_, return_key) = location.split_once("#return=").expect("a key of the return");
    let ended = world.until_ended_with(&flow, return_key).await;
    assert_eq!((&ended["phase"], &ended["error"]["code"]), (&json!("failed"), &json!("link_token_revoked")), "{ended}");
    assert_eq!(world.get("/relink/accounts").await["result"], json!([]));

    let unknown = "/relink/links/0193d0f0-0000-7000-8000-000000000000";
    assert_eq!(world.as_person(Method::DELETE, unknown, Value::Null).await.0, StatusCode::NOT_FOUND);
}
