//! Bodies that lack a field (contract section 0.4).

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_batch_without_an_account_names_the_field() {
    let world = World::new().await;
    let (status, answer) = world.ask(Method::POST, "/batch-request", json!({ "resources": [] })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert_eq!(answer["details"]["failures"][0]["path"], "integrated_account_id", "{answer}");
}
