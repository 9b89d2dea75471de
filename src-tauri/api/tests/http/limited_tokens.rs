//! API tokens that are limited to some accounts: every route that requires a token, with an account of theirs and another one.

use relink_domain::{
    caller::{Caller, Grant, TokenLevel},
    token_limits::TokenLimits,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    answering_provider::{Provider, SignIn},
    world::World,
};

/// Permissions that a limited token doesn't have, because what they allow is about every account.
const INDIVISIBLE: [&str; 21] = [
    "follow_events",
    "import_accounts",
    "own_webhooks",
    "read_sync_jobs",
    "run_sync_jobs",
    "manage_sync_jobs",
    "all_webhooks",
    "manage_integrations",
    "read_api_tokens",
    "manage_api_tokens",
    "manage_links",
    "allow_folders",
    "allow_redirects",
    "allow_private_addresses",
    "change_refresh_steps",
    "record_bodies",
    "change_organization",
    "control_sandbox",
    "submit_callbacks",
    // Of account tokens alone.
    "read_own_account",
    "change_own_account",
];

/// Lists of accounts and of what belongs to them: only its own are in there.
const FILTERED: [&str; 5] = [
    "GET /integrated-account",
    "GET /sandbox-integrated-account",
    "GET /relink/accounts",
    "GET /log?log_type=unified_proxy_api",
    "GET /relink/status",
];

/// Routes that reveal nothing of accounts to these requests. What an agent gets is tested with the messages that it sends.
const WITHOUT_ACCOUNTS: [&str; 20] = [
    "POST /mcp/{token}",
    "POST /relink/mcp",
    "GET /integration",
    "GET /integration/{id}",
    "GET /integration/{id}/unified-apis",
    "GET /integration/{id}/tools",
    "GET /integration/{id}/capabilities",
    "GET /documentation",
    "GET /documentation/{id}",
    "GET /environment-integration",
    "GET /environment-integration/{id}",
    "GET /unified-model",
    "GET /unified-model/{id}",
    "GET /environment-unified-model",
    "GET /environment-unified-model/{id}",
    "GET /unified-model-resource-method",
    "GET /unified-model-resource-method/{id}",
    "GET /environment-unified-model-resource-method",
    "GET /environment-unified-model-resource-method/{id}",
    "GET /relink/integrations",
];

/// What a limited token may do with a route.
enum Class {
    Refused,
    Filtered(&'static str),
    WithoutAccounts,
    /// About one account: the request for it, path and body.
    OfAccount(fn(&str, &str) -> (String, Value)),
}

/// Each route must be in one class, so a new one that isn't thought of fails here.
fn class_of(method: &Method, path: &str, permission: &str) -> Class {
    if INDIVISIBLE.contains(&permission) {
        return Class::Refused;
    }
    let operation = format!("{method} {path}");
    if let Some(listed) = FILTERED.iter().find(|listed| listed.split('?').next() == Some(operation.as_str())) {
        return Class::Filtered(listed);
    }
    // Parts that Relink lacks, and what every installation has.
    let reveals_none = ["read_absent", "read_organization"].contains(&permission);
    if reveals_none || WITHOUT_ACCOUNTS.contains(&operation.as_str()) {
        return Class::WithoutAccounts;
    }
    Class::OfAccount(match path {
        "/link-token" | "/link-token/post-connect-form" | "/integrated-account/token" => {
            |path, id| (path.to_owned(), json!({ "integrated_account_id": id }))
        }
        "/integrated-account/{id}/credentials" => |path, id| (path.replace("{id}", id), json!({ "context": {} })),
        "/integrated-account/bulk-delete" => |path, id| (path.to_owned(), json!({ "ids": [id] })),
        "/integrated-account/refresh-credentials"
        | "/integrated-account/run-post-install-actions"
        | "/sandbox-integrated-account" => |path, id| (path.to_owned(), json!({ "id": id })),
        "/sandbox-integrated-account/{id}" => |path, id| (path.replace("{id}", id), Value::Null),
        "/relink/timeline" => |path, id| (format!("{path}?account={id}"), Value::Null),
        "/relink/accounts/{id}/rename" => |path, id| (path.replace("{id}", id), json!({ "name": "renamed" })),
        "/integrated-account/{id}" => |path, id| (path.replace("{id}", id), json!({ "context": { "a": 1 } })),
        _ if path.contains("/relink/accounts/{id}") => |path, id| (path.replace("{id}", id), Value::Null),
        _ if path.starts_with("/via/{account}") => {
            |path, id| (path.replace("{account}", id).replace("{path}", "api/me"), Value::Null)
        }
        _ if ["/proxy/", "/custom/", "/unified/"].iter().any(|route| path.starts_with(route)) => {
            |path, id| (format!("{}?integrated_account_id={id}", path.replace(['{', '}'], "")), Value::Null)
        }
        "/integrated-account/{id}/mcp" => |path, id| (path.replace("{id}", id), json!({ "name": "claude" })),
        _ if path.contains("/integrated-account/{id}/") => {
            |path, id| (path.replace("{id}", id).replace("{token_id}", id), Value::Null)
        }
        "/batch-request" => |path, id| (path.to_owned(), json!({ "integrated_account_id": id, "resources": [] })),
        _ => panic!("{operation} is in no class: say what a token may do there that is limited to some accounts"),
    })
}

async fn token(world: &World, limits: TokenLimits) -> String {
    let grant = Grant { level: TokenLevel::Full, limits };
    let made = world.engine.access().create_api_token(&Caller::Person, "narrow".into(), grant, None).await;
    made.expect("made").1.expose().to_owned()
}

#[tokio::test]
async fn a_limited_token_reaches_its_accounts_on_every_route_and_no_other() {
    let world = World::new().await;
    world.sandbox().await;
    let (own, other) = (world.account("own").await, world.account("other").await);
    let accounts = Some(vec![own.parse().expect("an id")]);
    let narrow = token(&world, TokenLimits { accounts, ..TokenLimits::default() }).await;
    let document = world.get("/openapi.json").await;
    let mut walked = 0;
    for operation in world.operations().await.iter().filter(|operation| operation.is_guarded) {
        let (method, path) = (&operation.method, operation.path.as_str());
        let security = &document["paths"][path][method.as_str().to_lowercase()]["security"][0]["bearer"][0];
        let ask = async |path: &str, body: Value| world.ask_with(&narrow, method.clone(), path, body).await;
        let is_refused = |(status, said): &(StatusCode, Value)| {
            *status == StatusCode::FORBIDDEN && (said["code"] == "forbidden" || *method == Method::HEAD)
        };
        walked += 1;
        match class_of(method, path, security.as_str().expect("a permission")) {
            Class::Refused => {
                let refused = ask(&path.replace(['{', '}'], ""), Value::Null).await;
                assert!(is_refused(&refused), "{method} {path}: {refused:?}");
            }
            Class::WithoutAccounts => {
                let answer = ask(&path.replace(['{', '}'], ""), Value::Null).await;
                assert!(!is_refused(&answer) && !answer.1.to_string().contains(&other), "{method} {path}: {answer:?}");
            }
            Class::Filtered(listed) => {
                let (_, path) = listed.split_once(' ').expect("a path");
                let (status, list) = ask(path, Value::Null).await;
                assert_eq!(status, StatusCode::OK, "{list}");
                assert!(!list.to_string().contains(&other), "{listed}: {list}");
                if listed.contains("status") {
                    assert_eq!(list["accounts"]["total"], 1, "{list}");
                }
            }
            Class::OfAccount(request) => {
                let (path_of_other, body) = request(path, &other);
                let refused = ask(&path_of_other, body).await;
                assert!(is_refused(&refused), "{method} {path}: {refused:?}");
                // Its own is deleted in the end.
                let is_deletion =
                    *method == Method::DELETE && path == "/integrated-account/{id}" || path.ends_with("/bulk-delete");
                if !is_deletion {
                    let (path_of_own, body) = request(path, &own);
                    let answer = ask(&path_of_own, body).await;
                    assert!(!is_refused(&answer), "{method} {path}: {answer:?}");
                }
            }
        }
    }
    assert!(walked > 60, "{walked}");
    assert_eq!(world.get(&format!("/relink/accounts/{other}")).await["name"], "Ada Lovelace", "nothing has changed it");
    let (status, _) = world.ask_with(&narrow, Method::GET, "/relink/timeline", Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "the timeline of all accounts");
    let new = json!({ "tenant_id": "acme" });
    let (status, _) = world.ask_with(&narrow, Method::POST, "/link-token", new).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "a link for another account");
    let delete = format!("/integrated-account/{own}");
    let (status, said) = world.ask_with(&narrow, Method::DELETE, &delete, Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{said}");
}

#[tokio::test]
async fn lists_have_what_a_token_is_limited_to_by_account_and_by_integration() {
    let world = World::new().await;
    world.sandbox().await;
    let (own, other) = (world.account("own").await, world.account("other").await);
    for account in [&own, &other] {
        world.ask(Method::GET, &format!("/via/{account}/api/me"), Value::Null).await;
    }
    let ids = async |token: &str, path: &str, field: &str| -> Vec<String> {
        let (status, list) = world.ask_with(token, Method::GET, path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{list}");
        let rows = list["result"].as_array().expect("a list");
        let mut ids: Vec<_> = rows.iter().map(|row| row[field].as_str().expect("an id").to_owned()).collect();
        ids.sort();
        ids
    };
    let mut both = vec![own.clone(), other.clone()];
    both.sort();
    let of_sandbox = TokenLimits { integrations: Some(vec!["sandbox".to_owned()]), ..TokenLimits::default() };
    world.post("/relink/integrations/github/install", json!({})).await;
    let of_another = TokenLimits { integrations: Some(vec!["github".to_owned()]), ..TokenLimits::default() };
    let one = TokenLimits { accounts: Some(vec![own.parse().expect("an id")]), ..of_sandbox.clone() };
    for (limits, expected) in [(of_sandbox, both), (of_another, vec![]), (one, vec![own.clone()])] {
        let token = token(&world, limits.clone()).await;
        assert_eq!(ids(&token, "/integrated-account", "id").await, expected, "{limits:?}");
        assert_eq!(ids(&token, "/relink/accounts", "id").await, expected, "{limits:?}");
        let log = "/log?log_type=unified_proxy_api";
        assert_eq!(ids(&token, log, "integrated_account_id").await, expected, "{limits:?}");
        let filtered = format!("{log}&log_type_filter[integrated_account_id]={other}");
        let seen = expected.contains(&other);
        assert_eq!(ids(&token, &filtered, "integrated_account_id").await.len(), usize::from(seen), "{limits:?}");
        let (status, _) = world.ask_with(&token, Method::GET, &format!("/via/{other}/api/me"), Value::Null).await;
        assert_eq!(status == StatusCode::OK, seen, "{limits:?}: {status}");
    }
}

#[tokio::test]
async fn a_read_only_token_calls_only_with_methods_that_read() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("own").await;
    let reader = token(&world, TokenLimits { read_only: true, ..TokenLimits::default() }).await;
    let url = format!("/via/{account}/api/me");
    for (method, allowed) in [
        (Method::GET, true),
        (Method::HEAD, true),
        (Method::OPTIONS, true),
        (Method::POST, false),
        (Method::PUT, false),
        (Method::PATCH, false),
        (Method::DELETE, false),
    ] {
        let (status, _) = world.ask_with(&reader, method.clone(), &url, Value::Null).await;
        assert_eq!(status != StatusCode::FORBIDDEN, allowed, "{method}: {status}");
    }
    let path = format!("/relink/accounts/{account}/access-token");
    let (status, said) = world.ask_with(&reader, Method::POST, &path, Value::Null).await;
    assert_eq!((status, said["code"].as_str()), (StatusCode::FORBIDDEN, Some("forbidden")), "a token can write");
    assert!(said["message"].as_str().is_some_and(|text| text.contains("may only read")), "{said}");
}

#[tokio::test]
async fn a_read_only_token_runs_no_action_whatever_its_name() {
    let world = World::new().await;
    let writes = json!({ "steps": [{ "type": "request", "config": { "path": "/items", "method": "post" } }] });
    let provider = Provider::start(true).await.with_actions(json!({ "list": writes, "get": writes, "sync": writes }));
    let account = provider.connect(&world, SignIn::ApiKey, 0).await;
    let reader = token(&world, TokenLimits { read_only: true, ..TokenLimits::default() }).await;
    for path in
        ["/proxy/_/list", "/proxy/_/get", "//proxy/_/list", "/proxy/%5F/list", "/proxy/%5f/get", "/proxy/_/sync"]
    {
        let url = format!("{path}?integrated_account_id={account}");
        let (status, said) = world.ask_with(&reader, Method::POST, &url, json!({})).await;
        assert_eq!((status, &said["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")), "{path}: {said}");
        world.post(&url, json!({})).await;
    }
    let url = format!("/proxy/items/list?integrated_account_id={account}");
    let (status, said) = world.ask_with(&reader, Method::POST, &url, json!({})).await;
    assert_eq!(status, StatusCode::OK, "a method's name says that it reads: {said}");
}

#[tokio::test]
async fn limits_are_set_when_a_token_is_made_and_shown_in_the_list() {
    let world = World::new().await;
    world.sandbox().await;
    let account = world.account("own").await;
    let new = json!({ "name": "narrow", "accounts": [account], "integrations": ["sandbox"], "read_only": true });
    let (status, made) = world.as_person(Method::POST, "/relink/api-tokens", new).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (_, listed) = world.as_person(Method::GET, "/api-token?name=narrow", Value::Null).await;
    for token in [&made, &listed["result"][0]] {
        assert_eq!(token["accounts"], json!([account]), "{token}");
        assert_eq!((&token["integrations"], &token["read_only"]), (&json!(["sandbox"]), &json!(true)), "{token}");
    }
    let (_, wide) = world.as_person(Method::POST, "/relink/api-tokens", json!({ "name": "wide" })).await;
    assert_eq!((&wide["accounts"], &wide["read_only"]), (&Value::Null, &json!(false)), "{wide}");
    for bad in [json!({ "accounts": [] }), json!({ "integrations": ["nobody"] })] {
        let mut new = bad.clone();
        new["name"] = "bad".into();
        let (status, said) = world.as_person(Method::POST, "/relink/api-tokens", new).await;
        assert_eq!((status, said["code"].as_str()), (StatusCode::BAD_REQUEST, Some("limit_invalid")), "{bad}");
    }
}
