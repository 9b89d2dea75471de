//! A provider that answers with what it was asked: a stand-in for any that a program calls through Relink.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, Request},
    http::{HeaderMap, Method, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use crate::{
    answering_provider::{Provider, SignIn},
    world::World,
};

/// How many items it has.
pub const ITEMS: usize = 5;

/// An account of it.
pub struct Echo {
    pub world: World,
    pub account: String,
    /// The queries of the lists that it was asked for, and the paths of all else.
    asked: Arc<Mutex<Vec<String>>>,
    _provider: Provider,
}

impl Echo {
    pub async fn new() -> Self {
        let world = World::new().await;
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&asked);
        let note = middleware::from_fn(move |request: Request, next: Next| {
            let uri = request.uri();
            let what = if uri.path() == "/items" { uri.query().unwrap_or_default() } else { uri.path() };
            noted.lock().expect("not poisoned").push(what.to_owned());
            next.run(request)
        });
        let provider = Provider::with_api(true, |_| {
            Router::new()
                .route("/items", get(items).fallback(echo))
                .route("/picture/1", get(async || ([(header::CONTENT_TYPE, "image/png")], [0x89_u8, b'P', 0xff])))
                .fallback(echo)
                .layer(note)
        });
        let provider = provider.await.with_resources(resources());
        let account = provider.connect(&world, SignIn::OAuth, 0).await;
        Self { world, account, asked, _provider: provider }
    }

    /// What the provider was asked since the last time: the queries of lists, and the paths of all else.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("not poisoned"))
    }

    /// The query that names the account.
    pub fn of_account(&self) -> String {
        format!("integrated_account_id={}", self.account)
    }
}

fn resources() -> Value {
    let described = |method: &str, path: &str, description: &str| json!({ "method": method, "path": path, "description": description });
    let mut list = described("get", "/items", "Lists items.");
    list["pagination"] =
        json!({ "format": "page", "config": { "page_key": "page", "limit_key": "limit", "max_limit": 100 } });
    list["tool_tags"] = json!(["crm"]);
    list["query_schema"] = json!({ "properties": { "team": { "type": "string" } } });
    let mut create = described("post", "/items", "Creates an item.");
    create["tool_tags"] = json!(["crm", "writing"]);
    create["body_schema"] = json!({ "properties": { "name": { "type": "string" } }, "required": ["name"] });
    let mut update = described("patch", "/items/{{id}}", "Changes an item.");
    update["body_schema"] = json!({ "properties": { "name": { "type": "string" } } });
    let mut merge = described("post", "/items/merge", "Merges two items.");
    merge["body_schema"] = json!({ "properties": { "into": { "type": "string" } } });
    json!({
        "items": {
            "list": list, "create": create, "update": update, "merge": merge,
            "get": described("get", "/items/{{id}}", "Gets an item."),
            "delete": described("delete", "/items/{{id}}", "Deletes an item."),
        },
        "pictures": { "get": { "path": "/picture/{{id}}" } },
    })
}

async fn items(Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    let number = |name: &str, default| query.get(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (page, limit) = (number("page", 1), number("limit", 100));
    let first = (page - 1) * limit + 1;
    Json((first..=ITEMS.min(first + limit - 1)).map(|id| json!({ "id": id })).collect())
}

async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if uri.path() == "/missing" {
        return (axum::http::StatusCode::NOT_FOUND, Json(json!({ "message": "There is none." }))).into_response();
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body)));
    let asked = json!({ "method": method.as_str(), "path": uri.path(), "query": uri.query(), "type": content_type, "body": body });
    Json(asked).into_response()
}
