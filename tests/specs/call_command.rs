//! `relink call`, with a provider's API of three pages.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use relink_tests::{
    provider::Provider,
    relink::{Printed, Relink},
    session::Session,
};
use serde_json::{Value, json};

/// The last request to `/echo`: method, content type and body.
type Seen = Arc<Mutex<(String, String, Vec<u8>)>>;

/// Relink with an account of a provider whose API is a server of the test.
struct World {
    session: Session,
    relink: Relink,
    provider: Provider,
    account: String,
    seen: Seen,
}

impl World {
    async fn new() -> Result<Self> {
        let (session, provider) = (Session::start().await?, Provider::start().await?);
        let seen = Seen::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let router = Router::new()
            .route("/pages/{number}", get(page))
            .route("/around", get(around))
            .route("/echo", any(echo))
            .route("/missing", get(missing))
            .route("/refused", get(async || StatusCode::UNAUTHORIZED))
            .with_state(seen.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let relink = Relink::start(&session).await?;
        let account = provider.connect_with_api(&relink, "paged", &base_url).await?;
        Ok(Self { session, relink, provider, account, seen })
    }

    async fn call(&self, arguments: &[&str]) -> Result<Printed> {
        self.call_with_input(arguments, "").await
    }

    async fn call_with_input(&self, arguments: &[&str], input: &str) -> Result<Printed> {
        let arguments = [&["call", &self.account], arguments].concat();
        self.relink.cli_with_input(&self.session, &arguments, input).await
    }

    fn seen(&self) -> (String, String, Vec<u8>) {
        self.seen.lock().expect("unpoisoned").clone()
    }
}

/// Two numbers on each of three pages.
async fn page(Path(number): Path<u32>, headers: HeaderMap) -> Response {
    let host = headers[header::HOST].to_str().unwrap_or_default();
    let body = axum::Json(json!([{ "number": 2 * number }, { "number": 2 * number + 1 }]));
    if number == 2 {
        return body.into_response();
    }
    let next = format!("<http://{host}/pages/{}>; rel=\"next\", <http://{host}/pages/0>; rel=\"first\"", number + 1);
    ([(header::LINK, next)], body).into_response()
}

/// Its next page is itself.
async fn around() -> Response {
    ([(header::LINK, "</around>; rel=next")], axum::Json(json!([1]))).into_response()
}

async fn echo(State(seen): State<Seen>, method: axum::http::Method, headers: HeaderMap, body: Bytes) -> Bytes {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    *seen.lock().expect("unpoisoned") = (method.to_string(), content_type.to_owned(), body.to_vec());
    body
}

async fn missing() -> Response {
    (StatusCode::NOT_FOUND, axum::Json(json!({ "message": "no such thing" }))).into_response()
}

#[tokio::test]
async fn a_call_prints_what_the_provider_answers_and_sends_what_it_is_given() -> Result<()> {
    let world = World::new().await?;
    let printed = world.call(&["/pages/2"]).await?;
    assert_eq!((printed.code, printed.out.as_str()), (0, r#"[{"number":4},{"number":5}]"#), "{}", printed.err);

    let printed = world.call(&["echo", "-d", "{\"a\": 1}"]).await?;
    assert_eq!((printed.code, printed.out.as_str()), (0, "{\"a\": 1}"));
    assert_eq!(world.seen(), ("POST".to_owned(), "application/json".to_owned(), b"{\"a\": 1}".to_vec()));

    let arguments = ["echo", "-X", "PATCH", "-d", "@-", "-H", "Content-Type: text/plain"];
    let printed = world.call_with_input(&arguments, "from standard input").await?;
    assert_eq!((printed.code, printed.out.as_str()), (0, "from standard input"), "{}", printed.err);
    assert_eq!(world.seen().0, "PATCH");
    assert_eq!(world.seen().1, "text/plain");

    let file = world.session.folder().join("body");
    std::fs::write(&file, [0, 159, 255])?;
    let printed = world.call(&["echo", "-X", "PUT", "-d", &format!("@{}", file.display())]).await?;
    assert_eq!(printed.code, 0, "{}", printed.err);
    assert_eq!(world.seen().2, [0, 159, 255], "every byte");

    let printed = world.call(&["/pages/2", "-i"]).await?;
    assert!(printed.out.starts_with("HTTP/1.1 200 OK\n"), "{}", printed.out);
    assert!(printed.out.contains("\ncontent-type: application/json\n"), "{}", printed.out);
    world.relink.stop().await
}

#[tokio::test]
async fn pages_are_followed_to_the_end_and_printed_as_one_array() -> Result<()> {
    let world = World::new().await?;
    let printed = world.call(&["/pages/0", "--paginate"]).await?;
    assert_eq!(printed.code, 0, "{}", printed.err);
    let numbers: Vec<Value> = serde_json::from_str(&printed.out).with_context(|| printed.out.clone())?;
    assert_eq!(
        numbers.iter().map(|it| it["number"].as_u64()).collect::<Vec<_>>(),
        (0..6).map(Some).collect::<Vec<_>>()
    );

    // Given pages in a circle, then the command says so, and what it read is whole.
    let printed = world.call(&["/around", "--paginate"]).await?;
    assert_eq!((printed.code, printed.out.replace([' ', '\n'], "").as_str()), (1, "[1]"));
    assert!(printed.err.contains("was read already"), "{}", printed.err);
    world.relink.stop().await
}

#[tokio::test]
async fn an_error_of_the_provider_is_shown_and_a_refused_sign_in_has_its_exit_code() -> Result<()> {
    let world = World::new().await?;
    let printed = world.call(&["/missing"]).await?;
    assert_eq!((printed.code, printed.out.as_str()), (1, r#"{"message":"no such thing"}"#));
    assert!(printed.err.contains("404 Not Found"), "{}", printed.err);

    // Given an API that refuses the access token, and a sign-in that was revoked, so that there is no other token.
    world.provider.control("POST", "/revoke", json!({})).await?;
    let refused = world.call(&["/refused"]).await?;
    assert_eq!((refused.code, refused.out.as_str()), (4, ""), "{}", refused.err);
    let nobody = world.relink.cli(&world.session, &["call", "nobody-of-this-name", "/x"]).await?;
    assert_eq!(nobody.code, 1);
    assert!(nobody.err.contains("No account matches"), "{}", nobody.err);
    world.relink.stop().await
}
