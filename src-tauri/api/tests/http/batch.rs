//! `POST /batch-request` (contract sections 0.6 and 9.3), with a provider behind it.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    answering_provider::{Provider, SignIn},
    observed::until_is,
    world::World,
};

struct Batches {
    world: World,
    account: String,
    /// What the provider was asked.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Batches {
    async fn new() -> Self {
        let world = World::new().await;
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let api = Router::new().fallback(move |request: Request| async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1000).await.expect("a body");
            let target = parts.uri.path_and_query().expect("a path").to_string();
            let line = format!("{} {target} {}", parts.method, String::from_utf8_lossy(&body));
            seen.lock().expect("not poisoned").push(line.trim().to_owned());
            answer(&parts.method, &target)
        });
        let provider = Provider::with_api(true, |_| api).await.with_resources(json!({
            "repos": {
                "list": {
                    "path": "/repos", "response_path": "items",
                    "pagination": { "format": "cursor", "config": { "cursor_path": "next", "cursor_key": "after" } },
                },
                "get": { "path": "/repos/{{id}}" },
            },
            "issues": {
                "list": { "path": "/issues", "query": { "of": "{{query.repo}}" }, "scopes": ["issues.read"] },
                "create": { "path": "/issues", "method": "post" },
                "close": { "path": "/issues/close", "method": "post" },
            },
        }));
        let account = provider.connect(&world, SignIn::ApiKey, 0).await;
        Self { world, account, asked }
    }

    /// The answer to a batch, and what the provider was asked meanwhile.
    async fn run(&self, args: Value, resources: Value) -> (Value, Vec<String>) {
        let batch = json!({ "integrated_account_id": self.account, "args": args, "resources": resources });
        let (status, answer) = self.world.ask(Method::POST, "/batch-request", batch).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        (answer, std::mem::take(&mut self.asked.lock().expect("not poisoned")))
    }
}

/// Three repositories on two pages, with issues; those of the second may not be read.
fn answer(method: &Method, target: &str) -> Response {
    let body = match (method.as_str(), target) {
        ("GET", "/repos") => json!({ "items": [{ "id": "a" }, { "id": "b" }], "next": "2" }),
        ("GET", "/repos?after=2") => json!({ "items": [{ "id": "c" }], "next": null }),
        ("GET", "/repos/c") => json!({ "id": "c", "name": "third" }),
        ("GET", "/issues?repo=b&of=b" | "/issues?of=b&repo=b") => {
            return (StatusCode::FORBIDDEN, Json(json!({ "message": "not yours" }))).into_response();
        }
        ("GET", issues) if issues.starts_with("/issues?") => json!([{ "at": issues }]),
        ("POST", _) => json!({ "done": true }),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    Json(body).into_response()
}

#[tokio::test]
async fn lists_are_followed_and_their_records_go_on_to_what_depends_on_them() {
    let it = Batches::new().await;
    let (answer, asked) = it.run(json!({ "state": "open" }), json!([
        { "name": "out", "type": "transform", "depends_on": ["all"], "config": { "expression": "{\"ids\": resources.all.id}" }, "persist": true },
        { "resource": "repos", "method": "list", "persist": true },
        { "name": "pages", "type": "transform", "depends_on": "repos", "config": { "expression": "$count(resources.repos)" }, "persist": true },
        { "name": "all", "type": "spool", "depends_on": "repos" },
        { "name": "third", "type": "transform", "depends_on": "all", "config": { "expression": "resources.all[id = 'c']" } },
        { "resource": "issues", "method": "list", "depends_on": "third", "loop_on": "resources.third",
          "query": { "repo": "{{resources.third.id}}", "state": "{{args.state}}" }, "persist": true },
    ])).await;
    assert_eq!(
        answer,
        json!({
            "result": {
                "repos": [{ "id": "a" }, { "id": "b" }, { "id": "c" }],
                "pages": [2, 1],
                "out": [{ "ids": ["a", "b", "c"] }],
                "issues": [{ "at": "/issues?of=c&repo=c&state=open" }],
            },
            "errors": { "repos": [], "pages": [], "all": [], "third": [], "out": [], "issues": [] },
        })
    );
    assert_eq!(asked, ["GET /repos", "GET /repos?after=2", "GET /issues?of=c&repo=c&state=open"]);
}

#[tokio::test]
async fn methods_have_their_id_and_body() {
    let it = Batches::new().await;
    let (answer, asked) = it.run(json!({ "id": "c" }), json!([
        { "resource": "repos", "method": "get", "id": "{{args.id}}", "persist": true },
        { "resource": "issues", "method": "create", "depends_on": "repos", "body": { "title": "For {{resources.repos.0.name}}" }, "persist": true },
        { "name": "closing", "resource": "issues", "method": "close", "depends_on": "repos", "body": "{\"all\": true}" },
    ])).await;
    assert_eq!(answer["result"], json!({ "repos": [{ "id": "c", "name": "third" }], "issues": [{ "done": true }] }));
    assert_eq!(asked, ["GET /repos/c", r#"POST /issues {"title":"For third"}"#, r#"POST /issues/close {"all":true}"#]);
}

#[tokio::test]
async fn an_error_is_its_entrys_and_ends_what_depends_on_it() {
    let it = Batches::new().await;
    let (answer, asked) = it.run(json!({}), json!([
        { "resource": "repos" },
        { "resource": "issues", "depends_on": "repos", "loop_on": "resources.repos", "query": { "repo": "{{resources.repos.id}}" }, "persist": true },
        { "name": "later", "type": "transform", "depends_on": "issues", "config": { "expression": "resources.issues" }, "persist": true },
        { "name": "much_later", "type": "spool", "depends_on": "later" },
        { "resource": "crm/contacts", "method": "list" },
        { "resource": "people" },
        { "resource": "repos", "method": "purge", "name": "unknown method" },
    ])).await;
    let errors = &answer["errors"];
    let forbidden = &errors["issues"][0];
    assert_eq!(
        (&forbidden["statusCode"], &forbidden["truto_is_remote_error"], &forbidden["raw_response"]),
        (&json!(403), &json!(true), &json!({ "message": "not yours" }))
    );
    let insight = &forbidden["truto_error_insight"]["forbidden_error"]["value"];
    assert_eq!(*insight, json!({ "missing_scopes": ["issues.read"] }));
    assert_eq!((&errors["later"], &errors["much_later"]), (&json!([]), &json!([])));
    for (key, status) in [("crm/contacts", 404), ("people", 404), ("repos", 404)] {
        let found = errors[key].as_array().expect("a list");
        assert_eq!((found.len(), &found[0]["statusCode"]), (1, &json!(status)), "{key}: {errors}");
    }
    // What came before the error is there, and a unified entry persists unless it says otherwise.
    let issues = json!([{ "at": "/issues?of=a&repo=a" }]);
    assert_eq!(answer["result"], json!({ "issues": issues, "later": [], "crm/contacts": [] }));
    assert_eq!(asked, ["GET /repos", "GET /repos?after=2", "GET /issues?of=a&repo=a", "GET /issues?of=b&repo=b"]);
    until_is(&it.world, &it.account, "active", Some("forbidden"), "after a 403").await;
}

#[tokio::test]
async fn a_batch_that_cannot_run_asks_the_provider_nothing() {
    let it = Batches::new().await;
    let entries = json!([{ "resource": "repos" }]);
    let circle =
        json!([{ "resource": "repos", "depends_on": "issues" }, { "resource": "issues", "depends_on": "repos" }]);
    let nobody = "01900000-0000-7000-8000-000000000000";
    for (account, resources, status, code) in [
        (json!(null), &entries, 400, "integrated_account_id_missing"),
        (json!(nobody), &entries, 404, "not_found"),
        (json!("acme"), &entries, 404, "not_found"),
        (json!(it.account), &json!([]), 400, "batch_invalid"),
        (json!(it.account), &circle, 400, "batch_invalid"),
        (json!(it.account), &json!([{ "type": "destination", "name": "x" }]), 400, "batch_invalid"),
    ] {
        let batch = json!({ "integrated_account_id": account, "resources": resources });
        let (found, body) = it.world.ask(Method::POST, "/batch-request", batch).await;
        assert_eq!((found.as_u16(), &body["code"]), (status, &json!(code)), "{body}");
    }
    assert!(it.asked.lock().expect("not poisoned").is_empty());
}
