//! The log of a webhook's deliveries: reading it, testing the webhook, and replays.

use std::time::Duration;

use relink_contract::{event::TestPayload, webhook::DeliveryAttempt};
use relink_domain::{DeliveryId, WebhookId, caller::Caller, event::EventKind};
use tokio::sync::oneshot;

use super::{Outbox, send, webhooks::managed};
use crate::{
    error::{Error, Result},
    outbound::DEADLINE,
    store::{
        outbox::{self, Payload},
        webhooks::{self, Delivery, DeliveryFilter, Webhook},
    },
};

/// A test's delivery is left to the loop if it isn't attempted for so long, because Relink was ended.
const TEST_LEFT_TO_LOOP_SECS: i64 = 60;
/// How long a test waits for its outcome: the target's time, and some for the keychain and the disk.
const TEST_DEADLINE: Duration = DEADLINE.saturating_add(Duration::from_secs(15));

/// One delivery with what was sent and what came back.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryDetails {
    pub delivery: Delivery,
    /// The body, which is the same in every attempt.
    pub request_body: String,
    /// Those that are still kept, oldest first.
    pub attempts: Vec<DeliveryAttempt>,
}

impl Outbox {
    /// Sends the webhook the event `test`, also while it is inactive, and waits for the target's response. Fails if that isn't a success; the
    /// delivery is recorded and retried like others.
    pub async fn test_webhook(&self, caller: &Caller, id: WebhookId) -> Result<()> {
        self.webhook(caller, id).await?;
        let (now, payload) = (self.now(), Payload::of(&TestPayload::default())?);
        let write = move |tx: &rusqlite::Transaction<'_>| {
            let later = now.plus_secs(TEST_LEFT_TO_LOOP_SECS);
            let delivery = outbox::enqueue_event_for(tx, &id.to_string(), EventKind::Test, &payload, now, later)?;
            webhooks::pending(tx, id, delivery)
        };
        let pending = self.0.uses.store.write(write).await?.ok_or_else(|| Error::not_found("webhook", &id))?;
        tracing::info!(webhook = %id, ?caller, "a test event is sent");
        let (ended, end) = oneshot::channel();
        let outbox = self.clone();
        // A caller that goes away ends nothing.
        self.0.uses.tasks.spawn(async move {
            let attempted = outbox.attempt_and_record(&pending).await;
            outbox.deliver_more([id]);
            // Whoever asked may be gone.
            let _ = ended.send(attempted);
        });
        match tokio::time::timeout(TEST_DEADLINE, end).await {
            Ok(Ok(Ok(Some(attempt)))) => send::explained(&attempt).map_or(Ok(()), |why| Err(Error::undelivered(why))),
            Ok(Ok(Ok(None))) => Err(Error::not_found("webhook", &id)),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Err(_)) => Err(Error::Stopping),
            Err(_) => Err(Error::undelivered("The outcome isn't known yet. The webhook's deliveries will show it.")),
        }
    }

    /// Retries the failed deliveries and activates the webhook. Returns the number of deliveries.
    pub async fn retry_failed(&self, caller: &Caller, id: WebhookId) -> Result<usize> {
        let count = self.replay(caller, id, move |tx, now| webhooks::retry_failed(tx, id, now).map(Some)).await?;
        let count = count.unwrap_or_default();
        tracing::info!(webhook = %id, ?caller, count, "failed deliveries are tried again");
        Ok(count)
    }

    /// Sends one delivery again, whether it failed or not, and activates the webhook. Its event keeps its id.
    pub async fn replay_delivery(&self, caller: &Caller, id: WebhookId, delivery: DeliveryId) -> Result<()> {
        let replayed =
            self.replay(caller, id, move |tx, now| Ok(webhooks::retry(tx, id, delivery, now)?.then_some(())));
        replayed.await?.ok_or_else(|| Error::not_found("delivery", &delivery))?;
        tracing::info!(webhook = %id, %delivery, ?caller, "a delivery is sent again");
        Ok(())
    }

    /// Activates the webhook, unless `replay` finds nothing to send again.
    async fn replay<T: Send + 'static>(
        &self,
        caller: &Caller,
        id: WebhookId,
        replay: impl FnOnce(&rusqlite::Transaction<'_>, relink_domain::Timestamp) -> crate::store::Result<Option<T>>
        + Send
        + 'static,
    ) -> Result<Option<T>> {
        let (now, replays) = (self.now(), caller.clone());
        let write = move |tx: &rusqlite::Transaction<'_>| {
            let Some(webhook) = managed(tx, &replays, id)? else { return Ok(None) };
            let replayed = replay(tx, now)?;
            if replayed.is_some() {
                webhooks::update(tx, &Webhook { updated_at: now, ..webhook.activated() })?;
            }
            Ok(Some(replayed))
        };
        let replayed = self.0.uses.store.write(write).await?.ok_or_else(|| Error::not_found("webhook", &id))?;
        self.0.due.set_no_later(id, now);
        self.0.disabled.send_replace(());
        Ok(replayed)
    }

    /// The latest deliveries to a webhook, newest first.
    pub async fn deliveries(
        &self,
        caller: &Caller,
        id: WebhookId,
        filter: DeliveryFilter,
        limit: usize,
    ) -> Result<Vec<Delivery>> {
        self.webhook(caller, id).await?;
        Ok(self.0.uses.store.read(move |c| webhooks::deliveries(c, id, filter, limit)).await?)
    }

    /// One delivery, with what was sent and what came back.
    pub async fn delivery(&self, caller: &Caller, id: WebhookId, delivery: DeliveryId) -> Result<DeliveryDetails> {
        self.webhook(caller, id).await?;
        let read = move |c: &rusqlite::Connection| {
            let found = webhooks::delivery(c, id, delivery)?.zip(webhooks::pending(c, id, delivery)?);
            let Some((found, pending)) = found else { return Ok(None) };
            Ok(Some((found, pending, webhooks::attempts_of(c, delivery)?)))
        };
        let found = self.0.uses.store.read(read).await?;
        let (delivery, pending, attempts) = found.ok_or_else(|| Error::not_found("delivery", &delivery))?;
        let request_body = serde_json::to_string(&self.body_of(&pending)).map_err(crate::store::StoreError::from)?;
        Ok(DeliveryDetails { delivery, request_body, attempts })
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
