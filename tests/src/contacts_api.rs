//! The API of a provider with contacts, which callers create, change and delete.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// The contacts, by their ids.
type Contacts = Arc<Mutex<BTreeMap<u32, Map<String, Value>>>>;
type Shared = State<Contacts>;

/// The server, with the contacts 1 to 5.
#[derive(Debug)]
pub struct ContactsApi {
    base_url: String,
    server: JoinHandle<()>,
}

impl ContactsApi {
    pub async fn start() -> Result<Self> {
        let contacts = (1..=5).map(|id| (id, Map::from_iter([("name".to_owned(), json!(format!("Contact {id}")))])));
        let contacts: Contacts = Arc::new(Mutex::new(contacts.collect()));
        let router = Router::new()
            .route("/contacts", get(list).post(create))
            .route("/contacts/{id}", get(show).patch(change).put(replace).delete(delete))
            .route("/contacts/merge", post(merge))
            .route("/workspace", get(async || Json(json!({ "workspace_id": "w-1" }))))
            .route("/export", get(async || "id,name\n1,Contact 1\n"))
            .route("/picture", get(async || ([(header::CONTENT_TYPE, "image/png")], [0x89_u8, b'P', b'N', b'G', 0xff])))
            .layer(from_fn(authorized))
            .with_state(contacts);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(async move {
            // The server stops at the end of the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { base_url, server })
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// What a definition says of it: its resources, what is found out after a sign-in, and its webhook. A request that isn't a
    /// verification is verified by the variable `webhook_token`.
    pub fn config(&self) -> Value {
        let described = |method: &str, path: &str, description: &str| json!({ "method": method, "path": path, "description": description });
        let mut list = described("get", "/contacts", "Lists contacts.");
        list["response_path"] = "contacts".into();
        list["query_schema"] = json!({ "properties": { "name": { "type": "string" } } });
        let mut create = described("post", "/contacts", "Creates a contact.");
        create["body_schema"] = json!({ "properties": { "name": { "type": "string" } }, "required": ["name"] });
        let mut update = described("patch", "/contacts/{{id}}", "Changes a contact.");
        update["body_schema"] = create["body_schema"].clone();
        let mut merge = described("post", "/contacts/merge", "Merges two contacts.");
        merge["body_schema"] = json!({ "properties": { "into": { "type": "string" }, "from": { "type": "string" } } });
        json!({
            "base_url": self.base_url,
            "pagination": { "format": "page", "config": { "page_key": "page", "limit_key": "limit", "max_limit": 100 } },
            "tool_tags": { "contacts": ["crm"] },
            "resources": { "contacts": {
                "list": list, "create": create, "update": update, "merge": merge,
                "get": described("get", "/contacts/{{id}}", "Gets a contact."),
                "delete": described("delete", "/contacts/{{id}}", "Deletes a contact."),
            } },
            "actions": { "post_install": { "steps": [
                { "type": "request", "config": { "path": "/workspace" } },
                { "type": "update_context" },
            ] } },
            "webhook": {
                "handle_verification": "body.challenge ? { \"statusCode\": 200, \"body\": { \"challenge\": body.challenge } }",
                "signature_verification": { "format": "bearer", "config": { "secret": "{{secret_environment_variables.webhook_token}}" } },
                "payload_transform": "{ \"event_type\": \"contact:\" & body.type, \"contact\": body.contact }",
                "context_lookup_field_name": "workspace_id",
                "context_lookup_field_value": "{{body.workspace_id}}",
            },
        })
    }
}

impl Drop for ContactsApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(contacts: &Contacts) -> MutexGuard<'_, BTreeMap<u32, Map<String, Value>>> {
    contacts.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn authorized(headers: HeaderMap, request: axum::extract::Request, next: Next) -> Response {
    if headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"Bearer ")) {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, Json(json!({ "message": "Who are you?" }))).into_response()
}

fn shown(id: u32, contact: &Map<String, Value>) -> Value {
    let mut shown = Map::from_iter([("id".to_owned(), json!(id.to_string()))]);
    shown.extend(contact.clone());
    shown.into()
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "message": "There is no such contact." }))).into_response()
}

async fn list(State(contacts): Shared, Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    let number = |name: &str, default| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (page, limit): (usize, usize) = (number("page", 1), number("limit", 100));
    let contacts = lock(&contacts);
    let wanted = contacts.iter().filter(|(_, contact)| query.get("name").is_none_or(|name| contact["name"] == **name));
    let page: Vec<_> =
        wanted.skip(page.saturating_sub(1) * limit).take(limit).map(|(id, contact)| shown(*id, contact)).collect();
    Json(json!({ "contacts": page }))
}

async fn show(State(contacts): Shared, Path(id): Path<u32>) -> Response {
    let contacts = lock(&contacts);
    contacts.get(&id).map_or_else(missing, |contact| Json(shown(id, contact)).into_response())
}

async fn create(State(contacts): Shared, Json(contact): Json<Map<String, Value>>) -> (StatusCode, Json<Value>) {
    let mut contacts = lock(&contacts);
    let id = contacts.keys().last().map_or(1, |last| last + 1);
    let answer = shown(id, &contact);
    contacts.insert(id, contact);
    (StatusCode::CREATED, Json(answer))
}

async fn change(State(contacts): Shared, Path(id): Path<u32>, Json(change): Json<Map<String, Value>>) -> Response {
    let mut contacts = lock(&contacts);
    let Some(contact) = contacts.get_mut(&id) else { return missing() };
    contact.extend(change);
    Json(shown(id, contact)).into_response()
}

async fn replace(State(contacts): Shared, Path(id): Path<u32>, Json(contact): Json<Map<String, Value>>) -> Json<Value> {
    let answer = shown(id, &contact);
    lock(&contacts).insert(id, contact);
    Json(answer)
}

async fn delete(State(contacts): Shared, Path(id): Path<u32>) -> Response {
    lock(&contacts).remove(&id).map_or_else(missing, |_| StatusCode::NO_CONTENT.into_response())
}

async fn merge(Json(merge): Json<Value>) -> Json<Value> {
    Json(json!({ "id": merge["into"], "merged": [merge["from"]] }))
}
