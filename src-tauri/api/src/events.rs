//! The outbox, for whoever follows it, and how Relink is.

use std::time::Duration;

use axum::{Json, Router, extract::State, routing::get};
use relink_domain::account::Status;
use serde_json::json;

use crate::{ApiState, query::Query, reply::ApiResult};

pub(crate) fn routes() -> Router<ApiState> {
    Router::new().route("/relink/events", get(events)).route("/relink/status", get(status))
}

/// The longest that a follower is kept waiting.
const LONGEST_WAIT: u64 = 30;
/// Events in one answer.
const MOST: usize = 500;

/// `GET /relink/events?after=SEQ&wait=SECONDS&limit=N`: at once if there is something, else when there is, or after the wait.
async fn events(State(surface): State<ApiState>, query: Query) -> ApiResult {
    let after: i64 = query.number("after", 0)?;
    let wait = Duration::from_secs(query.number("wait", 0)?.min(LONGEST_WAIT));
    let limit = query.number("limit", MOST)?.clamp(1, MOST);
    let mut outbox_seq = surface.engine.outbox_seq();
    // What is there after the wait is the answer, whether something came or not.
    let _ = tokio::time::timeout(wait, outbox_seq.wait_for(|latest| *latest > after)).await;
    let events = surface.engine.events_after(after, limit).await?;
    let latest = events.last().map_or_else(|| *outbox_seq.borrow(), |event| event.seq);
    let result: Vec<_> = events
        .into_iter()
        .map(|event| {
            json!({
                "seq": event.seq,
                "id": event.id,
                "event": event.kind,
                "payload": event.payload,
                "created_at": event.created_at,
            })
        })
        .collect();
    Ok(Json(json!({ "result": result, "latest": latest })))
}

/// `GET /relink/status`
async fn status(State(surface): State<ApiState>) -> ApiResult {
    let accounts = surface.engine.status_counts().await?;
    let needs_reauth = accounts.get(Status::NeedsReauth.as_str()).copied().unwrap_or_default();
    let (state, message) = surface.engine.keychain().await;
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "base_url": &*surface.base_url,
        "environment_id": surface.engine.environment_id(),
        "keychain": { "state": state, "message": message },
        "sandbox": surface.sandbox_runner.base_url().map(|base_url| json!({ "base_url": base_url })),
        "accounts": { "total": accounts.values().sum::<u32>(), "needs_reauth": needs_reauth },
    })))
}
