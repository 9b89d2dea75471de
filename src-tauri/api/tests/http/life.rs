//! Where the surface listens, how it is found, and how it ends.

use std::net::TcpListener;

use relink_api::{PORT, ServeError, ServeOptions};
use relink_contract::data_folder::ENGINE_FILE;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::world::World;

/// What the file by which the command line finds the engine says.
fn found(world: &World) -> Value {
    let text = std::fs::read_to_string(world.folder.path().join(ENGINE_FILE)).expect("the file is there");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused() {
    let world = World::new().await;
    for address in ["0.0.0.0:0", "[::]:0", "[::1]:0", "127.0.0.2:0", "192.0.2.1:7417"] {
        let options = ServeOptions {
            listen: Some(address.parse().expect("an address")),
            data_dir: world.folder.path().to_owned(),
        };
        let refused = relink_api::serve(world.engine.clone(), options).await.expect_err(address);
        assert!(matches!(refused, ServeError::NotLoopback(_)), "{address}: {refused}");
    }
}

#[tokio::test]
async fn a_taken_port_is_replaced_by_the_next_free_one_unless_it_was_requested() {
    let world = World::new().await;
    // Held by us, or by whoever has it already: taken either way.
    let _held = TcpListener::bind(("127.0.0.1", PORT));
    let serve = |listen| {
        relink_api::serve(world.engine.clone(), ServeOptions { listen, data_dir: world.folder.path().to_owned() })
    };
    let serving = serve(None).await.expect("another port is free");
    assert!(serving.wanted_port_taken());
    assert!(!serving.base_url().ends_with(&format!(":{PORT}")), "{}", serving.base_url());
    serving.stop().await;

    let asked_for = format!("127.0.0.1:{PORT}").parse().expect("an address");
    let refused = serve(Some(asked_for)).await.expect_err("taken").to_string();
    assert!(refused.contains("another port") && refused.contains("--listen"), "{refused}");
}

#[tokio::test]
async fn the_token_in_the_engine_file_is_valid_only_for_this_run() {
    let world = World::new().await;
    let token = found(&world)["token"].as_str().expect("a token").to_owned();
    assert_eq!(found(&world)["base_url"], world.base());
    let status = async |base: &str| {
        let request = world.client.get(format!("{base}/relink/status")).bearer_auth(&token);
        request.send().await.expect("an answer").status()
    };
    assert_eq!(status(world.base()).await, StatusCode::OK);

    let options = ServeOptions {
        listen: Some("127.0.0.1:0".parse().expect("an address")),
        data_dir: world.folder.path().to_owned(),
    };
    let next = relink_api::serve(world.engine.clone(), options).await.expect("it serves");
    assert_eq!(status(next.base_url()).await, StatusCode::UNAUTHORIZED, "another run's");
    next.stop().await;
}

#[tokio::test]
async fn a_stop_closes_the_port_and_removes_the_engine_file() {
    let World { serving, folder, client, engine, .. } = World::new().await;
    let url = format!("{}/ping", serving.base_url());
    assert!(client.get(&url).send().await.expect("an answer").status().is_success());
    serving.stop().await;
    assert!(!folder.path().join(ENGINE_FILE).exists());
    Client::new().get(&url).send().await.expect_err("nobody listens there any more");
    engine.stop().await;
}

#[tokio::test]
async fn responses_are_neither_cached_nor_sniffed() {
    let world = World::new().await;
    for path in ["/ping", "/nowhere", "/integrated-account", "/connect-account/session"] {
        let answer = world.client.get(format!("{}{path}", world.base())).send().await.expect("an answer");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers()["content-type"], "application/json", "{path}");
    }
}

#[tokio::test]
async fn an_unsupported_method_is_reported_in_the_errors_format() {
    let world = World::new().await;
    let (status, body) = world.ask(Method::PATCH, "/webhook/x", Value::Null).await;
    assert_eq!((status, body["statusCode"].as_u64()), (StatusCode::METHOD_NOT_ALLOWED, Some(405)));
    assert_eq!(body["code"], "no_such_method");
}
