//! Webhooks and their deliveries, as the window shows and changes them.

use std::future::{Ready, ready};

use relink_contract::window::{Delivery, DeliveryState, NewWebhook, Webhook};
use relink_domain::{WebhookId, caller::Caller, event::EventKind};

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

    /// The events that a webhook can subscribe to.
    pub fn event_types(&self) -> Ready<Result<Vec<String>>> {
        ready(Ok(names(EventKind::ALL)))
    }

    /// Copies the new webhook's signing secret to the clipboard.
    pub async fn add_webhook(&self, new: NewWebhook) -> Result<Webhook> {
        let new = relink_engine::NewWebhook {
            target_url: new.target_url,
            is_active: true,
            event_types: new.event_types,
            allow_private: new.allow_private,
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

    /// Delivers the event `test` to the webhook.
    pub async fn test_webhook(&self, id: WebhookId) -> Result<()> {
        self.0.engine.outbox().test_webhook(&Caller::Person, id).await.map_err(error_view)
    }

    /// Retries the failed deliveries; returns their number.
    pub async fn replay_webhook(&self, id: WebhookId) -> Result<usize> {
        self.0.engine.outbox().retry_failed(&Caller::Person, id).await.map_err(error_view)
    }

    /// The latest deliveries, newest first.
    pub async fn deliveries(&self, id: WebhookId) -> Result<Vec<Delivery>> {
        let deliveries =
            self.0.engine.outbox().deliveries(&Caller::Person, id, MAX_DELIVERIES).await.map_err(error_view)?;
        Ok(deliveries.into_iter().map(delivery).collect())
    }
}

fn webhook(webhook: relink_engine::Webhook, created_by: Option<String>) -> Webhook {
    Webhook {
        id: webhook.id,
        target_url: webhook.target_url,
        is_active: webhook.is_active,
        event_types: webhook.event_types.map(|patterns| names(&patterns)),
        failing_since: webhook.failing_since,
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
