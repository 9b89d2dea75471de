//! Deliveries: the outbox's way to webhooks. At least once, signed, in order for each account, never in anybody's way.

use std::{collections::HashMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use relink_domain::{DeliveryId, Secret, Timestamp, WebhookId};
use serde_json::json;
use sha2::Sha256;
use tokio::task::{self, JoinError, JoinSet};

use crate::{
    Engine,
    crash::CrashPoint,
    error::Result,
    keychain::{Key, KeychainError},
    network::Consent,
    recovery::LEAST_PAUSE,
    store::webhooks::{self, DeliveryState, Pending, Tried, Webhook},
    webhooks::WEBHOOK_SECRET,
};

/// Pauses before the retries: three, exponential, at most ten seconds apart.
const PAUSES_SECS: [i64; 3] = [2, 4, 8];
/// A webhook that has failed for so long is set inactive.
const PATIENCE_SECS: i64 = 24 * 60 * 60;
/// Deliveries under way at a time.
const AT_A_TIME: usize = 64;
/// Deliveries under way at a time for one webhook: one that hangs leaves the others their places.
const EACH_AT_A_TIME: usize = 4;
/// How long the loop rests when nothing wakes it.
const REST: Duration = Duration::from_secs(30);
/// Why deliveries to a webhook that was set inactive have failed.
const SET_INACTIVE: &str = "given up: the webhook failed for a day and was set inactive";

/// How a try ended: the target's status, or that and what went wrong in words.
type Outcome = std::result::Result<u16, (Option<u16>, String)>;

/// What is under way. It shrinks in the loop alone, between two looks: what has ended is never taken for waiting because it
/// was looked up before and left out afterwards.
#[derive(Debug, Default)]
struct UnderWay(HashMap<task::Id, (DeliveryId, WebhookId)>);

impl UnderWay {
    fn has_place_for(&self, pending: &Pending) -> bool {
        let of_webhook = self.0.values().filter(|(_, webhook)| *webhook == pending.webhook);
        self.0.len() < AT_A_TIME && of_webhook.count() < EACH_AT_A_TIME
    }

    fn has(&self, pending: &Pending) -> bool {
        self.0.values().any(|(delivery, _)| *delivery == pending.id)
    }

    fn ended(&mut self, task: &std::result::Result<(task::Id, ()), JoinError>) {
        self.0.remove(&match task {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        });
    }
}

/// The loop.
pub(crate) async fn run(engine: Engine) {
    let mut outbox_seq = engine.0.store.outbox_seq();
    let mut clock_changes = engine.0.clock.changes();
    let mut under_way = UnderWay::default();
    let mut tasks = JoinSet::new();
    loop {
        while let Some(task) = tasks.try_join_next_with_id() {
            under_way.ended(&task);
        }
        outbox_seq.borrow_and_update();
        let now = engine.now();
        let mut rest = REST;
        // Twice as many as may be under way: half of them may be those that are.
        let turns = engine.0.store.read(|c| webhooks::turns(c, 2 * EACH_AT_A_TIME)).await.unwrap_or_else(|error| {
            tracing::warn!("deliveries can't be read: {error}");
            Vec::new()
        });
        for pending in turns {
            let wait = pending.next_try.millis_since(now);
            if under_way.has(&pending) || !under_way.has_place_for(&pending) {
                // The end of a delivery wakes the loop.
                continue;
            }
            if wait > 0 {
                rest = rest.min(Duration::from_millis(wait.unsigned_abs()));
                continue;
            }
            let ids = (pending.id, pending.webhook);
            let task = tasks.spawn(engine.clone().deliver(pending));
            under_way.0.insert(task.id(), ids);
        }
        tokio::select! {
            // The store is gone: so is everything that could be told.
            changed = outbox_seq.changed() => if changed.is_err() { return },
            () = engine.0.deliver.notified() => {}
            () = tokio::time::sleep(rest) => {}
            () = clock_changes.changed() => {}
            Some(task) = tasks.join_next_with_id() => under_way.ended(&task),
        }
    }
}

impl Engine {
    /// One try. It ends when what became of it is noted, or when it makes sense to try.
    async fn deliver(self, pending: Pending) {
        let outcome = match self.attempt(&pending).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(delivery = %pending.id, code = error.code(), "not tried: {error}");
                // It goes on when the keychain does. What else was in the way may be over after a rest.
                let _ = tokio::time::timeout(REST, self.keychain_recovers()).await;
                return;
            }
        };
        CrashPoint::DeliveryAnswered.here(&pending).await;
        // Not sent again for want of a place to note it, however long the disk stays full.
        while let Err(error) = self.note(&pending, outcome.clone()).await {
            tracing::warn!(delivery = %pending.id, code = error.code(), "what became of it can't be noted: {error}");
            tokio::time::sleep(LEAST_PAUSE).await;
        }
    }

    /// Sends it, if it can be sent: `None` if its webhook is gone, an error if nothing could be tried.
    async fn attempt(&self, pending: &Pending) -> Result<Option<Outcome>> {
        let id = pending.webhook;
        let Some(webhook) = self.0.store.read(move |c| webhooks::get(c, id)).await? else { return Ok(None) };
        let secret = match self.0.keychain.get(&Key::Webhook(id)).await {
            Ok(Some(mut item)) => item.secrets.remove(WEBHOOK_SECRET),
            Ok(None) => None,
            // Waiting doesn't mend an item.
            Err(error @ (KeychainError::Damaged { .. } | KeychainError::Newer { .. })) => {
                return Ok(Some(Err((None, format!("the signing secret can't be read: {error}")))));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Some(match secret {
            Some(secret) => self.post(&webhook, pending, &secret).await,
            None => Err((None, "its signing secret is gone from the keychain".to_owned())),
        }))
    }

    /// Notes what became of a try, on the delivery and its webhook as both are by now.
    async fn note(&self, pending: &Pending, outcome: Outcome) -> Result<()> {
        let (id, webhook, now) = (pending.id, pending.webhook, self.now());
        let written = self.0.store.write(move |tx| {
            let (Some(webhook), Some(before)) = (webhooks::get(tx, webhook)?, webhooks::tries(tx, id)?) else {
                return Ok(());
            };
            let tried = tried(&outcome, before, webhook.is_active, now);
            if tried.state == DeliveryState::Failed {
                tracing::warn!(webhook = %webhook.id, delivery = %id, "failed after {} tries", before + 1);
            }
            webhooks::tried(tx, id, &tried, now)?;
            let Some(changed) = after(webhook, tried.state, now) else { return Ok(()) };
            webhooks::update_state(tx, &changed)?;
            if !changed.is_active {
                webhooks::fail_pending(tx, changed.id, SET_INACTIVE, now)?;
            }
            Ok(())
        });
        Ok(written.await?)
    }

    async fn post(&self, webhook: &Webhook, pending: &Pending, secret: &Secret) -> Outcome {
        let body = json!({
            "id": pending.event_id,
            "event": pending.event,
            "payload": pending.payload,
            "environment_id": self.0.environment,
            "created_at": pending.created_at,
            "webhook_id": webhook.id,
        })
        .to_string();
        let consent = if webhook.allow_private { Consent::Local } else { Consent::Public };
        let id = pending.event_id.to_string();
        let timestamp = (self.now().as_millis() / 1000).to_string();
        let request = self
            .0
            .outbound
            .client(consent)
            .post(&webhook.target_url)
            .header("content-type", "application/json")
            .header("x-truto-signature", format!("format=sha256,v={}", sign(secret, &[body.as_bytes()])))
            .header("webhook-id", &id)
            .header("webhook-timestamp", &timestamp)
            .header(
                "webhook-signature",
                format!("v1,{}", sign(secret, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body.as_bytes()])),
            )
            .body(body)
            .build()
            .map_err(|error| (None, format!("the request can't be built: {error}")))?;
        CrashPoint::DeliverySending.here(secret).await;
        match self.0.outbound.send(request, consent).await {
            Ok(answer) if answer.status.is_success() => Ok(answer.status.as_u16()),
            Ok(answer) => Err((Some(answer.status.as_u16()), format!("answered with {}", answer.status))),
            Err(none) => {
                let title = none.failure.cause.title("The webhook's target");
                Err((
                    None,
                    none.failure.provider_message.map_or_else(|| title.clone(), |why| format!("{title}: {why}")),
                ))
            }
        }
    }
}

/// HMAC-SHA256 keyed by the secret's text, in padded base64.
fn sign(secret: &Secret, parts: &[&[u8]]) -> String {
    // HMAC takes a key of any length; there is no other error.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return String::new() };
    for part in parts {
        mac.update(part);
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// What becomes of a delivery after a try: the first is number zero. An inactive webhook is given no other.
fn tried(outcome: &Outcome, tries: u32, is_active: bool, now: Timestamp) -> Tried {
    match outcome {
        Ok(status) => Tried { state: DeliveryState::Delivered, next_try: now, status: Some(*status), error: None },
        Err((status, error)) => {
            let pause = usize::try_from(tries).ok().and_then(|tries| PAUSES_SECS.get(tries)).filter(|_| is_active);
            let state = if pause.is_some() { DeliveryState::Pending } else { DeliveryState::Failed };
            let next_try = pause.map_or(now, |secs| now.plus_secs(*secs));
            Tried { state, next_try, status: *status, error: Some(error.clone()) }
        }
    }
}

/// The webhook after a try that left its delivery so, if that changes it. One that has failed for a day is set inactive as
/// soon as a delivery has used up its tries: a quiet day after one failure is no reason to give the next event fewer.
fn after(webhook: Webhook, state: DeliveryState, now: Timestamp) -> Option<Webhook> {
    match (state, webhook.failing_since) {
        (DeliveryState::Delivered, Some(_)) => Some(Webhook { failing_since: None, ..webhook }),
        (DeliveryState::Pending | DeliveryState::Failed, None) => Some(Webhook { failing_since: Some(now), ..webhook }),
        (DeliveryState::Failed, Some(since))
            if webhook.is_active && now.millis_since(since) >= PATIENCE_SECS * 1000 =>
        {
            tracing::warn!(webhook = %webhook.id, "set inactive: it has failed for a day");
            Some(Webhook { is_active: false, updated_at: now, ..webhook })
        }
        (DeliveryState::Delivered, None) | (DeliveryState::Pending | DeliveryState::Failed, Some(_)) => None,
    }
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
