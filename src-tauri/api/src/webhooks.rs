//! Webhooks.

use axum::{Extension, Json, extract::State, http::StatusCode};
use relink_contract::{
    ById, Deleted, ErrorBody, List, Success, WireSecret,
    webhook::{ConsentedWebhookChange, CreatedWebhook, NewConsentedWebhook, NewWebhook, Webhook, WebhookChange},
};
use relink_domain::{WebhookId, caller::Caller, permission::Permission};
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    listing::{self, Field, Place},
    openapi::{BodyErrors, NotFound, QueryErrors, Routes},
    path::{Id, PathId},
    query::Query,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::OwnWebhooks, routes!(list, create))
        .with(Permission::OwnWebhooks, routes!(show, change, delete))
        .with(Permission::OwnWebhooks, routes!(test))
        .with(Permission::OwnWebhooks, routes!(create_with_consent))
        .with(Permission::OwnWebhooks, routes!(change_with_consent))
}

impl ApiState {
    fn webhook(&self, webhook: relink_engine::Webhook) -> Webhook {
        Webhook {
            id: webhook.id,
            environment_id: self.engine.environment_id(),
            target_url: webhook.target_url,
            is_active: webhook.is_active,
            event_types: webhook.event_types,
            signature_format: webhook.signature_format,
            failing_since: webhook.failing_since,
            disabled_at: webhook.disabled_at,
            created_by: webhook.creator,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }

    async fn create_webhook(
        &self,
        caller: &Caller,
        new: NewWebhook,
        allow_private: bool,
    ) -> Result<CreatedWebhook, ApiError> {
        let new = relink_engine::NewWebhook {
            target_url: new.target_url,
            is_active: new.is_active.unwrap_or(true),
            event_types: new.event_types,
            allow_private,
            signature_format: new.signature_format.unwrap_or_default(),
        };
        let (webhook, secret) = self.engine.outbox().create_webhook(caller, new).await?;
        Ok(CreatedWebhook { webhook: self.webhook(webhook), secret: WireSecret::from(secret) })
    }

    async fn change_webhook(
        &self,
        caller: &Caller,
        id: WebhookId,
        change: WebhookChange,
        allow_private: bool,
    ) -> Result<Webhook, ApiError> {
        let WebhookChange { target_url, is_active, event_types, signature_format } = change;
        let change =
            relink_engine::WebhookChange { target_url, is_active, event_types, allow_private, signature_format };
        Ok(self.webhook(self.engine.outbox().change_webhook(caller, id, change).await?))
    }
}

/// List webhooks
#[utoipa::path(
    get,
    path = "/webhook",
    operation_id = "list_webhooks",
    tag = "Webhooks",
    params(
        ("is_active" = Option<bool>, Query),
        ("environment_id" = Option<String>, Query, description = "The id of the environment, of which there is one."),
        ("ids" = Option<String>, Query, description = "Only these, separated by commas."),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of webhooks, without their secrets", body = List<Webhook>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<Webhook>> {
    let mut webhooks = api.engine.outbox().webhooks(&caller).await?;
    let ids = query.words("ids");
    webhooks.retain(|webhook| ids.is_empty() || ids.contains(&webhook.id.to_string()));
    let all = webhooks.into_iter().map(|webhook| api.webhook(webhook)).collect();
    let fields: [(_, Field<Webhook>); 4] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("target_url", Field::Text(|it| it.target_url.clone())),
        ("environment_id", Field::Text(|it| it.environment_id.to_string())),
        ("is_active", Field::Flag(|it| it.is_active)),
    ];
    let place = |it: &Webhook| Place { created_at: it.created_at, updated_at: it.updated_at, id: it.id.to_string() };
    Ok(Json(listing::list(&query, all, &fields, place)?))
}

/// Show a webhook
#[utoipa::path(
    get,
    path = "/webhook/{id}",
    operation_id = "get_webhook",
    tag = "Webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 200, description = "The webhook, without its secret", body = Webhook), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<WebhookId>,
) -> ApiResult<Webhook> {
    Ok(Json(api.webhook(api.engine.outbox().webhook(&caller, id).await?)))
}

/// Create a webhook
///
/// Only this response contains the secret that signs the deliveries.
#[utoipa::path(
    post,
    path = "/webhook",
    operation_id = "create_webhook",
    tag = "Webhooks",
    request_body = NewWebhook,
    responses((status = 200, description = "The webhook", body = CreatedWebhook), BodyErrors),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewWebhook>,
) -> ApiResult<CreatedWebhook> {
    Ok(Json(api.create_webhook(&caller, new, false).await?))
}

/// Create a webhook, with consent to a private address
///
/// Only the person can consent.
#[utoipa::path(
    post,
    path = "/relink/webhooks",
    operation_id = "create_webhook_with_consent",
    tag = "Webhooks",
    request_body = NewConsentedWebhook,
    responses((status = 201, description = "The webhook", body = CreatedWebhook), BodyErrors),
)]
async fn create_with_consent(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewConsentedWebhook>,
) -> Result<(StatusCode, Json<CreatedWebhook>), ApiError> {
    Ok((StatusCode::CREATED, Json(api.create_webhook(&caller, new.webhook, new.allow_private).await?)))
}

/// Change a webhook
///
/// What is absent stays. `is_active: false` pauses it: pending deliveries wait, and events that happen meanwhile aren't kept
/// for it. `true` resumes it, also after Relink disabled it.
#[utoipa::path(
    patch,
    path = "/webhook/{id}",
    operation_id = "change_webhook",
    tag = "Webhooks",
    params(("id" = WebhookId, Path)),
    request_body = WebhookChange,
    responses((status = 200, description = "The webhook, without its secret", body = Webhook), BodyErrors, NotFound),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<WebhookId>,
    Body(change): Body<WebhookChange>,
) -> ApiResult<Webhook> {
    Ok(Json(api.change_webhook(&caller, id, change, false).await?))
}

/// Change a webhook, with consent to a private address
///
/// Only the person can consent.
#[utoipa::path(
    patch,
    path = "/relink/webhooks/{id}",
    operation_id = "change_webhook_with_consent",
    tag = "Webhooks",
    params(("id" = WebhookId, Path)),
    request_body = ConsentedWebhookChange,
    responses((status = 200, description = "The webhook, without its secret", body = Webhook), BodyErrors, NotFound),
)]
async fn change_with_consent(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<WebhookId>,
    Body(change): Body<ConsentedWebhookChange>,
) -> ApiResult<Webhook> {
    Ok(Json(api.change_webhook(&caller, id, change.change, change.allow_private).await?))
}

/// Delete a webhook
///
/// Pending deliveries are discarded.
#[utoipa::path(
    delete,
    path = "/webhook/{id}",
    operation_id = "delete_webhook",
    tag = "Webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 200, description = "The webhook was deleted", body = Deleted), NotFound),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<WebhookId>,
) -> ApiResult<Deleted> {
    api.engine.outbox().delete_webhook(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}

/// Send a webhook the event `test`
///
/// Waits for the target's response, at most 45 seconds. An inactive webhook can be tested too.
#[utoipa::path(
    post,
    path = "/webhook/test",
    operation_id = "test_webhook",
    tag = "Webhooks",
    request_body = ById,
    responses(
        (status = 200, description = "The target accepted the event", body = Success),
        (status = 502, description = "The target didn't accept it (`undelivered`): `message` has what it said. It is tried again like other deliveries.", body = ErrorBody),
        BodyErrors,
        NotFound,
    ),
)]
async fn test(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(webhook): Body<ById>,
) -> ApiResult<Success> {
    let id = webhook.id.parse().map_err(|_| WebhookId::not_found(&webhook.id))?;
    api.engine.outbox().test_webhook(&caller, id).await?;
    Ok(Json(Success::YES))
}
