//! A unified model of the tests, written as a program writes it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

/// `crm`, with items and people.
pub struct Model<'a> {
    world: &'a World,
    pub id: Value,
    /// Of its installation.
    pub installed: Value,
}

impl<'a> Model<'a> {
    /// Adds and installs it. Nothing is mapped to it.
    pub async fn new(world: &'a World) -> Self {
        let resource = json!({"schema": {"type": "object", "properties": {"id": {"type": "string"}}}, "description": "Things", "methods": ["list", "get"]});
        let model = json!({"name": "sales", "category": "crm", "resources": {"items": resource, "people": resource}});
        let model = written(world, Method::POST, "/unified-model", model).await;
        let installed =
            written(world, Method::POST, "/environment-unified-model", json!({"unified_model_id": model["id"]})).await;
        Self { world, id: model["id"].clone(), installed: installed["id"].clone() }
    }

    /// It, installed.
    pub fn of(world: &'a World, installed: &Value) -> Self {
        Self { world, id: installed["unified_model_id"].clone(), installed: installed["id"].clone() }
    }

    /// Maps a method of an integration in the base.
    pub async fn map(&self, integration: &str, resource: &str, method: &str, config: Value) -> Value {
        let row = json!({
            "unified_model_id": self.id, "integration_name": integration, "resource_name": resource, "method_name": method,
            "config": config,
        });
        written(self.world, Method::POST, "/unified-model-resource-method", row).await
    }

    /// Maps it in the environment.
    pub async fn map_here(&self, integration: &str, resource: &str, method: &str, config: Value) -> Value {
        let row = json!({
            "environment_unified_model_id": self.installed, "integration_name": integration, "resource_name": resource,
            "method_name": method, "config": config,
        });
        written(self.world, Method::POST, "/environment-unified-model-resource-method", row).await
    }
}

/// What a write answers that must work.
pub async fn written(world: &World, method: Method, path: &str, body: Value) -> Value {
    let (status, answer) = world.ask(method.clone(), path, body).await;
    assert!(status.is_success(), "{method} {path}: {status} {answer}");
    answer
}
