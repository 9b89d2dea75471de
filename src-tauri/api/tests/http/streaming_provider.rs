//! A provider whose answers take as long as a test says, and calls to it.

use std::{
    convert::Infallible,
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
    routing::{any, get, post},
};
use futures_util::{SinkExt, Stream, StreamExt, stream};
use hyper_util::rt::TokioIo;
use tokio::sync::broadcast;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, handshake::derive_accept_key, protocol::Role},
};

use crate::{
    answering_provider::{Answers, Provider, SignIn},
    world::World,
};

/// So much of a download follows each piece.
pub const DOWNLOADED: usize = 64 << 10;

/// What the provider's API remembers.
#[derive(Clone)]
pub struct Api {
    pub answers: Arc<Mutex<Answers>>,
    /// A piece for every stream that is open.
    pub pieces: broadcast::Sender<Bytes>,
    pub open: Arc<AtomicUsize>,
}

pub struct Streaming {
    pub world: World,
    pub provider: Provider,
    pub account: String,
    pub api: Api,
    pub auth: SignIn,
}

impl Streaming {
    pub async fn new(auth: SignIn) -> Self {
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
                .route("/download", get(download))
                .route("/upload", post(upload))
                .with_state(api)
        })
        .await;
        let account = provider.connect(&world, auth, 0).await;
        Self { world, provider, account, api: made.expect("made"), auth }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/via/{}{path}", self.world.base(), self.account)
    }

    /// The same path on `/custom`.
    pub fn custom_url(&self, path: &str) -> String {
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{}/custom{path}{separator}integrated_account_id={}", self.world.base(), self.account)
    }

    pub async fn socket(
        &self,
        url: &str,
        token: &str,
    ) -> Result<WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>, Error> {
        let url = url.replacen("http", "ws", 1);
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
    pub async fn events(&self, token: &str) -> reqwest::Response {
        let response = self.world.client.get(self.url("/events")).bearer_auth(token).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        response
    }

    pub async fn until_open(&self, count: usize) {
        let reached = async {
            while self.api.open.load(Ordering::SeqCst) != count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), reached).await.expect("so many are open");
    }
}

/// A WebSocket that says what credential and query it has seen, and then repeats what it receives.
async fn socket(State(api): State<Api>, mut request: Request) -> Response {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let query = request.uri().query().unwrap_or_default();
    let seen = format!("{}{} {query}", header("x-api-key"), header("authorization")).trim().to_owned();
    let key = header("sec-websocket-key");
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = TokioIo::new(upgraded.await.expect("upgraded"));
        let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
        api.open.fetch_add(1, Ordering::SeqCst);
        let _ = socket.send(Message::text(seen)).await;
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

/// A call that is open until this is dropped.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(api: &Api) -> Self {
        api.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&api.open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What the test sends, until that is empty.
fn pieces(api: &Api) -> impl Stream<Item = Bytes> + Send + use<> {
    let state = (api.pieces.subscribe(), Open::new(api));
    stream::unfold(state, |(mut pieces, open)| async {
        let piece = pieces.recv().await.ok().filter(|piece| !piece.is_empty())?;
        Some((piece, (pieces, open)))
    })
}

/// Server-sent events: a piece for each that the test sends.
async fn events(State(api): State<Api>) -> Response {
    ([("content-type", "text/event-stream")], Body::from_stream(pieces(&api).map(Ok::<_, Infallible>))).into_response()
}

/// A large answer that arrives slowly: [`DOWNLOADED`] bytes for each piece that the test sends.
async fn download(State(api): State<Api>) -> Response {
    let chunks = pieces(&api).map(|_| Ok::<_, Infallible>(Bytes::from(vec![b'd'; DOWNLOADED])));
    ([("content-type", "application/octet-stream")], Body::from_stream(chunks)).into_response()
}

/// Reads a body to its end, and says how long it was.
async fn upload(State(api): State<Api>, request: Request) -> String {
    let _open = Open::new(&api);
    let mut body = request.into_body().into_data_stream();
    let mut length = 0;
    while let Some(chunk) = body.next().await {
        length += chunk.expect("it isn't cut off").len();
    }
    length.to_string()
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
