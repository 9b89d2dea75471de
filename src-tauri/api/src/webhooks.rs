//! Webhooks.

use axum::{Extension, Json, extract::State, http::StatusCode};
use relink_contract::{
    ById, Deleted, List, Success, WireSecret,
    webhook::{CreatedWebhook, Delivery, DeliveryState, NewConsentedWebhook, NewWebhook, Replayed, Webhook},
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
        .with(Permission::OwnWebhooks, routes!(show, delete))
        .with(Permission::OwnWebhooks, routes!(test))
        .with(Permission::OwnWebhooks, routes!(create_with_consent))
        .with(Permission::OwnWebhooks, routes!(deliveries))
        .with(Permission::OwnWebhooks, routes!(replay))
}

/// The maximum number of deliveries in a response.
const MAX_DELIVERIES: usize = 100;

fn delivery(delivery: relink_engine::Delivery) -> Delivery {
    let state = DeliveryState::from(delivery.state);
    Delivery {
        id: delivery.id,
        event_id: delivery.event_id,
        event: delivery.event,
        state,
        tries: delivery.tries,
        next_try: (state == DeliveryState::Pending).then_some(delivery.next_try),
        last_status: delivery.last_status,
        last_error: delivery.last_error,
        created_at: delivery.created_at,
        updated_at: delivery.updated_at,
    }
}

impl ApiState {
    fn webhook(&self, webhook: relink_engine::Webhook) -> Webhook {
        Webhook {
            id: webhook.id,
            environment_id: self.engine.environment_id(),
            target_url: webhook.target_url,
            is_active: webhook.is_active,
            event_types: webhook.event_types,
            failing_since: webhook.failing_since,
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
        };
        let (webhook, secret) = self.engine.outbox().create_webhook(caller, new).await?;
        Ok(CreatedWebhook { webhook: self.webhook(webhook), secret: WireSecret::from(secret) })
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
    let webhooks = api.engine.outbox().webhooks(&caller).await?;
    let all = webhooks.into_iter().map(|webhook| api.webhook(webhook)).collect();
    let fields: [(_, Field<Webhook>); 6] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("target_url", Field::Text(|it| it.target_url.clone())),
        ("environment_id", Field::Text(|it| it.environment_id.to_string())),
        ("is_active", Field::Flag(|it| it.is_active)),
        ("created_at", Field::Time(|it| it.created_at)),
        ("updated_at", Field::Time(|it| it.updated_at)),
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
#[utoipa::path(
    post,
    path = "/webhook/test",
    operation_id = "test_webhook",
    tag = "Webhooks",
    request_body = ById,
    responses((status = 200, description = "The event will be sent", body = Success), BodyErrors, NotFound),
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

/// Retry a webhook's failed deliveries
///
/// An inactive webhook is activated again.
#[utoipa::path(
    post,
    path = "/relink/webhooks/{id}/replay",
    operation_id = "replay_webhook",
    tag = "Webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 200, description = "The deliveries will be retried", body = Replayed), NotFound),
)]
async fn replay(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<WebhookId>,
) -> ApiResult<Replayed> {
    Ok(Json(Replayed { replayed: api.engine.outbox().retry_failed(&caller, id).await? }))
}

/// List a webhook's latest deliveries
///
/// The latest 100, newest first.
#[utoipa::path(
    get,
    path = "/relink/webhooks/{id}/deliveries",
    operation_id = "list_deliveries",
    tag = "Webhooks",
    params(("id" = WebhookId, Path)),
    responses((status = 200, description = "The latest deliveries", body = List<Delivery>), NotFound),
)]
async fn deliveries(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<WebhookId>,
) -> ApiResult<List<Delivery>> {
    let found = api.engine.outbox().deliveries(&caller, id, MAX_DELIVERIES).await?;
    Ok(Json(List::whole(found.into_iter().map(delivery).collect())))
}
