//! Walks every route of the OpenAPI document with every kind of caller.

mod table;

use std::collections::BTreeMap;

use axum::{
    Extension,
    body::{self, Body},
    extract::Request,
    http::StatusCode,
};
use relink_domain::{
    AccountId, LinkTokenId, McpTokenId,
    caller::{Caller, Grant, TokenLevel},
    token_limits::TokenLimits,
};
use relink_engine::{Engine, Options, clock::Clock, keychain::Keychain};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::table::{TABLE, Who};
use crate::{
    ApiState, OPENAPI_JSON, Parts,
    calls::EngineAccounts,
    expressions::Jsonata,
    limits::Limits,
    port::ApiPort,
    redirect_test::RedirectTest,
    router::{self, Guarded},
    sandbox_runner::SandboxRunner,
    server::{Answers, Arrival},
    via,
};

const BASE: &str = "http://127.0.0.1:7417";

struct World {
    engine: Engine,
    clock: Clock,
    state: ApiState,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Clock::set_to(relink_domain::Timestamp::from_millis(1_800_000_000_000));
        let options = Options {
            data_dir: folder.path().to_owned(),
            keychain: Keychain::in_memory(),
            clock: clock.clone(),
            takes_deep_links: false,
        };
        let engine = Engine::start(options).await.expect("the engine starts");
        engine.set_api_port(7417);
        let state = ApiState::from(Parts {
            engine: engine.clone(),
            limits: Limits::new(64),
            sandbox_runner: SandboxRunner::default(),
            redirect_test: RedirectTest::default(),
            calls: relink_calls::Calls::new(EngineAccounts(engine.clone()), relink_calls::Upstream::on_this_runtime()),
            expressions: Jsonata::default(),
            expressions_of_unverified: Jsonata::of_unverified(),
            expressions_of_editors: Jsonata::of_editors(),
            idempotency: crate::idempotency::Idempotency::default(),
            port: ApiPort::new(7417, None),
            link_settings: engine.connections().link_settings_changes(&Caller::Internal),
            stopping: CancellationToken::new(),
            openapi_json: &OPENAPI_JSON,
        });
        Self { engine, clock, state, _folder: folder }
    }

    async fn token(&self, level: TokenLevel, secs: Option<i64>) -> (relink_engine::ApiToken, String) {
        let expires_at = secs.map(|secs| self.engine.now().plus_secs(secs));
        let made = self.engine.access().create_api_token(&Caller::Person, "agent".into(), level, expires_at).await;
        let (token, secret) = made.expect("made");
        (token, secret.expose().to_owned())
    }
}

/// The operations of the document, as the table writes them.
fn operations() -> Vec<String> {
    let document: Value = serde_json::from_str(OPENAPI_JSON.as_str()).expect("JSON");
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        operations.extend(
            item.as_object().expect("methods").keys().map(|method| format!("{} {path}", method.to_uppercase())),
        );
    }
    operations
}

/// The status and the error code of a request, each parameter of which is its own name.
async fn ask(service: &impl Answers, operation: &str, token: Option<&str>) -> (StatusCode, Value) {
    let (method, path) = operation.split_once(' ').expect("a method and a path");
    let mut request = Request::builder().method(method).uri(path.replace(['{', '}'], ""));
    request = request.header("host", BASE.strip_prefix("http://").expect("http"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).expect("a request");
    let arrival = Arrival::at_port(request.uri());
    let response = service.answer(request, &arrival).await;
    let status = response.status();
    let bytes = body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// A caller gets through to the handler, whatever that then responds, or is refused with this status and code.
fn check(kind: &str, operation: &str, allowed: bool, refused: (u16, &str), (status, body): &(StatusCode, Value)) {
    if allowed {
        let is_refused = [401, 403, 405].contains(&status.as_u16()) || body["code"] == "no_such_route";
        assert!(!is_refused, "{kind} may use {operation}, but got {status} {body}");
    } else {
        // The response to HEAD has no body.
        if operation.starts_with("HEAD ") {
            assert_eq!(status.as_u16(), refused.0, "{kind} may not use {operation}");
            return;
        }
        let got = (status.as_u16(), body["code"].as_str().unwrap_or_default());
        assert_eq!(got, refused, "{kind} may not use {operation}: {body}");
        assert!(body["message"].as_str().is_some_and(|message| message.ends_with('.') || status.as_u16() == 401));
    }
}

#[test]
fn the_table_lists_exactly_the_routes_of_the_document() {
    let mut listed: Vec<_> = TABLE.iter().map(|(_, operation)| (*operation).to_owned()).collect();
    let mut documented = operations();
    listed.sort();
    documented.sort();
    assert_eq!(listed, documented);
}

#[test]
fn the_document_names_the_permission_of_each_route_that_requires_a_token() {
    let document: Value = serde_json::from_str(OPENAPI_JSON.as_str()).expect("JSON");
    let mut permissions = BTreeMap::new();
    for (who, operation) in TABLE {
        let (method, path) = operation.split_once(' ').expect("a method and a path");
        let security = &document["paths"][path][method.to_lowercase()]["security"];
        assert_eq!(security.is_array(), *who != Who::Open, "{operation}");
        if let Some(permission) = security[0]["bearer"][0].as_str() {
            assert_eq!(*permissions.entry(permission.to_owned()).or_insert(*who), *who, "{operation}: {permission}");
        }
    }
    assert!(permissions.len() > 10, "{permissions:?}");
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_names_and_nobody_else() {
    let world = World::new().await;
    let (_, expired) = world.token(TokenLevel::Full, Some(6)).await;
    let (doomed, revoked) = world.token(TokenLevel::Full, None).await;
    let (_, program) = world.token(TokenLevel::Program, None).await;
    let (_, full) = world.token(TokenLevel::Full, None).await;
    let person = world.engine.access().new_run_token(&Caller::Internal).expect("random").expose().to_owned();
    world.clock.advance_secs(6);
    world.engine.access().revoke_api_token(&Caller::Person, doomed.id).await.expect("revoked");
    let service = Guarded::new(world.state.clone());
    for (kind, token, allows) in [
        ("nobody", None, Who::Open),
        ("an unknown token", Some("unknown"), Who::Open),
        ("an expired token", Some(expired.as_str()), Who::Open),
        ("a revoked token", Some(revoked.as_str()), Who::Open),
        ("a program's token", Some(program.as_str()), Who::Program),
        ("a token with full access", Some(full.as_str()), Who::Full),
        ("the person", Some(person.as_str()), Who::Person),
    ] {
        let refused = if allows == Who::Open { (401, "unauthorized") } else { (403, "forbidden") };
        for (who, operation) in TABLE {
            let response = ask(&service, operation, token).await;
            // There only the token in the path counts.
            let refused = if *who == Who::Mcp { (401, "unauthorized") } else { refused };
            check(kind, operation, *who <= allows, refused, &response);
        }
    }
}

#[tokio::test]
async fn a_read_only_token_gets_through_to_reading_and_to_nothing_else() {
    let world = World::new().await;
    let limits = TokenLimits { read_only: true, ..TokenLimits::default() };
    let grant = Grant { level: TokenLevel::Full, limits };
    let made = world.engine.access().create_api_token(&Caller::Person, "reader".into(), grant, None).await;
    let (_, secret) = made.expect("made");
    let service = Guarded::new(world.state.clone());
    for (who, operation) in TABLE.iter().filter(|(who, _)| !matches!(who, Who::Open | Who::Mcp)) {
        let reads = ["GET ", "HEAD ", "OPTIONS "].iter().any(|method| operation.starts_with(method))
            || *operation == "POST /relink/mcp";
        let response = ask(&service, operation, Some(secret.expose())).await;
        check("a read-only token", operation, *who <= Who::Full && reads, (403, "forbidden"), &response);
    }
}

#[tokio::test]
async fn a_read_only_token_may_list_however_the_path_was_written() {
    let world = World::new().await;
    let limits = TokenLimits { read_only: true, ..TokenLimits::default() };
    let grant = Grant { level: TokenLevel::Program, limits };
    let made = world.engine.access().create_api_token(&Caller::Person, "reader".into(), grant, None).await;
    let (_, secret) = made.expect("made");
    let service = Guarded::new(world.state.clone());
    for (method, sent, is_allowed) in [
        ("list", "/proxy/contacts/list", true),
        ("list", "//proxy/contacts/list//", true),
        ("create", "//proxy/contacts/create/", false),
    ] {
        let request = Request::post(format!("/proxy/contacts/{method}"))
            .header("host", BASE.strip_prefix("http://").expect("http"))
            .header("authorization", format!("Bearer {}", secret.expose()))
            .body(Body::empty())
            .expect("a request");
        let arrival = Arrival::at_port(&sent.parse().expect("a URI"));
        let status = service.answer(request, &arrival).await.status();
        // No account is named.
        assert_eq!(status, if is_allowed { StatusCode::BAD_REQUEST } else { StatusCode::FORBIDDEN }, "{sent}");
    }
}

#[tokio::test]
async fn an_account_token_gets_through_to_methods_and_to_its_account_alone() {
    let world = World::new().await;
    let service = Guarded::new(world.state.clone());
    let account_id = AccountId::from_uuid(Uuid::nil());
    for (level, may_change) in [(TokenLevel::Program, false), (TokenLevel::Full, true)] {
        let (_, maker) = world.token(level, None).await;
        let access = world.engine.access();
        let maker = access.authenticate(&maker).expect("valid");
        let token = access.create_account_token(&maker, account_id, "acme").expect("made");
        for (who, operation) in TABLE {
            let path = operation.split_once(' ').map(|(_, path)| path).expect("a path");
            let is_its = *who == Who::Open
                || ["/proxy/", "/custom/", "/unified/"].iter().any(|route| path.starts_with(route))
                || *operation == "POST /relink/mcp"
                || *operation == "GET /integrated-account/me"
                || ["PATCH /integrated-account/me", "POST /link-token/post-connect-form"].contains(operation)
                    && may_change;
            let response = ask(&service, operation, Some(token.expose())).await;
            let refused = if *who == Who::Mcp { (401, "unauthorized") } else { (403, "forbidden") };
            check("an account token", operation, is_its, refused, &response);
        }
        world.clock.advance_secs(15 * 60);
        let response = ask(&service, "GET /integrated-account/me", Some(token.expose())).await;
        check("an expired account token", "GET /integrated-account/me", false, (401, "unauthorized"), &response);
    }
}

/// Nothing gives these callers a token yet, so they are put in place of one.
#[tokio::test]
async fn callers_are_refused_on_every_route_but_their_own() {
    let world = World::new().await;
    let account_id = AccountId::from_uuid(Uuid::nil());
    let agent = Caller::McpToken { id: McpTokenId::from_uuid(Uuid::nil()), name: "claude".to_owned(), account_id };
    for caller in [agent, Caller::Link { id: LinkTokenId::from_uuid(Uuid::nil()) }, Caller::Internal] {
        let is_agent = matches!(caller, Caller::McpToken { .. });
        let guarded = router::guarded()
            .merge(via::routes())
            .merge(router::methods())
            .into_router()
            .layer(Extension(caller.clone()))
            .with_state(world.state.clone());
        for (who, operation) in TABLE.iter().filter(|(who, _)| *who != Who::Open) {
            let response = ask(&guarded, operation, None).await;
            check(&caller.to_string(), operation, is_agent && *who == Who::Mcp, (403, "forbidden"), &response);
        }
    }
    let nobody =
        router::guarded().merge(via::routes()).merge(router::methods()).into_router().with_state(world.state.clone());
    for (_, operation) in TABLE.iter().filter(|(who, _)| *who != Who::Open) {
        check("nobody", operation, false, (401, "unauthorized"), &ask(&nobody, operation, None).await);
    }
}

#[tokio::test]
async fn a_request_in_flight_gets_no_response_after_its_token_was_revoked() {
    let world = World::new().await;
    let (token, secret) = world.token(TokenLevel::Program, None).await;
    let service = Guarded::new(world.state.clone());
    let seq = *world.engine.outbox().latest_seq(&Caller::Person).borrow();
    let waits = tokio::spawn({
        let operation = format!("GET /relink/events?after={seq}&wait=30");
        async move { ask(&service, &operation, Some(&secret)).await }
    });
    while world.state.limits.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    world.engine.access().revoke_api_token(&Caller::Person, token.id).await.expect("revoked");
    let (status, body) = waits.await.expect("a response");
    assert_eq!((status, body["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("unauthorized")), "{body}");
}
