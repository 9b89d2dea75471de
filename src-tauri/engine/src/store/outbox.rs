//! The outbox: every event, written in the transaction of the change that caused it.

use relink_domain::{
    AccountId, DeliveryId, EventId, Timestamp, WebhookId,
    event::{EventKind, EventName, EventPattern, RecordEvent},
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Result, id, limit_clause, webhooks};

/// An event as it was committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The sequence number.
    pub seq: i64,
    /// The same in every delivery and every attempt.
    pub id: EventId,
    pub kind: EventName,
    /// Whose event it is: for an account's or a provider's the account, for a run's the run.
    pub subject: Option<String>,
    pub payload: Value,
    /// When it was committed.
    pub created_at: Timestamp,
}

/// An event's payload, serialized before the transaction that enqueues it.
#[derive(Debug, Clone)]
pub struct Payload(String);

impl Payload {
    pub fn of(payload: &impl Serialize) -> Result<Self> {
        Ok(Self(serde_json::to_string(payload)?))
    }
}

/// Adds an event, and a delivery for each active webhook that subscribes to it. Events of one `subject` reach a webhook in
/// their order. Returns the event's sequence number.
pub fn enqueue_event(
    tx: &Transaction<'_>,
    kind: EventKind,
    subject: Option<&str>,
    payload: &Payload,
    now: Timestamp,
) -> Result<i64> {
    enqueue(tx, kind.as_str(), subject, payload, now, None)
}

/// [`enqueue_event`], with a delivery to one webhook whatever it subscribes to.
pub fn enqueue_event_with(
    tx: &Transaction<'_>,
    kind: EventKind,
    subject: Option<&str>,
    payload: &Payload,
    now: Timestamp,
    also: Option<WebhookId>,
) -> Result<i64> {
    enqueue(tx, kind.as_str(), subject, payload, now, also)
}

/// Adds an event that the provider of an account sent.
pub fn enqueue_record(
    tx: &Transaction<'_>,
    event: &RecordEvent,
    account: AccountId,
    payload: &Payload,
    now: Timestamp,
) -> Result<i64> {
    enqueue(tx, event.as_str(), Some(&account.to_string()), payload, now, None)
}

fn enqueue(
    tx: &Transaction<'_>,
    name: &str,
    subject: Option<&str>,
    payload: &Payload,
    now: Timestamp,
    also: Option<WebhookId>,
) -> Result<i64> {
    let seq = add(tx, new_id(), name, subject, payload, now)?;
    let also = also.map(|id| id.to_string());
    let mut active = tx.prepare_cached("SELECT id, event_types FROM webhook WHERE is_active = 1")?;
    let active: Vec<(String, Option<Vec<EventPattern>>)> = active
        .query_map([], |row| {
            let event_types = row.get_ref(1)?.as_str_or_null()?;
            Ok((row.get(0)?, event_types.map(super::document).transpose()?))
        })?
        .collect::<Result<_, _>>()?;
    for (webhook, event_types) in active {
        let subscribes = event_types.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(name)));
        if subscribes || also.as_ref() == Some(&webhook) {
            webhooks::enqueue(tx, &webhook, seq, subject.unwrap_or_default(), now)?;
        }
    }
    Ok(seq)
}

/// Adds an event that is delivered only to one webhook, from `next_try`. It waits for no other delivery, and none waits for
/// it.
pub fn enqueue_event_for(
    tx: &Transaction<'_>,
    webhook: &str,
    kind: EventKind,
    payload: &Payload,
    now: Timestamp,
    next_try: Timestamp,
) -> Result<DeliveryId> {
    let event = new_id();
    let seq = add(tx, event, kind.as_str(), None, payload, now)?;
    webhooks::enqueue(tx, webhook, seq, &event.to_string(), next_try)
}

/// Adds a batch of records for one webhook under a given id. One that is there already is delivered again if it has changed, or if its
/// delivery has failed.
pub fn enqueue_batch(
    tx: &Transaction<'_>,
    webhook: &str,
    event: EventId,
    payload: &Payload,
    now: Timestamp,
) -> Result<()> {
    let known = tx
        .prepare_cached("SELECT seq, payload = ?2 FROM outbox WHERE id = ?1")?
        .query_row(params![event.to_string(), payload.0], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)))
        .optional()?;
    let Some((seq, is_same)) = known else {
        let seq = add(tx, event, EventKind::SyncJobRunRecord.as_str(), None, payload, now)?;
        webhooks::enqueue(tx, webhook, seq, &event.to_string(), now)?;
        return Ok(());
    };
    if !is_same {
        tx.prepare_cached("UPDATE outbox SET payload = ?2 WHERE seq = ?1")?.execute(params![seq, payload.0])?;
    }
    webhooks::deliver_again(tx, seq, !is_same, now)
}

fn new_id() -> EventId {
    EventId::from_uuid(Uuid::now_v7())
}

/// Gives the event's sequence number.
fn add(
    tx: &Transaction<'_>,
    id: EventId,
    name: &str,
    subject: Option<&str>,
    payload: &Payload,
    now: Timestamp,
) -> Result<i64> {
    tx.prepare_cached("INSERT INTO outbox (id, event, subject, payload, created_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![id.to_string(), name, subject, payload.0, now.as_millis()])?;
    Ok(tx.last_insert_rowid())
}

/// The latest event's sequence number, even if the event was pruned.
pub fn latest(connection: &Connection) -> Result<i64> {
    Ok(connection
        .prepare_cached("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0)")?
        .query_row([], |row| row.get(0))?)
}

/// The sequence number of the last of the next `limit` events after `from`, if one of them is older than `before`.
pub fn old(connection: &Connection, from: i64, before: Timestamp, limit: usize) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT max(seq) FROM (SELECT seq, created_at FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2)
         HAVING min(created_at) < ?3",
    )?;
    Ok(statement
        .query_row(params![from, limit_clause(Some(limit)), before.as_millis()], |row| row.get(0))
        .optional()?)
}

/// Removes what is older than `before`, with sequence numbers after `from` and up to `to`: finished deliveries, and events without a
/// delivery. Pending deliveries stay, and those that failed after `failed_before`, with their events.
pub fn prune(tx: &Transaction<'_>, from: i64, to: i64, before: Timestamp, failed_before: Timestamp) -> Result<()> {
    let range = params![from, to, before.as_millis()];
    for (state, before) in [("delivered", before), ("failed", failed_before)] {
        tx.prepare_cached(
            "DELETE FROM delivery WHERE outbox_seq > ?1 AND outbox_seq <= ?2 AND state = ?3 AND updated_at < ?4",
        )?
        .execute(params![from, to, state, before.as_millis()])?;
    }
    tx.prepare_cached(
        "DELETE FROM outbox WHERE seq > ?1 AND seq <= ?2 AND created_at < ?3
           AND NOT EXISTS (SELECT 1 FROM delivery WHERE outbox_seq = outbox.seq)",
    )?
    .execute(range)?;
    Ok(())
}

/// Events after the sequence number `seq`, oldest first.
pub fn after(connection: &Connection, seq: i64, limit: usize) -> Result<Vec<Event>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, id, event, subject, payload, created_at FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    let rows = statement.query_map(params![seq, limit_clause(Some(limit))], event)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Those of some names alone.
pub fn named_after(connection: &Connection, seq: i64, names: &[&str], limit: usize) -> Result<Vec<Event>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, id, event, subject, payload, created_at FROM outbox
         WHERE seq > ?1 AND event IN (SELECT value FROM json_each(?2)) ORDER BY seq LIMIT ?3",
    )?;
    let names = serde_json::to_string(names)?;
    let rows = statement.query_map(params![seq, names, limit_clause(Some(limit))], event)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One event, as long as it is kept.
pub fn get(connection: &Connection, seq: i64) -> Result<Option<Event>> {
    let mut statement =
        connection.prepare_cached("SELECT seq, id, event, subject, payload, created_at FROM outbox WHERE seq = ?1")?;
    Ok(statement.query_row([seq], event).optional()?)
}

fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let event: String = row.get(2)?;
    Ok(Event {
        seq: row.get(0)?,
        id: id(row.get_ref(1)?.as_str()?)?,
        kind: event.parse().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(error))
        })?,
        subject: row.get(3)?,
        payload: super::document(row.get_ref(4)?.as_str()?)?,
        created_at: Timestamp::from_millis(row.get(5)?),
    })
}
