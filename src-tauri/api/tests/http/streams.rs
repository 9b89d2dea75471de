//! Calls that take long: `WebSocket`s, streams, large bodies, and what ends them.

use axum::body::Bytes;
use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::{answering_provider::SignIn, streaming_provider::Streaming, world::World};

#[tokio::test]
async fn a_websocket_goes_through_in_both_directions_until_either_side_closes() {
    let it = Streaming::new(SignIn::ApiKey).await;
    // What is for Relink doesn't go on, and the rest of the query does as it is.
    let custom = it.custom_url("/socket?b=2&limit=1&truto_x=1&a=%20&a");
    for (url, seen, provider_closes) in [
        (it.url("/socket"), "k-123456", false),
        (it.url("/socket"), "k-123456", true),
        (custom.clone(), "k-123456 b=2&a=%20&a", false),
        (custom, "k-123456 b=2&a=%20&a", true),
    ] {
        let mut socket = it.socket(&url, &it.world.token).await.expect("connected");
        let first = socket.next().await.expect("a message").expect("no error");
        assert_eq!(first, Message::text(seen), "the account's credential, and no token of Relink's");
        let long = Message::binary(vec![7; 300_000]);
        for message in [Message::text("hello"), long] {
            socket.send(message.clone()).await.expect("sent");
            assert_eq!(socket.next().await.expect("a message").expect("no error"), message);
        }
        if provider_closes {
            socket.send(Message::text("close, please")).await.expect("sent");
            assert!(socket.next().await.expect("a message").expect("no error").is_close());
        } else {
            socket.close(None).await.expect("closed");
        }
        while let Some(Ok(_)) = socket.next().await {}
        it.until_open(0).await;
    }
    // A program that vanishes without a word.
    let socket = it.socket(&it.url("/socket"), &it.world.token).await.expect("connected");
    it.until_open(1).await;
    drop(socket);
    it.until_open(0).await;
}

#[tokio::test]
async fn a_websocket_that_is_refused_says_so_like_any_call() {
    let it = Streaming::new(SignIn::ApiKey).await;
    let token = it.world.token.as_str();
    for (url, token, status) in [
        (it.url("/nothing"), token, 404),
        (it.url("/socket"), "unknown", 401),
        (it.custom_url("/nothing"), token, 404),
        (it.custom_url("/socket"), "unknown", 401),
        (it.custom_url("/socket").replace("integrated_", ""), token, 400),
    ] {
        match it.socket(&url, token).await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), status, "{url}"),
            other => panic!("{url}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_deleted_account_and_a_revoked_token_end_what_runs() {
    for (deletes_account, is_custom) in [(true, false), (false, false), (true, true), (false, true)] {
        let it = Streaming::new(SignIn::ApiKey).await;
        let path = "/relink/api-tokens";
        let (_, made) = it.world.as_person(Method::POST, path, json!({ "name": "agent" })).await;
        let token = made["token"].as_str().expect("a token");
        let url = if is_custom { it.custom_url("/socket") } else { it.url("/socket") };
        let mut socket = it.socket(&url, token).await.expect("connected");
        let mut events = it.events(token).await;
        it.until_open(2).await;
        it.api.pieces.send(Bytes::from_static(b"data: 1\n\n")).expect("a stream");
        assert_eq!(events.chunk().await.expect("no error").as_deref(), Some(b"data: 1\n\n".as_slice()));
        let gone = if deletes_account {
            format!("/integrated-account/{}", it.account)
        } else {
            format!("/relink/api-tokens/{}", made["id"].as_str().expect("an id"))
        };
        let (status, body) = it.world.as_person(Method::DELETE, &gone, Value::Null).await;
        assert!(status.is_success(), "{gone}: {body}");
        events.chunk().await.expect_err("it breaks off, and isn't taken for complete");
        while let Some(Ok(_)) = socket.next().await {}
        it.until_open(0).await;
    }
}

#[tokio::test]
async fn methods_that_openapi_has_no_word_for_go_through_and_trace_does_not() {
    let it = Streaming::new(SignIn::ApiKey).await;
    for (method, status) in [("QUERY", 200), ("PROPFIND", 200), ("M-SEARCH", 200), ("TRACE", 405), ("GET", 200)] {
        for (path, token, status) in [("/echo", it.world.token.as_str(), status), ("/echo", "unknown", 401)] {
            let request = it.world.client.request(method.parse().expect("a method"), it.url(path));
            let answer = request.bearer_auth(token).body("question").send().await.expect("an answer");
            assert_eq!(answer.status().as_u16(), status, "{method}");
            if status == 200 {
                assert_eq!(answer.headers()["x-got-method"], method);
                assert_eq!(answer.text().await.expect("a body"), "question");
            }
        }
    }
    // A token that only reads is refused whatever it can't be known of that it reads.
    let token = json!({ "name": "reader", "read_only": true });
    let (_, made) = it.world.as_person(Method::POST, "/relink/api-tokens", token).await;
    let token = made["token"].as_str().unwrap_or_else(|| panic!("{made}"));
    for (method, status) in [("QUERY", 403), ("GET", 200)] {
        let request = it.world.client.request(method.parse().expect("a method"), it.url("/echo"));
        assert_eq!(request.bearer_auth(token).send().await.expect("an answer").status().as_u16(), status, "{method}");
    }
    for url in [it.url("/socket"), it.custom_url("/socket")] {
        match it.socket(&url, token).await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 403),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn expectations_are_met_by_relink_and_ranges_by_the_provider() {
    let it = Streaming::new(SignIn::ApiKey).await;
    let head = |more: &str| {
        let (path, host, token) = (format!("/via/{}/echo", it.account), it.world.host(), &it.world.token);
        format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n{more}\r\n"
        )
    };
    // The body follows only after the 100, as with curl.
    let answer = continued(&it.world, &head("content-length: 4\r\nexpect: 100-continue\r\n"), "body").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\nbody"), "{answer}");
    assert!(!answer.contains("x-got-expect"), "{answer}");
    let refused = format!(
        "POST /via/{}/echo HTTP/1.1\r\nhost: {}\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n",
        it.account,
        it.world.host()
    );
    let refused = it.world.raw(refused.as_bytes()).await;
    assert!(refused.starts_with("HTTP/1.1 401"), "before the body: {refused}");
    let ranged = it.world.raw(format!("{}body", head("content-length: 4\r\nrange: bytes=0-3\r\n")).as_bytes()).await;
    assert!(ranged.starts_with("HTTP/1.1 206") && ranged.contains("x-got-range: bytes=0-3"), "{ranged}");
    let chunked = "transfer-encoding: chunked\r\ntrailer: x-sum\r\nte: trailers\r\n";
    let trailed = it.world.raw(format!("{}4\r\nbody\r\n0\r\nx-sum: 9\r\n\r\n", head(chunked)).as_bytes()).await;
    assert!(trailed.contains("x-got-te: trailers") && trailed.contains("4\r\nbody\r\n"), "{trailed}");
    assert!(trailed.ends_with("0\r\nx-sum: 9\r\n\r\n") || trailed.ends_with("0\r\n\r\n"), "{trailed}");
}

/// Sends the body after the interim response. Returns the final one.
async fn continued(world: &World, head: &str, body: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(world.host()).await.expect("connected");
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.expect("an interim response");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}
