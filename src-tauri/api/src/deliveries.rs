//! The log of webhooks' deliveries, and replays.

use axum::{Extension, Json, extract::State};
use relink_contract::{
    List, Success,
    webhook::{Delivery, DeliveryDetails, DeliveryState, Replayed},
};
use relink_domain::{DeliveryId, WebhookId, caller::Caller, permission::Permission};
use relink_engine::DeliveryFilter;
use utoipa_axum::routes;

use crate::{
    ApiState,
    error::{ApiError, ApiResult},
    openapi::{NotFound, QueryErrors, Routes},
    path::{PathId, PathIds},
    query::{Query, invalid},
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::OwnWebhooks, routes!(list))
        .with(Permission::OwnWebhooks, routes!(show))
        .with(Permission::OwnWebhooks, routes!(replay))
        .with(Permission::OwnWebhooks, routes!(replay_one))
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

fn filter(query: &Query) -> Result<DeliveryFilter, ApiError> {
    let state = query
        .one("state")
        .map(|text| text.parse().map_err(|()| invalid("state must be pending, delivered or failed.")));
    let before = query
        .one("next_cursor")
        .map(|text| text.parse().map_err(|_| invalid("This next_cursor isn't valid. Pass one of the same list.")));
    Ok(DeliveryFilter { state: state.transpose()?, before: before.transpose()? })
}

/// List a webhook's deliveries
///
/// Newest first. Those that were delivered are kept for 30 days, those that failed until they are replayed.
#[utoipa::path(
    get,
    path = "/relink/webhooks/{id}/deliveries",
    operation_id = "list_deliveries",
    tag = "Webhooks",
    params(
        ("id" = WebhookId, Path),
        ("state" = Option<String>, Query, description = "`pending`, `delivered` or `failed`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 100, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of deliveries", body = List<Delivery>), QueryErrors, NotFound),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<WebhookId>,
    query: Query,
) -> ApiResult<List<Delivery>> {
    let (filter, limit) = (filter(&query)?, query.limit()?.min(MAX_DELIVERIES));
    let mut found = api.engine.outbox().deliveries(&caller, id, filter, limit + 1).await?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| has_more).map(|last| last.outbox_seq.to_string());
    Ok(Json(List { result: found.into_iter().map(delivery).collect(), next_cursor, limit }))
}

/// Show a delivery
///
/// With its body and its attempts: what was sent, and what came back. They contain no secret.
#[utoipa::path(
    get,
    path = "/relink/webhooks/{id}/deliveries/{delivery}",
    operation_id = "get_delivery",
    tag = "Webhooks",
    params(("id" = WebhookId, Path), ("delivery" = DeliveryId, Path)),
    responses((status = 200, description = "The delivery", body = DeliveryDetails), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathIds(id, of): PathIds<WebhookId, DeliveryId>,
) -> ApiResult<DeliveryDetails> {
    let relink_engine::DeliveryDetails { delivery: found, request_body, attempts } =
        api.engine.outbox().delivery(&caller, id, of).await?;
    Ok(Json(DeliveryDetails { delivery: delivery(found), request_body, attempts }))
}

/// Retry a webhook's failed deliveries
///
/// An inactive webhook is activated again. The events keep their ids.
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

/// Send a delivery again
///
/// Also one that was delivered. An inactive webhook is activated again. The event keeps its id.
#[utoipa::path(
    post,
    path = "/relink/webhooks/{id}/deliveries/{delivery}/replay",
    operation_id = "replay_delivery",
    tag = "Webhooks",
    params(("id" = WebhookId, Path), ("delivery" = DeliveryId, Path)),
    responses((status = 200, description = "The delivery will be sent", body = Success), NotFound),
)]
async fn replay_one(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathIds(id, delivery): PathIds<WebhookId, DeliveryId>,
) -> ApiResult<Success> {
    api.engine.outbox().replay_delivery(&caller, id, delivery).await?;
    Ok(Json(Success::YES))
}
