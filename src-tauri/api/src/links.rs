//! Link tokens.

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use relink_domain::link::{LinkOptions, Purpose};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    ApiState,
    accounts::account_id,
    reply::{ApiResult, Body, Failed},
};

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/link-token", post(create))
        .route("/relink/callback", post(callback))
        .route("/relink/redirect-uris", get(redirect_uris).put(set_redirect_uris))
}

#[derive(Deserialize)]
struct Create {
    integrated_account_id: Option<String>,
    tenant_id: Option<String>,
    context: Option<Map<String, Value>>,
    redirect_uri: Option<String>,
    scopes: Option<Vec<String>>,
    persist_previous_context: Option<bool>,
    region: Option<String>,
    // Truto's, without a meaning here.
    environment_unified_model_id: Option<Value>,
    unified_model_id: Option<Value>,
    truto_static_gate_id: Option<Value>,
}

/// `POST /link-token`
async fn create(State(surface): State<ApiState>, Body(create): Body<Create>) -> ApiResult {
    let present = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let purpose = match (present(create.integrated_account_id), present(create.tenant_id)) {
        (Some(id), None) => Purpose::Reauthorize { account_id: account_id(&id)? },
        (None, Some(tenant_id)) => Purpose::Connect { tenant_id },
        (Some(_), Some(_)) => {
            let message = "Give either integrated_account_id (to reauthorize an account) or tenant_id (to connect a new one), not both.";
            return Err(Failed::bad_request("link_purpose", message));
        }
        (None, None) => {
            let message = "Give integrated_account_id (to reauthorize an account) or tenant_id (to connect a new one).";
            return Err(Failed::bad_request("link_purpose", message));
        }
    };
    if create.environment_unified_model_id.is_some()
        || create.unified_model_id.is_some()
        || create.truto_static_gate_id.is_some()
    {
        tracing::info!("a link token was asked for with fields that have no meaning here; they are left aside");
    }
    let options = LinkOptions {
        context: create.context.unwrap_or_default(),
        redirect_uri: present(create.redirect_uri),
        scopes: create.scopes.filter(|scopes| !scopes.is_empty()),
        persist_previous_context: create.persist_previous_context.unwrap_or(false),
        region: create.region,
    };
    let link = surface.engine.create_link(purpose, options).await?;
    Ok(Json(json!({ "link_token": link.token.expose() })))
}

#[derive(Deserialize)]
struct Callback {
    url: String,
}

/// `POST /relink/callback`: hands a callback in that came by another way, such as the system's deep-link handler.
async fn callback(State(surface): State<ApiState>, Body(callback): Body<Callback>) -> ApiResult {
    let flow = surface.engine.callback(&callback.url).await?;
    Ok(Json(json!({ "flow": flow })))
}

/// `GET /relink/redirect-uris`: where a link's `redirect_uri` may lead.
async fn redirect_uris(State(surface): State<ApiState>) -> ApiResult {
    Ok(Json(json!({ "redirect_uris": surface.engine.redirect_uris().await? })))
}

#[derive(Deserialize)]
struct RedirectUris {
    redirect_uris: Vec<String>,
}

/// `PUT /relink/redirect-uris`: the whole list.
async fn set_redirect_uris(State(surface): State<ApiState>, Body(list): Body<RedirectUris>) -> ApiResult {
    Ok(Json(json!({ "redirect_uris": surface.engine.set_redirect_uris(list.redirect_uris).await? })))
}
