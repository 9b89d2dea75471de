//! `POST /integrated-account/bulk-delete` (contract section 3).

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::World;

const PATH: &str = "/integrated-account/bulk-delete";

async fn left(world: &World) -> Vec<String> {
    let listed = world.get("/integrated-account?sort=created_at").await;
    let ids = listed["result"].as_array().expect("a list").iter();
    ids.map(|account| account["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn the_accounts_of_a_tenant_or_those_that_are_named_are_deleted() {
    let world = World::new().await;
    world.sandbox().await;
    let (one, two, other) = (world.account("acme").await, world.account("acme").await, world.account("other").await);
    assert_eq!(left(&world).await, [one, two.clone(), other.clone()]);
    let done = world.post(PATH, json!({ "query": { "tenant_id": "acme" } })).await;
    assert_eq!((done, left(&world).await), (json!({ "success": true }), vec![other.clone()]));
    world.post(PATH, json!({ "query": { "tenant_id": "nobody" } })).await;
    world.post(PATH, json!({ "ids": [other, other] })).await;
    assert_eq!(left(&world).await, [""; 0]);
}

#[tokio::test]
async fn nothing_is_deleted_that_was_not_named() {
    let world = World::new().await;
    world.sandbox().await;
    let one = world.account("acme").await;
    for (body, status) in [
        (json!({}), 400),
        (json!({ "query": {} }), 400),
        (json!({ "query": { "tenant_id": "acme", "status": "needs_reauth" } }), 400),
        (json!({ "ids": [one], "query": { "tenant_id": "acme" } }), 400),
        (json!({ "ids": [one, "unknown"] }), 404),
        (json!({ "ids": [] }), 200),
    ] {
        let (answered, said) = world.ask(Method::POST, PATH, body.clone()).await;
        assert_eq!(answered, StatusCode::from_u16(status).expect("a status"), "{body}: {said}");
        assert_eq!(left(&world).await, [one.as_str()], "{body}");
    }
}
