//! Reads and changes webhooks.

use relink_domain::{
    Secret, WebhookId,
    caller::Caller,
    event::{EventPattern, UnknownEvent},
    integration::{Reach, WebUrl},
    permission::Permission,
    webhook::SignatureFormat,
};
use uuid::Uuid;

use super::Outbox;
use crate::{
    error::{Error, Result},
    keychain::{Item, Key},
    network,
    store::{
        self, api_tokens, orphans,
        webhooks::{self, Webhook},
    },
};

/// The input of [`Outbox::create_webhook`].
#[derive(Debug, Default)]
pub struct NewWebhook {
    pub target_url: String,
    pub is_active: bool,
    /// The names of the events that are delivered to it, or patterns of names; `None`: all.
    pub event_types: Option<Vec<String>>,
    /// The person's consent to a private address. Loopback needs none.
    pub allow_private: bool,
    pub signature_format: SignatureFormat,
}

/// The input of [`Outbox::change_webhook`]. What is `None` stays.
#[derive(Debug, Default)]
pub struct WebhookChange {
    pub target_url: Option<String>,
    /// False pauses it, true resumes it.
    pub is_active: Option<bool>,
    /// `Some(None)`: all.
    pub event_types: Option<Option<Vec<String>>>,
    /// The person's consent to a private address, if `target_url` is one.
    pub allow_private: bool,
    pub signature_format: Option<SignatureFormat>,
}

/// Name of the signing secret in a webhook's keychain item.
pub(super) const WEBHOOK_SECRET: &str = "webhook_secret";

/// Validates a target: https, or http on this machine; no URL that hides its destination, and no private address
/// without consent. The addresses that a host name resolves to are checked at each delivery.
fn target(text: &str, allow_private: bool) -> Result<WebUrl> {
    let refused = |code, message: String| Err(Error::invalid_field(code, "target_url", message));
    let url = match WebUrl::parse(text.trim()) {
        Ok(url) => url,
        Err(error) => return refused("target_url_invalid", format!("The target {error}.")),
    };
    if url.reach() == Reach::Local && !allow_private && !network::is_on_this_machine(url.as_url()) {
        let message = format!(
            "{} is a private address. Relink sends there only with your consent: relink webhook add URL --allow-private, \
             or in Relink's window.",
            url.host()
        );
        return refused("target_url_private", message);
    }
    Ok(url)
}

/// The maximum number of patterns of one webhook.
const MAX_EVENT_TYPES: usize = 100;

fn patterns(names: &[String]) -> Result<Vec<EventPattern>> {
    let refused = |code, message: String| Err(Error::invalid_field(code, "event_types", message));
    if names.is_empty() {
        return refused("event_types_empty", "Choose at least one event.".into());
    }
    if names.len() > MAX_EVENT_TYPES {
        return refused("event_types_invalid", format!("A webhook can name at most {MAX_EVENT_TYPES} events."));
    }
    let patterns: Result<_, UnknownEvent> = names.iter().map(|name| name.parse()).collect();
    patterns.or_else(|unknown| refused("unknown_event", unknown.to_string()))
}

/// Whether a caller may manage a webhook: a program only those that it created.
fn may_manage(caller: &Caller, webhook: &Webhook) -> bool {
    caller.may(Permission::AllWebhooks) || api_tokens::id_of(caller).is_some_and(|own| webhook.creator == Some(own))
}

/// The webhook, if the caller may manage it. Any other counts as unknown.
pub(super) fn managed(
    connection: &rusqlite::Connection,
    caller: &Caller,
    id: WebhookId,
) -> store::Result<Option<Webhook>> {
    Ok(webhooks::get(connection, id)?.filter(|webhook| may_manage(caller, webhook)))
}

impl Webhook {
    /// It delivers again, and nothing of its past counts.
    #[must_use]
    pub(super) fn activated(self) -> Self {
        Self { is_active: true, failing_since: None, disabled_at: None, ..self }
    }

    /// It delivers nothing until somebody activates it. What is pending stays, and events that happen meanwhile aren't
    /// kept for it.
    #[must_use]
    fn paused(self) -> Self {
        Self { is_active: false, ..self }
    }
}

impl Outbox {
    /// Creates a webhook. Its signing secret is returned only here.
    pub async fn create_webhook(&self, caller: &Caller, new: NewWebhook) -> Result<(Webhook, Secret)> {
        if new.allow_private {
            caller.require(Permission::AllowPrivateAddresses)?;
        }
        let event_types = new.event_types.as_deref().map(patterns).transpose()?;
        let url = target(&new.target_url, new.allow_private)?;
        let now = self.now();
        let webhook = Webhook {
            id: WebhookId::from_uuid(Uuid::now_v7()),
            target_url: url.as_str().to_owned(),
            is_active: new.is_active,
            event_types,
            allow_private: new.allow_private || network::is_on_this_machine(url.as_url()),
            signature_format: new.signature_format,
            failing_since: None,
            disabled_at: None,
            creator: api_tokens::id_of(caller),
            created_at: now,
            updated_at: now,
        };
        let secret = Secret::new(Uuid::new_v4().to_string());
        let key = Key::Webhook(webhook.id);
        let item = Item { secrets: [(WEBHOOK_SECRET.to_owned(), secret.clone())].into(), ..Item::default() };
        let _being_written = self.0.uses.orphans.note_before_writing(key).await?;
        let label = format!("Relink: webhook to {}", url.host());
        self.0.uses.keychain.set(&key, &label, &item).await?;
        let (record, name) = (webhook.clone(), key.to_string());
        let write = move |tx: &rusqlite::Transaction<'_>| {
            if !api_tokens::is_valid(tx, record.creator, now)? {
                return Ok(Err(Error::TokenEnded));
            }
            webhooks::insert(tx, &record)?;
            orphans::claim(tx, &name)?;
            Ok(Ok(()))
        };
        self.0.uses.store.write(write).await??;
        tracing::info!(webhook = %webhook.id, ?caller, "webhook made");
        Ok((webhook, secret))
    }

    /// The webhooks that the caller may manage, oldest first.
    pub async fn webhooks(&self, caller: &Caller) -> Result<Vec<Webhook>> {
        let mut webhooks = self.0.uses.store.read(webhooks::list).await?;
        webhooks.retain(|webhook| may_manage(caller, webhook));
        Ok(webhooks)
    }

    /// One that the caller may not manage counts as unknown.
    pub async fn webhook(&self, caller: &Caller, id: WebhookId) -> Result<Webhook> {
        let reads = caller.clone();
        let webhook = self.0.uses.store.read(move |c| managed(c, &reads, id)).await?;
        webhook.ok_or_else(|| Error::not_found("webhook", &id))
    }

    /// Changes a webhook. One with another target starts over: that an earlier one failed doesn't count.
    pub async fn change_webhook(&self, caller: &Caller, id: WebhookId, change: WebhookChange) -> Result<Webhook> {
        if change.allow_private {
            caller.require(Permission::AllowPrivateAddresses)?;
        }
        let event_types = change.event_types.map(|names| names.as_deref().map(patterns).transpose()).transpose()?;
        let url = change.target_url.as_deref().map(|text| target(text, change.allow_private)).transpose()?;
        let (now, manager) = (self.now(), caller.clone());
        let write = move |tx: &rusqlite::Transaction<'_>| {
            let Some(mut webhook) = managed(tx, &manager, id)? else { return Ok(None) };
            if let Some(url) = url.filter(|url| url.as_str() != webhook.target_url || change.allow_private) {
                webhook.allow_private = change.allow_private || network::is_on_this_machine(url.as_url());
                url.as_str().clone_into(&mut webhook.target_url);
                webhook.failing_since = None;
            }
            webhook.event_types = event_types.unwrap_or(webhook.event_types);
            webhook.signature_format = change.signature_format.unwrap_or(webhook.signature_format);
            webhook = match change.is_active {
                Some(true) if !webhook.is_active => webhook.activated(),
                Some(false) if webhook.is_active => webhook.paused(),
                _ => webhook,
            };
            webhook.updated_at = now;
            webhooks::update(tx, &webhook)?;
            Ok(Some(webhook))
        };
        let changed = self.0.uses.store.write(write).await?.ok_or_else(|| Error::not_found("webhook", &id))?;
        // What waited for it to be active is due.
        self.0.due.set_no_later(id, now);
        self.0.disabled.send_replace(());
        tracing::info!(webhook = %id, ?caller, is_active = changed.is_active, "webhook changed");
        Ok(changed)
    }

    /// Deletes a webhook and its pending deliveries.
    pub async fn delete_webhook(&self, caller: &Caller, id: WebhookId) -> Result<()> {
        let (now, key, deletes) = (self.now(), Key::Webhook(id).to_string(), caller.clone());
        let write = move |tx: &rusqlite::Transaction<'_>| {
            if managed(tx, &deletes, id)?.is_none() {
                return Ok(false);
            }
            orphans::note(tx, &key, now)?;
            webhooks::delete(tx, id)
        };
        let found = self.0.uses.store.write(write).await?;
        if let Err(error) = self.0.uses.orphans.sweep().await {
            tracing::info!(webhook = %id, code = error.code(), "its keychain item is removed later: {error}");
        }
        if !found {
            return Err(Error::not_found("webhook", &id));
        }
        self.0.disabled.send_replace(());
        tracing::info!(webhook = %id, ?caller, "webhook deleted");
        Ok(())
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
