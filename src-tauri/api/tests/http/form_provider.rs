//! A provider whose lists a `RapidForm` offers, and the form.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::{Query, Request},
    http::StatusCode as Answered,
    response::IntoResponse,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{unified_model::written, world::World};

pub const KEY: &str = "k-canary-0123456789";

/// A provider with workspaces, and projects on several pages. It notes what it was asked.
#[derive(Clone)]
pub struct Provider {
    origin: String,
    asked: Arc<Mutex<Vec<String>>>,
    /// The status of the answer to each list.
    status: Arc<Mutex<u16>>,
}

impl Provider {
    pub async fn start() -> Self {
        let (asked, status) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(Mutex::new(200)));
        let (noted, answered) = (Arc::clone(&asked), Arc::clone(&status));
        let router = Router::new().fallback(move |Query(query): Query<Value>, request: Request| {
            let pin = request.headers().get("x-pin").and_then(|pin| pin.to_str().ok()).unwrap_or_default();
            noted.lock().expect("not poisoned").push(format!("{}{}", request.uri(), if pin.is_empty() { String::new() } else { format!(" pin {pin}") }));
            let status = *answered.lock().expect("not poisoned");
            let path = request.uri().path().to_owned();
            async move {
                if status != 200 {
                    let body = json!({ "message": format!("not with {KEY}") });
                    return (Answered::from_u16(status).expect("a status"), Json(body)).into_response();
                }
                let projects = |page: u32| {
                    let project = |n: u32| json!({ "id": n, "title": format!("Project {n}"), "about": { "key": format!("P{n}") } });
                    let of: Vec<_> = (page * 2..page * 2 + 2).map(project).collect();
                    json!({ "data": of, "next": (page < 2).then(|| (page + 1).to_string()) })
                };
                Json(match path.as_str() {
                    "/workspaces" => json!({ "data": [{ "id": "w-1", "name": "Acme" }, { "id": "w-1", "name": "Acme again" }, { "name": "no id" }, { "id": "w-2" }] }),
                    "/projects" => projects(query["page"].as_str().and_then(|page| page.parse().ok()).unwrap_or(0)),
                    _ => json!({ "ok": true }),
                })
                .into_response()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, asked, status }
    }

    /// From now on, it answers with this status.
    pub fn answer(&self, status: u16) {
        *self.status.lock().expect("not poisoned") = status;
    }

    /// What it was asked since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("not poisoned"))
    }

    /// The integration's definition, with this form.
    pub fn definition(&self, form: &Value) -> Value {
        json!({ "name": "acme", "config": {
            "label": "Acme",
            "base_url": self.origin,
            "credentials": { "format": "api_key", "config": { "fields": [
                { "name": "api_key", "label": "Key", "type": "password", "required": true },
            ] } },
            "authorization": { "format": "bearer", "config": { "token": "{{api_key}}" } },
            "headers": { "x-pin": "{{pin:undefined}}" },
            "resources": {
                "workspaces": { "list": { "path": "/workspaces", "response_path": "data" } },
                "projects": { "list": {
                    "path": "/projects",
                    "query": { "workspace": "{{query.workspace}}", "region": "{{query.region}}" },
                    "response_path": "data",
                    "pagination": { "format": "cursor", "config": { "cursor_param": "page", "cursor_path": "next" } },
                } },
            },
            "relink": { "allow_local": true },
            "actions": { "post_connect_user_form": { "steps": [{ "type": "form", "config": form }] } },
        } })
    }
}

/// A form with lists of the provider's, and fields of other kinds.
pub fn form() -> Value {
    json!({
        "fields": [
            { "name": "workspace_id", "type": "single_select", "label": "Workspace", "required": true, "help_text": "Where from.",
              "data_source": { "type": "proxy", "resource": "workspaces", "method": "list" },
              "options": { "value": "id", "label": "name", "subText": "id" } },
            { "name": "projects", "type": "multi_select", "label": "Projects", "depends_on": ["workspace_id"], "required": true,
              "disabled_text": "Select a workspace first",
              "data_source": { "type": "proxy", "resource": "projects", "query": { "workspace": "{{workspace_id}}", "region": "{{region}}" } },
              "options": { "value": "id", "label": "title", "subText": "about.key" } },
            { "name": "pin", "type": "password", "label": "PIN" },
            { "name": "mode", "type": "single_select", "options": [{ "value": "all", "label": "All" }, { "value": "new" }] },
            { "name": "agreed", "type": "checkbox", "label": "Agreed" },
            { "name": "tickets", "type": "single_select", "label": "Tickets",
              "data_source": { "type": "unified", "resource": "ticketing/tickets", "method": "list" },
              "options": { "value": "id", "label": "name" } },
        ],
        "validation": "$count(projects) > 3 ? [{ 'field': 'projects', 'message': 'Select at most 3 projects' }] : undefined",
    })
}

/// Relink with the provider's integration.
pub struct Story {
    pub world: World,
    pub provider: Provider,
}

impl Story {
    pub async fn new() -> Self {
        Self::with_form(&form()).await
    }

    /// Maps the unified tickets to the provider's workspaces.
    pub async fn map_tickets(&self) {
        let model = json!({ "name": "ticketing", "resources": { "tickets": {} } });
        let models = self.world.get("/unified-model?name=ticketing").await;
        let id = match models["result"][0]["id"].as_str() {
            Some(id) => json!(id),
            None => written(&self.world, Method::POST, "/unified-model", model).await["id"].clone(),
        };
        let installed = json!({ "unified_model_id": id });
        let installed = written(&self.world, Method::POST, "/environment-unified-model", installed).await;
        let config = json!({
            "resource": "workspaces", "method": "list",
            "response_mapping": "response.id ~> $distinct ~> $filter(function($id) { $id }) ~> $map(function($id) { { 'id': $id, 'name': 'Ticket ' & $id } })",
        });
        let row = json!({
            "environment_unified_model_id": installed["id"], "integration_name": "acme", "resource_name": "tickets",
            "method_name": "list", "config": config,
        });
        written(&self.world, Method::POST, "/environment-unified-model-resource-method", row).await;
    }

    pub async fn with_form(form: &Value) -> Self {
        let (world, provider) = (World::new().await, Provider::start().await);
        let text = provider.definition(form).to_string();
        let (status, body) = world.as_person(Method::POST, "/relink/integrations", json!({ "text": text })).await;
        assert!(status.is_success(), "{body}");
        Self { world, provider }
    }

    /// Connects an account. The flow, as its page sees it.
    pub async fn connect(&self, more: &Value) -> (Value, Value) {
        let link =
            self.world.post("/link-token", json!({ "tenant_id": "acme-1", "context": { "region": "eu" } })).await;
        let mut asked = json!({ "integration": "acme", "format": "api_key", "fields": { "api_key": KEY } });
        asked.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let begun = self.world.begin(&link, asked).await;
        let ended = self.world.until_ended(&begun).await;
        assert_eq!(ended["phase"], "succeeded", "{ended}");
        (begun, ended)
    }

    pub async fn connected(&self) -> (String, String) {
        let (_, ended) = self.connect(&json!({})).await;
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{ended}")).to_owned();
        (text(&ended["outcome"]["account"]["id"]), text(&ended["outcome"]["form_token"]))
    }

    /// A request of the form's page.
    pub async fn page(&self, token: &str, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}/connect-account/form{path}", self.world.base());
        let mut request = self.world.client.request(method, url).header("x-relink-form-token", token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    pub async fn submit(&self, token: &str, body: Value) -> (StatusCode, Value) {
        self.page(token, Method::POST, "", body).await
    }

    pub async fn events(&self) -> Vec<String> {
        let events = self.world.get("/relink/events?after=0&limit=500").await;
        let events = events["result"].as_array().expect("events").clone();
        let name = |event: &Value| event["event"].as_str().or_else(|| event["kind"].as_str()).map(str::to_owned);
        assert!(!json!(events).to_string().contains("canary"), "{events:?}");
        events
            .iter()
            .filter_map(name)
            .filter_map(|it| it.strip_prefix("integrated_account:").map(str::to_owned))
            .collect()
    }

    pub async fn account_token(&self, account: &str) -> String {
        let made = self.world.post("/integrated-account/token", json!({ "integrated_account_id": account })).await;
        made["token"].as_str().expect("a token").to_owned()
    }

    /// Opens the form with an account token, as the Link SDK does. The page's token, or the status of a page that explains.
    pub async fn open(&self, account_token: &str) -> Result<String, StatusCode> {
        let query = [
            ("integrated_account_session_token", account_token),
            ("iframe", "true"),
            ("integrated_account_session_token", "again"),
            ("truto_disabled_fields", "{}"),
        ];
        let url = format!("{}/connect-account/post-connect", self.world.base());
        let answer = self.world.client.get(url).query(&query).send().await.expect("an answer");
        if answer.status() != StatusCode::SEE_OTHER {
            return Err(answer.status());
        }
        let location = answer.headers()["location"].to_str().expect("a URL").to_owned();
        assert!(!location.contains(account_token), "the token is in no address bar");
        let (path, query) = location.split_once('?').expect("a query");
        assert_eq!(query, "iframe=true&truto_disabled_fields=%7B%7D");
        let nonce = path.strip_prefix("/connect-account/post-connect/open/").expect("a nonce");
        let opened = self.world.client.get(format!("{}{location}", self.world.base())).send().await.expect("an answer");
        assert_eq!(opened.status(), StatusCode::OK);
        let exchange = self.world.client.post(format!("{}/connect-account/open", self.world.base()));
        let exchanged = exchange.json(&json!({ "nonce": nonce })).send().await.expect("an answer");
        let exchanged: Value = exchanged.json().await.expect("JSON");
        Ok(exchanged["page_token"].as_str().unwrap_or_else(|| panic!("{exchanged}")).to_owned())
    }
}
