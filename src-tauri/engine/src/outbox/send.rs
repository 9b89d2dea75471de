//! One attempt at a delivery: the signed request to the webhook's target, and what is kept of it and of the response.

use std::{collections::BTreeMap, time::Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use relink_contract::webhook::{DeliveryAttempt, DeliveryBody, DeliveryResponse};
use relink_domain::{
    Secret,
    destination::Consent,
    hex::hex,
    provider_text::{HIDDEN, SecretFilter},
    webhook::SignatureFormat,
};
use sha2::Sha256;

use super::{Outbox, webhooks::WEBHOOK_SECRET};
use crate::{
    crash::CrashPoint,
    error::Result,
    keychain::{Key, KeychainError},
    outbound::HttpResponse,
    store::webhooks::{self, Pending, Webhook},
};

/// Receivers that were written for Truto may look for it.
const USER_AGENT: &str = "truto";
/// How much of a response's body is kept, in bytes.
const MAX_BODY: usize = 4096;
/// How many of a response's headers are kept.
const MAX_HEADERS: usize = 40;
/// How much of a header's value is kept, in characters.
const MAX_HEADER_CHARS: usize = 500;
/// How much of what the target said is repeated in an error, in characters.
const MAX_SAID_CHARS: usize = 200;

impl Outbox {
    /// Sends a delivery. `None` if its webhook was deleted; an error if no attempt could be made.
    pub(super) async fn attempt(&self, pending: &Pending) -> Result<Option<DeliveryAttempt>> {
        let id = pending.webhook;
        let Some(webhook) = self.0.uses.store.read(move |c| webhooks::get(c, id)).await? else { return Ok(None) };
        let at = self.now();
        let unsent = |error: String| {
            let target_url = webhook.target_url.clone();
            let request_headers = BTreeMap::new();
            Ok(Some(DeliveryAttempt {
                at,
                duration_ms: 0,
                target_url,
                request_headers,
                response: None,
                error: Some(error),
            }))
        };
        let secret = match self.0.uses.keychain.get(&Key::Webhook(id)).await {
            Ok(Some(mut item)) => item.secrets.remove(WEBHOOK_SECRET),
            Ok(None) => None,
            // Waiting doesn't repair the item, so the attempt fails.
            Err(error @ (KeychainError::Damaged { .. } | KeychainError::Newer { .. })) => {
                return unsent(format!("the signing secret can't be read: {error}"));
            }
            Err(error) => return Err(error.into()),
        };
        let Some(secret) = secret else { return unsent("the signing secret is gone from the keychain".to_owned()) };
        let body = match serde_json::to_string(&self.body_of(pending)) {
            Ok(body) => body,
            Err(error) => return unsent(format!("it can't be serialized: {error}")),
        };
        let headers = headers(&webhook, pending, &secret, at.as_millis() / 1000, &body);
        Ok(Some(self.post(&webhook, headers, body, &secret).await))
    }

    /// The body of a delivery, which is the same in every attempt.
    pub(super) fn body_of(&self, pending: &Pending) -> DeliveryBody {
        DeliveryBody {
            id: pending.event_id,
            event: pending.event.clone(),
            event_type: pending.event.clone(),
            payload: pending.payload.clone(),
            environment_id: self.0.uses.environment,
            created_at: pending.created_at,
            webhook_id: pending.webhook,
        }
    }

    async fn post(
        &self,
        webhook: &Webhook,
        headers: BTreeMap<String, String>,
        body: String,
        secret: &Secret,
    ) -> DeliveryAttempt {
        let outbound = &self.0.uses.outbound;
        let consent = if webhook.allow_private { Consent::Local } else { Consent::Public };
        let at = self.now();
        let ended = |started: Option<Instant>, response, error| DeliveryAttempt {
            at,
            duration_ms: started.map_or(0, |it| u32::try_from(it.elapsed().as_millis()).unwrap_or(u32::MAX)),
            target_url: webhook.target_url.clone(),
            request_headers: headers.clone(),
            response,
            error,
        };
        let builder = outbound.client(consent).post(&webhook.target_url).body(body);
        let request = match headers.iter().fold(builder, |builder, (name, value)| builder.header(name, value)).build() {
            Ok(request) => request,
            Err(error) => return ended(None, None, Some(format!("the request can't be built: {error}"))),
        };
        CrashPoint::DeliverySending.here(secret).await;
        let started = Some(Instant::now());
        match outbound.send(request, consent).await {
            Ok(response) => {
                let error = (!response.status.is_success()).then(|| format!("answered with {}", response.status));
                ended(started, Some(kept(&response, &SecretFilter::new([secret]))), error)
            }
            Err(failed) => {
                let title = failed.failure.cause.title("The webhook's target");
                let reason = failed.failure.provider_message.map(|text| format!("{title}: {text}"));
                ended(started, None, Some(reason.unwrap_or(title)))
            }
        }
    }
}

/// The headers of a delivery. Beside Truto's signature there are those of Standard Webhooks, whose key is the secret's text.
fn headers(
    webhook: &Webhook,
    pending: &Pending,
    secret: &Secret,
    timestamp: i64,
    body: &str,
) -> BTreeMap<String, String> {
    let (id, timestamp) = (pending.event_id.to_string(), timestamp.to_string());
    let signature = sign(secret, &[body.as_bytes()], webhook.signature_format);
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body.as_bytes()];
    let standard = sign(secret, &signed, SignatureFormat::Base64);
    [
        ("content-type", "application/json".to_owned()),
        ("user-agent", USER_AGENT.to_owned()),
        ("webhook-id", id),
        ("webhook-signature", format!("v1,{standard}")),
        ("webhook-timestamp", timestamp),
        ("x-truto-signature", format!("format=sha256,v={signature}")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// What is kept of a response: nothing that repeats the signing secret, and no cookie.
fn kept(response: &HttpResponse, filter: &SecretFilter) -> DeliveryResponse {
    let mut headers = BTreeMap::new();
    for name in response.headers.keys().take(MAX_HEADERS) {
        let values = response.headers.get_all(name).iter();
        let value = if *name == http::header::SET_COOKIE {
            HIDDEN.to_owned()
        } else {
            let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            filter.clean(&values.join(", "), MAX_HEADER_CHARS)
        };
        headers.insert(name.to_string(), value);
    }
    let start = &response.body[..response.body.len().min(MAX_BODY)];
    DeliveryResponse {
        status: response.status.as_u16(),
        headers,
        body: filter.clean_whole(&String::from_utf8_lossy(start)),
        is_truncated: start.len() < response.body.len(),
    }
}

/// Why an attempt failed, with what the target said, in one sentence. `None` if it succeeded.
pub(super) fn explained(attempt: &DeliveryAttempt) -> Option<String> {
    let error = attempt.error.as_deref()?;
    let Some(response) = &attempt.response else { return Some(format!("{}.", error.trim_end_matches('.'))) };
    let said = relink_domain::provider_text::single_line(&response.body, MAX_SAID_CHARS);
    let said = if said.is_empty() { String::new() } else { format!(", and said: {said}") };
    Some(format!("The webhook's target {error}{said}."))
}

/// HMAC-SHA256 keyed by the secret's text.
pub(super) fn sign(secret: &Secret, parts: &[&[u8]], format: SignatureFormat) -> String {
    // HMAC accepts a key of any length; there is no other error.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return String::new() };
    for part in parts {
        mac.update(part);
    }
    let mac = mac.finalize().into_bytes();
    match format {
        SignatureFormat::Base64 => BASE64_STANDARD.encode(mac),
        SignatureFormat::Hex => hex(&mac),
    }
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
