//! Records of sync jobs for a webhook: a batch is an event of its own, whose id stays the same when the batch is delivered again
//! (contract section 9.2).

use relink_domain::{EventId, WebhookId, sync::BatchId};
use relink_sync::DeliveryError;
use serde_json::{Value, json};

use super::Outbox;
use crate::store::{
    StoreError,
    outbox::{self, Payload},
    webhooks::{self, DeliveryState},
};

/// After so many seconds a run tries again what the webhook didn't take.
const RETRY_SECS: u64 = 60;

impl Outbox {
    /// Returns when the webhook has taken the batch. A batch that it has taken already, as it is now, isn't sent again.
    pub(crate) async fn deliver_records(
        &self,
        webhook: WebhookId,
        batch: BatchId,
        payload: &Value,
    ) -> Result<(), DeliveryError> {
        let (event, now) = (EventId::from_uuid(batch.as_uuid()), self.now());
        // Before the first look, so that no change is missed.
        let mut changes = self.0.uses.store.changes();
        let payload = Payload::of(payload).map_err(|error| unusable(&error))?;
        let enqueue = move |tx: &rusqlite::Transaction<'_>| {
            if webhooks::get(tx, webhook)?.is_some() {
                outbox::enqueue_batch(tx, &webhook.to_string(), event, &payload, now)?;
            }
            Ok(())
        };
        self.0.uses.store.write(enqueue).await.map_err(|error| unusable(&error))?;
        self.deliver_more([webhook]);
        loop {
            let read = move |c: &rusqlite::Connection| {
                Ok((webhooks::get(c, webhook)?, webhooks::of_event(c, webhook, event)?))
            };
            match self.0.uses.store.read(read).await.map_err(|error| unusable(&error))? {
                (_, Some((DeliveryState::Delivered, _))) => return Ok(()),
                (Some(webhook), Some((state, said))) if webhook.disabled_at.is_some() || !webhook.is_active => {
                    // One that is paused goes on where it is; one that was disabled gave its deliveries up.
                    return Err(match state {
                        DeliveryState::Pending => DeliveryError::RetryAfter { seconds: RETRY_SECS },
                        _ => untaken(&format!("The webhook was disabled: {}", said.unwrap_or_default())),
                    });
                }
                (Some(_), Some((DeliveryState::Failed, _))) => {
                    return Err(DeliveryError::RetryAfter { seconds: RETRY_SECS });
                }
                (Some(_), Some((DeliveryState::Pending, _))) => {}
                (None, _) | (_, None) => {
                    return Err(untaken(&format!(
                        "There is no webhook {webhook}. Name another one in the job, or in the run."
                    )));
                }
            }
            loop {
                match changes.next().await {
                    None => return Err(unusable(&StoreError::Stopping)),
                    Some(set) if set.webhooks => break,
                    Some(_) => {}
                }
            }
        }
    }
}

fn untaken(message: &str) -> DeliveryError {
    DeliveryError::Failed(json!({ "statusCode": 502, "error": "Bad Gateway", "message": message }))
}

/// The database can't be used now: the batch is tried again.
fn unusable(error: &StoreError) -> DeliveryError {
    tracing::warn!("records can't be delivered now: {error}");
    DeliveryError::RetryAfter { seconds: 5 }
}
