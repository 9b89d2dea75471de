//! The action `refresh_token`, which replaces a refresh (contract section 4.8): with real requests and JSONata.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::Request,
    http::StatusCode as Answered,
    response::{Html, IntoResponse},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    answering_provider::{
        Provider,
        SignIn::{self, OAuth, OAuthFixed},
    },
    observed::until_is,
    world::World,
};

const RENEWED: &str = "at-canary-renewed-0001";
const NEXT: &str = "rt-canary-next-000001";
/// What the token endpoint gives at the sign-in.
const FIRST: &str = "rt-1234-of-the-account";

/// What the provider was sent at `/session`, and how it answers there.
#[derive(Default)]
struct Sessions {
    sent: Vec<String>,
    refused: Option<(u16, Value)>,
    /// A header of its refusal.
    header: Option<(&'static str, &'static str)>,
    /// Calls are answered whatever token they have.
    accepts_all: bool,
    /// Notifies that a ticket was asked for, and waits until it may be given.
    held: Option<(Arc<Notify>, Arc<Notify>)>,
}

struct Given {
    world: World,
    provider: Provider,
    sessions: Arc<Mutex<Sessions>>,
    account: String,
}

/// Renews with whatever token there is, in two requests: the second one needs what the first one found.
fn steps() -> Value {
    let tokens = "{ \"oauth\": { \"token\": { \"access_token\": $previous.token, \"refresh_token\": $previous.next, \
                  \"expires_in\": 3600 } } }";
    let body = json!({
        "refresh": "{{oauth.token.refresh_token:str:null}}", "access": "{{oauth.token.access_token}}", "ticket": "{{ticket}}",
    });
    json!({ "refresh_token": { "steps": [
        { "type": "request", "config": { "path": "/ticket" } },
        { "type": "update_context", "config": { "expression": "{ \"ticket\": $previous.ticket }" } },
        { "type": "request", "config": { "path": "/session", "method": "post", "no_auth": true, "body": body } },
        { "type": "update_context", "config": { "expression": tokens } },
    ] } })
}

impl Given {
    async fn account(auth: SignIn) -> Self {
        let sessions = Arc::<Mutex<Sessions>>::default();
        let shared = Arc::clone(&sessions);
        let api = move |request: Request| {
            let sessions = Arc::clone(&shared);
            async move {
                let (parts, body) = request.into_parts();
                let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
                let authorization = parts.headers.get("authorization").map(|it| it.to_str().expect("text").to_owned());
                match parts.uri.path() {
                    "/ticket" => {
                        let held = sessions.lock().expect("not poisoned").held.clone();
                        if let Some((asked, given)) = held {
                            asked.notify_one();
                            given.notified().await;
                        }
                        Json(json!({ "ticket": "ticket-canary-01" })).into_response()
                    }
                    "/session" => {
                        let mut sessions = sessions.lock().expect("not poisoned");
                        sessions.sent.push(String::from_utf8_lossy(&body).into_owned());
                        match &sessions.refused {
                            Some((status, body)) => {
                                let status = Answered::from_u16(*status).expect("a status");
                                let header = sessions.header.map(|header| [header]);
                                match body {
                                    Value::String(page) => (status, header, Html(page.clone())).into_response(),
                                    body => (status, header, Json(body.clone())).into_response(),
                                }
                            }
                            None => Json(json!({ "token": RENEWED, "next": NEXT })).into_response(),
                        }
                    }
                    _ if authorization == Some(format!("Bearer {RENEWED}"))
                        || sessions.lock().expect("not poisoned").accepts_all =>
                    {
                        Json(json!([])).into_response()
                    }
                    _ => Answered::UNAUTHORIZED.into_response(),
                }
            }
        };
        let has_refresh_token = matches!(auth, OAuth);
        let provider = Provider::with_api(has_refresh_token, |_| Router::new().fallback(api)).await;
        let provider = provider.with_actions(steps());
        let world = World::new().await;
        let account = provider.connect(&world, auth, 1).await;
        Self { world, provider, sessions, account }
    }

    fn sent(&self) -> Vec<Value> {
        let sent = &self.sessions.lock().expect("not poisoned").sent;
        sent.iter().map(|body| serde_json::from_str(body).expect("JSON")).collect()
    }

    fn refuse(&self, refused: Option<(u16, Value)>) {
        self.sessions.lock().expect("not poisoned").refused = refused;
    }

    async fn refresh(&self) -> (StatusCode, Value) {
        let body = json!({ "id": self.account });
        self.world.as_person(Method::POST, "/integrated-account/refresh-credentials", body).await
    }

    async fn list(&self) -> (StatusCode, Value) {
        let path = format!("/proxy/items?integrated_account_id={}", self.account);
        self.world.ask(Method::GET, &path, Value::Null).await
    }

    /// No token is anywhere that people and programs look, nor in the database.
    async fn assert_secret(&self) {
        let secrets = [RENEWED, NEXT, FIRST, "ticket-canary-01"];
        for path in [
            format!("/integrated-account/{}", self.account),
            format!("/relink/accounts/{}", self.account),
            format!("/relink/timeline?account={}", self.account),
            format!("/relink/accounts/{}/calls", self.account),
            "/relink/events?after=0&limit=1000".to_owned(),
        ] {
            let shown = self.world.get(&path).await.to_string();
            assert!(!secrets.iter().any(|secret| shown.contains(secret)), "{path}: {shown}");
        }
        for file in ["relink.db", "relink.db-wal"] {
            let bytes = std::fs::read(self.world.folder.path().join(file)).unwrap_or_default();
            for secret in secrets {
                assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret} in {file}");
            }
        }
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_by_the_steps_and_the_call_repeated() {
    let given = Given::account(OAuth).await;
    let (status, body) = given.list().await;
    assert_eq!((status, &body["result"]), (StatusCode::OK, &json!([])), "{body}");
    // Without its authorization a request of the steps would be answered with what the account needs: a loop.
    assert_eq!(given.sent(), [json!({ "refresh": FIRST, "access": "at-1", "ticket": "ticket-canary-01" })]);
    assert_eq!(given.provider.tokens(), 1, "only the sign-in was at the token endpoint");
    given.refresh().await;
    assert_eq!(given.sent()[1]["refresh"], NEXT, "the new refresh token is the one in force");
    given.assert_secret().await;
}

#[tokio::test]
async fn an_account_without_a_refresh_token_is_renewed_with_its_access_token() {
    let given = Given::account(OAuthFixed).await;
    let (status, body) = given.list().await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(given.sent(), [json!({ "refresh": null, "access": "at-1", "ticket": "ticket-canary-01" })]);
    given.assert_secret().await;
}

#[tokio::test]
async fn a_refusal_asks_for_the_person_and_is_answered_to_the_caller() {
    let given = Given::account(OAuth).await;
    given.refuse(Some((400, json!({ "error": "invalid_grant", "error_description": format!("{FIRST} is dead") }))));
    let (status, body) = given.refresh().await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
    assert_eq!(body["code"], "invalid_grant", "{body}");
    assert_eq!(body["raw_response"]["error_description"], "(hidden)", "{body}");
    until_is(&given.world, &given.account, "needs_reauth", Some("invalid_grant"), "refused").await;
    let events = given.world.get("/relink/events?after=0&limit=100").await.to_string();
    assert!(events.contains("integrated_account:authentication_error"), "{events}");
    given.assert_secret().await;
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let given = Given::account(OAuth).await;
    given.refuse(Some((503, json!({ "message": "busy" }))));
    let (_, body) = given.refresh().await;
    assert_eq!(body["code"], "server_error", "{body}");
    let shown = given.world.get(&format!("/relink/accounts/{}", given.account)).await;
    assert!(shown.to_string().contains("next_try"), "{shown}");
    given.refuse(None);
    assert!(given.refresh().await.0.is_success());
    until_is(&given.world, &given.account, "active", None, "it works again").await;
}

#[tokio::test]
async fn a_web_page_in_place_of_an_answer_passes() {
    let given = Given::account(OAuth).await;
    given.refuse(Some((200, "<!doctype html><title>Hotel</title>".into())));
    let (_, body) = given.refresh().await;
    assert_eq!(body["code"], "not_json", "{body}");
}

#[tokio::test]
async fn headers_count_as_at_a_token_endpoint() {
    let given = Given::account(OAuth).await;
    for (status, header, code) in [
        // First: behind the others, which may have used the refresh token up, it is a lost response.
        (401, ("www-authenticate", r#"Bearer error="invalid_token""#), "invalid_grant"),
        (302, ("location", "https://login.hotel.example/"), "not_json"),
        (302, ("location", "/v2/session"), "redirected"),
        (429, ("retry-after", "Sat, 14 Nov 2099 08:00:00 GMT"), "rate_limited"),
    ] {
        given.sessions.lock().expect("not poisoned").header = Some(header);
        given.refuse(Some((status, json!({}))));
        let (_, body) = given.refresh().await;
        assert_eq!(body["code"], code, "{header:?}: {body}");
    }
}

#[tokio::test]
async fn new_credentials_without_a_refresh_token_do_not_replace_one() {
    let given = Given::account(OAuth).await;
    let path = format!("/integrated-account/{}/credentials", given.account);
    let context = json!({ "context": { "oauth": { "token": { "access_token": RENEWED, "expires_in": 3600 } } } });
    let (status, body) = given.world.ask(Method::PATCH, &path, context).await;
    assert!(status.is_client_error() && body["code"] == "credentials_refused", "{status}: {body}");
    given.refresh().await;
    assert_eq!(given.sent()[0]["refresh"], FIRST);
}

#[tokio::test]
async fn steps_that_leave_no_token_say_what_is_missing() {
    let given = Given::account(OAuth).await;
    given.refuse(Some((200, json!({ "elsewhere": RENEWED }))));
    let (_, body) = given.refresh().await;
    assert_eq!(body["code"], "refresh_step_failed", "{body}");
    let account = given.world.get(&format!("/integrated-account/{}", given.account)).await;
    let message = account["last_error"].as_str().expect("a message");
    assert!(message.contains("oauth.token.access_token"), "{message}");
    given.assert_secret().await;
}

#[tokio::test]
async fn an_action_that_can_leave_no_token_is_refused_when_it_is_saved() {
    let given = Given::account(OAuth).await;
    let (_, list) = given.world.ask(Method::GET, "/integration?name=acme-1-oauth", Value::Null).await;
    let integration = &list["result"][0];
    for (actions, says) in [
        (json!({ "refresh_token": { "steps": [{ "type": "request", "config": { "path": "/x" } }] } }), "must leave"),
        (
            json!({ "sync": { "steps": [
                { "type": "request", "config": { "path": "/x", "body": { "t": "{{oauth.token.refresh_token}}" } } },
            ] } }),
            "names a secret that is never sent",
        ),
    ] {
        let change = json!({ "version": integration["version"], "config": { "actions": actions } });
        let path = format!("/integration/{}", integration["id"].as_str().expect("an id"));
        let (status, body) = given.world.ask(Method::PATCH, &path, change).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(body["message"].as_str().expect("a message").contains(says), "{body}");
    }
}

/// A refresh may use a connection that a program's call has made and left for a second. The server that served the call stops before the
/// engine does, which waits for the refresh: the provider may have replaced the token already.
#[tokio::test]
async fn a_refresh_in_flight_survives_the_stop_on_a_connection_that_a_call_has_made() {
    let given = Given::account(OAuth).await;
    let (asked, may_be_given) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    {
        let mut sessions = given.sessions.lock().expect("not poisoned");
        sessions.accepts_all = true;
        sessions.held = Some((Arc::clone(&asked), Arc::clone(&may_be_given)));
    }
    assert_eq!(given.list().await.0, StatusCode::OK);
    // Until then the connection is left to the calls of its own thread.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let Given { world, account, .. } = given;
    let World { serving, engine, client, person, folder, .. } = world;
    let url = format!("{}/integrated-account/refresh-credentials", serving.base_url());
    let refresh = client.post(url).bearer_auth(&person).json(&json!({ "id": account })).send();
    let stop = async {
        asked.notified().await;
        serving.stop(&engine).await;
    };
    let provider = async {
        // Whoever asked for the refresh is cut off first.
        refresh.await.expect_err("the server stops");
        may_be_given.notify_one();
    };
    tokio::join!(stop, provider);
    let database = rusqlite::Connection::open(folder.path().join("relink.db")).expect("the database");
    let last = "SELECT event FROM timeline WHERE account_id = ?1 ORDER BY seq DESC LIMIT 1";
    let event: String = database.query_row(last, [&account], |row| row.get(0)).expect("the timeline");
    assert!(event.contains("\"refreshed\""), "{event}");
}
