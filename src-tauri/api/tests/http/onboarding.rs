//! The steps that an integration runs after a sign-in, with a real provider, real requests and JSONata.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::Request, http::StatusCode as Answered, response::IntoResponse};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

const KEY: &str = "k-canary-0123456789";

/// A provider that answers each path as a test says, and notes what it was asked.
#[derive(Clone)]
struct Provider {
    origin: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    asked: Vec<String>,
    refused: Option<(&'static str, u16)>,
}

impl Provider {
    async fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let router = Router::new().fallback(move |request: Request| {
            let state = Arc::clone(&shared);
            async move {
                let has_key = request.headers().get("authorization").is_some_and(|it| it == &format!("Bearer {KEY}"));
                let asked = request.uri().to_string();
                let mut state = state.lock().expect("not poisoned");
                state.asked.push(format!("{} {asked}", request.method()));
                let path = request.uri().path();
                match state.refused.filter(|(refused, _)| *refused == path) {
                    Some((_, status)) => {
                        let status = Answered::from_u16(status).expect("a status");
                        (status, Json(json!({ "message": format!("not with {KEY}") }))).into_response()
                    }
                    None if !has_key => Answered::UNAUTHORIZED.into_response(),
                    None if path == "/workspaces" => {
                        Json(json!({ "data": [{ "id": "w-1", "api_token": "t-canary-1" }] })).into_response()
                    }
                    None => Json(json!({ "ok": true, "echo": asked })).into_response(),
                }
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, state }
    }

    fn refuse(&self, refused: Option<(&'static str, u16)>) {
        self.state.lock().expect("not poisoned").refused = refused;
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().expect("not poisoned").asked)
    }

    fn definition(&self, actions: &Value) -> Value {
        json!({ "name": "acme", "config": {
            "label": "Acme",
            "base_url": self.origin,
            "credentials": { "format": "api_key", "config": { "fields": [
                { "name": "api_key", "label": "Key", "type": "password", "required": true },
            ] } },
            "authorization": { "format": "bearer", "config": { "token": "{{api_key}}" } },
            "resources": { "users": { "list": { "path": "/users" }, "get": { "path": "/users/{{id}}" } } },
            "relink": { "allow_local": true },
            "actions": actions,
        } })
    }

    async fn install(&self, world: &World, actions: &Value) {
        let text = self.definition(actions).to_string();
        let (status, body) = world.as_person(Method::POST, "/relink/integrations", json!({ "text": text })).await;
        assert!(status.is_success(), "{body}");
    }
}

/// Looks for the workspace, and checks that it can be read.
fn actions() -> Value {
    json!({
        "post_install": { "steps": [
            { "type": "request", "config": { "path": "/workspaces", "response_path": "data" } },
            { "type": "update_context", "config": { "expression": "{ \"workspace\": $previous[0].id, \"api_token\": $previous[0].api_token }" } },
        ] },
        "validation": { "steps": [
            { "type": "request", "config": { "path": "/workspaces/{{workspace}}" } },
            { "type": "transform", "config": "$previous.ok and $exists(context.workspace)" },
        ] },
        "greet": { "steps": [
            { "type": "request", "config": { "path": "/greet/{{body.name}}", "query": { "loud": "{{query.loud}}" } } },
            { "type": "request", "config": { "type": "proxy", "resource": "users", "method": "get", "query": { "id": "7" } } },
            { "type": "transform", "config": "steps[0].echo & ' then ' & $previous.echo & ' for ' & body.name" },
        ] },
    })
}

async fn flow(world: &World, link: Value) -> Value {
    let link = world.post("/link-token", link).await;
    let begin = json!({ "integration": "acme", "format": "api_key", "fields": { "api_key": KEY } });
    let flow = world.begin(&link, begin).await;
    world.until_ended(&flow).await
}

async fn only_account(world: &World) -> Value {
    world.get("/integrated-account").await["result"][0].clone()
}

/// The account's events and the statuses in them.
async fn events(world: &World) -> Vec<String> {
    let events = world.get("/relink/events?after=0&limit=500").await;
    let events = events["result"].as_array().expect("events").clone();
    let mut short = Vec::new();
    for event in &events {
        let text = event.to_string();
        assert!(!text.contains(KEY) && !text.contains("t-canary-1"), "{text}");
        let name = event["event"].as_str().or_else(|| event["kind"].as_str()).expect("a name");
        if let Some(name) = name.strip_prefix("integrated_account:") {
            short.push(format!("{name} {}", event["payload"]["status"].as_str().unwrap_or_default()));
        }
    }
    short
}

#[tokio::test]
async fn a_new_account_is_active_when_its_steps_have_passed() {
    let (world, provider) = (World::new().await, Provider::start().await);
    provider.install(&world, &actions()).await;
    let ended = flow(&world, json!({ "tenant_id": "acme-1" })).await;
    assert_eq!(ended["phase"], "succeeded", "{ended}");
    let account = only_account(&world).await;
    assert_eq!((&account["status"], &account["context"]), (&json!("active"), &json!({ "workspace": "w-1" })));
    let run = &account["last_action_run_result"];
    assert_eq!((run, &run["action"]), (&account["last_action_result"], &json!("validation")));
    assert_eq!(run["steps"][1], json!({ "type": "transform", "success": true, "result": true }));
    assert_eq!(provider.asked(), ["GET /workspaces", "GET /workspaces/w-1"]);
    assert_eq!(events(&world).await, ["created connecting", "active active"]);

    let id = account["id"].clone();
    let ended = flow(&world, json!({ "integrated_account_id": id, "persist_previous_context": true })).await;
    assert_eq!(ended["phase"], "succeeded", "{ended}");
    assert_eq!(events(&world).await[2..], ["updated connecting", "active active"]);
}

#[tokio::test]
async fn a_failed_step_shows_on_the_page_at_the_account_and_in_the_events() {
    let (world, provider) = (World::new().await, Provider::start().await);
    provider.install(&world, &actions()).await;
    for (path, error_type) in [("/workspaces", "post_install_error"), ("/workspaces/w-1", "validation_error")] {
        for status in [403, 401] {
            provider.refuse(Some((path, status)));
            let ended = flow(&world, json!({ "tenant_id": "acme-1" })).await;
            let account = only_account(&world).await;
            assert_eq!(
                (&ended["phase"], &ended["error"]["error_type"]),
                (&json!("failed"), &json!(error_type)),
                "{ended}"
            );
            assert_eq!(ended["error"]["integrated_account_id"], account["id"]);
            assert_eq!(account["status"], error_type);
            assert_eq!(account["last_error_details"]["code"], error_type);
            assert_eq!(account["last_error"], account["last_error_details"]["message"]);
            let message = account["last_error"].as_str().expect("a message");
            assert!(message.contains(&format!("answered {status}")), "{message}");
            let run = &account["last_action_run_result"];
            assert_eq!((&run["success"], &run["steps"][0]["success"]), (&json!(false), &json!(false)));
            for shown in [&ended, &account] {
                assert!(!shown.to_string().contains(KEY), "{shown}");
            }
            let last = events(&world).await.pop();
            assert_eq!(last, Some(format!("{error_type} {error_type}")));
        }
    }
    let kinds = events(&world).await;
    assert!(!kinds.iter().any(|kind| kind.contains("authentication_error")), "{kinds:?}");
}

#[tokio::test]
async fn the_steps_are_run_again_through_the_api() {
    let (world, provider) = (World::new().await, Provider::start().await);
    provider.install(&world, &actions()).await;
    provider.refuse(Some(("/workspaces", 403)));
    flow(&world, json!({ "tenant_id": "acme-1" })).await;
    let id = only_account(&world).await["id"].clone();
    let again = || world.ask(Method::POST, "/integrated-account/run-post-install-actions", json!({ "id": id }));
    let (status, body) = again().await;
    assert_eq!((status, &body["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("post_install_error")), "{body}");
    assert!(body["message"].as_str().expect("a message").contains("answered 403"), "{body}");
    provider.refuse(None);
    assert_eq!(again().await, (StatusCode::OK, json!({ "success": true })));
    assert_eq!(again().await, (StatusCode::OK, json!({ "success": true })), "also of an active one");
    assert_eq!(only_account(&world).await["status"], "active");
    let expected = [
        "created connecting",
        "post_install_error post_install_error",
        "updated connecting",
        "post_install_error post_install_error",
        "updated connecting",
        "active active",
        "updated connecting",
        "active active",
    ];
    assert_eq!(events(&world).await, expected);
}

#[tokio::test]
async fn an_action_runs_by_its_name() {
    let (world, provider) = (World::new().await, Provider::start().await);
    provider.install(&world, &actions()).await;
    flow(&world, json!({ "tenant_id": "acme-1" })).await;
    let id = only_account(&world).await["id"].as_str().expect("an id").to_owned();
    provider.asked();
    let run = |name: &str| format!("/proxy/_/{name}?integrated_account_id={id}&loud=yes");
    let answer = world.post(&run("greet"), json!({ "name": "ada" })).await;
    assert_eq!(answer, json!({ "result": "/greet/ada?loud=yes then /users/7 for ada" }));
    assert_eq!(provider.asked(), ["GET /greet/ada?loud=yes", "GET /users/7"]);
    for (name, status, code) in
        [("post_install", StatusCode::CONFLICT, "action_reserved"), ("nothing", StatusCode::NOT_FOUND, "not_found")]
    {
        let (answered, body) = world.ask(Method::POST, &run(name), json!({})).await;
        assert_eq!((answered, &body["code"]), (status, &json!(code)), "{body}");
    }
    provider.refuse(Some(("/greet/ada", 409)));
    let (status, body) = world.ask(Method::POST, &run("greet"), json!({ "name": "ada" })).await;
    assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("step_failed")), "{body}");
    assert!(!body.to_string().contains(KEY), "{body}");
    let calls = world.get(&format!("/relink/accounts/{id}/calls")).await.to_string();
    assert!(calls.contains("/greet/ada"), "the call log has the requests of steps: {calls}");
}

#[tokio::test]
async fn the_steps_of_a_sandbox_account_write_and_an_action_that_a_program_runs_does_not() {
    let (world, provider) = (World::new().await, Provider::start().await);
    let register = json!({ "steps": [{ "type": "request", "config": { "path": "/register", "method": "post" } }] });
    provider.install(&world, &json!({ "post_install": register, "register": register })).await;
    flow(&world, json!({ "tenant_id": "acme-1" })).await;
    let id = only_account(&world).await["id"].as_str().expect("an id").to_owned();
    world.post("/sandbox-integrated-account", json!({ "id": id })).await;
    provider.asked();

    let (status, body) =
        world.ask(Method::POST, &format!("/proxy/_/register?integrated_account_id={id}"), json!({})).await;
    assert_eq!((status, &body["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("step_failed")), "{body}");
    assert!(body["message"].as_str().is_some_and(|message| message.contains("sandbox")), "{body}");
    assert_eq!(provider.asked(), [""; 0]);
    world.post("/integrated-account/run-post-install-actions", json!({ "id": id })).await;
    assert_eq!(provider.asked(), ["POST /register"]);
    let again = flow(&world, json!({ "integrated_account_id": id })).await;
    assert_eq!(again["phase"], "succeeded", "{again}");
    assert_eq!(only_account(&world).await["status"], "active");
}

#[tokio::test]
async fn an_unknown_name_in_an_expression_is_refused_when_it_is_saved() {
    let (world, provider) = (World::new().await, Provider::start().await);
    let wrong = json!({ "validation": { "steps": [{ "type": "transform", "config": "$previuos.ok" }] } });
    let text = provider.definition(&wrong).to_string();
    let (status, body) = world.as_person(Method::POST, "/relink/integrations", json!({ "text": text })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    assert_eq!(body["field"], "config.actions.validation.steps[0].config.expression");
    assert!(body["message"].as_str().expect("a message").contains("previuos"), "{body}");
}

#[tokio::test]
async fn an_action_in_an_accounts_own_override_is_checked_when_it_is_saved() {
    let (world, provider) = (World::new().await, Provider::start().await);
    provider.install(&world, &actions()).await;
    flow(&world, json!({ "tenant_id": "acme-1" })).await;
    let path = format!("/integrated-account/{}", only_account(&world).await["id"].as_str().expect("an id"));
    let change = |steps: Value| json!({ "integration_override": { "actions": { "greet": { "steps": steps } } } });
    for (steps, at, says) in [
        (json!([{ "type": "sleep" }]), ".steps[0].type", "sleep"),
        (json!([{ "type": "request", "config": { "path": "/x", "paht": 1 } }]), ".steps[0].config.paht", "not known"),
        (json!([{ "type": "transform", "config": "$previuos.ok" }]), ".steps[0].config.expression", "previuos"),
        (json!([{ "type": "get_context", "run_if": "(" }]), ".steps[0].run_if", "can't be used"),
    ] {
        let (status, body) = world.as_person(Method::PATCH, &path, change(steps)).await;
        let failure = &body["details"]["failures"][0];
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(failure["path"], format!("integration_override.actions.greet{at}"), "{body}");
        assert!(failure["message"].as_str().expect("a message").contains(says), "{body}");
        assert_eq!(world.get(&path).await["integration_override"], json!({}), "nothing is saved");
    }
    let good = change(json!([{ "type": "transform", "config": "'hello ' & body.name" }]));
    let (status, body) = world.as_person(Method::PATCH, &path, good).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let id = body["id"].as_str().expect("an id");
    let answer = world.post(&format!("/proxy/_/greet?integrated_account_id={id}"), json!({ "name": "ada" })).await;
    assert_eq!(answer, json!({ "result": "hello ada" }));
}
