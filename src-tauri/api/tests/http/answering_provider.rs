//! A provider that answers as a test says, and the ways to authenticate at it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode as Answered},
    response::IntoResponse,
    routing::{get, post},
};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::world::World;

/// The ways to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// OAuth with a refresh token.
    OAuth,
    /// OAuth without one.
    OAuthFixed,
    ClientCredentials,
    ApiKey,
    Basic,
}
use SignIn::{ApiKey, Basic, ClientCredentials, OAuth, OAuthFixed};

/// A provider whose answers the table gives.
pub struct Provider {
    origin: String,
    /// What its integration's definition says of them.
    resources: Value,
    /// What its integration's definition says of its webhooks.
    webhook: Value,
    /// Its integration's actions.
    actions: Value,
    state: Arc<Mutex<Answers>>,
}

pub struct Answers {
    /// The last one stays.
    pub api: VecDeque<u16>,
    pub probe: u16,
    pub token: u16,
    /// What it says with a 400.
    pub refusal: Value,
    /// Bytes of the latest request's body.
    pub received: usize,
    /// The latest request's `X-Hook`.
    pub hook: Option<String>,
    /// The latest request's query, as it came.
    pub query: String,
    tokens: usize,
    has_refresh_token: bool,
}

impl Provider {
    pub async fn start(has_refresh_token: bool) -> Self {
        Self::with_api(has_refresh_token, |state| Router::new().fallback(api).with_state(state)).await
    }

    /// Its API is this router.
    pub async fn with_api(has_refresh_token: bool, api: impl FnOnce(Arc<Mutex<Answers>>) -> Router) -> Self {
        let refusal = json!({ "error": "invalid_grant" });
        let answers = Answers {
            api: [200].into(),
            probe: 200,
            token: 200,
            refusal,
            received: 0,
            hook: None,
            query: String::new(),
            tokens: 0,
            has_refresh_token,
        };
        let state = Arc::new(Mutex::new(answers));
        let router = Router::new()
            .route("/token", post(token))
            .route("/probe", get(probe))
            .with_state(Arc::clone(&state))
            .merge(api(Arc::clone(&state)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let resources = json!({ "items": {
            "list": { "path": "/items" }, "get": { "path": "/items/{{id}}" }, "create": { "path": "/items", "method": "post" },
        } });
        Self { origin, resources, webhook: Value::Null, actions: Value::Null, state }
    }

    /// The same, with other resources.
    pub fn with_resources(self, resources: Value) -> Self {
        Self { resources, ..self }
    }

    /// The same, with this in its definition's `webhook`.
    pub fn with_webhook(self, webhook: Value) -> Self {
        Self { webhook, ..self }
    }

    /// The same, with these actions.
    pub fn with_actions(self, actions: Value) -> Self {
        Self { actions, ..self }
    }

    pub fn with<T>(&self, change: impl FnOnce(&mut Answers) -> T) -> T {
        change(&mut self.state.lock().expect("not poisoned"))
    }

    /// An address at it.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub fn tokens(&self) -> usize {
        self.with(|state| state.tokens)
    }

    /// Adds an integration of its own, and connects an account.
    pub async fn connect(&self, world: &World, auth: SignIn, number: usize) -> String {
        let name = name(auth, number);
        let mut definition = definition(&name, &self.origin, auth);
        definition["config"]["resources"] = self.resources.clone();
        definition["config"]["webhook"] = self.webhook.clone();
        definition["config"]["actions"] = self.actions.clone();
        let text = definition.to_string();
        let (status, body) = world.as_person(Method::POST, "/relink/integrations", json!({ "text": text })).await;
        assert!(status.is_success(), "{auth:?}: {body}");
        Self::sign_in(world, auth, &name, json!({ "tenant_id": "acme" })).await
    }

    /// Follows a link for this integration. Returns the account's id.
    pub async fn sign_in(world: &World, auth: SignIn, name: &str, link: Value) -> String {
        let link = world.post("/link-token", link).await;
        let (format, fields) = match auth {
            OAuth | OAuthFixed => ("oauth2", Value::Null),
            ClientCredentials => {
                ("oauth2_client_credentials", json!({ "client_id": "c", "client_secret": "s-123456" }))
            }
            ApiKey => ("api_key", json!({ "api_key": "k-123456" })),
            Basic => ("api_key", json!({ "username": "ada", "password": "p-123456" })),
        };
        let mut begin = json!({ "integration": name, "format": format });
        if !fields.is_null() {
            begin["fields"] = fields;
        }
        let flow = world.begin(&link, begin).await;
        let ended = match flow["authorize_url"].as_str() {
            Some(url) => {
                let url: Url = url.parse().expect("a URL");
                let parameter =
                    |wanted| url.query_pairs().find(|(name, _)| name == wanted).expect("there").1.into_owned();
                let mut callback: Url = parameter("redirect_uri").parse().expect("a URL");
                callback.query_pairs_mut().append_pair("code", "c").append_pair("state", &parameter("state"));
                let landed = world.client.get(callback).send().await.expect("an answer");
                let location = landed.headers()["location"].to_str().expect("text").to_owned();
                let (_, return_key) = location.split_once("#return=").expect("a key of the return");
                world.until_ended_with(&flow, return_key).await
            }
            None => world.until_ended(&flow).await,
        };
        ended["outcome"]["account"]["id"].as_str().unwrap_or_else(|| panic!("{auth:?}: {ended}")).to_owned()
    }
}

/// The name of its integration.
pub fn name(auth: SignIn, number: usize) -> String {
    format!("acme-{number}-{}", format!("{auth:?}").to_lowercase())
}

fn definition(name: &str, origin: &str, auth: SignIn) -> Value {
    let secret = |name: &str| json!({ "name": name, "label": name, "type": "password", "required": true });
    let text = |name: &str| json!({ "name": name, "label": name, "type": "text", "required": true });
    let hosts = json!({ "tokenHost": origin, "tokenPath": "/token", "authorizePath": "/authorize" });
    let (credentials, authorization) = match auth {
        OAuth | OAuthFixed => (
            json!({ "oauth2": { "format": "oauth2", "config": {
                "client": { "id": "acme", "secret": "" }, "auth": hosts, "options": { "authorizationMethod": "body" },
            } } }),
            json!({ "oauth2": { "format": "bearer", "config": {} } }),
        ),
        ClientCredentials => (
            json!({ "oauth2_client_credentials": { "format": "oauth2_client_credentials", "config": {
                "fields": [text("client_id"), secret("client_secret")],
                "auth": { "tokenHost": origin, "tokenPath": "/token" },
            } } }),
            json!({ "oauth2_client_credentials": { "format": "bearer", "config": {} } }),
        ),
        ApiKey => (
            json!({ "api_key": { "format": "api_key", "config": { "fields": [secret("api_key")] } } }),
            json!({ "api_key": { "format": "header", "config": { "header_name": "X-Api-Key", "header_value": "{{api_key}}" } } }),
        ),
        Basic => (
            json!({ "api_key": { "format": "api_key", "config": { "fields": [text("username"), secret("password")] } } }),
            json!({ "api_key": { "format": "basic", "config": { "username": "{{username}}", "password": "{{password}}" } } }),
        ),
    };
    let mut relink = json!({
        "allow_local": true,
        "probe": { "method": "GET", "path": "/probe" },
        "refresh": { "expired_when": [{ "status": 419 }] },
    });
    if matches!(auth, OAuth | OAuthFixed) {
        relink["client_secret"] = "never".into();
        relink["redirects"] = json!(["loopback"]);
    }
    json!({ "name": name, "config": {
        "label": "Acme", "base_url": origin, "credentials": credentials, "authorization": authorization, "relink": relink,
    } })
}

async fn token(State(state): State<Arc<Mutex<Answers>>>) -> impl IntoResponse {
    let mut state = state.lock().expect("not poisoned");
    state.tokens += 1;
    let body = match state.token {
        200 if state.has_refresh_token => {
            json!({ "access_token": format!("at-{}", state.tokens), "expires_in": 3600, "refresh_token": "rt-1234-of-the-account" })
        }
        200 => json!({ "access_token": format!("at-{}", state.tokens), "expires_in": 3600 }),
        400 => state.refusal.clone(),
        401 => json!({ "error": "invalid_client" }),
        _ => json!({}),
    };
    (Answered::from_u16(state.token).expect("a status"), Json(body))
}

async fn probe(State(state): State<Arc<Mutex<Answers>>>) -> impl IntoResponse {
    (Answered::from_u16(state.lock().expect("not poisoned").probe).expect("a status"), Json(json!({})))
}

async fn api(
    State(state): State<Arc<Mutex<Answers>>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let mut state = state.lock().expect("not poisoned");
    state.query = query.unwrap_or_default();
    state.hook = headers.get("x-hook").and_then(|value| value.to_str().ok()).map(str::to_owned);
    state.received = body.len();
    let status = if state.api.len() > 1 { state.api.pop_front() } else { state.api.front().copied() };
    (Answered::from_u16(status.expect("one stays")).expect("a status"), Json(json!({ "message": "as the table says" })))
}
