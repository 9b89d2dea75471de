//! Deliveries: the outbox's way to webhooks. At least once, signed, in order for each account, never in anybody's way.

use std::{collections::HashSet, sync::Arc, sync::Mutex, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use relink_domain::{DeliveryId, Secret, Timestamp};
use serde_json::json;
use sha2::Sha256;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    Engine,
    crash::CrashPoint,
    engine::held,
    error::Result,
    network::Consent,
    store::webhooks::{self, DeliveryState, Pending, Tried, Webhook},
    vault::Key,
    webhooks::WEBHOOK_SECRET,
};

/// Pauses before the retries: three, exponential, at most ten seconds apart.
const PAUSES_SECS: [i64; 3] = [2, 4, 8];
/// A webhook that has failed for so long is set inactive.
const PATIENCE_SECS: i64 = 24 * 60 * 60;
/// Deliveries under way at a time.
const AT_A_TIME: usize = 16;
/// Deliveries looked at in one go.
const TURNS: usize = 256;
/// How long the loop rests when nothing wakes it.
const REST: Duration = Duration::from_secs(30);

/// The loop.
pub(crate) async fn run(engine: Engine) {
    let mut told = engine.0.store.told();
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let under_way: Arc<Mutex<HashSet<DeliveryId>>> = Arc::default();
    let mut tasks = JoinSet::new();
    loop {
        told.borrow_and_update();
        let now = engine.now();
        let mut rest = REST;
        let turns = engine.0.store.read(|c| webhooks::turns(c, TURNS)).await.unwrap_or_else(|error| {
            tracing::warn!("deliveries can't be read: {error}");
            Vec::new()
        });
        for pending in turns {
            if held(&under_way).contains(&pending.id) {
                continue;
            }
            let wait = pending.next_try.millis_since(now);
            if wait > 0 {
                rest = rest.min(Duration::from_millis(wait.unsigned_abs()));
                continue;
            }
            held(&under_way).insert(pending.id);
            let (engine, places, under_way) = (engine.clone(), Arc::clone(&places), Arc::clone(&under_way));
            tasks.spawn(async move {
                let id = pending.id;
                if let Ok(_place) = places.acquire().await
                    && let Err(error) = engine.deliver(pending).await
                {
                    tracing::warn!(delivery = %id, code = error.code(), "not delivered: {error}");
                }
                held(&under_way).remove(&id);
            });
        }
        tokio::select! {
            // The store is gone: so is everything that could be told.
            changed = told.changed() => if changed.is_err() { return },
            () = engine.0.deliver.notified() => {}
            () = tokio::time::sleep(rest) => {}
            Some(_) = tasks.join_next() => {}
        }
    }
}

impl Engine {
    async fn deliver(&self, pending: Pending) -> Result<()> {
        let Some(webhook) = ({
            let id = pending.webhook;
            self.0.store.read(move |c| webhooks::get(c, id)).await?
        }) else {
            return Ok(());
        };
        let secret = match self.0.vault.get(&Key::Webhook(webhook.id)).await {
            Ok(Some(mut item)) => item.secrets.remove(WEBHOOK_SECRET),
            Ok(None) => None,
            Err(error) => {
                // Nothing was tried. It goes on when the keychain does.
                tokio::select! {
                    () = self.0.vault.available() => {}
                    () = tokio::time::sleep(REST) => {}
                }
                return Err(error.into());
            }
        };
        let outcome = match secret {
            Some(secret) => self.post(&webhook, &pending, &secret).await,
            None => Err((None, "its signing secret is gone from the keychain".to_owned())),
        };
        CrashPoint::DeliveryAnswered.here(&webhook).await;
        let now = self.now();
        let tried = tried(&outcome, pending.tries, now);
        if tried.state == DeliveryState::Parked {
            tracing::warn!(webhook = %webhook.id, event = pending.event, "parked after {} tries", pending.tries + 1);
        }
        self.0
            .store
            .write(move |tx| {
                webhooks::tried(tx, pending.id, &tried, now)?;
                match after(webhook, outcome.is_ok(), now) {
                    Some(changed) => webhooks::put(tx, &changed),
                    None => Ok(()),
                }
            })
            .await?;
        Ok(())
    }

    async fn post(
        &self,
        webhook: &Webhook,
        pending: &Pending,
        secret: &Secret,
    ) -> std::result::Result<u16, (Option<u16>, String)> {
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
            .map_err(|error| (None, format!("the request can't be made: {error}")))?;
        CrashPoint::DeliverySending.here(secret).await;
        match self.0.outbound.send(request, consent).await {
            Ok(answer) if answer.status.is_success() => Ok(answer.status.as_u16()),
            Ok(answer) => Err((Some(answer.status.as_u16()), format!("answered with {}", answer.status))),
            Err(none) => {
                let title = none.failure.cause.words("The webhook's target").title;
                Err((None, none.failure.provider_words.map_or_else(|| title.clone(), |why| format!("{title}: {why}"))))
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

fn tried(outcome: &std::result::Result<u16, (Option<u16>, String)>, tries: u32, now: Timestamp) -> Tried {
    match outcome {
        Ok(status) => Tried { state: DeliveryState::Delivered, next_try: now, status: Some(*status), error: None },
        Err((status, error)) => {
            let pause = usize::try_from(tries).ok().and_then(|tries| PAUSES_SECS.get(tries));
            let state = if pause.is_some() { DeliveryState::Pending } else { DeliveryState::Parked };
            let next_try = pause.map_or(now, |secs| now.plus_secs(*secs));
            Tried { state, next_try, status: *status, error: Some(error.clone()) }
        }
    }
}

/// The webhook after a try, if that changes it. One that has failed for a day is set inactive.
fn after(webhook: Webhook, delivered: bool, now: Timestamp) -> Option<Webhook> {
    match (delivered, webhook.failing_since) {
        (true, Some(_)) => Some(Webhook { failing_since: None, ..webhook }),
        (false, None) => Some(Webhook { failing_since: Some(now), ..webhook }),
        (false, Some(since)) if now.millis_since(since) >= PATIENCE_SECS * 1000 => {
            tracing::warn!(webhook = %webhook.id, "set inactive: it has failed for a day");
            Some(Webhook { is_active: false, updated_at: now, ..webhook })
        }
        (true, None) | (false, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use relink_domain::WebhookId;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn three_retries_then_the_delivery_is_parked() {
        let failed = Err((Some(500), "answered with 500".to_owned()));
        let steps: Vec<_> = (0..4)
            .map(|tries| {
                let tried = tried(&failed, tries, NOW);
                (tried.state, tried.next_try.millis_since(NOW) / 1000)
            })
            .collect();
        let again = DeliveryState::Pending;
        assert_eq!(steps, [(again, 2), (again, 4), (again, 8), (DeliveryState::Parked, 0)]);
    }

    #[test]
    fn a_webhook_that_fails_for_a_day_is_set_inactive_and_a_success_forgives() {
        let webhook = Webhook {
            id: WebhookId::from_uuid(uuid::Uuid::nil()),
            target_url: "https://example.com".into(),
            is_active: true,
            event_types: None,
            allow_private: false,
            failing_since: None,
            created_at: NOW,
            updated_at: NOW,
        };
        let failing = after(webhook, false, NOW).expect("it changes");
        assert_eq!(after(failing.clone(), false, NOW.plus_secs(PATIENCE_SECS - 1)), None);
        assert!(!after(failing.clone(), false, NOW.plus_secs(PATIENCE_SECS)).expect("it changes").is_active);
        assert_eq!(after(failing, true, NOW).expect("it changes").failing_since, None);
    }

    #[test]
    fn the_signature_is_the_one_of_the_rfc() {
        // RFC 4231 §4.3, in base64.
        let signed = sign(&Secret::new("Jefe"), &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(signed, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
    }
}
