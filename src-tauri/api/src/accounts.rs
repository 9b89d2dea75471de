//! Integrated accounts: Truto's routes, and Relink's own.

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use relink_domain::{
    AccountId,
    account::{Credential, Status},
};
use relink_engine::{AccountView, Engine};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    ApiState,
    query::{DEFAULT_LIMIT, Query},
    reply::{self, ApiResult, Body, Failed},
};

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/integrated-account", get(list))
        .route("/integrated-account/{id}", get(show).patch(change).delete(delete))
        .route("/integrated-account/refresh-credentials", post(refresh_credentials))
        .route("/relink/accounts", get(rows))
        .route("/relink/accounts/{id}", get(row_of))
        .route("/relink/accounts/{id}/access-token", post(access_token))
        .route("/relink/accounts/{id}/refresh", post(refresh))
        .route("/relink/accounts/{id}/check", post(check))
        .route("/relink/accounts/{id}/rename", post(rename))
        .route("/relink/timeline", get(timeline))
}

/// An id out of a path. What is no id names no account.
pub(crate) fn account_id(text: &str) -> Result<AccountId, Failed> {
    text.parse().map_err(|_| Failed::not_found("not_found", &format!("There is no account {text}")))
}

/// `GET /integrated-account`
async fn list(State(surface): State<ApiState>, query: Query) -> ApiResult {
    let limit = query.limit()?;
    let filter = relink_engine::Filter {
        tenant_id: query.one("tenant_id").map(str::to_owned),
        statuses: query.many("status"),
        integration: query.one("integration.name").map(str::to_owned),
        environment_integration_id: None,
    };
    let ids = query.many("id");
    let is_sandbox = query.one("is_sandbox").map(|text| text == "true");
    let mut after = match query.one("next_cursor") {
        Some(cursor) => Some(
            cursor
                .parse()
                .map_err(|_| Failed::bad_request("query_invalid", "This next_cursor isn't one of Relink's."))?,
        ),
        None => None,
    };
    let mut found = Vec::new();
    // One more than asked for tells whether there is a next page.
    while found.len() <= limit {
        let batch = surface.engine.accounts(filter.clone(), after, Some(BATCH)).await?;
        let last = batch.len() < BATCH;
        for view in batch {
            let profile = &view.account.profile;
            after = Some(profile.id);
            let meant = is_sandbox.is_none_or(|wanted| wanted == profile.is_sandbox)
                && (ids.is_empty() || ids.contains(&profile.id.to_string()))
                && query.holds("created_at", profile.created_at)?
                && query.holds("updated_at", profile.updated_at)?;
            if meant {
                found.push(view);
            }
        }
        if last {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|view| view.account.id().to_string());
    Ok(reply::list(found.iter().map(|view| surface.engine.wire(view)).collect(), next.as_deref(), limit))
}

/// Accounts that are read at a time.
const BATCH: usize = 1000;

/// `GET /integrated-account/{id}`
async fn show(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    let view = surface.engine.account(account_id(&id)?).await?;
    Ok(Json(surface.engine.wire(&view)))
}

#[derive(Deserialize)]
struct Change {
    context: Option<Map<String, Value>>,
}

/// `PATCH /integrated-account/{id}`: merges `context`, one level deep. Credentials can't be touched.
async fn change(State(surface): State<ApiState>, Path(id): Path<String>, Body(change): Body<Change>) -> ApiResult {
    let id = account_id(&id)?;
    let view = match change.context {
        Some(context) => surface.engine.merge_context(id, context).await?,
        None => surface.engine.account(id).await?,
    };
    Ok(Json(surface.engine.wire(&view)))
}

/// `DELETE /integrated-account/{id}`
async fn delete(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    surface.engine.delete_account(account_id(&id)?).await?;
    Ok(Json(json!({ "id": id })))
}

#[derive(Deserialize)]
struct ById {
    id: String,
}

/// `POST /integrated-account/refresh-credentials`
async fn refresh_credentials(State(surface): State<ApiState>, Body(by): Body<ById>) -> ApiResult {
    surface.engine.refresh(account_id(&by.id)?).await?;
    Ok(Json(json!({ "success": true })))
}

/// An account as the command line (and later the window) shows it.
fn row(view: &AccountView, engine: &Engine) -> Value {
    let account = &view.account;
    let profile = &account.profile;
    let trouble = account.state.trouble();
    let expires_at = match account.state.credential() {
        Credential::Renewing(renewing) => renewing.lifetime.expires_at,
        Credential::Fixed(fixed) => fixed.expires_at,
    };
    json!({
        "id": profile.id,
        "name": profile.name,
        "tenant_id": profile.tenant_id,
        "integration": profile.integration,
        "integration_label": view.label,
        "status": account.status(),
        "authentication_method": account.method(),
        "is_sandbox": profile.is_sandbox,
        "identity": profile.identity.as_ref().map(|identity| &identity.label),
        "scopes": profile.scopes,
        "verdict": trouble.map(relink_domain::account::Trouble::verdict),
        "last_error": profile.last_error.as_ref().map(|seen| relink_contract::account::AccountError::new(account, seen, &view.label)),
        "next_try": trouble.and_then(|trouble| trouble.next_try),
        "next_action_at": view.due,
        "expires_at": expires_at.filter(|_| account.status() != Status::Connecting),
        "last_used_at": view.last_used_at,
        "is_fresh": expires_at.is_none_or(|at| at > engine.now()),
        "created_at": profile.created_at,
        "updated_at": profile.updated_at,
    })
}

/// `GET /relink/accounts`
async fn rows(State(surface): State<ApiState>) -> ApiResult {
    let views = surface.engine.accounts(relink_engine::Filter::default(), None, None).await?;
    Ok(Json(json!({ "result": views.iter().map(|view| row(view, &surface.engine)).collect::<Vec<_>>() })))
}

/// `GET /relink/accounts/{id}`
async fn row_of(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    let view = surface.engine.account(account_id(&id)?).await?;
    Ok(Json(row(&view, &surface.engine)))
}

/// `POST /relink/accounts/{id}/access-token`: the one route that gives a credential out, to whoever asked for just that.
async fn access_token(
    State(surface): State<ApiState>,
    Path(id): Path<String>,
) -> ApiResult<impl axum::response::IntoResponse> {
    let access = surface.engine.access_token(account_id(&id)?).await?;
    let body = json!({ "access_token": access.token.expose(), "expires_at": access.lifetime.expires_at });
    Ok(([("cache-control", "no-store")], Json(body)))
}

/// `POST /relink/accounts/{id}/refresh`
async fn refresh(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    let view = surface.engine.refresh(account_id(&id)?).await?;
    Ok(Json(row(&view, &surface.engine)))
}

/// `POST /relink/accounts/{id}/check`
async fn check(State(surface): State<ApiState>, Path(id): Path<String>) -> ApiResult {
    let report = surface.engine.check(account_id(&id)?).await?;
    Ok(Json(json!({ "outcome": report.outcome, "account": row(&report.account, &surface.engine) })))
}

#[derive(Deserialize)]
struct Rename {
    name: String,
}

/// `POST /relink/accounts/{id}/rename`
async fn rename(
    State(surface): State<ApiState>,
    Path(id): Path<String>,
    Body(Rename { name }): Body<Rename>,
) -> ApiResult {
    let view = surface.engine.rename(account_id(&id)?, name).await?;
    Ok(Json(row(&view, &surface.engine)))
}

/// `GET /relink/timeline?account=ID&before=SEQ&limit=N`
async fn timeline(State(surface): State<ApiState>, query: Query) -> ApiResult {
    let account = query.one("account").map(account_id).transpose()?;
    let before = query.one("before").map(str::parse).transpose();
    let before = before
        .map_err(|_| Failed::bad_request("query_invalid", "before must be a sequence number of the timeline."))?;
    let limit = query.number("limit", 100)?.clamp(1, DEFAULT_LIMIT);
    let entries = surface.engine.timeline(account, before, limit).await?;
    let names = surface.engine.names(entries.iter().filter_map(|entry| entry.account_id).collect()).await?;
    let result: Vec<_> = entries
        .into_iter()
        .map(|entry| {
            let label = entry.account_id.and_then(|id| names.get(&id)?.label.as_deref());
            let (title, detail) = entry.event.describe(label.unwrap_or("The provider"));
            let timeline_event = reply::written(&entry.event);
            json!({
                "seq": entry.seq,
                "account_id": entry.account_id,
                "at": entry.at,
                "kind": timeline_event["kind"],
                "tone": entry.event.tone(),
                "title": title,
                "detail": detail,
                "event": timeline_event,
            })
        })
        .collect();
    Ok(Json(json!({ "result": result })))
}
