//! Tokens for one account (contract sections 0.1, 2.3 and 3).

use relink_domain::caller::{Caller, TokenLevel};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

async fn account_token(world: &World, account: &str, level: TokenLevel) -> String {
    let made = world.engine.access().create_api_token(&Caller::Person, "maker".into(), level, None).await;
    let (_, maker) = made.expect("made");
    let body = json!({ "integrated_account_id": account });
    let (status, made) = world.ask_with(maker.expose(), Method::POST, "/integrated-account/token", body).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    assert_eq!(made["token"], made["integrated_account_token"], "documents read either");
    made["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn an_account_token_reads_and_changes_its_account_and_calls_with_it() {
    let world = World::new().await;
    world.sandbox().await;
    let (own, other) = (world.account("own").await, world.account("other").await);
    let token = account_token(&world, &own, TokenLevel::Full).await;
    let ask = async |method: Method, path: &str, body: Value| world.ask_with(&token, method, path, body).await;
    let (status, me) = ask(Method::GET, "/integrated-account/me", Value::Null).await;
    assert_eq!((status, &me["id"]), (StatusCode::OK, &json!(own)), "{me}");
    assert!(!me.to_string().contains("access_token"), "{me}");
    // A file picker sends back all that it read, and what was picked.
    let mut context = me["context"].clone();
    context["drive_items"] = json!([{"id": 1}]);
    context["oauth"] = json!({"token": {"access_token": "mine"}});
    let (status, changed) = ask(Method::PATCH, "/integrated-account/me", json!({ "context": context })).await;
    assert_eq!((status, &changed["context"]["drive_items"]), (StatusCode::OK, &json!([{"id": 1}])), "{changed}");
    // The account needs not be named, and another one may not be.
    let (status, called) = ask(Method::GET, "/custom/api/me", Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{called}");
    for (query, expected) in [(&own, StatusCode::OK), (&other, StatusCode::FORBIDDEN)] {
        let path = format!("/custom/api/me?integrated_account_id={query}");
        let (status, answer) = ask(Method::GET, &path, Value::Null).await;
        assert_eq!(status, expected, "{answer}");
    }
    for (method, path) in [
        (Method::GET, format!("/integrated-account/{own}")),
        (Method::POST, format!("/relink/accounts/{own}/access-token")),
        (Method::GET, format!("/via/{own}/api/me")),
        (Method::POST, "/batch-request".to_owned()),
        (Method::POST, "/integrated-account/token".to_owned()),
    ] {
        let (status, refused) = ask(method.clone(), &path, json!({ "integrated_account_id": own })).await;
        assert_eq!((status, &refused["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")), "{method} {path}");
    }
    world.ask(Method::DELETE, &format!("/integrated-account/{own}"), Value::Null).await;
    let (status, _) = ask(Method::GET, "/integrated-account/me", Value::Null).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "the token ended with its account");
}

#[tokio::test]
async fn an_account_token_changes_no_more_than_its_maker_may() {
    let world = World::new().await;
    world.sandbox().await;
    let own = world.account("own").await;
    let token = account_token(&world, &own, TokenLevel::Program).await;
    let change = json!({"context": {"a": 1}});
    let (status, refused) = world.ask_with(&token, Method::PATCH, "/integrated-account/me", change).await;
    assert_eq!((status, &refused["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")));
    assert!(refused["hint"].as_str().is_some_and(|hint| hint.contains("--admin")), "{refused}");
    let (status, _) = world.ask_with(&token, Method::GET, "/integrated-account/me", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let unknown = json!({"integrated_account_id": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"});
    let (status, _) = world.ask(Method::POST, "/integrated-account/token", unknown).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
