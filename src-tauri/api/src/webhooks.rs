//! Webhooks.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use relink_domain::{WebhookId, event::EventKind};
use relink_engine::{Delivery, DeliveryState, NewWebhook, Webhook};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    ApiState,
    reply::{self, ApiResult, Body, Failed},
};

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/webhook", get(list).post(create))
        .route("/webhook/{id}", get(show).delete(delete))
        .route("/webhook/test", post(test))
        .route("/relink/webhooks", post(create_with_consent))
        .route("/relink/webhooks/{id}/deliveries", get(deliveries))
        .route("/relink/webhooks/{id}/replay", post(replay))
}

fn webhook(surface: &ApiState, webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id,
        "environment_id": surface.engine.environment_id(),
        "target_url": webhook.target_url,
        "is_active": webhook.is_active,
        "event_types": webhook.event_types,
        "failing_since": webhook.failing_since,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
    })
}

fn webhook_id(text: &str) -> Result<WebhookId, Failed> {
    text.parse().map_err(|_| Failed::not_found("not_found", &format!("There is no webhook {text}")))
}

/// `GET /webhook`
async fn list(State(surface): State<ApiState>) -> ApiResult {
    Ok(reply::whole(surface.engine.webhooks().await?.iter().map(|it| webhook(&surface, it)).collect()))
}

/// `GET /webhook/{id}`
async fn show(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    Ok(Json(webhook(&surface, &surface.engine.webhook(webhook_id(&id)?).await?)))
}

#[derive(Deserialize)]
struct Create {
    target_url: String,
    is_active: Option<bool>,
    event_types: Option<Vec<String>>,
    #[serde(default)]
    allow_private: bool,
}

/// `POST /webhook`. The answer alone carries the secret.
async fn create(State(surface): State<ApiState>, Body(create): Body<Create>) -> ApiResult {
    make(&surface, Create { allow_private: false, ..create }).await.map(Json)
}

/// `POST /relink/webhooks`: with the person's consent to a private address.
async fn create_with_consent(
    State(surface): State<ApiState>,
    Body(create): Body<Create>,
) -> ApiResult<(StatusCode, Json<Value>)> {
    Ok((StatusCode::CREATED, Json(make(&surface, create).await?)))
}

async fn make(surface: &ApiState, create: Create) -> Result<Value, Failed> {
    let event_types = create
        .event_types
        .filter(|names| !names.is_empty())
        .map(|names| names.iter().map(|name| name.parse::<EventKind>()).collect::<Result<Vec<_>, _>>())
        .transpose()
        .map_err(|unknown| Failed::bad_request("unknown_event", &unknown.to_string()))?;
    let new = NewWebhook {
        target_url: create.target_url,
        is_active: create.is_active.unwrap_or(true),
        event_types,
        allow_private: create.allow_private,
    };
    let (made, secret) = surface.engine.create_webhook(new).await?;
    let mut body = webhook(surface, &made);
    body["secret"] = secret.expose().into();
    Ok(body)
}

/// `DELETE /webhook/{id}`
async fn delete(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    surface.engine.delete_webhook(webhook_id(&id)?).await?;
    Ok(Json(json!({ "id": id })))
}

#[derive(Deserialize)]
struct ById {
    id: String,
}

/// `POST /webhook/test`
async fn test(State(surface): State<ApiState>, Body(by): Body<ById>) -> ApiResult {
    surface.engine.test_webhook(webhook_id(&by.id)?).await?;
    Ok(Json(json!({ "success": true })))
}

/// `POST /relink/webhooks/{id}/replay`
async fn replay(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    let replayed = surface.engine.replay_webhook(webhook_id(&id)?).await?;
    Ok(Json(json!({ "replayed": replayed })))
}

/// Deliveries that are shown.
const SHOWN: usize = 100;

/// `GET /relink/webhooks/{id}/deliveries`: the latest, newest first.
async fn deliveries(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    let found = surface.engine.deliveries(webhook_id(&id)?, SHOWN).await?;
    let delivery = |it: &Delivery| {
        json!({
            "id": it.id,
            "event_id": it.event_id,
            "event": it.event,
            "state": it.state.as_str(),
            "tries": it.tries,
            "next_try": (it.state == DeliveryState::Pending).then_some(it.next_try),
            "last_status": it.last_status,
            "last_error": it.last_error,
            "created_at": it.created_at,
            "updated_at": it.updated_at,
        })
    };
    Ok(reply::whole(found.iter().map(delivery).collect()))
}
