//! Webhooks and their deliveries.

use std::str::FromStr;

use relink_domain::{DeliveryId, EventId, Timestamp, WebhookId, event::EventKind};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::Value;

use super::{Result, document, id};

/// A webhook. Its secret is in the keychain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where deliveries go.
    pub target_url: String,
    /// Whether it is told anything.
    pub is_active: bool,
    /// The events it wants; `None`: all.
    pub event_types: Option<Vec<EventKind>>,
    /// The person's consent to a private address.
    pub allow_private: bool,
    /// Since when no delivery has succeeded.
    pub failing_since: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

const COLUMNS: &str = "id, target_url, is_active, event_types, allow_private, failing_since, created_at, updated_at";

fn webhook(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let event_types: Option<String> = row.get(3)?;
    Ok(Webhook {
        id: id(row.get_ref(0)?.as_str()?)?,
        target_url: row.get(1)?,
        is_active: row.get(2)?,
        event_types: event_types.as_deref().map(document).transpose()?,
        allow_private: row.get(4)?,
        failing_since: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.get(6)?),
        updated_at: Timestamp::from_millis(row.get(7)?),
    })
}

/// Adds a webhook.
pub fn insert(tx: &Transaction<'_>, webhook: &Webhook) -> Result<()> {
    tx.execute(
        "INSERT INTO webhook (id, target_url, is_active, event_types, allow_private, failing_since, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            webhook.id.to_string(),
            webhook.target_url,
            webhook.is_active,
            webhook.event_types.as_ref().map(serde_json::to_string).transpose()?,
            webhook.allow_private,
            webhook.failing_since.map(Timestamp::as_millis),
            webhook.created_at.as_millis(),
            webhook.updated_at.as_millis()
        ],
    )?;
    Ok(())
}

/// Notes how a webhook fares. One that was deleted meanwhile stays deleted.
pub fn update_state(tx: &Transaction<'_>, webhook: &Webhook) -> Result<()> {
    tx.execute(
        "UPDATE webhook SET is_active = ?2, failing_since = ?3, updated_at = ?4 WHERE id = ?1",
        params![
            webhook.id.to_string(),
            webhook.is_active,
            webhook.failing_since.map(Timestamp::as_millis),
            webhook.updated_at.as_millis()
        ],
    )?;
    Ok(())
}

/// One webhook.
pub fn get(connection: &Connection, webhook_id: WebhookId) -> Result<Option<Webhook>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM webhook WHERE id = ?1"))?
        .query_row([webhook_id.to_string()], webhook)
        .optional()?)
}

/// All webhooks, oldest first.
pub fn list(connection: &Connection) -> Result<Vec<Webhook>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM webhook ORDER BY id"))?;
    let rows = statement.query_map([], webhook)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Removes a webhook and its deliveries.
pub fn delete(tx: &Transaction<'_>, webhook_id: WebhookId) -> Result<bool> {
    Ok(tx.execute("DELETE FROM webhook WHERE id = ?1", [webhook_id.to_string()])? > 0)
}

/// A delivery that waits for its turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// The event's id.
    pub event_id: EventId,
    /// The event.
    pub event: String,
    /// What goes with it.
    pub payload: Value,
    /// When the event was committed.
    pub created_at: Timestamp,
    /// Tries so far.
    pub tries: u32,
    /// When it may be tried.
    pub next_try: Timestamp,
}

/// The deliveries whose turn it is: for each webhook and subject the oldest one that is pending. A later event of the same
/// subject waits until the earlier one is delivered or parked. At most `each` for one webhook, soonest first, and every
/// webhook's first before any webhook's second: one with much to hear takes no place from the others.
pub fn turns(connection: &Connection, each: usize) -> Result<Vec<Pending>> {
    let mut statement = connection.prepare_cached(
        "SELECT d.id, d.webhook_id, o.id, o.event, o.payload, o.created_at, d.tries, d.next_try
         FROM (SELECT d.*, row_number() OVER (PARTITION BY d.webhook_id ORDER BY d.next_try, d.outbox_seq) AS place
               FROM delivery d JOIN webhook w ON w.id = d.webhook_id
               WHERE d.state = 'pending' AND w.is_active = 1
                 AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.state = 'pending' AND e.webhook_id = d.webhook_id
                                 AND e.subject = d.subject AND e.outbox_seq < d.outbox_seq)) d
           JOIN outbox o ON o.seq = d.outbox_seq
         WHERE d.place <= ?1 ORDER BY d.place, d.next_try, d.outbox_seq",
    )?;
    let rows = statement.query_map([i64::try_from(each).unwrap_or(i64::MAX)], |row| {
        Ok(Pending {
            id: id(row.get_ref(0)?.as_str()?)?,
            webhook: id(row.get_ref(1)?.as_str()?)?,
            event_id: id(row.get_ref(2)?.as_str()?)?,
            event: row.get(3)?,
            payload: document(row.get_ref(4)?.as_str()?)?,
            created_at: Timestamp::from_millis(row.get(5)?),
            tries: row.get(6)?,
            next_try: Timestamp::from_millis(row.get(7)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Waits for its turn.
    Pending,
    /// Answered with a 2xx.
    Delivered,
    /// Given up until somebody replays it.
    Parked,
}

impl DeliveryState {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Parked => "parked",
        }
    }
}

/// A delivery, as a person looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The event's id, which stays the same through every try.
    pub event_id: EventId,
    /// The event.
    pub event: String,
    /// Where it is.
    pub state: DeliveryState,
    /// Tries so far.
    pub tries: u32,
    /// When it may be tried, while it is pending.
    pub next_try: Timestamp,
    /// The HTTP status of the last try, where one came.
    pub last_status: Option<u16>,
    /// What went wrong at the last try, in words.
    pub last_error: Option<String>,
    /// When the event was committed.
    pub created_at: Timestamp,
    /// When it was last tried, or put off.
    pub updated_at: Timestamp,
}

/// The latest deliveries to a webhook, newest first.
pub fn deliveries(connection: &Connection, webhook_id: WebhookId, limit: usize) -> Result<Vec<Delivery>> {
    let mut statement = connection.prepare_cached(
        "SELECT d.id, o.id, o.event, d.state, d.tries, d.next_try, d.last_status, d.last_error, o.created_at, d.updated_at
         FROM delivery d JOIN outbox o ON o.seq = d.outbox_seq
         WHERE d.webhook_id = ?1 ORDER BY d.outbox_seq DESC LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![webhook_id.to_string(), limit], |row| {
        Ok(Delivery {
            id: id(row.get_ref(0)?.as_str()?)?,
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
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

impl FromStr for DeliveryState {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        [Self::Pending, Self::Delivered, Self::Parked].into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// What became of a try.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Where the delivery is now.
    pub state: DeliveryState,
    /// When it is tried again, while it is pending.
    pub next_try: Timestamp,
    /// The target's HTTP status, where one came.
    pub status: Option<u16>,
    /// What went wrong, in words.
    pub error: Option<String>,
}

/// How often a delivery has been tried by now; `None` if it is gone.
pub fn tries(connection: &Connection, delivery: DeliveryId) -> Result<Option<u32>> {
    Ok(connection
        .prepare_cached("SELECT tries FROM delivery WHERE id = ?1")?
        .query_row([delivery.to_string()], |row| row.get(0))
        .optional()?)
}

/// Notes what became of a try.
pub fn tried(tx: &Transaction<'_>, delivery: DeliveryId, tried: &Tried, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE delivery SET state = ?2, tries = tries + 1, next_try = ?3, last_status = ?4, last_error = ?5, updated_at = ?6
         WHERE id = ?1",
        params![
            delivery.to_string(),
            tried.state.as_str(),
            tried.next_try.as_millis(),
            tried.status,
            tried.error,
            now.as_millis()
        ],
    )?;
    Ok(())
}

/// Parks what a webhook was still to be told, and says why where nothing else does.
pub fn park(tx: &Transaction<'_>, webhook_id: WebhookId, why: &str, now: Timestamp) -> Result<usize> {
    Ok(tx.execute(
        "UPDATE delivery SET state = 'parked', last_error = coalesce(last_error, ?2), updated_at = ?3
         WHERE webhook_id = ?1 AND state = 'pending'",
        params![webhook_id.to_string(), why, now.as_millis()],
    )?)
}

/// Puts parked deliveries of a webhook back to their turn.
pub fn replay(tx: &Transaction<'_>, webhook_id: WebhookId, now: Timestamp) -> Result<usize> {
    Ok(tx.execute(
        "UPDATE delivery SET state = 'pending', tries = 0, next_try = ?2, updated_at = ?2 WHERE webhook_id = ?1 AND state = 'parked'",
        params![webhook_id.to_string(), now.as_millis()],
    )?)
}
