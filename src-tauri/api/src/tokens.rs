//! API tokens.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{delete, get, post},
};
use relink_domain::{ApiTokenId, Timestamp};
use relink_engine::ApiToken;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    ApiState,
    reply::{self, ApiResult, Body, Failed},
};

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api-token", get(list))
        .route("/api-token/{id}", get(show))
        .route("/relink/api-tokens", post(create))
        .route("/relink/api-tokens/{id}", delete(revoke))
}

fn token(token: &ApiToken) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    })
}

fn token_id(text: &str) -> Result<ApiTokenId, Failed> {
    text.parse().map_err(|_| Failed::not_found("not_found", &format!("There is no API token {text}")))
}

/// `GET /api-token`
async fn list(State(surface): State<ApiState>) -> ApiResult {
    Ok(reply::whole(surface.engine.api_tokens().await?.iter().map(token).collect()))
}

/// `GET /api-token/{id}`
async fn show(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    Ok(Json(token(&surface.engine.api_token(token_id(&id)?).await?)))
}

#[derive(Deserialize)]
struct Create {
    name: String,
    expires_at: Option<Timestamp>,
}

/// `POST /relink/api-tokens`. The answer alone carries the token.
async fn create(State(surface): State<ApiState>, Body(create): Body<Create>) -> ApiResult<(StatusCode, Json<Value>)> {
    let (made, secret) = surface.engine.create_api_token(create.name, create.expires_at).await?;
    let mut body = token(&made);
    body["token"] = secret.expose().into();
    Ok((StatusCode::CREATED, Json(body)))
}

/// `DELETE /relink/api-tokens/{id}`
async fn revoke(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    surface.engine.revoke_api_token(token_id(&id)?).await?;
    Ok(Json(json!({ "id": id })))
}
