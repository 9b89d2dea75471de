//! Where the surface listens, how it is found, and how it ends.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
};

use relink_api::{PORT, PortProblem, ServeError, ServeOptions};
use relink_contract::data_folder::ENGINE_FILE;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::world::World;

/// What the file by which the command line finds the engine says.
fn found(world: &World) -> Value {
    let text = std::fs::read_to_string(world.folder.path().join(ENGINE_FILE)).expect("the file is there");
    serde_json::from_str(&text).expect("JSON")
}

fn options(world: &World, listen: SocketAddr) -> ServeOptions {
    ServeOptions {
        listen: Some(listen),
        runs_without_port: false,
        also_listen: false,
        data_dir: world.folder.path().to_owned(),
        runtime_dir: None,
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused() {
    let world = World::new().await;
    for text in ["0.0.0.0:0", "[::]:0", "[::1]:0", "127.0.0.2:0", "192.0.2.1:7417"] {
        let options = options(&world, address(text));
        let refused = relink_api::serve(world.engine.clone(), options).await.expect_err(text);
        assert!(matches!(refused, ServeError::NotLoopback(_)), "{text}: {refused}");
    }
}

#[tokio::test]
async fn a_taken_port_is_an_error_and_never_replaced_by_another_one() {
    let world = World::new().await;
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = held.local_addr().expect("an address");
    let refused = relink_api::serve(world.engine.clone(), options(&world, address)).await.expect_err("taken");
    assert!(matches!(refused, ServeError::Port(PortProblem::Taken(port)) if port == address.port()), "{refused}");
    let message = refused.to_string();
    assert!(message.contains(&address.port().to_string()) && message.contains("--listen"), "{message}");
}

#[tokio::test]
async fn the_default_port_is_7417_and_no_other() {
    let world = World::new().await;
    // Held by us, or by whoever has it already: taken either way.
    let _held = TcpListener::bind(("127.0.0.1", PORT));
    let options = ServeOptions { listen: None, ..options(&world, address("127.0.0.1:0")) };
    let refused = relink_api::serve(world.engine.clone(), options).await.expect_err("taken");
    assert!(refused.to_string().contains("7417"), "{refused}");
}

#[tokio::test]
async fn an_app_without_its_port_serves_its_socket_alone_until_the_port_is_free_or_another_is_chosen() {
    for chooses in [false, true] {
        let world = World::new().await;
        let held = TcpListener::bind("127.0.0.1:0").expect("a port");
        held.set_nonblocking(true).expect("set");
        let taken = held.local_addr().expect("an address");
        let options = ServeOptions { runs_without_port: true, ..options(&world, taken) };
        let serving = relink_api::serve(world.engine.clone(), options).await.expect("it runs on");
        let state = serving.port().state();
        assert_eq!(state.problem, Some(PortProblem::Taken(taken.port())));
        let engine_file = found(&world);
        assert_eq!((&engine_file["base_url"], engine_file["socket"].is_string()), (&Value::Null, true));
        let status = over_socket(&world, "GET /relink/status").await;
        assert!(status.contains("200 OK") && status.contains("\"base_url\":null"), "{status}");
        assert_eq!(held.accept().expect_err("nobody was sent there").kind(), ErrorKind::WouldBlock);

        let mut changes = serving.port().changes();
        let expected = if chooses {
            let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
            serving.port().choose(free);
            free
        } else {
            drop(held);
            taken.port()
        };
        let now = changes.wait_for(|state| state.problem.is_none()).await.expect("it serves").clone();
        assert_eq!(now.port, expected);
        let answer = world.client.get(format!("{}/ping", now.base_url)).send().await.expect("an answer");
        assert!(answer.status().is_success());
        assert_eq!(found(&world)["base_url"].as_str(), Some(&*now.base_url));
        serving.stop(&world.engine).await;
    }
}

/// Sends a request with the run's token through the Unix socket. Returns the response.
async fn over_socket(world: &World, request: &str) -> String {
    let found = found(world);
    let mut stream = UnixStream::connect(found["socket"].as_str().expect("a socket")).await.expect("connected");
    let token = found["token"].as_str().expect("a token");
    let head =
        format!("{request} HTTP/1.1\r\nHost: relink\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut response = String::new();
    stream.read_to_string(&mut response).await.expect("a response");
    response
}

#[tokio::test]
async fn the_socket_serves_the_same_api_with_the_same_guards() {
    let world = World::new().await;
    let pong = over_socket(&world, "GET /ping").await;
    assert!(pong.contains("200 OK") && pong.contains("pong"), "{pong}");
    let accounts = over_socket(&world, "GET /integrated-account").await;
    assert!(accounts.contains("200 OK"), "{accounts}");

    let mut stream = UnixStream::connect(found(&world)["socket"].as_str().expect("a socket")).await.expect("connected");
    stream.write_all(b"GET /integrated-account HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    let mut response = String::new();
    stream.read_to_string(&mut response).await.expect("a response");
    assert!(response.starts_with("HTTP/1.1 401"), "{response}");
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

    let next = relink_api::serve(world.engine.clone(), options(&world, address("127.0.0.1:0"))).await;
    let next = next.expect("it serves");
    assert_eq!(status(&next.base_url()).await, StatusCode::UNAUTHORIZED, "another run's");
    next.stop(&world.engine).await;
}

#[tokio::test]
async fn a_stop_closes_the_port_and_removes_the_engine_file() {
    let World { serving, folder, client, engine, .. } = World::new().await;
    let url = format!("{}/ping", serving.base_url());
    assert!(client.get(&url).send().await.expect("an answer").status().is_success());
    serving.stop(&engine).await;
    assert!(!folder.path().join(ENGINE_FILE).exists());
    Client::new().get(&url).send().await.expect_err("nobody listens there any more");
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
    let (status, body) = world.ask(Method::PUT, "/webhook/x", Value::Null).await;
    assert_eq!((status, body["statusCode"].as_u64()), (StatusCode::METHOD_NOT_ALLOWED, Some(405)));
    assert_eq!(body["code"], "no_such_method");
}
