use relink_app::Changes;
use relink_contract::window::{Account, Change, TriedCall, TryCall};
use relink_domain::AccountId;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::world::{World, next};

fn get(path: &str, query: Option<&str>) -> TryCall {
    TryCall {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: query.map(str::to_owned),
        body: None,
        content_type: None,
    }
}

fn post() -> TryCall {
    TryCall {
        method: "POST".to_owned(),
        body: Some(r#"{"name":"x"}"#.to_owned()),
        content_type: Some("application/json".to_owned()),
        ..get("/userinfo", None)
    }
}

async fn tried(world: &World, id: AccountId, call: TryCall) -> TriedCall {
    world.app.try_call(id, call).await.expect("a response")
}

#[tokio::test]
async fn the_person_tries_a_call_and_sees_the_response_and_its_record() {
    let world = World::new().await;
    let id = world.connect().await;
    let mut changes = world.app.changes();
    let response = tried(&world, id, get("/api/items", Some("page=2"))).await;
    assert_eq!((response.status, response.reason.as_str(), response.is_cut), (200, "OK", false));
    let body: Value = serde_json::from_str(response.body.as_deref().expect("text")).expect("JSON");
    assert_eq!(body["items"][1]["title"], "Compiler");
    assert!(response.headers.iter().any(|it| it.name == "content-type" && it.value == "application/json"));
    assert!(response.headers_ms <= response.total_ms && response.bytes > 50, "{response:?}");

    let calls = world.app.calls(id).await.expect("a list");
    assert_eq!((calls[0].path.as_str(), calls[0].program.as_str()), ("/api/items?page=…", "you"));
    assert_eq!(calls[0].error, None, "the whole response was read");
    while next(&mut changes).await != Change::Calls {}
    let usage = world.app.usage(id).await.expect("the usage");
    assert_eq!((usage.days.len(), usage.days[13].calls, usage.programs.len()), (14, 1, 1));
    assert_eq!(usage.programs[0].api_token_id, None);
}

#[tokio::test]
async fn a_body_is_sent_as_it_is_and_an_error_of_the_provider_is_a_response() {
    let world = World::new().await;
    let refuse = |request: &str| {
        let status = if request.ends_with(r#"{"name":"x"}"#) { "405 Method Not Allowed" } else { "200 OK" };
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
    };
    let id = account_at(&world, refuse).await;
    assert_eq!(tried(&world, id, post()).await.status, 405);
    let calls = world.app.calls(id).await.expect("a list");
    assert_eq!((calls[0].method.as_str(), calls[0].sent_bytes, calls[0].failed), ("POST", 12, true));
}

#[tokio::test]
async fn a_call_that_is_not_made_says_why() {
    let world = World::new().await;
    let id = world.connect().await;
    let refused = world.app.try_call(id, get("/a%00b", None)).await.expect_err("refused");
    assert_eq!(refused.code, "path_control_character");
    assert_eq!(world.app.calls(id).await.expect("a list")[0].status, Some(400), "it is recorded");
    let refused = world.app.try_call(id, get("no slash", None)).await.expect_err("refused");
    assert_eq!((refused.code.as_str(), refused.title.as_str()), ("call_invalid", "The call wasn’t made"));
    let refused = world.app.try_call(id, post()).await.expect_err("refused");
    assert_eq!(refused.code, "sandbox_is_read_only", "a write with an account of the Sandbox");
    let unknown = "01900000-0000-7000-8000-000000000000".parse().expect("an id");
    assert_eq!(world.app.try_call(unknown, get("/", None)).await.expect_err("refused").code, "not_found");
    assert_eq!(world.app.calls(unknown).await.expect_err("refused").code, "not_found");
    assert_eq!(world.app.usage(unknown).await.expect_err("refused").code, "not_found");
}

/// Whether the body of a request is there too.
fn is_whole(request: &[u8]) -> bool {
    let request = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// A provider that answers one request by its text. Returns its origin.
async fn provider(answer: impl FnOnce(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        while !is_whole(&request) {
            assert!(stream.read_buf(&mut request).await.expect("a request") > 0, "cut short");
        }
        let answer = answer(&String::from_utf8_lossy(&request));
        stream.write_all(answer.as_bytes()).await.expect("answered");
    });
    origin
}

/// Answers with the request itself, in the body and in a header.
fn echo(head: &str) -> String {
    let key = head.lines().find(|line| line.contains("canary")).unwrap_or_default().to_owned();
    let body = json!({ "you sent": head }).to_string();
    format!("HTTP/1.1 200 OK\r\nX-Seen: {key}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// An account whose provider answers one request.
async fn account_at(world: &World, answer: impl FnOnce(&str) -> String + Send + 'static) -> AccountId {
    let definition = json!({
        "name": "one-answer",
        "config": {
            "label": "One Answer",
            "base_url": provider(answer).await,
            "credentials": { "api_key": { "config": { "fields": [
                { "name": "api_key", "label": "Key", "type": "password", "required": true },
            ] } } },
            "resources": { "users": {
                "list": { "method": "get", "path": "/users", "description": "Lists the users." },
                "get": { "method": "get", "path": "/users/{{id}}" },
                "find": { "method": "post", "path": "search" },
            } },
            "relink": { "allow_local": true },
        },
    });
    world.app.add_integration(definition.to_string()).await.expect("added");
    world.connect_to("one-answer", "canary-0123456789-abcdefghij".to_owned()).await
}

/// Waits for a published state of the account in which it waits, or not.
async fn published(changes: &mut Changes, id: AccountId, waits: bool) -> Account {
    loop {
        let Change::Accounts { changes: Some(accounts) } = next(changes).await else { continue };
        let mut of_account = accounts.changed.into_iter().filter(|account| account.id == id);
        if let Some(account) = of_account.find(|account| account.waiting.is_some() == waits) {
            return account;
        }
    }
}

#[tokio::test]
async fn an_account_whose_provider_asked_for_quiet_is_shown_as_waiting_until_it_is_over() {
    let world = World::new().await;
    let busy = |_: &str| "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n".to_owned();
    let id = account_at(&world, busy).await;
    let mut changes = world.app.changes();
    assert_eq!(tried(&world, id, get("/x", None)).await.status, 429);
    let shown = published(&mut changes, id, true).await;
    assert_eq!(shown.waiting.expect("it waits").host, "127.0.0.1");
    published(&mut changes, id, false).await;
    assert_eq!(world.app.account(id).await.expect("it is there").waiting, None);
}

#[tokio::test]
async fn the_window_never_sees_the_accounts_secret_in_a_response() {
    let world = World::new().await;
    let id = account_at(&world, echo).await;
    let response = tried(&world, id, get("/x", None)).await;
    let shown = serde_json::to_string(&response).expect("JSON");
    assert!(!shown.contains("canary"), "{shown}");
    assert_eq!(response.body.as_deref(), Some(r#"{"you sent":"(hidden)"}"#));
    assert!(response.headers.iter().any(|it| it.name == "x-seen" && it.value == "(hidden)"), "{shown}");
}

#[tokio::test]
async fn the_calls_that_a_definition_names_are_offered() {
    let world = World::new().await;
    let id = world.connect().await;
    let of_sandbox = world.app.known_calls(id).await.expect("a list");
    let paths: Vec<_> = of_sandbox.iter().map(|it| it.path.as_str()).collect();
    for path in ["/api/items", "/api/me", "/api/tickets", "/api/contacts/{{id}}"] {
        assert!(paths.contains(&path), "{path}: {paths:?}");
    }
    let id = account_at(&world, echo).await;
    let calls = world.app.known_calls(id).await.expect("a list");
    let shown: Vec<_> = calls.iter().map(|it| (it.name.as_str(), it.method.as_str(), it.path.as_str())).collect();
    assert_eq!(
        shown,
        [("users.find", "POST", "/search"), ("users.get", "GET", "/users/{{id}}"), ("users.list", "GET", "/users"),]
    );
    assert_eq!(calls[2].description.as_deref(), Some("Lists the users."));
}
