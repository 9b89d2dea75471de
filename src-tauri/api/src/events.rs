//! Events and timelines.

use std::time::Duration;

use axum::{Extension, Json, extract::State};
use relink_contract::{
    DEFAULT_LIMIT, Results,
    event::{Event, Events},
    timeline::TimelineEntry,
};
use relink_domain::{caller::Caller, permission::Permission};
use utoipa_axum::routes;

use crate::{
    ApiState,
    accounts::account_id,
    error::{ApiError, ApiResult},
    limits::Client,
    openapi::{NotFound, QueryErrors, Routes},
    query::Query,
};

pub(crate) fn routes() -> Routes {
    Routes::new().with(Permission::FollowEvents, routes!(events)).with(Permission::ReadAccounts, routes!(timeline))
}

const MAX_WAIT_SECS: u64 = 30;
/// The maximum number of events in a response.
const MAX_EVENTS: usize = 500;
/// The default number of timeline entries in a response.
const DEFAULT_ENTRIES: usize = 100;

/// Follow events
///
/// Responds when there are events after that sequence number, or after the wait. At most 64 requests of one token may wait
/// at a time; further ones get 429.
#[utoipa::path(
    get,
    path = "/relink/events",
    operation_id = "follow_events",
    tag = "Events",
    params(
        ("after" = Option<i64>, Query, description = "A sequence number: `latest` of the previous response. Default: 0."),
        ("wait" = Option<u64>, Query, description = "In seconds, at most 30. Default: 0."),
        ("limit" = Option<usize>, Query, description = "At most 500, which is the default."),
    ),
    responses((status = 200, description = "The events after that sequence number", body = Events), QueryErrors),
)]
async fn events(State(api): State<ApiState>, Extension(caller): Extension<Caller>, query: Query) -> ApiResult<Events> {
    let after: i64 = query.number("after", 0)?;
    let wait = Duration::from_secs(query.number("wait", 0)?.min(MAX_WAIT_SECS));
    let limit = query.number("limit", MAX_EVENTS)?.clamp(1, MAX_EVENTS);
    let mut outbox_seq = api.engine.outbox().latest_seq(&caller);
    if !wait.is_zero() && *outbox_seq.borrow() <= after {
        let _waiting = api.limits.long_poll(Client::of(&caller))?;
        // Respond with the events after the wait, even if there are none.
        let _ = tokio::time::timeout(wait, outbox_seq.wait_for(|latest| *latest > after)).await;
    }
    // Read this before the events, because an event that is committed in between must not count as received.
    let before_read = *outbox_seq.borrow();
    let events = api.engine.outbox().events_after(&caller, after, limit).await?;
    let latest = events.last().map_or(before_read, |event| event.seq);
    let result = events.into_iter().map(|event| Event {
        seq: event.seq,
        id: event.id,
        event: event.kind,
        payload: event.payload,
        created_at: event.created_at,
    });
    Ok(Json(Events { result: result.collect(), latest }))
}

/// Read a timeline
///
/// The entries of one account, or of all, newest first.
#[utoipa::path(
    get,
    path = "/relink/timeline",
    operation_id = "read_timeline",
    tag = "Events",
    params(
        ("account" = Option<String>, Query, description = "An account's id. Default: all accounts."),
        ("before" = Option<i64>, Query, description = "A sequence number: `seq` of the oldest entry of the previous page."),
        ("limit" = Option<usize>, Query, description = "At most 5000. Default: 100."),
    ),
    responses((status = 200, description = "Entries", body = Results<TimelineEntry>), QueryErrors, NotFound),
)]
async fn timeline(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<Results<TimelineEntry>> {
    let account = query.one("account").map(account_id).transpose()?;
    let before = query.one("before").map(str::parse).transpose();
    let before = before
        .map_err(|_| ApiError::bad_request("query_invalid", "before must be a sequence number of the timeline."))?;
    let limit = query.number("limit", DEFAULT_ENTRIES)?.clamp(1, DEFAULT_LIMIT);
    let entries = api.engine.accounts().timeline(&caller, account, before, limit).await?;
    let names =
        api.engine.accounts().names(&caller, entries.iter().filter_map(|entry| entry.account_id).collect()).await?;
    let result = entries.iter().map(|entry| {
        let label = entry.account_id.and_then(|id| names.get(&id)?.label.as_deref());
        TimelineEntry::new(entry.seq, entry.account_id, entry.at, &entry.event, entry.caller.as_ref(), label)
    });
    Ok(Json(Results { result: result.collect() }))
}
