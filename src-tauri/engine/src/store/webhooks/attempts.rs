//! What was sent in each attempt at a delivery, and what came back.

use relink_contract::webhook::DeliveryAttempt;
use relink_domain::{DeliveryId, Timestamp, WebhookId};
use rusqlite::{Connection, Transaction, params};

use crate::store::{Result, document};

/// How many of a webhook's last attempts are kept.
pub(super) const MAX_OF_WEBHOOK: usize = 500;

/// Adds an attempt, in place of the webhook's oldest one if there are too many. It must not contain a secret.
pub fn add(tx: &Transaction<'_>, webhook: WebhookId, delivery: DeliveryId, attempt: &DeliveryAttempt) -> Result<()> {
    let webhook = webhook.to_string();
    tx.prepare_cached("INSERT INTO delivery_attempt (delivery_id, webhook_id, at, document) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![delivery.to_string(), webhook, attempt.at.as_millis(), serde_json::to_string(attempt)?])?;
    tx.prepare_cached(
        "DELETE FROM delivery_attempt WHERE webhook_id = ?1 AND seq <=
           (SELECT seq FROM delivery_attempt WHERE webhook_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute(params![webhook, i64::try_from(MAX_OF_WEBHOOK).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// The attempts at a delivery that are kept, oldest first.
pub fn of(connection: &Connection, delivery: DeliveryId) -> Result<Vec<DeliveryAttempt>> {
    let mut statement =
        connection.prepare_cached("SELECT document FROM delivery_attempt WHERE delivery_id = ?1 ORDER BY seq")?;
    let rows = statement.query_map([delivery.to_string()], |row| document(row.get_ref(0)?.as_str()?))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Removes up to `limit` attempts that are older than `before`. Returns whether there may be more.
pub fn prune(tx: &Transaction<'_>, before: Timestamp, limit: usize) -> Result<bool> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let removed = tx
        .prepare_cached(
            "DELETE FROM delivery_attempt WHERE seq IN (SELECT seq FROM delivery_attempt WHERE at < ?1 LIMIT ?2)",
        )?
        .execute(params![before.as_millis(), limit])?;
    Ok(i64::try_from(removed).unwrap_or(i64::MAX) == limit)
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
