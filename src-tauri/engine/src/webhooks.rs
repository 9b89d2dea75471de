//! Webhooks, as surfaces see and change them.

use relink_domain::{
    Secret, Timestamp, WebhookId,
    event::EventKind,
    integration::{Reach, WebUrl},
};
use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    Engine, Error,
    error::Result,
    keychain::{Item, Key},
    network,
    store::{
        orphans,
        outbox::{self, Event},
        webhooks::{self, Delivery, Webhook},
    },
};

/// What a webhook is made of.
#[derive(Debug)]
pub struct NewWebhook {
    /// Where deliveries go.
    pub target_url: String,
    /// Whether it is told anything.
    pub is_active: bool,
    /// The events it wants; `None`: all.
    pub event_types: Option<Vec<EventKind>>,
    /// The person's consent to a private address. Loopback needs none.
    pub allow_private: bool,
}

/// The signing secret's name in the webhook's keychain item.
pub(crate) const WEBHOOK_SECRET: &str = "webhook_secret";

/// https, or http on this machine; nothing that hides where it goes, and no private address without consent. A name says
/// little: what it resolves to is looked at on each delivery.
fn target(text: &str, allow_private: bool) -> Result<WebUrl> {
    let refused = |code, message: String| Err(Error::invalid_field(code, "target_url", message));
    let url = match WebUrl::parse(text.trim()) {
        Ok(url) => url,
        Err(error) => return refused("target_url_invalid", format!("The target {error}.")),
    };
    if url.reach() == Reach::Local && !allow_private && !network::is_on_this_machine(url.as_url()) {
        let message = format!(
            "{} is a private address. Relink sends there only with your consent (--allow-private, or allow_private in \
             POST /relink/webhooks).",
            url.host()
        );
        return refused("target_url_private", message);
    }
    Ok(url)
}

impl Engine {
    /// Makes a webhook. Its signing secret is shown here and never again.
    pub async fn create_webhook(&self, new: NewWebhook) -> Result<(Webhook, Secret)> {
        let url = target(&new.target_url, new.allow_private)?;
        let now = self.now();
        let webhook = Webhook {
            id: WebhookId::from_uuid(Uuid::now_v7()),
            target_url: url.as_str().to_owned(),
            is_active: new.is_active,
            event_types: new.event_types,
            allow_private: new.allow_private || network::is_on_this_machine(url.as_url()),
            failing_since: None,
            created_at: now,
            updated_at: now,
        };
        let secret = Secret::new(Uuid::new_v4().to_string());
        let (key, name) = (Key::Webhook(webhook.id), Key::Webhook(webhook.id).to_string());
        let item = Item { secrets: [(WEBHOOK_SECRET.to_owned(), secret.clone())].into(), ..Item::default() };
        let _making = self.make_item(key).await?;
        let label = format!("Relink: webhook to {}", url.host());
        self.0.keychain.set(&key, &label, &item).await?;
        let record = webhook.clone();
        self.0
            .store
            .write(move |tx| {
                webhooks::insert(tx, &record)?;
                orphans::claim(tx, &name)
            })
            .await?;
        Ok((webhook, secret))
    }

    /// All webhooks.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>> {
        Ok(self.0.store.read(webhooks::list).await?)
    }

    /// One webhook.
    pub async fn webhook(&self, id: WebhookId) -> Result<Webhook> {
        self.0.store.read(move |c| webhooks::get(c, id)).await?.ok_or_else(|| Error::not_found("webhook", &id))
    }

    /// Removes a webhook and what was still to be delivered to it.
    pub async fn delete_webhook(&self, id: WebhookId) -> Result<()> {
        let (now, key) = (self.now(), Key::Webhook(id).to_string());
        let found = self
            .0
            .store
            .write(move |tx| {
                orphans::note(tx, &key, now)?;
                webhooks::delete(tx, id)
            })
            .await?;
        if let Err(error) = self.sweep().await {
            tracing::info!(webhook = %id, code = error.code(), "its keychain item is removed later: {error}");
        }
        if found { Ok(()) } else { Err(Error::not_found("webhook", &id)) }
    }

    /// Sends a webhook the event `test`.
    pub async fn test_webhook(&self, id: WebhookId) -> Result<()> {
        self.webhook(id).await?;
        let now: Timestamp = self.now();
        let payload = json!({ "foo": "bar" });
        self.0
            .store
            .write(move |tx| outbox::enqueue_event_for(tx, &id.to_string(), EventKind::Test, &payload, now).map(drop))
            .await?;
        Ok(())
    }

    /// Retries the failed deliveries, and activates the webhook again. Gives their number.
    pub async fn replay_webhook(&self, id: WebhookId) -> Result<usize> {
        let now = self.now();
        let count = self
            .0
            .store
            .write(move |tx| {
                let Some(webhook) = webhooks::get(tx, id)? else { return Ok(None) };
                let activated = Webhook { is_active: true, failing_since: None, updated_at: now, ..webhook };
                webhooks::update_state(tx, &activated)?;
                webhooks::replay(tx, id, now).map(Some)
            })
            .await?
            .ok_or_else(|| Error::not_found("webhook", &id))?;
        self.0.deliver.notify_one();
        Ok(count)
    }

    /// The latest deliveries to a webhook, newest first.
    pub async fn deliveries(&self, id: WebhookId, limit: usize) -> Result<Vec<Delivery>> {
        self.webhook(id).await?;
        Ok(self.0.store.read(move |c| webhooks::deliveries(c, id, limit)).await?)
    }

    /// Events after that place, oldest first.
    pub async fn events_after(&self, seq: i64, limit: usize) -> Result<Vec<Event>> {
        Ok(self.0.store.read(move |c| outbox::after(c, seq, limit)).await?)
    }

    /// The latest event's place, as it grows.
    pub fn outbox_seq(&self) -> watch::Receiver<i64> {
        self.0.store.outbox_seq()
    }
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn a_target_is_https_or_on_this_machine() {
        for good in ["https://example.com/hook", "http://127.0.0.1:9/x", "http://localhost:3000/", "http://[::1]:1/"] {
            target(good, false).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        for bad in [
            "",
            "example.com",
            "http://example.com/",
            "ftp://example.com",
            "file:///etc/passwd",
            "https://u:p@h/",
            "javascript:alert(1)",
        ] {
            let error = target(bad, true).expect_err(bad);
            assert_eq!(error.code(), "target_url_invalid", "{bad}");
        }
    }

    #[test]
    fn a_private_target_needs_consent_and_a_metadata_service_is_no_target_at_all() {
        for private in ["https://10.1.2.3/", "https://192.168.0.1/", "https://[fd12::1]/", "https://nas.local/"] {
            let error = target(private, false).expect_err(private);
            assert_eq!(error.code(), "target_url_private", "{private}");
            assert!(error.to_string().contains("is a private address"), "{error}");
            target(private, true).unwrap_or_else(|error| panic!("{private}: {error}"));
        }
        for never in ["https://169.254.169.254/latest", "https://[fd00:ec2::254]/", "https://[fe80::1]/"] {
            for consent in [false, true] {
                assert_eq!(target(never, consent).expect_err(never).code(), "target_url_invalid", "{never}");
            }
        }
    }
}
