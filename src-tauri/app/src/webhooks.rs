//! Webhooks and their deliveries, as the window shows and changes them.

use std::future::{Ready, ready};

use relink_contract::window::{Delivery, DeliveryDetails, DeliveryState, EventType, NewWebhook, Webhook};
use relink_domain::{
    DeliveryId, WebhookId,
    caller::Caller,
    event::EventKind,
    integration::WebUrl,
    notice::{DisabledWebhook, Disabling},
    webhook::SignatureFormat,
};
use relink_engine::{DeliveryFilter, WebhookChange};

use crate::{App, Result, error_view};

const MAX_DELIVERIES: usize = 50;

impl App {
    pub async fn webhooks(&self) -> Result<Vec<Webhook>> {
        let engine = &self.0.engine;
        let webhooks = engine.outbox().webhooks(&Caller::Person).await.map_err(error_view)?;
        let tokens = engine.access().api_tokens(&Caller::Person).await.map_err(error_view)?;
        let name_of = |id| tokens.iter().find(|token| token.id == id).map(|token| format!("API token {}", token.name));
        let creator = |id| name_of(id).unwrap_or_else(|| "an API token that was revoked".to_owned());
        Ok(webhooks
            .into_iter()
            .map(|hook| {
                let created_by = hook.creator.map(creator);
                webhook(hook, created_by)
            })
            .collect())
    }

    /// The webhooks that Relink disabled.
    pub(crate) async fn disabled_webhooks(&self) -> Result<Vec<DisabledWebhook>> {
        let webhooks = self.0.engine.outbox().webhooks(&Caller::Person).await.map_err(error_view)?;
        let disabled = webhooks.into_iter().filter_map(|webhook| {
            let disabling = Disabling { webhook: webhook.id, at: webhook.disabled_at? };
            let host = WebUrl::parse(&webhook.target_url).map(|url| url.host().to_string()).unwrap_or_default();
            Some(DisabledWebhook { disabling, host })
        });
        Ok(disabled.collect())
    }

    async fn change_webhook(&self, id: WebhookId, change: WebhookChange) -> Result<Webhook> {
        self.0.engine.outbox().change_webhook(&Caller::Person, id, change).await.map_err(error_view)?;
        let found = self.webhooks().await?.into_iter().find(|webhook| webhook.id == id);
        found.ok_or_else(|| error_view(relink_engine::Error::not_found("webhook", &id)))
    }

    /// Pauses a webhook, or resumes it.
    pub async fn set_webhook_active(&self, id: WebhookId, active: bool) -> Result<Webhook> {
        self.change_webhook(id, WebhookChange { is_active: Some(active), ..WebhookChange::default() }).await
    }

    pub async fn set_signature_format(&self, id: WebhookId, format: SignatureFormat) -> Result<Webhook> {
        self.change_webhook(id, WebhookChange { signature_format: Some(format), ..WebhookChange::default() }).await
    }

    /// The events that a webhook can subscribe to.
    pub fn event_types(&self) -> Ready<Result<Vec<EventType>>> {
        let described =
            |kind: &EventKind| EventType { name: kind.as_str().to_owned(), description: kind.description().to_owned() };
        ready(Ok(EventKind::ALL.iter().map(described).collect()))
    }

    /// Copies the new webhook's signing secret to the clipboard.
    pub async fn add_webhook(&self, new: NewWebhook) -> Result<Webhook> {
        let new = relink_engine::NewWebhook {
            target_url: new.target_url,
            is_active: true,
            event_types: new.event_types,
            allow_private: new.allow_private,
            signature_format: new.signature_format,
        };
        let (created, secret) =
            self.0.engine.outbox().create_webhook(&Caller::Person, new).await.map_err(error_view)?;
        let undo = self.remove_webhook(created.id);
        self.copy_or_undo(&secret, "The webhook was not added", undo).await?;
        Ok(webhook(created, None))
    }

    pub async fn remove_webhook(&self, id: WebhookId) -> Result<()> {
        self.0.engine.outbox().delete_webhook(&Caller::Person, id).await.map_err(error_view)
    }

    /// Delivers the event `test` to the webhook, and waits for the response.
    pub async fn test_webhook(&self, id: WebhookId) -> Result<()> {
        self.0.engine.outbox().test_webhook(&Caller::Person, id).await.map_err(error_view)
    }

    /// Retries the failed deliveries; returns their number.
    pub async fn replay_webhook(&self, id: WebhookId) -> Result<usize> {
        self.0.engine.outbox().retry_failed(&Caller::Person, id).await.map_err(error_view)
    }

    /// Sends one delivery again.
    pub async fn replay_delivery(&self, id: WebhookId, delivery: DeliveryId) -> Result<()> {
        self.0.engine.outbox().replay_delivery(&Caller::Person, id, delivery).await.map_err(error_view)
    }

    /// The latest deliveries, newest first.
    pub async fn deliveries(&self, id: WebhookId) -> Result<Vec<Delivery>> {
        let outbox = self.0.engine.outbox();
        let deliveries = outbox.deliveries(&Caller::Person, id, DeliveryFilter::default(), MAX_DELIVERIES).await;
        Ok(deliveries.map_err(error_view)?.into_iter().map(delivery).collect())
    }

    /// A delivery with what was sent and what came back.
    pub async fn delivery(&self, id: WebhookId, delivery_id: DeliveryId) -> Result<DeliveryDetails> {
        let found = self.0.engine.outbox().delivery(&Caller::Person, id, delivery_id).await.map_err(error_view)?;
        let relink_engine::DeliveryDetails { delivery: found, request_body, attempts } = found;
        Ok(DeliveryDetails { event_id: found.event_id, delivery: delivery(found), request_body, attempts })
    }
}

fn webhook(webhook: relink_engine::Webhook, created_by: Option<String>) -> Webhook {
    Webhook {
        id: webhook.id,
        target_url: webhook.target_url,
        is_active: webhook.is_active,
        event_types: webhook.event_types.map(|patterns| names(&patterns)),
        signature_format: webhook.signature_format,
        failing_since: webhook.failing_since,
        disabled_at: webhook.disabled_at,
        created_by,
        created_at: webhook.created_at,
    }
}

fn names(events: &[impl ToString]) -> Vec<String> {
    events.iter().map(ToString::to_string).collect()
}

fn delivery(delivery: relink_engine::Delivery) -> Delivery {
    let state = DeliveryState::from(delivery.state);
    Delivery {
        id: delivery.id,
        event: delivery.event,
        state,
        tries: delivery.tries,
        next_try: (state == DeliveryState::Pending).then_some(delivery.next_try),
        last_status: delivery.last_status,
        last_error: delivery.last_error,
        updated_at: delivery.updated_at,
    }
}
