//! Webhooks and their deliveries.

mod attempts;
mod deliveries;

use relink_domain::{ApiTokenId, Timestamp, WebhookId, event::EventPattern, webhook::SignatureFormat};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

pub use attempts::{add as add_attempt, of as attempts_of, prune as prune_attempts};
pub use deliveries::{
    Attempted, Delivery, DeliveryFilter, DeliveryState, Pending, all_next_due, deliveries, delivery, due, fail_pending,
    next_due, of_event, pending, record_attempt, retry, retry_failed, tries,
};
pub(super) use deliveries::{deliver_again, enqueue};

use super::{Result, document, id};

/// A webhook. Its secret is in the keychain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: WebhookId,
    pub target_url: String,
    /// Whether events are delivered to it.
    pub is_active: bool,
    /// The events that are delivered; `None`: all.
    pub event_types: Option<Vec<EventPattern>>,
    /// The user's consent to a private address.
    pub allow_private: bool,
    pub signature_format: SignatureFormat,
    /// Since when no delivery has succeeded.
    pub failing_since: Option<Timestamp>,
    /// When Relink deactivated it because it had failed for a day.
    pub disabled_at: Option<Timestamp>,
    /// The API token that created it; `None`: the person.
    pub creator: Option<ApiTokenId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const COLUMNS: &str = "id, target_url, is_active, event_types, allow_private, failing_since, created_at, updated_at, \
                       api_token_id, signature_format, disabled_at";

fn webhook(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let event_types: Option<String> = row.get(3)?;
    let signature_format = row.get_ref(9)?.as_str()?;
    Ok(Webhook {
        id: id(row.get_ref(0)?.as_str()?)?,
        target_url: row.get(1)?,
        is_active: row.get(2)?,
        event_types: event_types.as_deref().map(document).transpose()?,
        allow_private: row.get(4)?,
        signature_format: if signature_format == SignatureFormat::Hex.as_str() {
            SignatureFormat::Hex
        } else {
            SignatureFormat::Base64
        },
        failing_since: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
        disabled_at: row.get::<_, Option<i64>>(10)?.map(Timestamp::from_millis),
        creator: row.get_ref(8)?.as_str_or_null()?.map(id).transpose()?,
        created_at: Timestamp::from_millis(row.get(6)?),
        updated_at: Timestamp::from_millis(row.get(7)?),
    })
}

pub fn insert(tx: &Transaction<'_>, webhook: &Webhook) -> Result<()> {
    tx.execute(
        "INSERT INTO webhook (id, target_url, is_active, event_types, allow_private, failing_since, created_at, updated_at,
                              api_token_id, signature_format, disabled_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            webhook.id.to_string(),
            webhook.target_url,
            webhook.is_active,
            webhook.event_types.as_ref().map(serde_json::to_string).transpose()?,
            webhook.allow_private,
            webhook.failing_since.map(Timestamp::as_millis),
            webhook.created_at.as_millis(),
            webhook.updated_at.as_millis(),
            webhook.creator.map(|id| id.to_string()),
            webhook.signature_format.as_str(),
            webhook.disabled_at.map(Timestamp::as_millis),
        ],
    )?;
    Ok(())
}

/// Writes what can change of a webhook. One that was deleted in the meantime stays deleted.
pub fn update(tx: &Transaction<'_>, webhook: &Webhook) -> Result<()> {
    tx.execute(
        "UPDATE webhook SET target_url = ?2, is_active = ?3, event_types = ?4, allow_private = ?5, signature_format = ?6,
           failing_since = ?7, disabled_at = ?8, updated_at = ?9 WHERE id = ?1",
        params![
            webhook.id.to_string(),
            webhook.target_url,
            webhook.is_active,
            webhook.event_types.as_ref().map(serde_json::to_string).transpose()?,
            webhook.allow_private,
            webhook.signature_format.as_str(),
            webhook.failing_since.map(Timestamp::as_millis),
            webhook.disabled_at.map(Timestamp::as_millis),
            webhook.updated_at.as_millis()
        ],
    )?;
    Ok(())
}

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

/// After the clock was set back: no retry is later than `latest`, and no webhook has been failing since a time to come.
pub fn clock_set_back(tx: &Transaction<'_>, now: Timestamp, latest: Timestamp) -> Result<()> {
    deliveries::bring_forward(tx, latest)?;
    tx.execute("UPDATE webhook SET failing_since = ?1 WHERE failing_since > ?1", [now.as_millis()])?;
    Ok(())
}

/// Removes a webhook and its deliveries.
pub fn delete(tx: &Transaction<'_>, webhook_id: WebhookId) -> Result<bool> {
    Ok(tx.execute("DELETE FROM webhook WHERE id = ?1", [webhook_id.to_string()])? > 0)
}
