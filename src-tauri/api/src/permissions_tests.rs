//! Walks every route of the OpenAPI document with every kind of caller.

use std::collections::BTreeMap;

use axum::{
    Extension,
    body::{self, Body},
    extract::Request,
    http::StatusCode,
};
use relink_domain::{
    AccountId, LinkTokenId,
    caller::{Caller, Grant, TokenLevel},
    token_limits::TokenLimits,
};
use relink_engine::{Engine, Options, clock::Clock, keychain::Keychain};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use crate::{
    ApiState, OPENAPI_JSON, Parts, calls::EngineAccounts, expressions::Jsonata, limits::Limits, port::ApiPort,
    redirect_test::RedirectTest, router, sandbox_runner::SandboxRunner, server::Answers, via,
};

/// Who may use a route, apart from callers that may do more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// Everybody, without a token.
    Open,
    Program,
    Full,
    Person,
    /// An account token, and no other.
    Account,
}

/// What each caller may do, written a second time: a route that is missing here, or that declares something else, fails.
const TABLE: &[(Who, &str)] = &[
    (Who::Open, "GET /ping"),
    (Who::Open, "GET /openapi.json"),
    (Who::Open, "GET /docs"),
    (Who::Open, "GET /docs/assets/{file}"),
    (Who::Open, "GET /connect-account"),
    (Who::Open, "GET /connect-account/assets/{file}"),
    (Who::Open, "GET /connect-account/open/{nonce}"),
    (Who::Open, "POST /connect-account/open"),
    (Who::Open, "POST /connect-account/openings"),
    (Who::Open, "GET /connect-account/return"),
    (Who::Open, "GET /connect-account/return-test/{name}"),
    (Who::Open, "GET /connect-account/return-test/{name}/back"),
    (Who::Open, "GET /connect-account/session"),
    (Who::Open, "POST /connect-account/flows"),
    (Who::Open, "GET /connect-account/flows/{id}"),
    (Who::Open, "DELETE /connect-account/flows/{id}"),
    (Who::Open, "POST /connect-account/flows/{id}/answer"),
    (Who::Open, "POST /connect-account/flows/{id}/callback"),
    (Who::Open, "POST /connect-account/flows/{id}/claim"),
    (Who::Open, "GET /connect-account/flows/{id}/return"),
    (Who::Open, "DELETE /connect-account/flows/{id}/return"),
    (Who::Open, "POST /connect-account/flows/{id}/confirm"),
    (Who::Open, "GET /oauth/callback/{integration}"),
    (Who::Program, "GET /integrated-account"),
    (Who::Program, "GET /integrated-account/{id}"),
    (Who::Program, "GET /alarm"),
    (Who::Program, "GET /alarm/{id}"),
    (Who::Program, "POST /alarm"),
    (Who::Program, "PATCH /alarm/{id}"),
    (Who::Program, "DELETE /alarm/{id}"),
    (Who::Program, "GET /daemon"),
    (Who::Program, "GET /daemon/{id}"),
    (Who::Program, "POST /daemon"),
    (Who::Program, "PATCH /daemon/{id}"),
    (Who::Program, "DELETE /daemon/{id}"),
    (Who::Program, "GET /daemon-job"),
    (Who::Program, "GET /daemon-job/{id}"),
    (Who::Program, "POST /daemon-job"),
    (Who::Program, "PATCH /daemon-job/{id}"),
    (Who::Program, "DELETE /daemon-job/{id}"),
    (Who::Program, "GET /daemon-job-run"),
    (Who::Program, "GET /daemon-job-run/{id}"),
    (Who::Program, "POST /daemon-job-run"),
    (Who::Program, "PATCH /daemon-job-run/{id}"),
    (Who::Program, "DELETE /daemon-job-run/{id}"),
    (Who::Program, "GET /daemon-job-cron-trigger"),
    (Who::Program, "GET /daemon-job-cron-trigger/{id}"),
    (Who::Program, "POST /daemon-job-cron-trigger"),
    (Who::Program, "PATCH /daemon-job-cron-trigger/{id}"),
    (Who::Program, "DELETE /daemon-job-cron-trigger/{id}"),
    (Who::Program, "POST /daemon-job-cron-trigger/{id}/schedule"),
    (Who::Program, "GET /datastore"),
    (Who::Program, "GET /datastore/{id}"),
    (Who::Program, "POST /datastore"),
    (Who::Program, "PATCH /datastore/{id}"),
    (Who::Program, "DELETE /datastore/{id}"),
    (Who::Program, "POST /datastore/{id}/test/{method}"),
    (Who::Program, "GET /notification-destination"),
    (Who::Program, "GET /notification-destination/{id}"),
    (Who::Program, "POST /notification-destination"),
    (Who::Program, "PATCH /notification-destination/{id}"),
    (Who::Program, "DELETE /notification-destination/{id}"),
    (Who::Program, "POST /notification-destination/test"),
    (Who::Program, "GET /static-gate"),
    (Who::Program, "GET /static-gate/{id}"),
    (Who::Program, "POST /static-gate"),
    (Who::Program, "PATCH /static-gate/{id}"),
    (Who::Program, "DELETE /static-gate/{id}"),
    (Who::Program, "GET /sync-job"),
    (Who::Program, "GET /sync-job/{id}"),
    (Who::Program, "POST /sync-job"),
    (Who::Program, "PATCH /sync-job/{id}"),
    (Who::Program, "DELETE /sync-job/{id}"),
    (Who::Program, "GET /sync-job-run"),
    (Who::Program, "GET /sync-job-run/{id}"),
    (Who::Program, "POST /sync-job-run"),
    (Who::Program, "PATCH /sync-job-run/{id}"),
    (Who::Program, "DELETE /sync-job-run/{id}"),
    (Who::Program, "GET /sync-job-cron-trigger"),
    (Who::Program, "GET /sync-job-cron-trigger/{id}"),
    (Who::Program, "POST /sync-job-cron-trigger"),
    (Who::Program, "PATCH /sync-job-cron-trigger/{id}"),
    (Who::Program, "DELETE /sync-job-cron-trigger/{id}"),
    (Who::Program, "POST /sync-job-cron-trigger/{id}/schedule"),
    (Who::Program, "GET /workflow"),
    (Who::Program, "GET /workflow/{id}"),
    (Who::Program, "POST /workflow"),
    (Who::Program, "PATCH /workflow/{id}"),
    (Who::Program, "DELETE /workflow/{id}"),
    (Who::Program, "GET /workflow-run"),
    (Who::Program, "GET /workflow-run/{id}"),
    (Who::Program, "DELETE /workflow-run/{id}"),
    (Who::Program, "GET /unified-model"),
    (Who::Program, "GET /unified-model/{id}"),
    (Who::Program, "POST /unified-model"),
    (Who::Program, "PATCH /unified-model/{id}"),
    (Who::Program, "DELETE /unified-model/{id}"),
    (Who::Program, "GET /environment-unified-model"),
    (Who::Program, "GET /environment-unified-model/{id}"),
    (Who::Program, "POST /environment-unified-model"),
    (Who::Program, "PATCH /environment-unified-model/{id}"),
    (Who::Program, "DELETE /environment-unified-model/{id}"),
    (Who::Program, "POST /file"),
    (Who::Program, "GET /unified/{path}"),
    (Who::Program, "POST /unified/{path}"),
    (Who::Program, "PUT /unified/{path}"),
    (Who::Program, "PATCH /unified/{path}"),
    (Who::Program, "DELETE /unified/{path}"),
    (Who::Full, "PATCH /integrated-account/{id}"),
    (Who::Full, "DELETE /integrated-account/{id}"),
    (Who::Program, "POST /integrated-account/refresh-credentials"),
    (Who::Program, "POST /integrated-account/token"),
    (Who::Account, "GET /integrated-account/me"),
    (Who::Account, "PATCH /integrated-account/me"),
    (Who::Program, "GET /integrated-account/{id}/tools"),
    (Who::Program, "GET /integrated-account/{id}/capabilities"),
    (Who::Program, "POST /link-token"),
    (Who::Full, "GET /integration"),
    (Who::Full, "GET /integration/{id}"),
    (Who::Full, "GET /integration/{id}/tools"),
    (Who::Full, "GET /integration/{id}/capabilities"),
    (Who::Full, "GET /environment-integration"),
    (Who::Full, "POST /environment-integration"),
    (Who::Full, "GET /environment-integration/{id}"),
    (Who::Full, "DELETE /environment-integration/{id}"),
    (Who::Program, "GET /webhook"),
    (Who::Program, "POST /webhook"),
    (Who::Program, "GET /webhook/{id}"),
    (Who::Program, "DELETE /webhook/{id}"),
    (Who::Program, "POST /webhook/test"),
    (Who::Full, "GET /api-token"),
    (Who::Full, "GET /api-token/{id}"),
    (Who::Program, "GET /via/{account}"),
    (Who::Program, "HEAD /via/{account}"),
    (Who::Program, "POST /via/{account}"),
    (Who::Program, "PUT /via/{account}"),
    (Who::Program, "PATCH /via/{account}"),
    (Who::Program, "DELETE /via/{account}"),
    (Who::Program, "OPTIONS /via/{account}"),
    (Who::Program, "GET /via/{account}/{path}"),
    (Who::Program, "HEAD /via/{account}/{path}"),
    (Who::Program, "POST /via/{account}/{path}"),
    (Who::Program, "PUT /via/{account}/{path}"),
    (Who::Program, "PATCH /via/{account}/{path}"),
    (Who::Program, "DELETE /via/{account}/{path}"),
    (Who::Program, "OPTIONS /via/{account}/{path}"),
    (Who::Program, "POST /batch-request"),
    (Who::Full, "GET /log"),
    (Who::Full, "GET /relink/accounts/{id}/calls"),
    (Who::Full, "GET /relink/accounts/{id}/usage"),
    (Who::Program, "GET /proxy/{resource}"),
    (Who::Program, "POST /proxy/{resource}"),
    (Who::Program, "PATCH /proxy/{resource}"),
    (Who::Program, "DELETE /proxy/{resource}"),
    (Who::Program, "GET /proxy/{resource}/{id_or_method}"),
    (Who::Program, "POST /proxy/{resource}/{id_or_method}"),
    (Who::Program, "PATCH /proxy/{resource}/{id_or_method}"),
    (Who::Program, "DELETE /proxy/{resource}/{id_or_method}"),
    (Who::Program, "GET /custom/{path}"),
    (Who::Program, "HEAD /custom/{path}"),
    (Who::Program, "POST /custom/{path}"),
    (Who::Program, "PUT /custom/{path}"),
    (Who::Program, "PATCH /custom/{path}"),
    (Who::Program, "DELETE /custom/{path}"),
    (Who::Program, "OPTIONS /custom/{path}"),
    (Who::Program, "GET /relink/status"),
    (Who::Program, "GET /relink/accounts"),
    (Who::Program, "GET /relink/accounts/{id}"),
    (Who::Program, "POST /relink/accounts/{id}/access-token"),
    (Who::Program, "POST /relink/accounts/{id}/refresh"),
    (Who::Program, "POST /relink/accounts/{id}/check"),
    (Who::Full, "POST /relink/accounts/{id}/rename"),
    (Who::Program, "GET /relink/timeline"),
    (Who::Program, "GET /relink/events"),
    (Who::Full, "GET /relink/integrations"),
    (Who::Full, "POST /relink/integrations"),
    (Who::Full, "POST /relink/integrations/{name}/install"),
    (Who::Full, "POST /relink/integrations/{name}/uninstall"),
    (Who::Full, "POST /relink/integrations/{name}/client"),
    (Who::Program, "POST /relink/webhooks"),
    (Who::Program, "GET /relink/webhooks/{id}/deliveries"),
    (Who::Program, "POST /relink/webhooks/{id}/replay"),
    (Who::Person, "POST /relink/api-tokens"),
    (Who::Person, "DELETE /relink/api-tokens/{id}"),
    (Who::Person, "GET /relink/accounts/{id}/call-bodies"),
    (Who::Person, "POST /relink/accounts/{id}/call-bodies"),
    (Who::Person, "DELETE /relink/accounts/{id}/call-bodies"),
    (Who::Person, "GET /relink/redirect-uris"),
    (Who::Person, "PUT /relink/redirect-uris"),
    (Who::Person, "POST /relink/callback"),
    (Who::Person, "GET /relink/sandbox/control"),
    (Who::Person, "PATCH /relink/sandbox/control"),
    (Who::Person, "GET /relink/sandbox/control/{path}"),
    (Who::Person, "POST /relink/sandbox/control/{path}"),
    (Who::Person, "DELETE /relink/sandbox/control/{path}"),
];

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
            calls: relink_calls::Calls::new(EngineAccounts(engine.clone()), relink_calls::Upstream::default()),
            expressions: Jsonata::default(),
            idempotency: crate::idempotency::Idempotency::default(),
            port: ApiPort::new(7417, None),
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
    let response = service.clone().oneshot(request).await.expect("a response");
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
    let service = router::service(world.state.clone());
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
    let service = router::service(world.state.clone());
    for (who, operation) in TABLE.iter().filter(|(who, _)| *who != Who::Open) {
        let reads = ["GET ", "HEAD ", "OPTIONS "].iter().any(|method| operation.starts_with(method));
        let response = ask(&service, operation, Some(secret.expose())).await;
        check("a read-only token", operation, *who <= Who::Full && reads, (403, "forbidden"), &response);
    }
}

#[tokio::test]
async fn an_account_token_gets_through_to_methods_and_to_its_account_alone() {
    let world = World::new().await;
    let service = router::service(world.state.clone());
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
                || *operation == "GET /integrated-account/me"
                || *operation == "PATCH /integrated-account/me" && may_change;
            let response = ask(&service, operation, Some(token.expose())).await;
            check("an account token", operation, is_its, (403, "forbidden"), &response);
        }
        world.clock.advance_secs(15 * 60);
        let response = ask(&service, "GET /integrated-account/me", Some(token.expose())).await;
        check("an expired account token", "GET /integrated-account/me", false, (401, "unauthorized"), &response);
    }
}

/// Nothing gives these callers a token yet, so they are put in place of one.
#[tokio::test]
async fn callers_that_have_no_route_are_refused_on_every_one() {
    let world = World::new().await;
    let account_id = AccountId::from_uuid(Uuid::nil());
    for caller in
        [Caller::McpToken { account_id }, Caller::Link { id: LinkTokenId::from_uuid(Uuid::nil()) }, Caller::Internal]
    {
        let guarded = router::guarded()
            .merge(via::routes())
            .merge(router::methods())
            .into_router()
            .layer(Extension(caller.clone()))
            .with_state(world.state.clone());
        for (_, operation) in TABLE.iter().filter(|(who, _)| *who != Who::Open) {
            let response = ask(&guarded, operation, None).await;
            check(&caller.to_string(), operation, false, (403, "forbidden"), &response);
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
    let service = router::service(world.state.clone());
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
