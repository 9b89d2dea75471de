//! Deliveries of events to webhooks.
//!
//! Invariant: of one webhook's pending deliveries of one subject, only the oldest one is `eligible`, so that the
//! events of a subject arrive in their order. Every function here that changes a state keeps that, and an index enforces
//! that there is at most one.

use std::str::FromStr;

use relink_domain::{DeliveryId, EventId, Timestamp, WebhookId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::Value;
use uuid::Uuid;

use crate::store::{Result, document, id, limit_clause};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Waiting for the next attempt.
    Pending,
    /// The response was 2xx.
    Delivered,
    /// All attempts failed. A replay makes it pending again.
    Failed,
}

impl DeliveryState {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for DeliveryState {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        [Self::Pending, Self::Delivered, Self::Failed].into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// Adds a pending delivery of an event, which may be attempted from `next_try`.
pub(in crate::store) fn enqueue(
    tx: &Transaction<'_>,
    webhook_id: &str,
    outbox_seq: i64,
    subject: &str,
    next_try: Timestamp,
) -> Result<DeliveryId> {
    let id = DeliveryId::from_uuid(Uuid::now_v7());
    tx.prepare_cached(
        "INSERT INTO delivery (id, webhook_id, outbox_seq, subject, state, eligible, tries, next_try, updated_at)
         VALUES (?1, ?2, ?3, ?4, 'pending',
                 NOT EXISTS (SELECT 1 FROM delivery WHERE webhook_id = ?2 AND subject = ?4 AND state = 'pending'),
                 0, ?5, ?5)",
    )?
    .execute(params![id.to_string(), webhook_id, outbox_seq, subject, next_try.as_millis()])?;
    Ok(id)
}

/// Makes the deliveries of an event pending again: those that have failed, or all.
pub(in crate::store) fn deliver_again(tx: &Transaction<'_>, outbox_seq: i64, all: bool, now: Timestamp) -> Result<()> {
    // Each has a subject of its own, so that it is eligible at once.
    tx.prepare_cached(
        "UPDATE delivery SET state = 'pending', eligible = 1, tries = 0, next_try = ?3, updated_at = ?3
         WHERE outbox_seq = ?1 AND (state = 'failed' OR ?2 AND state = 'delivered')",
    )?
    .execute(params![outbox_seq, all, now.as_millis()])?;
    Ok(())
}

/// The state of an event's delivery to a webhook, and why its last attempt failed.
pub fn of_event(
    connection: &Connection,
    webhook: WebhookId,
    event: EventId,
) -> Result<Option<(DeliveryState, Option<String>)>> {
    Ok(connection
        .prepare_cached(
            "SELECT d.state, d.last_error FROM delivery d JOIN outbox o ON o.seq = d.outbox_seq
             WHERE o.id = ?2 AND d.webhook_id = ?1",
        )?
        .query_row([webhook.to_string(), event.to_string()], |row| {
            let state = row.get_ref(0)?.as_str()?.parse().map_err(|()| rusqlite::Error::InvalidQuery)?;
            Ok((state, row.get(1)?))
        })
        .optional()?)
}

/// An eligible delivery and its event.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    pub id: DeliveryId,
    pub webhook: WebhookId,
    /// The event's sequence number.
    pub outbox_seq: i64,
    pub event_id: EventId,
    pub event: String,
    pub payload: Value,
    /// When the event was committed.
    pub created_at: Timestamp,
    /// The number of attempts so far.
    pub tries: u32,
    /// When the next attempt may start.
    pub next_try: Timestamp,
}

const PENDING: &str =
    "SELECT d.id, d.webhook_id, d.outbox_seq, o.id, o.event, o.payload, o.created_at, d.tries, d.next_try
     FROM delivery d JOIN outbox o ON o.seq = d.outbox_seq";

const DUE: &str = "WHERE d.webhook_id = ?1 AND d.eligible = 1 AND d.next_try <= ?2
       AND EXISTS (SELECT 1 FROM webhook w WHERE w.id = ?1 AND w.is_active = 1)
     ORDER BY d.next_try, d.outbox_seq LIMIT ?3";

fn pending_row(row: &Row<'_>) -> rusqlite::Result<Pending> {
    Ok(Pending {
        id: id(row.get_ref(0)?.as_str()?)?,
        webhook: id(row.get_ref(1)?.as_str()?)?,
        outbox_seq: row.get(2)?,
        event_id: id(row.get_ref(3)?.as_str()?)?,
        event: row.get(4)?,
        payload: document(row.get_ref(5)?.as_str()?)?,
        created_at: Timestamp::from_millis(row.get(6)?),
        tries: row.get(7)?,
        next_try: Timestamp::from_millis(row.get(8)?),
    })
}

/// A webhook's due deliveries, earliest first: at most one for each subject, and none while the webhook
/// is inactive. They include deliveries in flight, because their state changes only when an attempt ends.
pub fn due(connection: &Connection, webhook: WebhookId, now: Timestamp, limit: Option<usize>) -> Result<Vec<Pending>> {
    let mut statement = connection.prepare_cached(&format!("{PENDING} {DUE}"))?;
    let rows = statement.query_map(params![webhook.to_string(), now.as_millis(), limit_clause(limit)], pending_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A delivery with its event, whatever its state is: what an attempt sends.
pub fn pending(connection: &Connection, webhook: WebhookId, delivery: DeliveryId) -> Result<Option<Pending>> {
    Ok(connection
        .prepare_cached(&format!("{PENDING} WHERE d.id = ?1 AND d.webhook_id = ?2"))?
        .query_row([delivery.to_string(), webhook.to_string()], pending_row)
        .optional()?)
}

const NEXT_DUE: &str = "SELECT min(d.next_try) FROM delivery d
     WHERE d.webhook_id = ?1 AND d.eligible = 1 AND d.next_try > ?2
       AND EXISTS (SELECT 1 FROM webhook w WHERE w.id = ?1 AND w.is_active = 1)";

/// When the first of a webhook's deliveries becomes due after `after`.
pub fn next_due(connection: &Connection, webhook: WebhookId, after: Timestamp) -> Result<Option<Timestamp>> {
    let next: Option<i64> = connection
        .prepare_cached(NEXT_DUE)?
        .query_row(params![webhook.to_string(), after.as_millis()], |row| row.get(0))?;
    Ok(next.map(Timestamp::from_millis))
}

const ALL_NEXT_DUE: &str =
    "SELECT w.id, (SELECT min(d.next_try) FROM delivery d WHERE d.webhook_id = w.id AND d.eligible = 1) AS next
     FROM webhook w WHERE w.is_active = 1 AND next IS NOT NULL";

/// For each active webhook that has a pending delivery: when the first one is or was due.
pub fn all_next_due(connection: &Connection) -> Result<Vec<(WebhookId, Timestamp)>> {
    let mut statement = connection.prepare_cached(ALL_NEXT_DUE)?;
    let rows =
        statement.query_map([], |row| Ok((id(row.get_ref(0)?.as_str()?)?, Timestamp::from_millis(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Retries no later than `latest` what is planned for later.
pub(super) fn bring_forward(tx: &Transaction<'_>, latest: Timestamp) -> Result<()> {
    let update = "UPDATE delivery SET next_try = ?1 WHERE state = 'pending' AND next_try > ?1";
    tx.execute(update, [latest.as_millis()])?;
    Ok(())
}

/// A delivery, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    /// The event's sequence number, by which a webhook's deliveries are in order.
    pub outbox_seq: i64,
    /// The same in every attempt.
    pub event_id: EventId,
    pub event: String,
    pub state: DeliveryState,
    /// The number of attempts so far.
    pub tries: u32,
    /// When the next attempt may start, while it is pending.
    pub next_try: Timestamp,
    /// The HTTP status of the last attempt, if there was a response.
    pub last_status: Option<u16>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When the event was committed.
    pub created_at: Timestamp,
    /// When its state last changed, or the last attempt ended.
    pub updated_at: Timestamp,
}

/// Which deliveries of a webhook are listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeliveryFilter {
    pub state: Option<DeliveryState>,
    /// Only those of events before this sequence number.
    pub before: Option<i64>,
}

const DELIVERY: &str =
    "SELECT d.id, o.id, o.event, d.state, d.tries, d.next_try, d.last_status, d.last_error, o.created_at, d.updated_at,
            d.outbox_seq
     FROM delivery d JOIN outbox o ON o.seq = d.outbox_seq WHERE d.webhook_id = ?1";

fn delivery_row(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: id(row.get_ref(0)?.as_str()?)?,
        outbox_seq: row.get(10)?,
        event_id: id(row.get_ref(1)?.as_str()?)?,
        event: row.get(2)?,
        state: row.get_ref(3)?.as_str()?.parse().map_err(|()| rusqlite::Error::InvalidQuery)?,
        tries: row.get(4)?,
        next_try: Timestamp::from_millis(row.get(5)?),
        last_status: row.get(6)?,
        last_error: row.get(7)?,
        created_at: Timestamp::from_millis(row.get(8)?),
        updated_at: Timestamp::from_millis(row.get(9)?),
    })
}

/// The latest deliveries to a webhook, newest first.
pub fn deliveries(
    connection: &Connection,
    webhook_id: WebhookId,
    filter: DeliveryFilter,
    limit: usize,
) -> Result<Vec<Delivery>> {
    // A statement for each: in one for both, SQLite couldn't use the index of states.
    let of_state = if filter.state.is_some() { "d.state = ?2" } else { "?2 IS NULL" };
    let mut statement = connection.prepare_cached(&format!(
        "{DELIVERY} AND {of_state} AND d.outbox_seq < ?3 ORDER BY d.outbox_seq DESC LIMIT ?4"
    ))?;
    let (state, before) = (filter.state.map(DeliveryState::as_str), filter.before.unwrap_or(i64::MAX));
    let rows =
        statement.query_map(params![webhook_id.to_string(), state, before, limit_clause(Some(limit))], delivery_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One delivery to a webhook.
pub fn delivery(connection: &Connection, webhook_id: WebhookId, delivery: DeliveryId) -> Result<Option<Delivery>> {
    Ok(connection
        .prepare_cached(&format!("{DELIVERY} AND d.id = ?2"))?
        .query_row([webhook_id.to_string(), delivery.to_string()], delivery_row)
        .optional()?)
}

/// A delivery after an attempt.
#[derive(Debug, Clone)]
pub struct Attempted {
    pub state: DeliveryState,
    /// When it is retried, while it is pending.
    pub next_try: Timestamp,
    /// The target's HTTP status, if there was a response.
    pub status: Option<u16>,
    /// Why the attempt failed.
    pub error: Option<String>,
}

/// The number of attempts of a delivery; `None` if it was removed.
pub fn tries(connection: &Connection, delivery: DeliveryId) -> Result<Option<u32>> {
    Ok(connection
        .prepare_cached("SELECT tries FROM delivery WHERE id = ?1")?
        .query_row([delivery.to_string()], |row| row.get(0))
        .optional()?)
}

/// Writes the result of an attempt, and makes its subject's next delivery eligible once this one is no longer pending.
pub fn record_attempt(tx: &Transaction<'_>, delivery: DeliveryId, attempted: &Attempted, now: Timestamp) -> Result<()> {
    let updated = tx
        .prepare_cached(
            "UPDATE delivery SET state = ?2, eligible = eligible AND ?2 = 'pending', tries = tries + 1, next_try = ?3,
               last_status = ?4, last_error = ?5, updated_at = ?6
             WHERE id = ?1 RETURNING webhook_id, subject, eligible",
        )?
        .query_row(
            params![
                delivery.to_string(),
                attempted.state.as_str(),
                attempted.next_try.as_millis(),
                attempted.status,
                attempted.error,
                now.as_millis()
            ],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?)),
        )
        .optional()?;
    match updated {
        Some((webhook, subject, false)) => choose_eligible(tx, &webhook, &subject),
        Some((_, _, true)) | None => Ok(()),
    }
}

fn choose_eligible(tx: &Transaction<'_>, webhook: &str, subject: &str) -> Result<()> {
    tx.prepare_cached("UPDATE delivery SET eligible = 0 WHERE webhook_id = ?1 AND subject = ?2 AND eligible = 1")?
        .execute([webhook, subject])?;
    tx.prepare_cached(
        "UPDATE delivery SET eligible = 1 WHERE webhook_id = ?1 AND outbox_seq =
           (SELECT min(outbox_seq) FROM delivery WHERE webhook_id = ?1 AND subject = ?2 AND state = 'pending')",
    )?
    .execute([webhook, subject])?;
    Ok(())
}

/// Fails all pending deliveries of a webhook. `why` is recorded for those without an error.
pub fn fail_pending(tx: &Transaction<'_>, webhook_id: WebhookId, why: &str, now: Timestamp) -> Result<usize> {
    Ok(tx.execute(
        "UPDATE delivery SET state = 'failed', eligible = 0, last_error = coalesce(last_error, ?2), updated_at = ?3
         WHERE webhook_id = ?1 AND state = 'pending'",
        params![webhook_id.to_string(), why, now.as_millis()],
    )?)
}

/// Makes a delivery pending again, whatever its state is, due at once and with all attempts. Returns false if the webhook
/// has no such delivery.
pub fn retry(tx: &Transaction<'_>, webhook_id: WebhookId, delivery: DeliveryId, now: Timestamp) -> Result<bool> {
    let subject: Option<String> = tx
        .prepare_cached(
            "UPDATE delivery SET state = 'pending', tries = 0, next_try = ?3, updated_at = ?3
             WHERE id = ?1 AND webhook_id = ?2 RETURNING subject",
        )?
        .query_row(params![delivery.to_string(), webhook_id.to_string(), now.as_millis()], |row| row.get(0))
        .optional()?;
    match subject {
        Some(subject) => choose_eligible(tx, &webhook_id.to_string(), &subject).map(|()| true),
        None => Ok(false),
    }
}

/// Makes all failed deliveries of a webhook pending again, due at once and with all attempts. Returns their number.
pub fn retry_failed(tx: &Transaction<'_>, webhook_id: WebhookId, now: Timestamp) -> Result<usize> {
    let webhook = webhook_id.to_string();
    let replayed = tx.execute(
        "UPDATE delivery SET state = 'pending', tries = 0, next_try = ?2, updated_at = ?2
         WHERE webhook_id = ?1 AND state = 'failed'",
        params![webhook, now.as_millis()],
    )?;
    // A failed delivery may be older than its subject's eligible one.
    tx.execute("UPDATE delivery SET eligible = 0 WHERE webhook_id = ?1 AND eligible = 1", [&webhook])?;
    tx.execute(
        "UPDATE delivery SET eligible = 1 WHERE webhook_id = ?1 AND outbox_seq IN
           (SELECT min(outbox_seq) FROM delivery WHERE webhook_id = ?1 AND state = 'pending' GROUP BY subject)",
        [&webhook],
    )?;
    Ok(replayed)
}

#[cfg(test)]
#[path = "deliveries_tests.rs"]
mod tests;
