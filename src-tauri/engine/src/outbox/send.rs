//! One attempt at a delivery: the signed request to the webhook's target.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use relink_contract::webhook::DeliveryBody;
use relink_domain::{Secret, destination::Consent};
use sha2::Sha256;

use super::{Outbox, delivery::Outcome, webhooks::WEBHOOK_SECRET};
use crate::{
    crash::CrashPoint,
    error::Result,
    keychain::{Key, KeychainError},
    store::webhooks::{self, Pending, Webhook},
};

/// Receivers that were written for Truto may look for it.
const USER_AGENT: &str = "truto";

impl Outbox {
    /// Sends a delivery. `None` if its webhook was deleted; an error if no attempt could be made.
    pub(super) async fn attempt(&self, pending: &Pending) -> Result<Option<Outcome>> {
        let id = pending.webhook;
        let Some(webhook) = self.0.uses.store.read(move |c| webhooks::get(c, id)).await? else { return Ok(None) };
        let secret = match self.0.uses.keychain.get(&Key::Webhook(id)).await {
            Ok(Some(mut item)) => item.secrets.remove(WEBHOOK_SECRET),
            Ok(None) => None,
            // Waiting doesn't repair the item, so the attempt fails.
            Err(error @ (KeychainError::Damaged { .. } | KeychainError::Newer { .. })) => {
                return Ok(Some(Err((None, format!("the signing secret can't be read: {error}")))));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Some(match secret {
            Some(secret) => self.post(&webhook, pending, &secret).await,
            None => Err((None, "the signing secret is gone from the keychain".to_owned())),
        }))
    }

    async fn post(&self, webhook: &Webhook, pending: &Pending, secret: &Secret) -> Outcome {
        let body = DeliveryBody {
            id: pending.event_id,
            event: pending.event.clone(),
            event_type: pending.event.clone(),
            payload: pending.payload.clone(),
            environment_id: self.0.uses.environment,
            created_at: pending.created_at,
            webhook_id: webhook.id,
        };
        let body = serde_json::to_string(&body).map_err(|error| (None, format!("it can't be serialized: {error}")))?;
        let consent = if webhook.allow_private { Consent::Local } else { Consent::Public };
        let id = pending.event_id.to_string();
        let timestamp = (self.now().as_millis() / 1000).to_string();
        let standard_signature = sign(secret, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body.as_bytes()]);
        let request = self
            .0
            .uses
            .outbound
            .client(consent)
            .post(&webhook.target_url)
            .header("content-type", "application/json")
            .header("user-agent", USER_AGENT)
            .header("x-truto-signature", format!("format=sha256,v={}", sign(secret, &[body.as_bytes()])))
            .header("webhook-id", &id)
            .header("webhook-timestamp", &timestamp)
            .header("webhook-signature", format!("v1,{standard_signature}"))
            .body(body)
            .build()
            .map_err(|error| (None, format!("the request can't be built: {error}")))?;
        CrashPoint::DeliverySending.here(secret).await;
        match self.0.uses.outbound.send(request, consent).await {
            Ok(response) if response.status.is_success() => Ok(response.status.as_u16()),
            Ok(response) => Err((Some(response.status.as_u16()), format!("answered with {}", response.status))),
            Err(failed) => {
                let title = failed.failure.cause.title("The webhook's target");
                let reason = failed.failure.provider_message.map(|text| format!("{title}: {text}"));
                Err((None, reason.unwrap_or(title)))
            }
        }
    }
}

/// HMAC-SHA256 keyed by the secret's text, in padded base64.
pub(super) fn sign(secret: &Secret, parts: &[&[u8]]) -> String {
    // HMAC accepts a key of any length; there is no other error.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return String::new() };
    for part in parts {
        mac.update(part);
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}
