//! Calls that take long: `WebSocket`s, streams, large bodies, and what ends them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use futures_util::{SinkExt, StreamExt, future::join_all, stream};
use hyper_util::rt::TokioIo;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, handshake::derive_accept_key, protocol::Role},
};

use crate::{
    answering_provider::{self, Answers, Provider, SignIn},
    world::World,
};

/// What the provider's API remembers.
#[derive(Clone)]
struct Api {
    answers: Arc<Mutex<Answers>>,
    /// A piece for every stream that is open.
    pieces: broadcast::Sender<Bytes>,
    open: Arc<AtomicUsize>,
}

struct Streaming {
    world: World,
    provider: Provider,
    account: String,
    api: Api,
    auth: SignIn,
}

impl Streaming {
    async fn new(auth: SignIn) -> Self {
        let world = World::new().await;
        let (pieces, _) = broadcast::channel(16);
        let mut made = None;
        let provider = Provider::with_api(true, |answers| {
            let api = Api { answers, pieces, open: Arc::default() };
            made = Some(api.clone());
            Router::new()
                .route("/socket", get(socket))
                .route("/events", get(events))
                .route("/echo", any(echo))
                .with_state(api)
        })
        .await;
        let account = provider.connect(&world, auth, 0).await;
        Self { world, provider, account, api: made.expect("made"), auth }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/via/{}{path}", self.world.base(), self.account)
    }

    async fn socket(
        &self,
        path: &str,
        token: &str,
    ) -> Result<WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>, Error> {
        let url = self.url(path).replacen("http", "ws", 1);
        let mut request = url.into_client_request().expect("a request");
        let bearer = format!("Bearer {token}").parse().expect("a header");
        request.headers_mut().insert("authorization", bearer);
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("chat"));
        connect_async(request).await.map(|(socket, response)| {
            assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
            socket
        })
    }

    /// Opens a stream, and waits for its beginning.
    async fn events(&self, token: &str) -> reqwest::Response {
        let response = self.world.client.get(self.url("/events")).bearer_auth(token).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        response
    }

    async fn until_open(&self, count: usize) {
        let reached = async {
            while self.api.open.load(Ordering::SeqCst) != count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), reached).await.expect("so many are open");
    }
}

/// A WebSocket that says what credential it has seen, and then repeats what it hears.
async fn socket(State(api): State<Api>, mut request: Request) -> Response {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (key, credential) = (header("sec-websocket-key"), header("x-api-key") + &header("authorization"));
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = TokioIo::new(upgraded.await.expect("upgraded"));
        let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
        api.open.fetch_add(1, Ordering::SeqCst);
        let _ = socket.send(Message::text(credential)).await;
        while let Some(Ok(message)) = socket.next().await {
            if message == Message::text("close, please") {
                let _ = socket.close(None).await;
            } else if message.is_text() || message.is_binary() {
                let _ = socket.send(message).await;
            }
        }
        api.open.fetch_sub(1, Ordering::SeqCst);
    });
    let headers = [
        ("connection", "Upgrade".to_owned()),
        ("upgrade", "websocket".to_owned()),
        ("sec-websocket-accept", derive_accept_key(key.as_bytes())),
        ("sec-websocket-protocol", "chat".to_owned()),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Server-sent events: a piece for each that the test sends.
async fn events(State(api): State<Api>) -> Response {
    struct Open(Arc<AtomicUsize>);
    impl Drop for Open {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let pieces = api.pieces.subscribe();
    api.open.fetch_add(1, Ordering::SeqCst);
    let open = Open(api.open);
    let pieces = stream::unfold((pieces, open), |(mut pieces, open)| async {
        let piece = pieces.recv().await.ok()?;
        Some((Ok::<_, std::convert::Infallible>(piece), (pieces, open)))
    });
    ([("content-type", "text/event-stream")], Body::from_stream(pieces)).into_response()
}

/// What the provider received.
async fn echo(State(api): State<Api>, request: Request) -> Response {
    let refused = api.answers.lock().expect("not poisoned").api.front().copied();
    if let Some(status) = refused.filter(|status| *status != 200) {
        return StatusCode::from_u16(status).expect("a status").into_response();
    }
    let (parts, body) = request.into_parts();
    let mut headers = HeaderMap::new();
    for name in ["range", "expect", "te", "x-api-key"] {
        if let Some(value) = parts.headers.get(name) {
            headers.insert(format!("x-got-{name}").parse::<http::HeaderName>().expect("a name"), value.clone());
        }
    }
    headers.insert("x-got-method", parts.method.as_str().parse().expect("a value"));
    let status = if parts.headers.contains_key("range") { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    (status, headers, body).into_response()
}

#[tokio::test]
async fn a_websocket_goes_through_in_both_directions_until_either_side_closes() {
    let it = Streaming::new(SignIn::ApiKey).await;
    for provider_closes in [false, true] {
        let mut socket = it.socket("/socket", &it.world.token).await.expect("connected");
        let first = socket.next().await.expect("a message").expect("no error");
        assert_eq!(first, Message::text("k-123456"), "the account's credential, and no token of Relink's");
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
    let socket = it.socket("/socket", &it.world.token).await.expect("connected");
    it.until_open(1).await;
    drop(socket);
    it.until_open(0).await;
}

#[tokio::test]
async fn a_websocket_that_is_refused_says_so_like_any_call() {
    let it = Streaming::new(SignIn::ApiKey).await;
    for (path, token, status) in [("/nothing", it.world.token.as_str(), 404), ("/socket", "unknown", 401)] {
        match it.socket(path, token).await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), status, "{path}"),
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_deleted_account_and_a_revoked_token_end_what_runs() {
    for deletes_account in [true, false] {
        let it = Streaming::new(SignIn::ApiKey).await;
        let path = "/relink/api-tokens";
        let (_, made) = it.world.as_person(Method::POST, path, json!({ "name": "agent" })).await;
        let token = made["token"].as_str().expect("a token");
        let mut socket = it.socket("/socket", token).await.expect("connected");
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

/// Further calls are made, and what runs goes on, while the access token is refreshed and while the person signs in again.
#[tokio::test]
async fn five_hundred_open_calls_outlast_a_refresh_and_a_reauthorization() {
    const COUNT: usize = 500;
    let it = Streaming::new(SignIn::OAuth).await;
    let mut open = join_all((0..COUNT).map(|_| it.events(&it.world.token))).await;
    it.until_open(COUNT).await;
    let refresh = format!("/relink/accounts/{}/refresh", it.account);
    let name = answering_provider::name(it.auth, 0);
    for (number, renews) in ["a refresh", "a reauthorization"].into_iter().enumerate() {
        let calls = join_all((0..50).map(|_| it.world.client.get(it.url("/echo")).bearer_auth(&it.world.token).send()));
        let renewal = async {
            if number == 0 {
                let (status, body) = it.world.as_person(Method::POST, &refresh, json!({})).await;
                assert!(status.is_success(), "{body}");
            } else {
                let link = json!({ "integrated_account_id": it.account });
                assert_eq!(Provider::sign_in(&it.world, it.auth, &name, link).await, it.account);
            }
        };
        let (answers, ()) = tokio::join!(calls, renewal);
        for answer in answers {
            assert_eq!(answer.expect("an answer").status(), StatusCode::OK, "during {renews}");
        }
        it.api.pieces.send(Bytes::from_static(b"data: more\n\n")).expect("streams");
        for response in &mut open {
            let piece = response.chunk().await.expect("it goes on");
            assert_eq!(piece.as_deref(), Some(b"data: more\n\n".as_slice()), "after {renews}");
        }
    }
    assert_eq!(it.api.open.load(Ordering::SeqCst), COUNT);
    assert_eq!(it.provider.tokens(), 3, "the connection, the refresh and the reauthorization");
    drop(open);
    it.until_open(0).await;
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
    match it.socket("/socket", token).await {
        Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 403),
        other => panic!("{other:?}"),
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
