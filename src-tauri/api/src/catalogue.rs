//! Integrations and the Sandbox's controls.

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::StatusCode,
    response::Response,
    routing::{any, get, post},
};
use relink_domain::Secret;
use relink_engine::{CatalogueEntry, Installed, SANDBOX, wire};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    ApiState,
    reply::{self, ApiResult, Body, Failed},
};

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/integration", get(list))
        .route("/integration/{id}", get(show))
        .route("/environment-integration", get(list_installed).post(install))
        .route("/environment-integration/{id}", get(show_installed).delete(uninstall))
        .route("/relink/integrations", get(overview).post(add))
        .route("/relink/integrations/{name}/install", post(install_named))
        .route("/relink/integrations/{name}/uninstall", post(uninstall_named))
        .route("/relink/integrations/{name}/client", post(client))
        .route("/relink/sandbox/control", any(sandbox))
        .route("/relink/sandbox/control/{*path}", any(sandbox))
}

/// Truto's Integration object.
fn integration(entry: &CatalogueEntry) -> Value {
    let integration = &entry.integration;
    json!({
        "id": integration.id,
        "name": integration.name,
        "category": integration.document.get("category"),
        "is_beta": false,
        "config": integration.document.get("config"),
        "sharing": "ask",
        "version": integration.version,
        "created_at": integration.created_at,
        "updated_at": integration.updated_at,
    })
}

/// Truto's environment integration, with its integration.
fn environment_integration(surface: &ApiState, installed: &Installed) -> Value {
    let mut value = wire::environment_integration(surface.engine.environment_id(), installed);
    value["integration"] = json!({
        "id": installed.integration.id,
        "name": installed.integration.name,
        "category": installed.integration.document.get("category"),
        "config": { "label": wire::label(&installed.integration) },
    });
    value["created_at"] = json!(installed.created_at);
    value["updated_at"] = json!(installed.updated_at);
    value
}

/// `GET /integration`
async fn list(State(surface): State<ApiState>) -> ApiResult {
    Ok(reply::whole(surface.engine.catalogue().await?.iter().map(integration).collect()))
}

/// `GET /integration/{id}`
async fn show(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    let entries = surface.engine.catalogue().await?;
    let found = entries.iter().find(|entry| entry.integration.id.to_string() == id);
    found.map(|entry| Json(integration(entry))).ok_or_else(|| no_integration(&id))
}

fn no_integration(id: &str) -> Failed {
    Failed::not_found("not_found", &format!("There is no integration {id}"))
}

/// `GET /environment-integration`
async fn list_installed(State(surface): State<ApiState>) -> ApiResult {
    let entries = surface.engine.catalogue().await?;
    let installed = entries.iter().filter_map(|entry| entry.installed.as_ref());
    Ok(reply::whole(installed.map(|installed| environment_integration(&surface, installed)).collect()))
}

async fn installed(surface: &ApiState, id: &str) -> Result<Installed, Failed> {
    let entries = surface.engine.catalogue().await?;
    let found =
        entries.into_iter().filter_map(|entry| entry.installed).find(|installed| installed.id.to_string() == id);
    found.ok_or_else(|| Failed::not_found("not_found", &format!("There is no installed integration {id}")))
}

/// `GET /environment-integration/{id}`
async fn show_installed(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    Ok(Json(environment_integration(&surface, &installed(&surface, &id).await?)))
}

#[derive(Deserialize)]
struct Install {
    integration_id: String,
}

/// `POST /environment-integration`: installs; what is installed stays as it is.
async fn install(State(surface): State<ApiState>, Body(install): Body<Install>) -> ApiResult {
    let entries = surface.engine.catalogue().await?;
    let entry = entries.iter().find(|entry| entry.integration.id.to_string() == install.integration_id);
    let name = &entry.ok_or_else(|| no_integration(&install.integration_id))?.integration.name;
    let installed = surface.engine.install(name).await?;
    if name == SANDBOX {
        surface.sandbox_runner.follows(true).await;
    }
    Ok(Json(environment_integration(&surface, &installed)))
}

/// `DELETE /environment-integration/{id}`: with its accounts, as the contract says.
async fn uninstall(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    let installed = installed(&surface, &id).await?;
    let filter =
        relink_engine::Filter { environment_integration_id: Some(installed.id), ..relink_engine::Filter::default() };
    for view in surface.engine.accounts(filter, None, None).await? {
        surface.engine.delete_account(view.account.id()).await?;
    }
    surface.engine.uninstall(&installed.integration.name).await?;
    if installed.integration.name == SANDBOX {
        surface.sandbox_runner.follows(false).await;
    }
    Ok(Json(json!({ "id": id })))
}

/// `GET /relink/integrations`
async fn overview(State(surface): State<ApiState>) -> ApiResult {
    let entries = surface.engine.catalogue().await?;
    let result: Vec<_> = entries
        .iter()
        .map(|entry| {
            let integration = &entry.integration;
            let methods = relink_domain::integration::parse(&integration.document.to_string())
                .map(|parsed| parsed.definition.methods())
                .unwrap_or_default();
            json!({
                "id": integration.id,
                "name": integration.name,
                "label": wire::label(integration),
                "category": integration.document.get("category"),
                "built_in": integration.built_in,
                "version": integration.version,
                "installed": entry.installed.is_some(),
                "environment_integration_id": entry.installed.as_ref().map(|installed| installed.id),
                "methods": methods,
                "not_ready": entry.not_ready,
            })
        })
        .collect();
    Ok(Json(json!({ "result": result })))
}

#[derive(Deserialize)]
struct Add {
    text: String,
}

/// `POST /relink/integrations`: adds an integration from a file's text, and installs it.
async fn add(State(surface): State<ApiState>, Body(add): Body<Add>) -> ApiResult<(StatusCode, Json<Value>)> {
    let added = surface.engine.add_integration(&add.text).await?;
    let body = json!({
        "name": added.installed.integration.name,
        "environment_integration_id": added.installed.id,
        "warnings": added.warnings,
    });
    Ok((StatusCode::CREATED, Json(body)))
}

/// `POST /relink/integrations/{name}/install`
async fn install_named(State(surface): State<ApiState>, Path(name): Path<String>) -> ApiResult {
    let installed = surface.engine.install(&name).await?;
    if name == SANDBOX {
        surface.sandbox_runner.follows(true).await;
    }
    Ok(Json(json!({ "name": name, "environment_integration_id": installed.id })))
}

/// `POST /relink/integrations/{name}/uninstall`
async fn uninstall_named(State(surface): State<ApiState>, Path(name): Path<String>) -> ApiResult {
    surface.engine.uninstall(&name).await?;
    if name == SANDBOX {
        surface.sandbox_runner.follows(false).await;
    }
    Ok(Json(json!({ "name": name })))
}

#[derive(Deserialize)]
struct Client {
    id: String,
    secret: Option<String>,
}

/// `POST /relink/integrations/{name}/client`: the client that is registered at the provider.
async fn client(State(surface): State<ApiState>, Path(name): Path<String>, Body(client): Body<Client>) -> ApiResult {
    let secret = client.secret.filter(|secret| !secret.is_empty()).map(Secret::new);
    surface.engine.set_client(&name, client.id, secret).await?;
    Ok(Json(json!({ "name": name })))
}

/// `ANY /relink/sandbox/control/…`: passed on to the Sandbox, while it is installed.
async fn sandbox(State(surface): State<ApiState>, request: Request) -> ApiResult<Response> {
    surface.sandbox_runner.control(request).await
}
