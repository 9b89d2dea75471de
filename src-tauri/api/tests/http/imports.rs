//! Credentials that a program gives: imports, and new credentials for an account (contract section 3).

use std::sync::{Arc, Mutex};

use axum::{
    Form, Json, Router,
    extract::Request,
    http::StatusCode as Answered,
    response::IntoResponse,
    routing::{get, post},
};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::world::World;

/// A provider with two people, each with a key and an access token.
#[derive(Clone)]
struct Provider {
    origin: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_down: bool,
    refreshes: usize,
    /// A credential that is refused by now.
    revoked: Option<&'static str>,
}

impl Provider {
    async fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let (of_me, of_token) = (Arc::clone(&state), Arc::clone(&state));
        let me = get(move |request: Request| async move {
            let (is_down, revoked) = {
                let state = of_me.lock().expect("not poisoned");
                (state.is_down, state.revoked)
            };
            if is_down {
                return Answered::SERVICE_UNAVAILABLE.into_response();
            }
            let header = |name: &str| request.headers().get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
            match header("authorization").trim_start_matches("Bearer ").trim_start_matches("Basic ") {
                other if Some(other) == revoked => Answered::UNAUTHORIZED.into_response(),
                // ada:key-ada-1, eve:key-ada-1
                "at-ada" | "at-ada-2" | "YWRhOmtleS1hZGEtMQ==" | "YWRhOmtleS1hZGEtMg==" => {
                    Json(json!({ "id": "1", "name": "Ada" })).into_response()
                }
                "at-grace" | "Z3JhY2U6a2V5LWdyYWNlLTE=" => Json(json!({ "id": "2", "name": "Grace" })).into_response(),
                _ => (Answered::UNAUTHORIZED, Json(json!({ "error": "bad_token" }))).into_response(),
            }
        });
        let token = post(move |Form(form): Form<Map<String, Value>>| async move {
            let value = |name: &str| form.get(name).and_then(Value::as_str);
            if value("grant_type") == Some("client_credentials") {
                let is_known = (value("client_id"), value("client_secret")) == (Some("acme-client"), Some("s-1234567"));
                let token = json!({ "access_token": "at-ada", "expires_in": 3600 });
                return if is_known {
                    (Answered::OK, Json(token))
                } else {
                    (Answered::UNAUTHORIZED, Json(json!({ "error": "invalid_client" })))
                };
            }
            of_token.lock().expect("not poisoned").refreshes += 1;
            if form.get("refresh_token").and_then(Value::as_str) != Some("rt-ada-1") {
                return (Answered::BAD_REQUEST, Json(json!({ "error": "invalid_grant" })));
            }
            (Answered::OK, Json(json!({ "access_token": "at-ada-2", "refresh_token": "rt-ada-2", "expires_in": 3600 })))
        });
        let router = Router::new().route("/me", me).route("/token", token);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, state }
    }

    fn refreshes(&self) -> usize {
        self.state.lock().expect("not poisoned").refreshes
    }

    fn set_down(&self, is_down: bool) {
        self.state.lock().expect("not poisoned").is_down = is_down;
    }

    /// Adds its integration. Returns the id of the installed one.
    async fn install(&self, world: &World, name: &str, credentials: Value, authorization: Value) -> String {
        let mut relink = json!({
            "allow_local": true,
            "probe": { "method": "GET", "path": "/me" },
            "identity": { "path": "/me", "id": "id", "label": "name" },
        });
        if credentials["format"] == "oauth2" {
            relink["client_secret"] = "never".into();
            relink["redirects"] = json!(["loopback"]);
        }
        let text = json!({ "name": name, "config": {
            "label": "Acme", "base_url": self.origin, "credentials": credentials, "authorization": authorization, "relink": relink,
        } });
        let (status, added) =
            world.as_person(Method::POST, "/relink/integrations", json!({ "text": text.to_string() })).await;
        assert!(status.is_success(), "{added}");
        let installed = world.get(&format!("/environment-integration?integration.name={name}")).await;
        let rows = installed["result"].as_array().expect("rows");
        let row = rows.iter().find(|row| row["integration"]["name"] == name).expect("installed");
        row["id"].as_str().expect("an id").to_owned()
    }

    async fn with_oauth(&self, world: &World) -> String {
        let credentials = json!({ "format": "oauth2", "config": {
            "client": { "id": "acme", "secret": "" },
            "auth": { "tokenHost": self.origin, "tokenPath": "/token", "authorizePath": "/authorize" },
            "options": { "authorizationMethod": "body" },
        } });
        self.install(world, "acme", credentials, json!({ "format": "bearer", "config": {} })).await
    }

    async fn with_basic(&self, world: &World) -> String {
        let credentials = json!({ "format": "api_key", "config": { "fields": [
            { "name": "username", "label": "User", "type": "text", "required": true },
            { "name": "key", "label": "Key", "type": "password", "required": true },
        ] } });
        let authorization =
            json!({ "format": "basic", "config": { "username": "{{username}}", "password": "{{key}}" } });
        self.install(world, "acme-basic", credentials, authorization).await
    }

    async fn with_client_credentials(&self, world: &World) -> String {
        let credentials = json!({ "format": "oauth2_client_credentials", "config": {
            "fields": [
                { "name": "client_id", "label": "Client ID", "type": "text", "required": true },
                { "name": "client_secret", "label": "Client secret", "type": "password", "required": true },
            ],
            "auth": { "tokenHost": self.origin, "tokenPath": "/token" },
            "options": { "authorizationMethod": "body" },
        } });
        self.install(world, "acme-client", credentials, json!({ "format": "bearer", "config": {} })).await
    }
}

async fn import(world: &World, installed: &str, method: &str, context: Value) -> (StatusCode, Value) {
    let body = json!({
        "tenant_id": "acme-1", "environment_integration_id": installed, "authentication_method": method, "context": context,
    });
    world.ask(Method::POST, "/integrated-account", body).await
}

async fn change(world: &World, account: &Value, context: Value) -> (StatusCode, Value) {
    let path = format!("/integrated-account/{}/credentials", account["id"].as_str().expect("an id"));
    world.ask(Method::PATCH, &path, json!({ "context": context })).await
}

async fn count(world: &World) -> usize {
    world.get("/integrated-account").await["result"].as_array().expect("a list").len()
}

async fn events(world: &World) -> Vec<String> {
    let events = world.get("/relink/events?after=0&limit=500").await;
    let names = events["result"].as_array().expect("a list").iter().filter_map(|event| event["event"].as_str());
    names
        .filter(|name| name.starts_with("integrated_account:") || name.starts_with("link_token:"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn tokens_that_work_become_an_account_and_no_answer_has_them() {
    let (world, provider) = (World::new().await, Provider::start().await);
    let installed = provider.with_oauth(&world).await;
    let context = json!({ "site": "eu", "oauth": { "scope": ["read"], "token": {
        "access_token": "at-ada", "refresh_token": "rt-ada-1", "expires_in": 3600,
    } } });
    let (status, account) = import(&world, &installed, "oauth2", context).await;
    assert_eq!(status, StatusCode::OK, "{account}");
    assert_eq!((&account["status"], &account["tenant_id"]), (&json!("active"), &json!("acme-1")));
    assert_eq!(account["context"], json!({ "site": "eu", "oauth": { "scope": ["read"] } }));
    assert_eq!(provider.refreshes(), 0, "a refresh token isn't spent without need");
    let id = account["id"].as_str().expect("an id");
    let everything =
        format!("{account}{}{}", world.get("/integrated-account").await, world.get("/relink/events?after=0").await);
    assert!(!everything.contains("at-ada") && !everything.contains("rt-ada"), "{everything}");
    assert_eq!(events(&world).await, ["integrated_account:created", "integrated_account:active"]);
    let token = world.post(&format!("/relink/accounts/{id}/access-token"), Value::Null).await;
    assert_eq!(token["access_token"], "at-ada");
    world.post("/integrated-account/refresh-credentials", json!({ "id": id })).await;
    let token = world.post(&format!("/relink/accounts/{id}/access-token"), Value::Null).await;
    assert_eq!(token["access_token"], "at-ada-2", "and it is refreshed like any other");
}

#[tokio::test]
async fn an_access_token_that_has_ended_is_refreshed_first() {
    let (world, provider) = (World::new().await, Provider::start().await);
    let installed = provider.with_oauth(&world).await;
    for (token, refreshes) in [
        (json!({ "access_token": "at-old", "refresh_token": "rt-ada-1" }), 1),
        (json!({ "access_token": "at-ada", "refresh_token": "rt-ada-1", "expires_at": "2020-01-01T00:00:00Z" }), 2),
        (json!({ "refresh_token": "rt-ada-1" }), 3),
    ] {
        let (status, account) = import(&world, &installed, "oauth", json!({ "oauth": { "token": token } })).await;
        assert_eq!(status, StatusCode::OK, "{account}");
        assert_eq!(provider.refreshes(), refreshes);
        let path = format!("/relink/accounts/{}/access-token", account["id"].as_str().expect("an id"));
        assert_eq!(world.post(&path, Value::Null).await["access_token"], "at-ada-2");
    }
}

#[tokio::test]
async fn what_the_provider_refuses_is_not_saved() {
    let (world, provider) = (World::new().await, Provider::start().await);
    let (oauth, basic) = (provider.with_oauth(&world).await, provider.with_basic(&world).await);
    let wrong = json!({ "oauth": { "token": { "access_token": "at-wrong" } } });
    let (status, said) = import(&world, &oauth, "oauth2", wrong).await;
    assert_eq!((status, &said["code"]), (StatusCode::BAD_REQUEST, &json!("credentials_refused")), "{said}");
    assert!(said.to_string().contains("bad_token"), "what the provider said: {said}");
    let dead = json!({ "oauth": { "token": { "access_token": "at-wrong", "refresh_token": "rt-dead" } } });
    let (status, said) = import(&world, &oauth, "oauth2", dead).await;
    assert_eq!((status, &said["code"]), (StatusCode::BAD_REQUEST, &json!("credentials_refused")), "{said}");
    assert!(said.to_string().contains("doesn't accept this refresh token. Nothing was saved."), "{said}");
    let (status, said) = import(&world, &basic, "basic", json!({ "username": "ada", "key": "key-wrong" })).await;
    assert_eq!((status, &said["code"]), (StatusCode::BAD_REQUEST, &json!("credentials_refused")), "{said}");
    assert!(!said.to_string().contains("key-wrong"), "{said}");
    provider.set_down(true);
    let (status, said) = import(&world, &basic, "basic", json!({ "username": "ada", "key": "key-ada-1" })).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "nothing is wrong with them: {said}");
    assert_eq!(count(&world).await, 0);
    assert_eq!(events(&world).await, [""; 0], "no link has failed");
}

#[tokio::test]
async fn an_import_that_is_wrong_says_what() {
    let (world, provider) = (World::new().await, Provider::start().await);
    let (oauth, basic) = (provider.with_oauth(&world).await, provider.with_basic(&world).await);
    let token = json!({ "oauth": { "token": { "access_token": "at-ada" } } });
    for (installed, method, context, field) in [
        (&oauth, "api_key", token.clone(), "authentication_method"),
        (&oauth, "oauth2", json!({}), "context.oauth.token"),
        (&oauth, "oauth2", json!({ "oauth": { "token": "at-ada" } }), "context.oauth.token"),
        (&oauth, "oauth2", json!({ "oauth": { "token": { "access_token": 7 } } }), "context.oauth.token.access_token"),
        (
            &oauth,
            "oauth2",
            json!({ "oauth": { "token": { "access_token": "at-ada", "expires_in": "soon" } } }),
            "context.oauth.token.expires_in",
        ),
        (
            &oauth,
            "oauth2",
            json!({ "api_key": "x", "oauth": { "token": { "access_token": "at-ada" } } }),
            "context.api_key",
        ),
        (&basic, "api_key", json!({ "username": "ada" }), "key"),
        (&basic, "api_key", json!({ "username": "ada", "key": ["x"] }), "context.key"),
    ] {
        let (status, said) = import(&world, installed, method, context).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
        assert!(said.to_string().contains(&format!("\"{field}\"")), "{field}: {said}");
    }
    let (status, said) = import(&world, &oauth, "keka_oauth", token.clone()).await;
    assert_eq!((status, &said["code"]), (StatusCode::NOT_IMPLEMENTED, &json!("not_in_relink")), "{said}");
    assert_eq!(said["details"]["failures"][0]["path"], "authentication_method", "{said}");
    let (status, _) = import(&world, "0190a1b2-c3d4-7e5f-8a9b-000000000001", "oauth2", token).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(count(&world).await, 0);
}

#[tokio::test]
async fn new_credentials_mend_an_account_once_the_provider_accepts_them() {
    let (world, provider) = (World::new().await, Provider::start().await);
    let basic = provider.with_basic(&world).await;
    let (_, account) = import(&world, &basic, "api_key", json!({ "username": "ada", "key": "key-ada-1" })).await;
    let id = account["id"].as_str().expect("an id").to_owned();
    let (status, said) = change(&world, &account, json!({ "key": "key-wrong" })).await;
    assert_eq!((status, &said["code"]), (StatusCode::BAD_REQUEST, &json!("credentials_refused")), "{said}");
    let path = format!("/relink/accounts/{id}/access-token?field=key");
    let key = world.post(&path, Value::Null).await;
    assert!(key.to_string().contains("key-ada-1"), "the old one stays: {key}");
    let (status, changed) = change(&world, &account, json!({ "key": "key-ada-2" })).await;
    assert_eq!((status, &changed["status"]), (StatusCode::OK, &json!("active")), "{changed}");
    let user = world.post(&path.replace("=key", "=username"), Value::Null).await;
    assert!(user.to_string().contains("ada"), "what isn't given stays: {user}");
    let key = world.post(&path, Value::Null).await;
    assert!(key.to_string().contains("key-ada-2"), "{key}");
    let after: Vec<_> = events(&world).await.into_iter().skip(2).collect();
    assert_eq!(after, ["integrated_account:updated", "integrated_account:active"]);
}

#[tokio::test]
async fn credentials_of_somebody_else_change_nothing() {
    let (world, provider) = (World::new().await, Provider::start().await);
    let oauth = provider.with_oauth(&world).await;
    let tokens =
        |access: &str| json!({ "oauth": { "token": { "access_token": access, "refresh_token": "rt-ada-1" } } });
    let (_, account) = import(&world, &oauth, "oauth2", tokens("at-ada")).await;
    let (status, said) = change(&world, &account, tokens("at-grace")).await;
    assert_eq!((status, &said["code"]), (StatusCode::CONFLICT, &json!("another_identity")), "{said}");
    let (status, said) = change(&world, &account, json!({ "site": "eu" })).await;
    assert_eq!((status, &said["code"]), (StatusCode::BAD_REQUEST, &json!("not_a_credential")), "{said}");
    let path = format!("/relink/accounts/{}/access-token", account["id"].as_str().expect("an id"));
    assert_eq!(world.post(&path, Value::Null).await["access_token"], "at-ada");
    let (status, changed) = change(&world, &account, tokens("at-ada-2")).await;
    assert_eq!((status, &changed["status"]), (StatusCode::OK, &json!("active")), "{changed}");
    assert_eq!(world.post(&path, Value::Null).await["access_token"], "at-ada-2");
}

#[tokio::test]
async fn an_import_by_client_credentials_fetches_a_token_with_them() {
    let (world, provider) = (World::new().await, Provider::start().await);
    let installed = provider.with_client_credentials(&world).await;
    let client = |secret: &str| json!({ "client_id": "acme-client", "client_secret": secret, "team": "core" });
    let method = "oauth2_client_credentials";
    let (status, said) = import(&world, &installed, method, client("s-wrong-1")).await;
    assert_eq!((status, &said["code"]), (StatusCode::BAD_REQUEST, &json!("credentials_refused")), "{said}");
    assert_eq!(count(&world).await, 0);
    let (status, account) = import(&world, &installed, method, client("s-1234567")).await;
    assert_eq!((status, &account["status"]), (StatusCode::OK, &json!("active")), "{account}");
    assert_eq!(account["authentication_method"], method);
    let context = &account["context"];
    assert_eq!((&context["team"], context.get("client_secret")), (&json!("core"), None), "{account}");
    assert!(!account.to_string().contains("s-1234567"), "{account}");
    let path = format!("/relink/accounts/{}/access-token", account["id"].as_str().expect("an id"));
    assert_eq!(world.post(&path, Value::Null).await["access_token"], "at-ada");
}

#[tokio::test]
async fn an_import_names_its_region() {
    let (world, provider) = (World::new().await, Provider::start().await);
    let installed = provider.with_basic(&world).await;
    for (region, expected) in
        [(json!("eu"), Some("eu")), (Value::Null, Some("wnam")), (json!("mars"), None), (json!("EU"), None)]
    {
        let body = json!({
            "tenant_id": "acme-1", "environment_integration_id": installed, "region": region,
            "context": { "username": "ada", "key": "key-ada-1" },
        });
        let (status, account) = world.ask(Method::POST, "/integrated-account", body).await;
        let Some(expected) = expected else {
            assert_eq!(status, StatusCode::BAD_REQUEST, "{account}");
            assert_eq!(account["details"]["failures"][0]["path"], "region", "{account}");
            continue;
        };
        assert_eq!((status, &account["region"]), (StatusCode::OK, &json!(expected)), "{account}");
    }
    assert_eq!(count(&world).await, 2);
}

#[tokio::test]
async fn new_credentials_make_an_account_active_that_needed_its_person() {
    let (world, provider) = (World::new().await, Provider::start().await);
    let basic = provider.with_basic(&world).await;
    let (_, account) = import(&world, &basic, "api_key", json!({ "username": "ada", "key": "key-ada-1" })).await;
    provider.state.lock().expect("not poisoned").revoked = Some("YWRhOmtleS1hZGEtMQ==");
    let id = account["id"].as_str().expect("an id");
    world.post(&format!("/relink/accounts/{id}/check"), Value::Null).await;
    let refused = world.get(&format!("/integrated-account/{id}")).await;
    assert_eq!(refused["status"], "needs_reauth", "{refused}");
    let before = events(&world).await.len();
    let (status, _) = change(&world, &account, json!({ "key": "key-wrong" })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(world.get(&format!("/integrated-account/{id}")).await, refused, "nothing has changed");
    let (status, changed) = change(&world, &account, json!({ "key": "key-ada-2" })).await;
    assert_eq!((status, &changed["status"], &changed["last_error"]), (StatusCode::OK, &json!("active"), &Value::Null));
    assert_eq!(events(&world).await[before..], ["integrated_account:updated", "integrated_account:active"]);
}
